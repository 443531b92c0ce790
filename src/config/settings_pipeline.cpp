// What concerns the pipeline as a whole: name, batches, retries, time-outs.
#include <fmt/format.h>
#include <cctype>
#include <cstdlib>

#include "config/durations.hpp"
#include "config/setting.hpp"

namespace semel::config {

namespace {

std::optional<std::string> check_name(const std::string& name) {
  if (name.empty()) return "must not be empty";
  if (name.size() > 200)
    return fmt::format("must have at most 200 characters, not {}", name.size());
  for (const unsigned char c : name) {
    if (c >= 0x80 || (std::isalnum(c) == 0 && c != '.' && c != '_' && c != '-')) {
      return "may hold letters, digits and . _ - only, since it names a directory and a consumer "
             "group";
    }
  }
  // It names a directory.
  if (name == "." || name == "..") return "must not be . or ..";
  return std::nullopt;
}

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

}  // namespace

std::vector<Setting> pipeline_settings() {
  using engine::OnDataLoss;
  using postgres::Delivery;
  return {
      {.path = "name",
       .binding = text(
           [](auto& c) -> auto& { return c.pipeline.name; }, check_name),
       .text =
           "Names the pipeline: its rows in the ledger, its directory below state_dir, and the "
           "consumer group that Kafka's lag tools see. Two processes with the same name and the "
           "same ledger are two owners of one pipeline: the later one takes over. Letters, "
           "digits and . _ - only, at most 200.",
       .example = "\"clicks\"",
       .required = true},
      {.path = "delivery",
       .binding = choice<Delivery>([](auto& c) -> auto& { return c.postgres.delivery; },
                                   {{"exactly_once", Delivery::exactly_once},
                                    {"at_least_once", Delivery::at_least_once},
                                    {"at_most_once", Delivery::at_most_once}}),
       .text =
           "`exactly_once`: rows and offsets are committed in one transaction. "
           "`at_least_once`: first the rows, then the offsets; a crash between them doubles a "
           "range. `at_most_once`: first the offsets; a crash between them loses a range. Choose a "
           "weaker one where rows and ledger cannot be in one transaction."},
      {.path = "on_data_loss",
       .binding = choice<OnDataLoss>([](auto& c) -> auto& { return c.pipeline.on_data_loss; },
                                     {{"stop", OnDataLoss::stop}, {"skip", OnDataLoss::skip}}),
       .text = "What to do when records are gone before they were read: retention passed the "
               "position, or the topic was deleted and created anew. `stop` ends with exit code 6 "
               "and names topic, partition, wanted and available offsets. `skip` records in the "
               "ledger what was lost, and goes on."},
      {.path = "executors",
       .binding = integer<int>([](auto& c) -> auto& { return c.pipeline.executors; }, {1, 256}),
       .text =
           "Threads that fetch, encode and commit, each with a connection to Kafka and one to the "
           "sink. A partition stays with one executor, so more executors than partitions are of "
           "no use."},
      {.path = "memory_limit",
       .binding = size([](auto& c) -> auto& { return c.pipeline.memory_limit_bytes; },
                       {64 << 20, 1ll << 44}),
       .text = "The most memory that the process may use. Each executor has an equal share and "
               "fetches ahead within it; 48MiB and 4MiB an executor is the least. Batches that "
               "unpack to more than about ten times their stored size may take more for a moment.",
       .example = "\"1GiB\""},
      {.path = "state_dir",
       .binding = text(
           [](auto& c) -> auto& { return c.pipeline.state_dir; }, check_directory),
       .text =
           "Where pipelines keep their plan logs, one folder per pipeline. Default: "
           "`$XDG_STATE_HOME/semel`, else `~/.local/state/semel`, else `/var/lib/semel`. A `~` at "
           "the beginning is the home of the user; a relative directory begins where semel is "
           "started. Losing it loses and doubles nothing: the ledger in "
           "the sink is the truth.",
       .example = "\"/var/lib/semel\""},
      {.path = "log_level",
       .binding = choice<LogLevel>([](auto& c) -> auto& { return c.log_level; },
                                   {{"trace", LogLevel::trace},
                                    {"debug", LogLevel::debug},
                                    {"info", LogLevel::info},
                                    {"warn", LogLevel::warn},
                                    {"error", LogLevel::error}}),
       .text = "How much is logged to standard error. The command line's --log-level wins."},

      {.path = "batch.interval",
       .binding =
           duration([](auto& c) -> auto& { return c.pipeline.limits.interval_ms; }, {1, hour_ms}),
       .text = "How often a pipeline that has caught up looks for new records. A pipeline that is "
               "behind does not wait for it. Each look asks every broker once, so a short interval "
               "costs the brokers something. The ledger names a batch by its time; while the "
               "pipeline has caught up, these times are multiples of the interval.",
       .example = "\"1s\""},
      {.path = "batch.max_records",
       .binding = integer<std::int64_t>(
           [](auto& c) -> auto& { return c.pipeline.limits.max_records; }, {}),
       .text = "Most offsets in one batch, over all partitions, shared out in proportion to their "
               "lags. 0: no limit. Offsets are counted, since the records behind them are unknown "
               "when a batch is planned.",
       .example = "500000"},
      {.path = "batch.max_bytes",
       .binding = size([](auto& c) -> auto& { return c.pipeline.limits.max_bytes; }, {}),
       .text =
           "Target for the size of one batch, from the mean size of the records seen so far. 0: "
           "no target. Memory does not depend on it: records are streamed.",
       .example = "\"64MiB\""},
      {.path = "batch.max_records_per_partition",
       .binding = integer<std::int64_t>(
           [](auto& c) -> auto& { return c.pipeline.limits.max_records_per_partition; }, {1}),
       .text = "The most offsets in one range. One transaction holds so many, and after a "
               "crash so many are done again.",
       .example = "20000"},
      {.path = "batch.min_records_per_partition",
       .binding = integer<std::int64_t>(
           [](auto& c) -> auto& { return c.pipeline.limits.min_records_per_partition; }, {1}),
       .text = "The fewest offsets of a partition in a batch. A partition that has fewer new ones "
               "takes part with all of them. So small partitions do not starve beside large ones.",
       .example = "100"},
      {.path = "batch.backpressure",
       .binding = boolean([](auto& c) -> auto& { return c.pipeline.limits.backpressure; }),
       .text = "Bound batches by an estimate of the rate that the sink keeps up with (Spark's PID "
               "estimator)."},
      {.path = "batch.initial_rate",
       .binding = integer<std::int64_t>(
           [](auto& c) -> auto& { return c.pipeline.limits.initial_rate; }, {}),
       .text = "Records per second that are assumed for the first batch, when nothing has been "
               "measured yet. It bounds the first batch after a long downtime, with or without "
               "`batch.backpressure`. 0: no limit.",
       .example = "10000"},
      {.path = "batch.min_rate",
       .binding = number(
           [](auto& c) -> auto& { return c.pipeline.limits.min_rate; }, 1, 1e9),
       .text = "The estimate of back-pressure never falls below so many records per second."},
      {.path = "batch.pid_proportional",
       .binding = number(
           [](auto& c) -> auto& { return c.pipeline.limits.pid_proportional; }, 0, 1e3),
       .text = "Back-pressure: weight of the last error (the estimator's P)."},
      {.path = "batch.pid_integral",
       .binding = number(
           [](auto& c) -> auto& { return c.pipeline.limits.pid_integral; }, 0, 1e3),
       .text = "Back-pressure: weight of what has piled up (the estimator's I)."},
      {.path = "batch.pid_derivative",
       .binding = number(
           [](auto& c) -> auto& { return c.pipeline.limits.pid_derivative; }, 0, 1e3),
       .text = "Back-pressure: weight of the error's change (the estimator's D)."},

      {.path = "retry.max_failures",
       .binding = integer<int>([](auto& c) -> auto& { return c.pipeline.retry.max_failures; },
                               {1, 1'000'000}),
       .text =
           "How often in a row a range may fail before the pipeline stops. Outages (a server that "
           "cannot be reached) do not count: they are waited out, however long they take."},
      {.path = "retry.backoff_min",
       .binding =
           duration([](auto& c) -> auto& { return c.pipeline.retry.backoff_ms_min; }, {1, hour_ms}),
       .text = "Wait before the first retry. It doubles with each failure; each wait is a "
               "random part of it, between half and the whole.",
       .example = "\"250ms\""},
      {.path = "retry.backoff_max",
       .binding =
           duration([](auto& c) -> auto& { return c.pipeline.retry.backoff_ms_max; }, {1, day_ms}),
       .text = "Longest wait between retries.",
       .example = "\"30s\""},

      {.path = "timeouts.startup",
       .binding =
           duration([](auto& c) -> auto& { return c.pipeline.startup_timeout_ms; }, {0, day_ms}),
       .text =
           "How long Kafka and the sink may be out of reach when the pipeline starts, before it "
           "gives up (exit code 3 or 4). Later outages are waited out.",
       .example = "\"2m\""},
      {.path = "timeouts.heartbeat",
       .binding =
           duration([](auto& c) -> auto& { return c.pipeline.heartbeat_ms; }, {100, 5 * minute_ms}),
       .text =
           "How often the owner's row in the ledger is touched. This is how an idle owner notices "
           "that it was fenced, and how `semel offsets` knows that an owner is alive."},
      {.path = "timeouts.no_progress",
       .binding = duration([](auto& c) -> auto& { return c.pipeline.no_progress_timeout_ms; },
                           {second_ms, day_ms}),
       .text = "A range whose fetching yields nothing at all for so long, although Kafka answers, "
               "fails with an error: a damaged log segment would otherwise be fetched for ever. "
               "Where Kafka answers nothing else either, it is an outage, which is waited out.",
       .example = "\"5m\""},
  };
}

}  // namespace semel::config
