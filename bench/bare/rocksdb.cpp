// The limit of RocksDB: consume -> a WriteBatch of 100,000 records and a ledger entry for each
// partition in it, synced. The key is partition and offset, the value the record's own. Never reads
// its ledger back.
//
// usage: bare-rocksdb --brokers B --topic T --partitions N --directory DATABASE [--threads N]
// [--queue MESSAGES]
#include <rocksdb/db.h>
#include <rocksdb/write_batch.h>

#include <memory>
#include <string>

#include "consume.hpp"

namespace {

constexpr std::size_t rows_per_transaction = 100'000;

void check(const rocksdb::Status& status) {
  if (!status.ok()) throw std::runtime_error(status.ToString());
}

template <class Integer>
void put(std::string& out, Integer value) {
  for (int shift = 8 * (static_cast<int>(sizeof value) - 1); shift >= 0; shift -= 8) {
    out += static_cast<char>(value >> shift);  // in the order of the numbers
  }
}

class Rows {
 public:
  explicit Rows(rocksdb::DB& database) : database_(database) {}

  void begins(int partition) { next_[partition] = 0; }

  void add(const rd_kafka_message_t& message) {
    key_.assign(1, 'r');
    put(key_, message.partition);
    put(key_, message.offset);
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
  bare::consume<Rows>(arguments, [&](int) { return Rows(*database); });
  return 0;
} catch (const std::exception& error) {
  std::fprintf(stderr, "bare-rocksdb: %s\n", error.what());
  return 1;
}
