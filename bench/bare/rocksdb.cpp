// The limit of RocksDB: consume -> a WriteBatch of 100,000 records and a ledger entry for each
// partition in it, synced. The key is topic, partition and offset as semel writes them (rows =
// "by_position"), the value the record's own. Never reads its ledger back.
//
// usage: bare-rocksdb --brokers B --topic T --partitions N --directory DATABASE [--threads N]
// [--queue MESSAGES]
#include <rocksdb/db.h>
#include <rocksdb/write_batch.h>

#include <memory>
#include <string>
#include <utility>

#include "consume.hpp"

namespace {

constexpr std::size_t rows_per_transaction = 100'000;

void check(const rocksdb::Status& status) {
  if (!status.ok()) throw std::runtime_error(status.ToString());
}

void put_digits(std::string& out, std::int64_t value, std::size_t width) {
  const auto digits = std::to_string(value);
  out += ' ';
  out.append(width - digits.size(), '0');
  out += digits;
}

class Rows {
 public:
  Rows(rocksdb::DB& database, std::string topic) : database_(database), topic_(std::move(topic)) {}

  void begins(int partition) { next_[partition] = 0; }

  void add(const rd_kafka_message_t& message) {
    key_ = topic_;
    put_digits(key_, message.partition, 10);
    put_digits(key_, message.offset, 20);
    check(batch_.Put(key_, {static_cast<const char*>(message.payload), message.len}));
    next_[message.partition] = message.offset + 1;
    if (++rows_ == rows_per_transaction) commit();
  }

  void commit() {
    for (const auto& [partition, next] : next_) {
      check(batch_.Put("l" + std::to_string(partition), std::to_string(next)));
    }
    rocksdb::WriteOptions durable;
    durable.sync = true;
    check(database_.Write(durable, &batch_));
    batch_.Clear();
    rows_ = 0;
  }

 private:
  rocksdb::DB& database_;
  std::string topic_;
  rocksdb::WriteBatch batch_;
  std::string key_;
  std::size_t rows_ = 0;
  std::map<int, std::int64_t> next_;
};

}  // namespace

int main(int argc, char** argv) try {
  bare::Arguments arguments{{{"--partitions", "1"}, {"--threads", "1"}, {"--queue", "1000000"}}};
  arguments.read(argc, argv);
  rocksdb::Options options;
  options.create_if_missing = true;
  rocksdb::DB* opened = nullptr;
  check(rocksdb::DB::Open(options, arguments["--directory"], &opened));
  const std::unique_ptr<rocksdb::DB> database(opened);
  bare::consume<Rows>(arguments, [&](int) { return Rows(*database, arguments["--topic"]); });
  return 0;
} catch (const std::exception& error) {
  std::fprintf(stderr, "bare-rocksdb: %s\n", error.what());
  return 1;
}
