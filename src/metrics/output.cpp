#include "metrics/output.hpp"

#include <algorithm>
#include <chrono>

namespace semel::metrics {

namespace {

prometheus::ClientMetric summary_of(const DurationCounts& counts) {
  prometheus::ClientMetric sample;
  sample.summary.sample_count = counts.count();
  sample.summary.sample_sum = std::chrono::duration<double>(counts.sum()).count();
  for (const double percent : {50.0, 99.0}) {
    if (const auto at = counts.percentile(percent)) {
      sample.summary.quantile.push_back(
          {percent / 100, std::chrono::duration<double>(*at).count()});
    }
  }
  return sample;
}

}  // namespace

double unix_now() {
  return std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
}

double Labelled::sum() const {
  const std::lock_guard lock(mutex_);
  double sum = 0;
  for (const auto& [value, count] : counts_) sum += count;
  return sum;
}

void Labelled::collect(Page& page, std::string_view name, const Labels& labels,
                       const std::string& label) const {
  const std::lock_guard lock(mutex_);
  for (const auto& [value, count] : counts_) page.put(name, with(labels, label, value), count);
}

void OutputMetrics::read(std::size_t count, std::size_t size) {
  if (first_read_seconds.Value() == 0) first_read_seconds.Set(unix_now());
  read_records.Increment(static_cast<double>(count));
  read_bytes.Increment(static_cast<double>(size));
}

void OutputMetrics::committed(std::uint64_t count, std::uint64_t size, const Committed& counts) {
  records.Increment(static_cast<double>(count));
  bytes.Increment(static_cast<double>(size));
  rows.Increment(static_cast<double>(counts.rows));
  ignored.Increment(static_cast<double>(counts.ignored));
  suppressed.Increment(static_cast<double>(counts.suppressed));
  unknown_fields.Increment(static_cast<double>(counts.unknown_fields));
  auto without_code = counts.dead_letters;
  for (const auto& [code, of_it] : counts.dead_letter_codes) {
    dead_letters.add(code, static_cast<double>(of_it));
    without_code -= std::min(of_it, without_code);
  }
  if (without_code > 0) dead_letters.add("", static_cast<double>(without_code));
  last_progress_seconds.Set(unix_now());
  sink.succeeded();
}

void OutputMetrics::commit_took(std::chrono::nanoseconds took) {
  commit_seconds.Observe(std::chrono::duration<double>(took).count());
}

void OutputMetrics::collect(Page& page, const Labels& labels, std::size_t partition_series) const {
  for (const auto& [name, counter] : {
           std::pair("semel_records_total", &records),
           std::pair("semel_rows_total", &rows),
           std::pair("semel_bytes_total", &bytes),
           std::pair("semel_ignored_records_total", &ignored),
           std::pair("semel_suppressed_records_total", &suppressed),
           std::pair("semel_unknown_fields_total", &unknown_fields),
           std::pair("semel_read_records_total", &read_records),
           std::pair("semel_read_bytes_total", &read_bytes),
           std::pair("semel_offsets_total", &offsets),
           std::pair("semel_lost_offsets_total", &lost_offsets),
           std::pair("semel_uncounted_offsets_total", &uncounted_offsets),
           std::pair("semel_batches_total", &batches),
           std::pair("semel_given_up_batches_total", &given_up_batches),
           std::pair("semel_takes_total", &takes),
           std::pair("semel_fenced_total", &fenced),
       }) {
    page.put(name, labels, counter->Value());
  }
  for (const auto& [name, gauge] : {
           std::pair("semel_total_lag_records", &lag),
           std::pair("semel_caught_up", &caught_up),
           std::pair("semel_last_progress_timestamp_seconds", &last_progress_seconds),
           std::pair("semel_first_read_timestamp_seconds", &first_read_seconds),
           std::pair("semel_epoch", &epoch),
       }) {
    page.put(name, labels, gauge->Value());
  }
  dead_letters.collect(page, "semel_dead_letters_total", labels, "code");
  retries.collect(page, "semel_retries_total", labels, "kind");
  page.put("semel_sink_up", labels, sink.up() ? 1 : 0);
  page.put("semel_source_up", labels, source.up() ? 1 : 0);
  page.put("semel_partitions_held", labels, static_cast<double>(partitions.latest()->size()));
  partitions.collect(page, labels, partition_series, static_cast<std::int64_t>(unix_now() * 1e3));
  batch_times.collect(page, labels);
  page.put("semel_commit_seconds", labels, commit_seconds.Collect());
  page.put("semel_driver_batch_seconds", labels, summary_of(driver_cost.batch()));
  page.put("semel_driver_deciding_seconds", labels, summary_of(driver_cost.deciding()));
  page.put("semel_plan_sync_seconds", labels, summary_of(driver_cost.syncing()));
}

}  // namespace semel::metrics
