// A receiver with a write-ahead log, as Spark Streaming's receiver-based stream: what comes from
// Kafka is stored first, then acknowledged to Kafka, then processed. Every byte is written twice.
#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <filesystem>
#include <mutex>
#include <optional>
#include <thread>

#include "bench/semel/baselines/baseline.hpp"
#include "bench/semel/baselines/block_log.hpp"
#include "bench/semel/baselines/group_consumer.hpp"
#include "bench/semel/baselines/row_writer.hpp"

namespace semel::bench {

namespace {

constexpr auto block_interval = std::chrono::milliseconds(200);  // Spark's
constexpr std::size_t blocks_waiting_max = 4;

/// Blocks on their way from the thread that receives to the one that processes.
class BlockQueue {
 public:
  /// Waits while it is full. False: nobody takes any more.
  bool push(Block block) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return closed_ || blocks_.size() < blocks_waiting_max; });
    if (closed_) return false;
    blocks_.push_back(std::move(block));
    changed_.notify_all();
    return true;
  }
  /// Waits for one. Nothing: there are no more.
  std::optional<Block> pop() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return closed_ || !blocks_.empty(); });
    if (blocks_.empty()) return std::nullopt;
    auto block = std::move(blocks_.front());
    blocks_.pop_front();
    changed_.notify_all();
    return block;
  }
  void close() {
    const std::lock_guard lock(mutex_);
    closed_ = true;
    changed_.notify_all();
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Block> blocks_;
  bool closed_ = false;
};

Result<void> process(const Block& block, RowWriter& writer) {
  if (auto begun = writer.begin(); !begun) return begun;
  for (const auto& [partition, value] : block.read()) {
    Record record;
    record.value = value;
    if (auto written = writer.write(partition, record); !written) return written;
  }
  return writer.commit();
}

Result<void> receive(const Worker& worker, BlockLog& log, BlockQueue& queue) {
  auto consumer = kafka::GroupConsumer::connect(worker.spec.kafka, worker.spec.group,
                                                worker.spec.topic, worker.partitions);
  if (!consumer) return tl::unexpected(consumer.error());
  auto id = static_cast<std::uint64_t>(worker.start) << 32;
  while (!worker.finished((*consumer)->next())) {
    Block block;
    block.id = ++id;
    const auto wanted = static_cast<std::uint64_t>(worker.spec.transaction_records);
    const auto began = std::chrono::steady_clock::now();
    while (block.records < wanted && !worker.finished((*consumer)->next()) &&
           (block.records == 0 || std::chrono::steady_clock::now() - began < block_interval)) {
      const auto room = static_cast<std::size_t>(wanted - block.records);
      const auto records = (*consumer)->poll(std::min(records_per_poll, room), poll_wait_ms);
      if (!records) return tl::unexpected(records.error());
      worker.metrics.read(records->size(), 0);
      for (const auto& record : *records) block.add(record);
    }
    if (block.records == 0) continue;
    if (auto done = log.store(block); !done) return done;
    // A crash here doubles the block: it is stored, and Kafka will send it again.
    if (auto done = (*consumer)->commit(block.next); !done) return done;
    if (!queue.push(std::move(block))) return {};
  }
  return {};
}

}  // namespace

Result<void> receive_and_process(const Worker& worker) {
  auto writer = RowWriter::connect(worker.spec, worker.start, worker.number);
  if (!writer) return tl::unexpected(writer.error());

  // What an earlier process stored and did not mark comes first.
  auto before = read_logs(worker.spec.log_directory, worker.number);
  if (!before) return tl::unexpected(before.error());
  auto log = BlockLog::create(worker.spec.log_directory, worker.number, worker.start);
  if (!log) return tl::unexpected(log.error());
  BlockQueue queue;
  std::optional<Error> failure;
  std::thread receiver([&] {
    if (auto received = receive(worker, *log, queue); !received) failure = received.error();
    queue.close();
  });
  const auto outcome = [&]() -> Result<void> {
    for (const auto& block : before->blocks) {
      if (auto done = process(block, **writer); !done) return done;
      if (auto done = log->mark_processed(block.id); !done) return done;
    }
    for (const auto& file : before->files) std::filesystem::remove(file);
    while (const auto block = queue.pop()) {
      if (auto done = process(*block, **writer); !done) return done;
      // A crash here doubles the block: it is in the table and not marked.
      if (auto done = log->mark_processed(block->id); !done) return done;
    }
    return {};
  }();
  queue.close();
  receiver.join();
  if (!outcome) return outcome;
  if (failure) return tl::unexpected(*std::move(failure));
  return {};
}

}  // namespace semel::bench
