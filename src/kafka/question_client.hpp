// A reader's questions about its partitions, asked by a client of their own: behind a fetch on the
// same connection they would wait for as long as the fetch takes.
#pragma once

#include <memory>
#include <string>

#include <semel/error.hpp>
#include <semel/types.hpp>

#include "kafka/cluster_questions.hpp"
#include "kafka/options.hpp"

namespace semel::kafka {

struct LogEnds {
  Offset earliest = 0;
  Offset latest = 0;
};

/// Used by one thread. Connects with the first question, which is asked only when records do not
/// come.
class QuestionClient {
 public:
  QuestionClient(Options options, std::string pipeline);

  Result<TopicState> topic(const std::string& name);
  Result<LogEnds> ends(const TopicPartition& tp);

  /// As Client::same_cluster(), of whoever answered the questions.
  Result<void> same_cluster() const;
  /// For looking at single records: a fetch by this client brings one batch.
  Result<Client*> client();

  /// Whether the last question failed because connections are refused or break off: an outage. A
  /// question without any answer is none: whoever is slow to answer may still be sending records.
  bool outage() const { return outage_; }
  /// Whether the last question was answered.
  bool answered() const { return answered_; }

 private:
  template <class Ask>
  auto ask(Ask&& what) -> decltype(what(std::declval<Client&>()));

  Options options_;
  std::string pipeline_;
  std::unique_ptr<Client> client_;
  bool answered_ = true;
  bool outage_ = false;
};

}  // namespace semel::kafka
