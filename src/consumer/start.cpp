// From options to an output that is ours.
#include <fmt/format.h>
#include <algorithm>
#include <utility>

#include "base/crash_point.hpp"
#include "base/pipeline_names.hpp"
#include "consumer/core.hpp"
#include "engine/jitter.hpp"
#include "engine/owner.hpp"
#include "engine/same_cluster.hpp"
#include "source/kafka_source.hpp"

namespace semel::consumer {

namespace {

constexpr std::int64_t request_timeout_ms_max = 5'000;

// For people, by the paths of a file's settings.
constexpr SettingNames::Name names_of_options[] = {
    {"source.kafka", "ConsumerOptions::topics"},
    {"source.kafka.brokers", "ConsumerOptions::brokers"},
    {"source.kafka.topics", "ConsumerOptions::topics"},
    {"source.kafka.topic_pattern", "ConsumerOptions::topic_pattern"},
    {"source.kafka.start", "ConsumerOptions::start"},
    {"source.kafka.isolation", "ConsumerOptions::read_uncommitted"},
    {"source.kafka.group_id", "ConsumerOptions::group_id"},
    {"source.kafka.commit_group_offsets", "ConsumerOptions::commit_group_offsets"},
    {"commit_group_offsets = false", "ConsumerOptions::commit_group_offsets = false"},
    {"source.kafka.librdkafka", "ConsumerOptions::librdkafka"},
    {"[source.kafka.librdkafka]", "ConsumerOptions::librdkafka"},
    {"on_data_loss", "ConsumerOptions::skip_lost"},
    {core::skip_setting, "ConsumerOptions::skip_lost = true"},
    {"retry.max_failures", "ConsumerOptions::max_failures"},
};

[[noreturn]] void refuse(const std::string& what) {
  throw Failed({ErrorKind::fatal, Cause::configuration, "ConsumerOptions: " + what});
}

kafka::Start start_of(const ConsumerStart& start) {
  if (const auto* at = std::get_if<StartAt>(&start)) {
    return *at == StartAt::latest ? kafka::Start(kafka::StartLatest{}) : kafka::StartEarliest{};
  }
  if (const auto* moment = std::get_if<StartAtMoment>(&start)) {
    return kafka::StartTimestamp{moment->ms};
  }
  return kafka::StartOffsets{std::get<2>(start)};
}

void check(const ConsumerOptions& options) {
  const auto at_least = [](std::string_view name, std::int64_t value, std::int64_t least) {
    if (value < least)
      refuse(fmt::format("{} is {}, and has to be {} at least", name, value, least));
  };
  if (options.pipeline.empty()) {
    refuse("pipeline is empty: give the position a name that stays the same");
  }
  // The commands take files, whose names have the same rule.
  if (const auto wrong = pipeline_name_mistake(options.pipeline)) refuse("pipeline " + *wrong);
  if (const auto wrong = output_name_mistake(options.output)) refuse("output " + *wrong);
  if (options.brokers.empty()) refuse("brokers is empty: \"host:port\", comma separated");
  if (options.topics.empty() == options.topic_pattern.empty()) {
    refuse("give either topics or topic_pattern");
  }
  at_least("interval_ms", options.interval_ms, 1);
  at_least("max_records_per_range", options.max_records_per_range, 1);
  at_least("ranges_in_hand", options.ranges_in_hand, 1);
  at_least("max_failures", options.max_failures, 1);
  at_least("startup_timeout_ms", options.startup_timeout_ms, 0);
  at_least("no_progress_timeout_ms", options.no_progress_timeout_ms, 1'000);
  at_least("long_in_hand_ms", options.long_in_hand_ms, 1);
  at_least("heartbeat_ms", options.heartbeat_ms, 100);
  at_least("memory_bytes", options.memory_bytes / options.ranges_in_hand, 4ll << 20);
}

}  // namespace

engine::PipelineOptions engine_options(const ConsumerOptions& options, const Log& log) {
  check(options);
  engine::PipelineOptions made;
  made.name = options.pipeline;
  made.kafka.brokers = options.brokers;
  made.kafka.topics = options.topics;
  made.kafka.topic_pattern = options.topic_pattern;
  made.kafka.start = start_of(options.start);
  made.kafka.isolation = options.read_uncommitted ? kafka::Isolation::read_uncommitted
                                                  : kafka::Isolation::read_committed;
  made.kafka.commit_group_offsets = options.commit_group_offsets;
  made.kafka.group_id = options.group_id;
  made.kafka.group_id = engine::group_of(made, options.output);
  made.kafka.reader_memory_bytes = options.memory_bytes / options.ranges_in_hand;
  made.kafka.librdkafka = options.librdkafka;
  made.kafka.log = log;
  made.kafka.names = SettingNames(names_of_options);
  made.limits.interval_ms = options.interval_ms;
  made.limits.max_records_per_partition = options.max_records_per_range;
  made.retry.max_failures = options.max_failures;
  made.on_data_loss = options.skip_lost ? engine::OnDataLoss::skip : engine::OnDataLoss::stop;
  made.executors = options.ranges_in_hand;
  made.once = options.once;
  made.startup_timeout_ms = options.startup_timeout_ms;
  made.heartbeat_ms = options.heartbeat_ms;
  made.no_progress_timeout_ms = options.no_progress_timeout_ms;
  return made;
}

/// Until it succeeds, or waiting does not help or has been long enough, or somebody wants to stop.
template <class Attempt>
auto Core::at_start(Attempt attempt) -> decltype(attempt()) {
  const auto give_up = Clock::now() + std::chrono::milliseconds(options_.startup_timeout_ms);
  for (int failures = 1;; ++failures) {
    auto result = attempt();
    if (result || stop_) return result;
    const auto decision =
        core::decide_retry(options_.retry, result.error().kind, failures, engine::jitter());
    const auto again = Clock::now() + std::chrono::milliseconds(decision.delay_ms);
    if (decision.give_up || again > give_up) return result;
    if (failures == 1) log_.warn("{}; trying again", result.error().message);
    while (!stop_ && Clock::now() < again) wake_.wait(again);
    if (stop_) return result;
  }
}

void Core::begin() {
  auto took_over = [&]() -> Result<core::TookOver> {
    if (auto connected = connect(); !connected) return tl::unexpected(connected.error());
    return take_over();
  }();
  if (!took_over) {
    // Asked to stop before it began: nothing was done, and that is what was wanted.
    finished_ = stop_.load();
    lanes_.clear();
    client_.reset();
    if (finished_) return;
    auto error = std::move(took_over.error());
    // What was away for too long is tried anew by the next call, from the beginning.
    if (error.kind == ErrorKind::unavailable || error.kind == ErrorKind::retriable) {
      throw Failed(std::move(error));
    }
    fail_with(std::move(error));
  }
  state_ = std::make_unique<core::DriverState>(
      core::DriverOptions{.limits = options_.limits,
                          .retry = options_.retry,
                          .names = options_.kafka.names,
                          .owner = owner_.id,
                          .executors = lanes_.size(),
                          .once = options_.once,
                          .skip_lost = options_.on_data_loss == engine::OnDataLoss::skip,
                          .pattern = !options_.kafka.topic_pattern.empty(),
                          .discovery_interval_ms = options_.kafka.discovery_interval_ms,
                          .startup_timeout_ms = options_.startup_timeout_ms});
  next_beat_ = Clock::now() + std::chrono::milliseconds(options_.heartbeat_ms);
  next_trim_ = Clock::now();
  events_.emplace_back(*std::move(took_over));
}

Result<void> Core::connect() {
  options_.kafka.cluster_id.clear();
  auto client = source::kafka_planner(options_.kafka, options_.name);
  if (!client) return tl::unexpected(client.error());
  client_ = *std::move(client);
  const auto timeout_ms = static_cast<int>(
      std::clamp<std::int64_t>(options_.startup_timeout_ms, 1, request_timeout_ms_max));
  auto cluster = at_start([&] { return client_->cluster_id(timeout_ms); });
  if (!cluster) return tl::unexpected(cluster.error());
  client_->expect_cluster(*cluster);
  options_.kafka.cluster_id = *std::move(cluster);
  const auto partitions = at_start([&] { return client_->discover(timeout_ms, {}); });
  if (!partitions) return tl::unexpected(partitions.error());
  if (partitions->partitions.empty() && !options_.kafka.topic_pattern.empty()) {
    log_.warn("no topic matches {}{}", options_.kafka.topic_pattern,
              options_.once ? "" : "; new ones are looked for");
  }
  lanes_.clear();
  for (int i = 0; i < options_.executors; ++i) {
    auto reader = source::kafka_reader(options_.kafka, options_.name);
    if (!reader) return tl::unexpected(reader.error());
    lanes_.emplace_back().reader = *std::move(reader);
  }
  return {};
}

/// Whoever cannot go on afterwards must not fence the one that is at work: this comes last.
Result<core::TookOver> Core::take_over() {
  owner_ = engine::new_owner(options_, owner_.output);
  const LedgerContext context{
      owner_, [log = log_](LogLevel level, std::string_view line) { log.say(level, line); }};
  auto made = at_start([&] { return make_ledger_(context); });
  if (!made) return tl::unexpected(made.error());
  if (*made == nullptr) {
    return fail(ErrorKind::fatal, Cause::program,
                "the consumer's LedgerFactory returned no ledger and no error");
  }
  ledger_ = *std::move(made);
  const auto& cluster = options_.kafka.cluster_id;
  auto taken = at_start([&] { return ledger_->take_over(cluster); });
  if (!taken) return tl::unexpected(taken.error());
  crash_point(CrashPoint::read_ledger);
  if (auto same = engine::same_cluster(options_, taken->cluster_id, cluster); !same) {
    return tl::unexpected(same.error());
  }
  if (!taken->previous_owner.empty()) {
    log_.info("took over pipeline {} from {}", options_.name, taken->previous_owner);
  }
  return core::TookOver{*std::move(taken), {}};
}

}  // namespace semel::consumer
