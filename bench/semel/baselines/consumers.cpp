// A loop around a consumer, two ways: rows first and then the position, or the other way round.
#include <algorithm>
#include <chrono>

#include "bench/semel/baselines/baseline.hpp"
#include "bench/semel/baselines/group_consumer.hpp"
#include "bench/semel/baselines/row_writer.hpp"

namespace semel::bench {

namespace {

constexpr auto transaction_time = std::chrono::milliseconds(200);

struct Loop {
  std::unique_ptr<kafka::GroupConsumer> consumer;
  std::unique_ptr<RowWriter> writer;
};

Result<Loop> connect(const Worker& worker) {
  auto writer = RowWriter::connect(worker.spec, worker.start, worker.number);
  if (!writer) return tl::unexpected(writer.error());
  auto consumer = kafka::GroupConsumer::connect(worker.spec.kafka, worker.spec.group,
                                                worker.spec.topic, worker.partitions);
  if (!consumer) return tl::unexpected(consumer.error());
  return Loop{*std::move(consumer), *std::move(writer)};
}

Result<void> write_all(RowWriter& writer, std::span<const kafka::GroupRecord> records) {
  for (const auto& [partition, record] : records) {
    if (auto written = writer.write(partition, record); !written) return written;
  }
  return {};
}

}  // namespace

Result<void> process_then_commit(const Worker& worker) {
  auto loop = connect(worker);
  if (!loop) return tl::unexpected(loop.error());
  auto& [consumer, writer] = *loop;
  while (!worker.finished(consumer->next())) {
    if (auto begun = writer->begin(); !begun) return begun;
    std::int64_t count = 0;
    const auto began = std::chrono::steady_clock::now();
    while (count < worker.spec.transaction_records && !worker.finished(consumer->next()) &&
           (count == 0 || std::chrono::steady_clock::now() - began < transaction_time)) {
      const auto room = static_cast<std::size_t>(worker.spec.transaction_records - count);
      const auto records = consumer->poll(std::min(records_per_poll, room), poll_wait_ms);
      if (!records) return tl::unexpected(records.error());
      worker.metrics.read(records->size(), 0);
      if (auto written = write_all(*writer, *records); !written) return written;
      count += static_cast<std::int64_t>(records->size());
    }
    if (auto done = writer->commit(); !done) return done;
    // A crash here doubles the rows.
    if (auto done = consumer->commit(consumer->next()); !done) return done;
  }
  return {};
}

Result<void> commit_then_process(const Worker& worker) {
  auto loop = connect(worker);
  if (!loop) return tl::unexpected(loop.error());
  auto& [consumer, writer] = *loop;
  // All records of a transaction are at hand when the position is committed: one poll of them.
  const auto at_once = static_cast<std::size_t>(worker.spec.transaction_records);
  while (!worker.finished(consumer->next())) {
    const auto records = consumer->poll(at_once, static_cast<int>(transaction_time.count()));
    if (!records) return tl::unexpected(records.error());
    if (records->empty()) continue;
    worker.metrics.read(records->size(), 0);
    if (auto done = consumer->commit(consumer->next()); !done) return done;
    // A crash from here on loses the rows.
    if (auto begun = writer->begin(); !begun) return begun;
    if (auto written = write_all(*writer, *records); !written) return written;
    if (auto done = writer->commit(); !done) return done;
  }
  return {};
}

}  // namespace semel::bench
