// How an output starts: what it needs, in the order in which it may fail without harm.
#include <fmt/format.h>
#include <algorithm>
#include <future>
#include <thread>

#include "base/beside_kafka.hpp"
#include "base/crash_point.hpp"
#include "base/delivery.hpp"
#include "engine/jitter.hpp"
#include "engine/output.hpp"
#include "engine/same_cluster.hpp"

namespace semel::engine {

namespace {

constexpr std::int64_t request_timeout_ms_max = 5'000;
// How soon a process that waits notices that it should stop.
constexpr auto start_poll = std::chrono::milliseconds(50);

}  // namespace

template <class Attempt>
auto Output::at_start(metrics::Contact& server, Attempt attempt) -> decltype(attempt()) {
  const auto give_up = Clock::now() + std::chrono::milliseconds(options_.startup_timeout_ms);
  for (int failures = 1;; ++failures) {
    beat_.works((sink_ ? patience_with(*sink_) : server_patience) +
                std::chrono::milliseconds(options_.retry.backoff_ms_max));
    auto result = attempt();
    if (result) {
      server.succeeded();
      return result;
    }
    server.failed(result.error().message);
    const auto decision =
        core::decide_retry(options_.retry, result.error().kind, failures, jitter());
    const auto delay = std::chrono::milliseconds(decision.delay_ms);
    if (decision.give_up || flags_.stopping || Clock::now() + delay > give_up) return result;
    if (failures == 1) log().warn("{}{}; trying again", prefix_, result.error().message);
    for (const auto end = Clock::now() + delay; !flags_.stopping && Clock::now() < end;) {
      std::this_thread::sleep_for(std::min<Clock::duration>(start_poll, end - Clock::now()));
    }
    if (flags_.stopping) return result;
  }
}

Result<void> Output::start() {
  if (auto found = find_source(); !found) return found;
  const auto owner = new_owner(options_, destination_.output);
  auto took_over = take_over(owner);
  if (!took_over) return tl::unexpected(took_over.error());
  begin_work(owner, *std::move(took_over));
  return {};
}

Result<void> Output::find_source() {
  auto client = options_.source->planner();
  if (!client) return tl::unexpected(client.error());
  client_ = *std::move(client);
  const auto timeout_ms =
      static_cast<int>(std::min(request_timeout_ms_max, options_.startup_timeout_ms));
  auto cluster = at_start(metrics_.source, [&] { return client_->cluster_id(timeout_ms); });
  if (!cluster) return tl::unexpected(cluster.error());
  client_->expect_cluster(*cluster);
  options_.kafka.cluster_id = *std::move(cluster);
  const auto partitions =
      at_start(metrics_.source, [&] { return client_->discover(timeout_ms, {}); });
  if (!partitions) return tl::unexpected(partitions.error());
  if (partitions->partitions.empty() && !options_.kafka.topic_pattern.empty()) {
    log().warn("{}no topic matches {}{}", prefix_, options_.kafka.topic_pattern,
               options_.once ? "" : "; new ones are looked for while the pipeline runs");
  }
  return {};
}

Result<void> Output::open_plans() {
  plans_note_.clear();
  auto log = PlanLog::open(state_directory(options_, destination_.output), plans_note_);
  if (!log) return tl::unexpected(log.error());
  plans_ = *std::move(log);
  return {};
}

Result<core::TookOver> Output::take_over(const Owner& owner) {
  // Opening takes about as long as connecting to the sink, so it is done meanwhile.
  auto opening = std::async(std::launch::async, [this] { return open_plans(); });
  crash_point(CrashPoint::found_partitions);
  auto made = at_start(metrics_.sink, [&] { return destination_.make_sink(owner); });
  if (!made) return tl::unexpected(made.error());
  sink_ = *std::move(made);
  if (auto why =
          too_weak("the output " + destination_.output, sink_->guarantee(), options_.delivery)) {
    return fail(ErrorKind::fatal, Cause::configuration, *std::move(why));
  }
  if (options_.commit == core::CommitUnit::batch && commit_unit() != options_.commit) {
    return fail(ErrorKind::fatal, Cause::configuration,
                "batch.commit = \"batch\" needs a sink whose rows and offsets are one transaction "
                "(delivery = \"exactly_once\")");
  }
  if (options_.clock != core::BatchClock::none && commit_unit() != core::CommitUnit::batch) {
    return fail(ErrorKind::fatal, Cause::internal,
                "batches are counted only where each is one transaction");
  }
  // Whoever cannot go on afterwards must not fence the one that is at work.
  if (auto opened = opening.get(); !opened) return tl::unexpected(opened.error());
  auto recovered = plans_->load();
  if (!recovered) return tl::unexpected(recovered.error());
  const auto& cluster = options_.kafka.cluster_id;
  auto taken = at_start(metrics_.sink, [&] { return sink_->take_over(cluster); });
  if (!taken) return tl::unexpected(taken.error());
  crash_point(CrashPoint::read_ledger);
  if (auto same = same_cluster(options_, taken->cluster_id, cluster); !same) {
    return tl::unexpected(same.error());
  }
  if (!taken->previous_owner.empty()) {
    log().info("{}took over pipeline {} from {}", prefix_, options_.name, taken->previous_owner);
  }
  for (int i = 0; i < std::max(options_.executors, 1); ++i) {
    executors_.push_back(
        std::make_unique<Executor>(options_, i, *sink_, events_, flags_, metrics_));
  }
  if (auto opened = open_plans_again(*recovered); !opened) return tl::unexpected(opened.error());
  crash_point(CrashPoint::recovered_plans);
  return core::TookOver{*std::move(taken), *std::move(recovered)};
}

Result<void> Output::open_plans_again(std::vector<core::Batch>& recovered) {
  if (plans_note_.empty()) return {};
  plans_.reset();
  if (auto opened = open_plans(); !opened) return opened;
  auto again = plans_->load();
  if (!again) return tl::unexpected(again.error());
  recovered = *std::move(again);
  if (!plans_note_.empty()) log().warn("{}{}", prefix_, plans_note_);
  return {};
}

core::CommitUnit Output::commit_unit() const {
  // Where rows and ledger are not one fact, several ranges cannot be either.
  return sink_->guarantee() == Guarantee::transactional ? options_.commit : core::CommitUnit::range;
}

void Output::begin_work(const Owner& owner, core::TookOver took_over) {
  state_ = std::make_unique<core::DriverState>(
      core::DriverOptions{.limits = options_.limits,
                          .retry = options_.retry,
                          .owner = owner.id,
                          .commit = commit_unit(),
                          .clock = options_.clock,
                          .executors = executors_.size(),
                          .once = options_.once,
                          .ends = options_.ends,
                          .skip_lost = options_.on_data_loss != OnDataLoss::stop,
                          .skip_batch = options_.on_data_loss == OnDataLoss::skip_batch,
                          .pattern = !options_.kafka.topic_pattern.empty(),
                          .discovery_interval_ms = options_.kafka.discovery_interval_ms,
                          .startup_timeout_ms = options_.startup_timeout_ms});
  keeper_ = std::make_unique<LedgerKeeper>(options_, *sink_, events_, flags_,
                                           options_.kafka.cluster_id, metrics_);
  // A log of this machine is not to keep what is committed already, nor to take it for waiting.
  std::map<TopicPartition, Offset> passed;
  for (const auto& progress : took_over.taken.progress) {
    if (is_beside_kafka(progress.tp)) passed[progress.tp] = progress.until;
  }
  if (!passed.empty()) client_->passed(passed);
  watcher_ = std::make_unique<OffsetsWatcher>(
      options_, std::move(client_), events_,
      [this](std::vector<Progress> starts) { keeper_->enter(std::move(starts)); }, metrics_);
  events_.push(std::move(took_over));
}

}  // namespace semel::engine
