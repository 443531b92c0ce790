#include "kafka/topic_reader.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <thread>

namespace semel::kafka {

namespace {

using Clock = std::chrono::steady_clock;

// Of one question; several are asked within `topic_patience`, so that a stop is noticed in between.
constexpr int question_ms = 1'000;
constexpr auto topic_patience = std::chrono::seconds(15);
constexpr auto settling_patience = std::chrono::seconds(2);
constexpr auto ask_again = std::chrono::milliseconds(5);
constexpr std::size_t records_per_read = 2'048;
constexpr int wait_ms = 20;
// A ledger is small; its history is read in pieces.
constexpr std::int64_t memory_bytes = std::int64_t{32} << 20;

tl::unexpected<Error> interrupted(const Options& options) {
  return fail(ErrorKind::unavailable, cause_of(options.use), "interrupted");
}

/// What is lost to a source's reader is the sink's own.
Error said_of(const Options& options, Error error) {
  if (options.use == Use::sink &&
      (error.cause == Cause::source || error.cause == Cause::data_loss)) {
    error.cause = Cause::sink;
  }
  return error;
}

}  // namespace

Result<TopicReader> TopicReader::open(const Options& cluster, const std::string& name,
                                      const std::string& topic, std::int32_t partition) {
  auto options = cluster;
  options.topics = {topic};
  options.isolation = Isolation::read_committed;
  options.commit_group_offsets = false;
  options.reader_memory_bytes = memory_bytes;
  TopicReader reader;
  reader.options_ = options;
  reader.name_ = name;
  reader.tp_ = {topic, partition};
  auto asks = PlannerClient::connect(options, name);
  if (!asks) return tl::unexpected(said_of(options, asks.error()));
  reader.asks_ = *std::move(asks);
  auto reads = RangeReader::connect(options, name);
  if (!reads) return tl::unexpected(said_of(options, reads.error()));
  reader.reads_ = *std::move(reads);
  return reader;
}

template <class Ask>
Result<Offset> TopicReader::ask(const Stop& stop, Ask what) {
  const auto give_up = Clock::now() + topic_patience;
  while (true) {
    if (stop()) return interrupted(options_);
    auto answer = what();
    if (answer) return answer->at(tp_);
    if (answer.error().kind == ErrorKind::fatal || Clock::now() >= give_up) {
      return tl::unexpected(said_of(options_, answer.error()));
    }
  }
}

Result<Offset> TopicReader::begin(const Stop& stop) {
  return ask(stop, [this] { return asks_->earliest({&tp_, 1}, question_ms); });
}

Result<Offset> TopicReader::end(const Stop& stop) {
  return ask(stop, [this] { return asks_->latest({&tp_, 1}, question_ms); });
}

Result<Offset> TopicReader::end_of_all(const Stop& stop) {
  if (!asks_for_all_) {
    auto options = options_;
    options.isolation = Isolation::read_uncommitted;
    auto asks = PlannerClient::connect(options, name_);
    if (!asks) return tl::unexpected(said_of(options_, asks.error()));
    asks_for_all_ = *std::move(asks);
  }
  return ask(stop, [this] { return asks_for_all_->latest({&tp_, 1}, question_ms); });
}

Result<Offset> TopicReader::settled_end(const Stop& stop) {
  const auto all = end_of_all(stop);
  if (!all) return all;
  const auto give_up = Clock::now() + settling_patience;
  while (true) {
    auto committed = end(stop);
    if (!committed || *committed >= *all || Clock::now() >= give_up) return committed;
    std::this_thread::sleep_for(ask_again);
  }
}

Result<void> TopicReader::read(Offset from, Offset until, const std::optional<RecordMark>& last,
                               const Stop& stop, const See& see) {
  if (from >= until) return {};
  if (auto begun = reads_->begin({tp_, from, until}, last, false); !begun) {
    return tl::unexpected(said_of(options_, begun.error()));
  }
  auto progress = Clock::now();
  while (true) {
    if (stop()) return interrupted(options_);
    const auto step = reads_->read(records_per_read, wait_ms);
    if (!step) return tl::unexpected(said_of(options_, step.error()));
    for (const auto& record : step->records) {
      if (auto seen = see(record); !seen) return seen;
    }
    if (step->end) return {};
    if (!step->records.empty()) progress = Clock::now();
    if (Clock::now() - progress > topic_patience) {
      return fail(ErrorKind::unavailable, cause_of(options_.use),
                  fmt::format("nothing was read of {} for {} s", to_string(tp_),
                              std::chrono::seconds(topic_patience).count()));
    }
  }
}

}  // namespace semel::kafka
