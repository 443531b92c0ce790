#include "postgres/row_stream.hpp"

#include <fmt/format.h>
#include <algorithm>

#include "postgres/quoting.hpp"

namespace semel::postgres {

std::string copy_statement(const Table& table, const RowEncoder& encoder,
                           std::uint32_t column_set) {
  std::string columns;
  for (const auto& column : encoder.columns_of(column_set)) {
    if (!columns.empty()) columns += ", ";
    columns += quote_identifier(column);
  }
  if (columns.empty()) return "";
  return fmt::format("COPY {} ({}) FROM STDIN (FORMAT {})",
                     QualifiedName{table.schema, table.name}.quoted(), columns,
                     encoder.format() == CopyFormat::binary ? "binary" : "text");
}

std::string insert_defaults_statement(const Table& table, CopyFormat format, std::size_t bytes) {
  // A row without columns is its count of fields, or an empty line.
  const std::size_t row_bytes = format == CopyFormat::binary ? 2 : 1;
  return fmt::format("INSERT INTO {} SELECT FROM generate_series(1, {})",
                     QualifiedName{table.schema, table.name}.quoted(), bytes / row_bytes);
}

std::chrono::milliseconds row_patience(const Options& options) {
  constexpr std::chrono::milliseconds usual = std::chrono::minutes(10);
  return std::max(
      usual, std::chrono::milliseconds(options.statement_timeout_ms) + std::chrono::seconds(10));
}

void RowStream::start(Connection& connection, const Table& table, const RowEncoder& encoder,
                      std::chrono::milliseconds patience) {
  connection_ = &connection;
  table_ = &table;
  encoder_ = &encoder;
  patience_ = patience;
  bytes_.clear();
  current_.reset();
  open_ = false;
  waiting_.clear();
  waiting_bytes_ = 0;
  stored_ = 0;
  sent_ = 0;
}

void RowStream::shorten() {
  const auto tried = std::max(sent_, bytes_.size());
  copy_bytes_max_ = std::max(std::min(copy_bytes_max_, tried) / 4, copy_bytes_min);
}

void RowStream::place_elsewhere(std::size_t began_at, std::uint32_t column_set) {
  if (!current_) {
    current_ = column_set;
    return;
  }
  if (waiting_.size() <= column_set) waiting_.resize(column_set + 1);
  waiting_[column_set].append(bytes_, began_at);
  waiting_bytes_ += bytes_.size() - began_at;
  bytes_.resize(began_at);
}

Reply RowStream::lost() {
  // Reading on tells why: the reason is known to the connection.
  return connection_->receive(patience_);
}

Reply RowStream::open_after(const std::string& statements) {
  const auto copy = current_ ? copy_statement(*table_, *encoder_, *current_) : "";
  if (copy.empty()) return connection_->exchange(statements);
  // A server that does not even begin is given up soon. One where somebody holds a lock of the
  // table looks the same; then the next attempt waits behind it again.
  return opened(connection_->exchange(statements + ";" + copy));
}

Reply RowStream::open() {
  return opened(connection_->exchange(copy_statement(*table_, *encoder_, *current_), patience_));
}

Reply RowStream::opened(Reply reply) {
  if (!reply.ok()) return reply;
  open_ = true;
  sent_ = 0;
  auto put_reply = put(encoder_->copy_begin());
  return put_reply.ok() ? std::move(reply) : std::move(put_reply);
}

Reply RowStream::put(std::string_view bytes) {
  sent_ += bytes.size();
  return bytes.empty() || connection_->put(bytes, patience_) ? Reply{} : lost();
}

void RowStream::make_current(std::uint32_t column_set) {
  current_ = column_set;
  bytes_.swap(waiting_[column_set]);
  waiting_bytes_ -= bytes_.size();
}

Reply RowStream::close() {
  if (!current_ || (!open_ && bytes_.empty())) return {};
  if (encoder_->columns_of(*current_).empty()) {
    auto reply = connection_->exchange(
        insert_defaults_statement(*table_, encoder_->format(), bytes_.size()), patience_);
    bytes_.clear();
    stored_ += reply.rows_stored();
    return reply;
  }
  if (!open_) {
    if (auto reply = open(); !reply.ok()) return reply;
  }
  bytes_ += encoder_->copy_end();
  if (auto reply = put(bytes_); !reply.ok()) return reply;
  bytes_.clear();
  open_ = false;
  if (!connection_->put_end(nullptr, patience_)) return lost();
  auto reply = connection_->receive(patience_);
  stored_ += reply.rows_stored();
  return reply;
}

Reply RowStream::flush() {
  if (waiting_bytes_ >= std::min(waiting_bytes_max, copy_bytes_max_)) {
    if (auto reply = close(); !reply.ok()) return reply;
    const auto largest = std::ranges::max_element(waiting_, {}, &std::string::size);
    make_current(static_cast<std::uint32_t>(largest - waiting_.begin()));
  }
  if (!open_) {
    if (encoder_->columns_of(*current_).empty()) return close();
    if (auto reply = open(); !reply.ok()) return reply;
  }
  auto reply = put(bytes_);
  bytes_.clear();
  return reply.ok() && sent_ >= copy_bytes_max_ ? close() : std::move(reply);
}

Reply RowStream::finish() {
  auto reply = close();
  for (std::uint32_t set = 0; reply.ok() && set < waiting_.size(); ++set) {
    if (waiting_[set].empty()) continue;
    make_current(set);
    reply = close();
  }
  current_.reset();
  return reply;
}

}  // namespace semel::postgres
