// Produces records for tests, plainly or in transactions, to exactly the partition that is named.
// Errors throw std::runtime_error. One thread at a time.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace semel::test {

class KafkaProducer {
 public:
  /// (name, value); a header's value may be absent.
  using Headers = std::vector<std::pair<std::string, std::optional<std::string>>>;

  /// `config` takes librdkafka's properties ("compression.codec", "batch.num.messages", …). With
  /// "transactional.id" every record belongs to a transaction: begin() first.
  explicit KafkaProducer(const std::string& bootstrap_servers,
                         const std::map<std::string, std::string>& config = {});
  /// Waits for nothing: records not flushed may be lost.
  ~KafkaProducer();

  /// Queues a record; waits while the queue is full. A key or value that is absent is Kafka's null.
  /// `timestamp_ms` 0 means now.
  void produce(const std::string& topic, int partition, std::optional<std::string_view> key,
               std::optional<std::string_view> value, const Headers& headers = {},
               std::int64_t timestamp_ms = 0);
  /// Returns when everything is acknowledged; throws if a record was not.
  void flush();

  void begin();
  /// Both return when the broker has written the transaction's end; commit() flushes first.
  void commit();
  void abort();

  /// The offset of the last acknowledged record of a partition; nothing before the first one.
  std::optional<std::int64_t> last_offset(const std::string& topic, int partition) const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace semel::test
