#include "library/relay.hpp"

#include <exception>
#include <utility>

namespace semel {

template <class Call>
void Relay::pass(const char* name, Call call) noexcept try {
  const std::lock_guard lock(mutex_);
  const auto tell = [&](const char* what) {
    if (!std::exchange(told_, true)) {
      log_.warn("the listener threw in {}: {}. Records are moved all the same", name, what);
    }
  };
  try {
    call();
  } catch (const std::exception& error) {
    tell(error.what());
  } catch (...) {
    tell("something that is no std::exception");
  }
} catch (...) {
  // No memory for the warning.
}

void Relay::on_taken_over(std::string_view output, const TakenOver& taken) {
  pass("on_taken_over()", [&] { to_->on_taken_over(output, taken); });
}

void Relay::on_entered(std::string_view output, std::span<const Progress> starts) {
  pass("on_entered()", [&] { to_->on_entered(output, starts); });
}

void Relay::on_committed(std::string_view output, BatchTime time,
                         std::span<const CommittedRange> ranges) {
  pass("on_committed()", [&] { to_->on_committed(output, time, ranges); });
}

void Relay::on_data_lost(std::string_view output, const OffsetRange& range,
                         std::string_view reason) {
  pass("on_data_lost()", [&] { to_->on_data_lost(output, range, reason); });
}

void Relay::on_ended(std::string_view output, const Error* error) {
  pass("on_ended()", [&] { to_->on_ended(output, error); });
}

}  // namespace semel
