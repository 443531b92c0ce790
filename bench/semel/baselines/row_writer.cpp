#include "bench/semel/baselines/row_writer.hpp"

#include <fmt/format.h>

#include "postgres/client/connection.hpp"
#include "postgres/rows/row_encoder.hpp"
#include "postgres/rows/row_stream.hpp"
#include "postgres/table/catalog.hpp"

namespace semel::bench {

struct RowWriter::Impl {
  Impl(std::unique_ptr<postgres::Connection> opened, postgres::Table described,
       postgres::RowEncoder made)
      : connection(std::move(opened)), table(std::move(described)), encoder(std::move(made)) {}

  std::unique_ptr<postgres::Connection> connection;
  postgres::Table table;
  postgres::RowEncoder encoder;
  postgres::RowStream rows;
  std::chrono::milliseconds patience{0};
  std::string progress;
  int start = 0;
  int worker = 0;
  std::int64_t count = 0;
  TopicPartition tp;
};

RowWriter::RowWriter(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
RowWriter::~RowWriter() = default;

Result<std::unique_ptr<RowWriter>> RowWriter::connect(const Spec& spec, int start, int worker) {
  auto connection = postgres::Connection::open(spec.postgres, "semel bench baseline",
                                               std::make_shared<postgres::Interrupter>());
  if (!connection) return tl::unexpected(connection.error());
  auto table = postgres::describe_table(**connection, spec.postgres.table);
  if (!table) return tl::unexpected(table.error());
  auto encoder = postgres::RowEncoder::make(*table, spec.postgres);
  if (!encoder) return tl::unexpected(encoder.error());
  auto impl =
      std::make_unique<Impl>(*std::move(connection), *std::move(table), *std::move(encoder));
  impl->patience = postgres::row_patience(spec.postgres);
  impl->progress = spec.progress;
  impl->start = start;
  impl->worker = worker;
  impl->tp.topic = spec.topic;
  return std::unique_ptr<RowWriter>(new RowWriter(std::move(impl)));
}

Result<void> RowWriter::begin() {
  auto& self = *impl_;
  self.count = 0;
  self.rows.start(*self.connection, self.table, self.encoder, self.patience);
  auto begun = self.connection->run("BEGIN", "beginning a transaction");
  if (!begun) return tl::unexpected(begun.error());
  return {};
}

Result<void> RowWriter::write(std::int32_t partition, const Record& record) {
  auto& self = *impl_;
  self.tp.partition = partition;
  auto& out = self.rows.buffer();
  const auto began_at = out.size();
  const auto encoded = self.encoder.encode(self.tp, record, out);
  if (encoded.status != record::Fate::row) {
    return fail(ErrorKind::fatal, Cause::internal, "a record of the bench's own is no row");
  }
  ++self.count;
  self.rows.placed(began_at, encoded.column_set);
  if (!self.rows.wants_flush()) return {};
  if (const auto reply = self.rows.flush(); !reply.ok()) {
    return tl::unexpected(postgres::to_error(reply, "writing rows"));
  }
  return {};
}

Result<void> RowWriter::commit() {
  auto& self = *impl_;
  if (const auto reply = self.rows.finish(); !reply.ok()) {
    return tl::unexpected(postgres::to_error(reply, "writing rows"));
  }
  auto done = self.connection->run(
      fmt::format("INSERT INTO {0} AS p (start, worker, rows) VALUES ({1}, {2}, {3}) ON CONFLICT "
                  "(start, worker) DO UPDATE SET rows = p.rows + {3};COMMIT",
                  self.progress, self.start, self.worker, self.count),
      "committing rows", self.patience);
  if (!done) return tl::unexpected(done.error());
  return {};
}

}  // namespace semel::bench
