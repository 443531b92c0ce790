// Records that cannot be rows, on their way into the dead-letter table. What is written there
// cannot fail for its content: bytes stay bytes, texts are made fit first.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>

#include <semel/record.hpp>
#include <semel/types.hpp>

#include "postgres/client/connection.hpp"
#include "postgres/session/shared.hpp"
#include "record/bad_record.hpp"

namespace semel::postgres {

/// Not thread safe.
class DeadLetters {
 public:
  void clear();
  void add(const Shared& shared, const Task& task, const Record& record,
           const record::BadRecord& bad, bool ascii_only);
  /// Enough are held: send them.
  bool wants_send() const { return rows_.size() >= bytes_max; }
  /// Sends those that are held; no other COPY may be open.
  Reply send(Connection& connection, const Shared& shared, std::chrono::milliseconds patience);
  std::uint64_t count() const { return count_; }

 private:
  static constexpr std::size_t bytes_max = std::size_t{1024} * 1024;
  std::string rows_;
  std::uint64_t count_ = 0;
};

}  // namespace semel::postgres
