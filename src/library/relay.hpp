// Between the engine's threads and a listener that others wrote.
#pragma once

#include <memory>
#include <mutex>

#include <semel/listener.hpp>

#include "base/log.hpp"

namespace semel {

/// One call at a time; what is thrown is a warning, once.
class Relay final : public PipelineListener {
 public:
  Relay(std::shared_ptr<PipelineListener> to, Log log) : to_(std::move(to)), log_(std::move(log)) {}

  void on_taken_over(std::string_view output, const TakenOver& taken) override;
  void on_entered(std::string_view output, std::span<const Progress> starts) override;
  void on_committed(std::string_view output, BatchTime time,
                    std::span<const CommittedRange> ranges) override;
  void on_data_lost(std::string_view output, const OffsetRange& range,
                    std::string_view reason) override;
  void on_ended(std::string_view output, const Error* error) override;

 private:
  template <class Call>
  void pass(const char* name, Call call) noexcept;

  std::shared_ptr<PipelineListener> to_;
  Log log_;
  std::mutex mutex_;
  bool told_ = false;  ///< that it throws; guarded by mutex_
};

}  // namespace semel
