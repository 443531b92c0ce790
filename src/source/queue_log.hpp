// Records that a program brings itself.
#pragma once

#include <string>
#include <vector>

#include <semel/stream/receiver.hpp>

#include "source/local_log.hpp"

namespace semel::source {

/// In memory: whoever starts again brings the same records in the same order, from the first one.
class QueueLog final : public LocalLog {
 public:
  QueueLog(std::string topic, std::vector<stream::Received> records)
      : topic_(std::move(topic)), records_(std::move(records)) {}

  const std::string& topic() const override { return topic_; }
  Result<Bounds> bounds() override;
  Result<void> read(Offset from, Offset until, std::size_t max, KeptRecords& into) override;
  void passed(Offset) override {}

 private:
  std::string topic_;
  std::vector<stream::Received> records_;
};

}  // namespace semel::source
