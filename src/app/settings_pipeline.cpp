// What concerns the pipeline as a whole: name, batches, retries, time-outs.
#include <fmt/format.h>
#include <cstdlib>

#include "app/pipeline_config.hpp"
#include "app/settings.hpp"
#include "base/pipeline_names.hpp"
#include "config/durations.hpp"

namespace semel::app {

namespace {

using config::boolean;
using config::choice;
using config::duration;
using config::integer;
using config::number;
using config::Setting;
using config::size;
using config::text;
using core::CommitUnit;
using engine::OnDataLoss;

const config::Field<engine::PipelineOptions> pipeline(&PipelineConfig::pipeline);
const auto limits = pipeline.of(&engine::PipelineOptions::limits);
const auto retry = pipeline.of(&engine::PipelineOptions::retry);

/// ~ and ~/… are this user's home; whose home else is meant only a shell knows.
std::optional<std::string> check_directory(const std::string& path) {
  const auto* home = std::getenv("HOME");
  if (path.starts_with('~') && path != "~" && !path.starts_with("~/")) {
    return "must not begin with ~ and a name: write the directory out";
  }
  if (path.starts_with('~') && (home == nullptr || *home != '/')) {
    return "begins with ~, but HOME is not set: write the directory out";
  }
  return std::nullopt;
}

std::vector<Setting> top_settings() {
  return {
      {.path = "name",
       .binding = text(pipeline.of(&engine::PipelineOptions::name), pipeline_name_mistake),
       .text =
           "Names the pipeline: its rows in the ledger, its directory below state_dir, and the "
           "consumer group that Kafka's lag tools see. Two processes with the same name and the "
           "same ledger are two owners of one pipeline: the later one takes over. Letters, "
           "digits and . _ - only, at most 200.",
       .example = "\"clicks\"",
       .required = true},
      {.path = "delivery",
       .binding = choice<Delivery>(pipeline.of(&engine::PipelineOptions::delivery),
                                   {{"exactly_once", Delivery::exactly_once},
                                    {"at_least_once", Delivery::at_least_once},
                                    {"at_most_once", Delivery::at_most_once}}),
       .text =
           "`exactly_once`: rows and offsets are committed in one transaction. "
           "`at_least_once`: first the rows, then the offsets; a crash between them doubles a "
           "range. `at_most_once`: first the offsets; a crash between them loses a range. Choose a "
           "weaker one where rows and ledger cannot be in one transaction."},
      {.path = "on_data_loss",
       .binding = choice<OnDataLoss>(pipeline.of(&engine::PipelineOptions::on_data_loss),
                                     {{"stop", OnDataLoss::stop},
                                      {"skip", OnDataLoss::skip},
                                      {"skip_batch", OnDataLoss::skip_batch}}),
       .text = "What to do when records are gone before they were read: retention passed the "
               "position, or the topic was deleted and created anew. `stop` ends with exit code 6 "
               "and names topic, partition, wanted and available offsets. `skip` records in the "
               "ledger what was lost, and goes on. `skip_batch` gives up the whole batch in which "
               "it was planned: nothing more of it is stored, of any partition, and the ledger "
               "says so."},
      {.path = "executors",
       .binding = integer<int>(pipeline.of(&engine::PipelineOptions::executors), {1, 256}),
       .text =
           "Threads that fetch, encode and commit, each with a connection to Kafka and one to the "
           "sink. A partition stays with one executor, so more executors than partitions are of "
           "no use."},
      {.path = "memory_limit",
       .binding =
           size(pipeline.of(&engine::PipelineOptions::memory_limit_bytes), {64 << 20, 1ll << 44}),
       .text = "The most memory that the process may use. Each executor has an equal share and "
               "fetches ahead within it; 48MiB and 4MiB an executor is the least. Batches that "
               "unpack to more than about ten times their stored size may take more for a moment.",
       .example = "\"1GiB\""},
      {.path = "state_dir",
       .binding = text(pipeline.of(&engine::PipelineOptions::state_dir), check_directory),
       .text =
           "Where pipelines keep their plan logs, one folder per pipeline. Default: "
           "`$XDG_STATE_HOME/semel`, else `~/.local/state/semel`, else `/var/lib/semel`. A `~` at "
           "the beginning is the home of the user; a relative directory begins where semel is "
           "started. Losing it loses and doubles nothing: the ledger in "
           "the sink is the truth.",
       .example = "\"/var/lib/semel\""},
      {.path = "state",
       .binding = choice<StateIn>(&PipelineConfig::state,
                                  {{"local", StateIn::local}, {"sink", StateIn::sink}}),
       .text =
           "Where a program's streams (`<semel/stream.hpp>`) keep what they remember from batch "
           "to batch. `local`: in the pipeline's folder below `state_dir`, which is to be kept: "
           "the pipeline stays on this machine. `sink`: in the database of one of its outputs, "
           "the home, in its transactions; here is a cache, which may be deleted while nothing "
           "runs, and the pipeline may go on on another machine."},
      {.path = "state_home",
       .binding = text(&PipelineConfig::state_home),
       .text = "With `state` = \"sink\": the output that is home. Default: the first, in the order "
               "in which the program leads to them, that can keep a state (PostgreSQL, SQLite). It "
               "gets each batch last.",
       .example = "\"totals\""},
      {.path = "log_level",
       .binding = choice<LogLevel>(&PipelineConfig::log_level, {{"trace", LogLevel::trace},
                                                                {"debug", LogLevel::debug},
                                                                {"info", LogLevel::info},
                                                                {"warn", LogLevel::warn},
                                                                {"error", LogLevel::error}}),
       .text = "How much is logged to standard error. The command line's --log-level wins."},
  };
}

std::vector<Setting> batch_settings() {
  return {
      {.path = "batch.interval",
       .binding = duration(limits.of(&core::Limits::interval_ms), {1, config::hour_ms}),
       .text = "How often a pipeline that has caught up looks for new records. A pipeline that is "
               "behind does not wait for it. Each look asks every broker once, so a short interval "
               "costs the brokers something. The ledger names a batch by its time; while the "
               "pipeline has caught up, these times are multiples of the interval.",
       .example = "\"1s\""},
      {.path = "batch.max_records",
       .binding = integer<std::int64_t>(limits.of(&core::Limits::max_records), {}),
       .text = "Most offsets in one batch, over all partitions, shared out in proportion to their "
               "lags. 0: no limit. Offsets are counted, since the records behind them are unknown "
               "when a batch is planned.",
       .example = "500000"},
      {.path = "batch.max_bytes",
       .binding = size(limits.of(&core::Limits::max_bytes), {}),
       .text =
           "Target for the size of one batch, from the mean size of the records seen so far. 0: "
           "no target. Memory does not depend on it: records are streamed.",
       .example = "\"64MiB\""},
      {.path = "batch.max_records_per_partition",
       .binding = integer<std::int64_t>(limits.of(&core::Limits::max_records_per_partition), {1}),
       .text = "The most offsets in one range. One transaction holds so many, and after a "
               "crash so many are done again.",
       .example = "20000"},
      {.path = "batch.min_records_per_partition",
       .binding = integer<std::int64_t>(limits.of(&core::Limits::min_records_per_partition), {1}),
       .text = "The fewest offsets of a partition in a batch. A partition that has fewer new ones "
               "takes part with all of them. So small partitions do not starve beside large ones.",
       .example = "100"},
      {.path = "batch.commit",
       .binding = choice<CommitUnit>(pipeline.of(&engine::PipelineOptions::commit),
                                     {{"auto", CommitUnit::automatic},
                                      {"batch", CommitUnit::batch},
                                      {"range", CommitUnit::range}}),
       .text =
           "What becomes one transaction of the sink. `range`: the records of one partition in "
           "a batch. `batch`: all of a batch, so that nobody ever sees a part of it; one "
           "executor does it, and a partition that cannot be read holds up its batch. `auto`: "
           "small ranges of a batch together, up to 4,096 records, 1 MiB and 64 ranges, larger "
           "ones each for itself; a row that is refused is looked for range by range. Whichever "
           "it is, each record is stored exactly once, and it may be changed between two runs. "
           "`batch` needs `delivery` = \"exactly_once\"; with a weaker one `auto` is `range`.",
       .example = "\"batch\""},
  };
}

std::vector<Setting> rate_settings() {
  return {
      {.path = "batch.backpressure",
       .binding = boolean(limits.of(&core::Limits::backpressure)),
       .text = "Bound batches by an estimate of the rate that the sink keeps up with (Spark's PID "
               "estimator)."},
      {.path = "batch.initial_rate",
       .binding = integer<std::int64_t>(limits.of(&core::Limits::initial_rate), {}),
       .text = "Records per second that are assumed for the first batch, when nothing has been "
               "measured yet. It bounds the first batch after a long downtime, with or without "
               "`batch.backpressure`. 0: no limit.",
       .example = "10000"},
      {.path = "batch.min_rate",
       .binding = number(limits.of(&core::Limits::min_rate), 1, 1e9),
       .text = "The estimate of back-pressure never falls below so many records per second."},
      {.path = "batch.pid_proportional",
       .binding = number(limits.of(&core::Limits::pid_proportional), 0, 1e3),
       .text = "Back-pressure: weight of the last error (the estimator's P)."},
      {.path = "batch.pid_integral",
       .binding = number(limits.of(&core::Limits::pid_integral), 0, 1e3),
       .text = "Back-pressure: weight of what has piled up (the estimator's I)."},
      {.path = "batch.pid_derivative",
       .binding = number(limits.of(&core::Limits::pid_derivative), 0, 1e3),
       .text = "Back-pressure: weight of the error's change (the estimator's D)."},
  };
}

std::vector<Setting> retry_settings() {
  return {
      {.path = "retry.max_failures",
       .binding = integer<int>(retry.of(&core::RetryPolicy::max_failures), {1, 1'000'000}),
       .text =
           "How often in a row a range may fail before the pipeline stops. Outages (a server that "
           "cannot be reached) do not count: they are waited out, however long they take."},
      {.path = "retry.backoff_min",
       .binding = duration(retry.of(&core::RetryPolicy::backoff_ms_min), {1, config::hour_ms}),
       .text = "Wait before the first retry. It doubles with each failure; each wait is a "
               "random part of it, between half and the whole.",
       .example = "\"250ms\""},
      {.path = "retry.backoff_max",
       .binding = duration(retry.of(&core::RetryPolicy::backoff_ms_max), {1, config::day_ms}),
       .text = "Longest wait between retries.",
       .example = "\"30s\""},
  };
}

std::vector<Setting> timeout_settings() {
  return {
      {.path = "timeouts.startup",
       .binding =
           duration(pipeline.of(&engine::PipelineOptions::startup_timeout_ms), {0, config::day_ms}),
       .text =
           "How long Kafka and the sink may be out of reach when the pipeline starts, before it "
           "gives up (exit code 3 or 4). Later outages are waited out.",
       .example = "\"2m\""},
      {.path = "timeouts.heartbeat",
       .binding = duration(pipeline.of(&engine::PipelineOptions::heartbeat_ms),
                           {100, 5 * config::minute_ms}),
       .text =
           "How often the owner's row in the ledger is touched. This is how an idle owner notices "
           "that it was fenced, and how `semel offsets` knows that an owner is alive."},
      {.path = "timeouts.no_progress",
       .binding = duration(pipeline.of(&engine::PipelineOptions::no_progress_timeout_ms),
                           {config::second_ms, config::day_ms}),
       .text = "A range whose fetching yields nothing at all for so long, although Kafka answers, "
               "fails with an error: a damaged log segment would otherwise be fetched for ever. "
               "Where Kafka answers nothing else either, it is an outage, which is waited out.",
       .example = "\"5m\""},
  };
}

void check_limits(const core::Limits& limits, config::Whole& file) {
  if (limits.min_records_per_partition <= limits.max_records_per_partition) return;
  file.problem("batch.min_records_per_partition",
               fmt::format("must not be more than batch.max_records_per_partition ({})",
                           limits.max_records_per_partition));
}

void check_retry(const core::RetryPolicy& policy, config::Whole& file) {
  if (policy.backoff_ms_min <= policy.backoff_ms_max) return;
  file.problem(
      file.given("retry.backoff_min") != nullptr ? "retry.backoff_min" : "retry.backoff_max",
      "must leave retry.backoff_min at or below retry.backoff_max");
}

void check_memory(const engine::PipelineOptions& options, config::Whole& file) {
  const auto left = options.memory_limit_bytes - engine::memory_of_the_rest;
  const auto most = left / engine::memory_per_executor_min;
  if (options.executors <= most) return;
  file.problem(
      file.given("executors") != nullptr ? "executors" : "memory_limit",
      fmt::format(
          "does not fit: {} executors need a memory_limit of {}MiB at least, and {}MiB "
          "is enough for {}",
          options.executors,
          (engine::memory_of_the_rest + options.executors * engine::memory_per_executor_min) >> 20,
          options.memory_limit_bytes >> 20, most));
}

}  // namespace

std::vector<Setting> pipeline_settings() {
  std::vector<Setting> all;
  for (auto&& part :
       {top_settings(), batch_settings(), rate_settings(), retry_settings(), timeout_settings()}) {
    all.insert(all.end(), part.begin(), part.end());
  }
  return all;
}

void check_pipeline(const PipelineConfig& config, config::Whole& file) {
  if (!config.state_home.empty() && config.state == StateIn::local) {
    file.problem("state_home", "is of use with state = \"sink\" only");
  }
  check_limits(config.pipeline.limits, file);
  check_retry(config.pipeline.retry, file);
  check_memory(config.pipeline, file);
}

}  // namespace semel::app
