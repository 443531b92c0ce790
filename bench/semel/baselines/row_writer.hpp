// Rows into PostgreSQL for the baselines: by the connector's own encoder and binary COPY, so that
// what is compared is the protocol and not the encoder.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include <semel/error.hpp>
#include <semel/record.hpp>

#include "bench/semel/baselines/spec.hpp"

namespace semel::bench {

/// One thread uses it. begin, write*, commit.
class RowWriter {
 public:
  /// `start` is the number of this process, `worker` the thread's: the key of what the bench reads.
  static Result<std::unique_ptr<RowWriter>> connect(const Spec& spec, int start, int worker);
  ~RowWriter();
  RowWriter(const RowWriter&) = delete;
  RowWriter& operator=(const RowWriter&) = delete;

  Result<void> begin();
  Result<void> write(std::int32_t partition, const Record& record);
  /// The rows, and their number in the table that the bench reads, in one transaction.
  Result<void> commit();

 private:
  struct Impl;
  explicit RowWriter(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace semel::bench
