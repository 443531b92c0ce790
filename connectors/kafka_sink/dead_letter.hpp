// A record that the topic does not take, as a record that the topic of dead letters takes.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <semel/record.hpp>
#include <semel/sink.hpp>

#include "kafka/transactional_producer.hpp"
#include "record/bad_record.hpp"

namespace semel::kafka_sink {

/// Key, value and headers as they were, and headers of ours that say where it came from and what is
/// wrong. What is too large for `bytes_max` is cut, and a header says so. Not thread safe.
class DeadLetter {
 public:
  DeadLetter(const Owner& owner, const Task& task, const Record& record,
             const record::BadRecord& bad, std::int64_t bytes_max);
  DeadLetter(const DeadLetter&) = delete;
  DeadLetter& operator=(const DeadLetter&) = delete;

  /// Borrows from the record and from this.
  kafka::Outgoing outgoing() const;

 private:
  void say(std::string_view name, std::string text);
  void fit(std::int64_t bytes_max);

  Record record_;
  std::vector<std::pair<std::string_view, std::string>> said_;
  std::vector<Header> headers_;
  std::size_t theirs_ = 0;  ///< how many of headers_ are the record's own
};

/// What a record that is copied is told to have come from: headers of ours.
class Origin {
 public:
  /// Appends to `headers`; they borrow from this.
  void add(const TopicPartition& tp, Offset offset, std::vector<Header>& headers);

 private:
  std::string topic_;
  std::string partition_;
  std::string offset_;
};

/// Whether a header's name is one of ours.
bool is_dead_letter_of(const std::vector<Header>& headers, const std::string& pipeline,
                       const std::string& output);

}  // namespace semel::kafka_sink
