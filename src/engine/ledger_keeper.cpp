#include "engine/ledger_keeper.hpp"

#include <algorithm>
#include <chrono>

#include "base/crash_point.hpp"
#include "engine/jitter.hpp"
#include "engine/same_cluster.hpp"

namespace semel::engine {

namespace {

using Clock = std::chrono::steady_clock;
constexpr auto trim_interval = std::chrono::minutes(10);

}  // namespace

LedgerKeeper::LedgerKeeper(const PipelineOptions& options, Sink& sink, EventChannel& events,
                           const StopFlags& flags, std::string cluster_id,
                           metrics::OutputMetrics& metrics)
    : options_(options),
      sink_(sink),
      events_(events),
      flags_(flags),
      cluster_id_(std::move(cluster_id)),
      metrics_(metrics),
      beat_(metrics.beats.add("ledger keeper")),
      patience_(patience_with(sink)),
      thread_([this] { run(); }) {}

LedgerKeeper::~LedgerKeeper() {
  close();
}

void LedgerKeeper::close() {
  jobs_.close();
  if (thread_.joinable()) thread_.join();
}

void LedgerKeeper::run() {
  const auto heartbeat = std::chrono::milliseconds(options_.heartbeat_ms);
  auto next_beat = Clock::now() + heartbeat;
  auto next_trim = Clock::now() + trim_interval;
  while (!jobs_.closed()) {
    beat_.waits(std::min(next_beat, next_trim), patience_);
    if (const auto job = jobs_.pop_until(std::min(next_beat, next_trim))) {
      beat_.works(patience_);
      std::visit([this](const auto& body) { work(body); }, *job);
      continue;
    }
    if (Clock::now() >= next_beat) {
      keep_alive();
      next_beat = Clock::now() + heartbeat;
    }
    if (Clock::now() >= next_trim) {
      // Piece by piece: the heartbeat comes in between.
      next_trim = trim() ? Clock::now() : Clock::now() + trim_interval;
    }
  }
  beat_.rests();
}

template <class T>
void LedgerKeeper::told(const Result<T>& answer) {
  if (answer) {
    metrics_.sink.succeeded();
  } else {
    metrics_.sink.failed(answer.error().message);
  }
}

void LedgerKeeper::keep_alive() {
  // An unreachable sink is the tasks' to report; here it only means that nothing was learnt.
  auto seen = sink_.keep_alive();
  told(seen);
  if (seen) {
    events_.push(core::OwnerSeen{std::move(seen->ledger), std::move(seen->progress)});
  } else {
    options_.log().debug("keep-alive: {}", seen.error().message);
  }
}

bool LedgerKeeper::trim() {
  const auto more = sink_.trim();
  if (!more) options_.log().warn("the history could not be trimmed: {}", more.error().message);
  return more && *more;
}

void LedgerKeeper::work(const Resolve& job) {
  const auto& first = job.tasks.front();
  const core::TaskId id{first.time, first.range.tp};
  auto ledger = sink_.resolve(job.tasks);
  told(ledger);
  if (ledger) {
    events_.push(core::DoubtResolved{id, *std::move(ledger)});
  } else {
    events_.push(core::DoubtUnresolved{id, ledger.error(), jitter()});
  }
}

template <class Attempt>
void LedgerKeeper::until_done(Attempt attempt) {
  for (int failures = 1; !flags_.stopping && !flags_.abandoned; ++failures) {
    beat_.works(patience_ + std::chrono::milliseconds(options_.retry.backoff_ms_max));
    const Result<void> result = attempt();
    if (result) return;
    const auto decision =
        core::decide_retry(options_.retry, result.error().kind, failures, jitter());
    if (decision.give_up) {
      events_.push(core::Broke{result.error()});
      return;
    }
    if (failures == 1) options_.log().warn("{}; trying again", result.error().message);
    if (!jobs_.sleep_for(std::chrono::milliseconds(decision.delay_ms))) return;
  }
}

void LedgerKeeper::work(const Enter& job) {
  until_done([&]() -> Result<void> {
    auto entered = sink_.enter(job.starts);
    told(entered);
    if (!entered) return tl::unexpected(entered.error());
    crash_point(CrashPoint::entered_partitions);
    if (auto* refused = std::get_if<Refused>(&*entered)) {
      events_.push(core::OwnerSeen{std::move(refused->ledger), {}});
    } else {
      events_.push(core::Entered{std::get<std::vector<Progress>>(*std::move(entered))});
    }
    return {};
  });
}

void LedgerKeeper::work(const TakeOver&) {
  until_done([&]() -> Result<void> {
    auto taken = sink_.take_over(cluster_id_);
    told(taken);
    if (!taken) return tl::unexpected(taken.error());
    // Another database may answer by now, with the ledger of another cluster.
    if (auto same = same_cluster(options_, taken->cluster_id, cluster_id_); !same) return same;
    events_.push(core::TookOver{*std::move(taken), {}});
    return {};
  });
}

}  // namespace semel::engine
