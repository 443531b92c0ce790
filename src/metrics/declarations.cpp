#include "metrics/declarations.hpp"

#include <fmt/format.h>
#include <algorithm>
#include <array>

namespace semel::metrics {

namespace {

using enum Type;

constexpr std::array all{
    // What was moved
    Declaration{
        "semel_records_total", counter, "",
        "Records whose range was committed: rows, dead letters, ignored and suppressed ones"},
    Declaration{"semel_rows_total", counter, "", "Rows committed"},
    Declaration{"semel_bytes_total", counter, "",
                "Bytes of keys and values of the records counted by semel_records_total"},
    Declaration{"semel_dead_letters_total", counter, "code",
                "Records committed as dead letters, by the sink's code for what is wrong with them "
                "(PostgreSQL: the SQLSTATE); a code's series begins with its first dead letter"},
    Declaration{"semel_ignored_records_total", counter, "",
                "Records left out by policy (tombstones)"},
    Declaration{"semel_suppressed_records_total", counter, "",
                "Records that the sink accepted and did not store by its own will (a trigger)"},
    Declaration{"semel_unknown_fields_total", counter, "",
                "Fields without a column that were left out"},
    Declaration{"semel_read_records_total", counter, "",
                "Records taken from Kafka, those that were read again among them"},
    Declaration{"semel_read_bytes_total", counter, "", "Bytes of their keys and values"},
    Declaration{"semel_offsets_total", counter, "",
                "Offsets done: committed, found to be committed, or recorded as lost"},
    Declaration{"semel_lost_offsets_total", counter, "",
                "Offsets recorded as lost (on_data_loss), those of given up batches among them"},
    Declaration{"semel_uncounted_offsets_total", counter, "",
                "Offsets whose commit's answer was lost; what was in them only the ledger has"},
    Declaration{"semel_batches_total", counter, "", "Batches done"},
    Declaration{"semel_given_up_batches_total", counter, "",
                "Batches given up as a whole under on_data_loss = \"skip_batch\""},
    // What went wrong
    Declaration{"semel_retries_total", counter, "kind",
                "Ranges that failed and are tried again, by the kind of the failure"},
    Declaration{"semel_takes_total", counter, "",
                "Times that this process took the output over, its start included"},
    Declaration{"semel_fenced_total", counter, "",
                "Times that another owner took the output over; the process ends by it"},
    // Where it stands
    Declaration{
        "semel_total_lag_records", gauge, "",
        "Offsets between what is committed and the ends that Kafka tells, over all partitions"},
    Declaration{"semel_worst_freshness_seconds", gauge, "",
                "Seconds since the timestamp of the last committed record of the partition that is "
                "furthest behind by it; 0 where nothing is left to read"},
    Declaration{"semel_lag_records", gauge, "topic, partition",
                "Offsets between what is committed and the end that Kafka tells"},
    Declaration{"semel_freshness_seconds", gauge, "topic, partition",
                "Seconds since the timestamp of the last committed record while something is left "
                "to read, else 0; without such a record, since the partition was entered"},
    Declaration{"semel_partitions_left_out", gauge, "",
                "Partitions without series of their own, beyond http.partition_series"},
    Declaration{"semel_partitions_held", gauge, "", "Partitions that this process reads"},
    Declaration{"semel_caught_up", gauge, "", "1 where nothing is left to read"},
    Declaration{"semel_last_progress_timestamp_seconds", gauge, "",
                "When the ledger moved last by this process; before that, when it was read"},
    Declaration{"semel_first_read_timestamp_seconds", gauge, "",
                "When this process took its first record from Kafka; 0: it has not"},
    Declaration{"semel_epoch", gauge, "", "The owner's epoch; 0: the output is not taken over yet"},
    Declaration{"semel_sink_up", gauge, "", "1 where the last exchange with the sink succeeded"},
    Declaration{"semel_source_up", gauge, "",
                "1 where Kafka answered the last question for its offsets in full"},
    // How long it takes
    Declaration{"semel_scheduling_delay_seconds", histogram, "",
                "From a batch's plan to the beginning of its first range"},
    Declaration{"semel_processing_seconds", histogram, "",
                "From there until its last range is done"},
    Declaration{"semel_total_delay_seconds", histogram, "", "Both together"},
    Declaration{
        "semel_commit_seconds", histogram, "",
        "From the last row of a transaction being handed to the sink to the answer of its commit"},
    Declaration{"semel_driver_batch_seconds", summary, "",
                "What a batch costs the driver's thread, all in all"},
    Declaration{"semel_driver_deciding_seconds", summary, "", "Of that: deciding"},
    Declaration{"semel_plan_sync_seconds", summary, "", "Of that: making the plan durable"},
    // The process
    Declaration{"semel_build_info", gauge, "- version, librdkafka", "Always 1"},
    Declaration{"process_cpu_seconds_total", counter, "-", "User and system time"},
    Declaration{"process_resident_memory_bytes", gauge, "-", "Resident memory"},
    Declaration{"process_virtual_memory_bytes", gauge, "-", "Virtual memory"},
    Declaration{"process_open_fds", gauge, "-", "Open file descriptors"},
    Declaration{"process_max_fds", gauge, "-", "How many may be open"},
    Declaration{"process_threads", gauge, "-", "Threads"},
    Declaration{"process_start_time_seconds", gauge, "-", "When it was started"},
};

std::string_view name_of(Type type) {
  switch (type) {
    case counter:
      return "counter";
    case gauge:
      return "gauge";
    case histogram:
      return "histogram";
    case summary:
      return "summary";
  }
  return "";
}

}  // namespace

std::span<const Declaration> declarations() {
  return all;
}

std::string reference_page() {
  std::string page =
      "# Metrics\n\n"
      "`semel run FILE --http 127.0.0.1:9400` serves them at `/metrics` (see the guide on\n"
      "[monitoring](../guides/monitoring.md)), in the text format of Prometheus; `--metrics-file "
      "FILE` writes\nthem when the run is over. Counters begin at 0 with each process. All but the "
      "process's own have the\nlabel `pipeline`, and `output` where a pipeline has several.\n\n"
      "| metric | type | labels | meaning |\n| --- | --- | --- | --- |\n";
  for (const auto& metric : all) {
    auto labels = metric.labels;
    if (labels.starts_with('-')) labels.remove_prefix(std::min<std::size_t>(2, labels.size()));
    page += fmt::format("| `{}` | {} | {} | {} |\n", metric.name, name_of(metric.type), labels,
                        metric.help);
  }
  return page;
}

}  // namespace semel::metrics
