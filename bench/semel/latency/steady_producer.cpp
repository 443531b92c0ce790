#include "bench/semel/latency/steady_producer.hpp"

#include <sys/prctl.h>
#include <time.h>

#include <algorithm>
#include <utility>

#include "bench/semel/clock.hpp"
#include "bench/semel/workload.hpp"

namespace semel::bench {

namespace {

constexpr std::int64_t second_ns = 1'000'000'000;

// Going to sleep and waking up costs more than producing a record: what is due within this time is
// produced together.
constexpr std::int64_t shortest_sleep_ns = 250'000;

/// Until a moment of the monotonic clock, or a little longer; not at all where it has passed.
void sleep_until(std::int64_t ns) {
  const auto now_ns = monotonic_ns();
  if (now_ns >= ns) return;
  ns = std::max(ns, now_ns + shortest_sleep_ns);
  const timespec until{static_cast<time_t>(ns / second_ns), static_cast<long>(ns % second_ns)};
  ::clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, nullptr);
}

}  // namespace

SteadyProducer::SteadyProducer(std::unique_ptr<kafka::TopicWriter> writer, Stream stream)
    : writer_(std::move(writer)),
      stream_(std::move(stream)),
      produced_ns_(static_cast<std::size_t>(stream_.until - stream_.first)),
      begun_ns_(monotonic_ns()),
      thread_([this] { run(); }) {}

SteadyProducer::~SteadyProducer() {
  stop_ = true;
  if (thread_.joinable()) thread_.join();
}

void SteadyProducer::run() {
  // The kernel gathers timers within 50 µs otherwise.
  ::prctl(PR_SET_TIMERSLACK, 1'000UL);
  outcome_ = produce();
  done_ = true;
}

Result<void> SteadyProducer::produce() {
  std::string value;
  for (std::size_t i = 0; i < produced_ns_.size() && !stop_; ++i) {
    const auto nth = static_cast<std::int64_t>(i);
    const auto id = stream_.first + nth;
    value.clear();
    append_record(id, stream_.record_size, value);
    sleep_until(moment_ns(nth));
    produced_ns_[i] = monotonic_ns();
    const auto partition = static_cast<std::int32_t>(id % stream_.partitions);
    if (auto done = writer_->produce(stream_.topic, partition, value); !done) return done;
  }
  if (stop_) return {};
  return writer_->flush();
}

std::int64_t SteadyProducer::moment_ns(std::int64_t nth) const {
  return begun_ns_ + static_cast<std::int64_t>(static_cast<double>(nth) * 1e9 / stream_.rate);
}

Result<void> SteadyProducer::finish() {
  thread_.join();
  return outcome_;
}

std::int64_t SteadyProducer::produced_ns(std::int64_t id) const {
  return produced_ns_[static_cast<std::size_t>(id - stream_.first)];
}

std::vector<double> SteadyProducer::late_ms() const {
  std::vector<double> late;
  late.reserve(produced_ns_.size());
  for (std::size_t i = 0; i < produced_ns_.size(); ++i) {
    const auto ns = produced_ns_[i] - moment_ns(static_cast<std::int64_t>(i));
    late.push_back(static_cast<double>(std::max<std::int64_t>(ns, 0)) / 1e6);
  }
  return late;
}

}  // namespace semel::bench
