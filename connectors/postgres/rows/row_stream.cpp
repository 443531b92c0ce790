#include "postgres/rows/row_stream.hpp"

#include <fmt/format.h>
#include <algorithm>

#include "postgres/client/quoting.hpp"
#include "postgres/rows/insert_rows.hpp"

namespace semel::postgres {

std::string copy_statement(const Table& table, const RowEncoder& encoder,
                           std::uint32_t column_set) {
  std::string columns;
  for (const auto& column : encoder.columns_of(column_set)) {
    if (!columns.empty()) columns += ", ";
    columns += quote_identifier(column);
  }
  auto into = QualifiedName{table.schema, table.name}.quoted();
  if (!table.stage.empty()) {
    into = "pg_temp." + quote_identifier(table.stage);
    columns = fmt::format("{}, {}, {}", stage_number, stage_set, columns);
  }
  if (columns.empty()) return "";
  return fmt::format("COPY {} ({}) FROM STDIN (FORMAT {})", into, columns,
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
                      std::chrono::milliseconds patience, const Staging* staging) {
  staging_ = staging;
  merged_until_ = encoder.last_number();
  staged_bytes_ = 0;
  connection_ = &connection;
  table_ = &table;
  encoder_ = &encoder;
  patience_ = patience;
  bytes_.clear();
  current_.reset();
  open_ = false;
  ahead_.clear();
  locked_ = false;
  takes_inserts_.reset();
  runs_.clear();
  copies_.clear();
  stored_ = 0;
  sent_ = 0;
}

void RowStream::shorten() {
  const auto tried = open_ ? sent_ : std::max(sent_, bytes_.size());
  copy_bytes_max_ = std::max(std::min(copy_bytes_max_, tried) / 4, copy_bytes_min);
}

void RowStream::begin_run(std::size_t began_at, std::uint32_t column_set) {
  runs_.push_back({column_set, began_at});
  current_ = column_set;
}

std::string_view RowStream::bytes_of(std::size_t run) const {
  const auto end = run + 1 < runs_.size() ? runs_[run + 1].begin : bytes_.size();
  return std::string_view(bytes_).substr(runs_[run].begin, end - runs_[run].begin);
}

const std::string& RowStream::copy_of(std::uint32_t column_set) {
  if (copies_.size() <= column_set) copies_.resize(column_set + 1);
  auto& statement = copies_[column_set];
  if (statement.empty()) statement = copy_statement(*table_, *encoder_, column_set);
  return statement;
}

Reply RowStream::lost() {
  // Reading on tells why: the reason is known to the connection.
  return connection_->receive(patience_);
}

Reply RowStream::open_after(const std::string& statements) {
  const auto copy = runs_.empty() ? "" : copy_of(runs_.front().column_set);
  if (copy.empty()) return connection_->exchange(statements);
  // A server that does not even begin is given up soon. One where somebody holds a lock of the
  // table looks the same; then the next attempt waits behind it again.
  return opened(connection_->exchange(statements + ";" + copy));
}

Reply RowStream::opened(Reply reply) {
  if (!reply.ok()) return reply;
  open_ = true;
  locked_ = true;
  sent_ = 0;
  ahead_ = encoder_->copy_begin();
  return reply;
}

Reply RowStream::put(std::string_view bytes, bool ends) {
  // What frames the rows goes with them: each put is a packet.
  const bool framed = ends || !ahead_.empty();
  if (framed) {
    ahead_ += bytes;
    if (ends) ahead_ += encoder_->copy_end();
    bytes = ahead_;
  }
  sent_ += bytes.size();
  if (!bytes.empty() && !connection_->put(bytes, patience_)) return lost();
  if (framed) ahead_.clear();
  return ends ? close() : Reply{};
}

Reply RowStream::close() {
  if (!connection_->put_end(nullptr, patience_)) return lost();
  auto reply = connection_->receive(patience_);
  if (reply.ok()) open_ = false;
  if (staging_ != nullptr) return reply.ok() ? merge() : std::move(reply);
  stored_ += reply.rows_stored();
  return reply;
}

Reply RowStream::merge() {
  auto statements = staging_->merge(encoder_->staged(), merged_until_);
  // What was carried over is passed over below, until it is so much that passing costs.
  constexpr std::size_t emptied_at = std::size_t{256} * 1024;
  staged_bytes_ += sent_;
  if (staged_bytes_ >= emptied_at && !ends_) {
    statements += ";" + staging_->empty();
    staged_bytes_ = 0;
  }
  auto reply = connection_->exchange(statements, patience_);
  merged_until_ = encoder_->last_number();
  stored_ += reply.rows_changed();
  return reply;
}

std::string RowStream::statements_from(std::size_t run) {
  std::string statements;
  for (; run < runs_.size(); ++run) {
    const auto bytes = bytes_of(run);
    if (bytes.empty()) continue;
    if (!statements.empty()) statements += ';';
    const auto& copy = copy_of(runs_[run].column_set);
    statements +=
        copy.empty() ? insert_defaults_statement(*table_, encoder_->format(), bytes.size()) : copy;
  }
  return statements;
}

std::optional<Reply> RowStream::insert_from(std::size_t run) {
  // A COPY costs the server as much as some ten rows of an INSERT, and a round trip.
  constexpr std::size_t runs_min = 4;
  constexpr std::size_t short_run = 1'024;
  const auto runs = runs_.size() - run;
  // With the lock of an earlier COPY, what is asked below holds until the transaction ends.
  if (runs < runs_min || !locked_ || (bytes_.size() - runs_[run].begin) / runs >= short_run) {
    return std::nullopt;
  }
  if (!takes_inserts_) {
    auto reply = connection_->exchange(takes_inserts_query(*table_));
    if (!reply.ok()) return reply;
    takes_inserts_ = reply.table(0).flag(0, 0);
  }
  if (!*takes_inserts_) return std::nullopt;
  std::vector<EncodedRows> rows;
  for (; run < runs_.size(); ++run) rows.push_back({runs_[run].column_set, bytes_of(run)});
  const auto insert = insert_rows(*table_, *encoder_, rows);
  if (!insert) return std::nullopt;
  sent_ = bytes_.size();
  auto reply = connection_->exchange(insert->sql, insert->values, insert->lengths, patience_);
  stored_ += reply.rows_stored();
  return reply;
}

Reply RowStream::send(bool all_end) {
  Reply reply;
  std::size_t run = 0;
  const auto put_run = [&] {
    const auto bytes = bytes_of(run);
    const bool ends = all_end || run + 1 < runs_.size() || sent_ + bytes.size() >= copy_bytes_max_;
    reply = put(bytes, ends);
  };
  if (open_) {
    put_run();
    ++run;
  }
  if (!reply.ok()) return reply;
  if (auto inserted = insert_from(run)) {
    if (inserted->ok()) bytes_.clear();
    return *std::move(inserted);
  }
  // All other statements in one message: a COPY begins in the answer to the end of the one before
  // it, which is a round trip less for each.
  if (const auto statements = statements_from(run); !statements.empty()) {
    reply = connection_->exchange(statements, patience_);
    if (staging_ == nullptr) stored_ += reply.rows_stored();
  }
  for (; reply.ok() && run < runs_.size(); ++run) {
    if (bytes_of(run).empty() || copy_of(runs_[run].column_set).empty()) continue;
    reply = opened(std::move(reply));
    if (reply.ok()) put_run();
  }
  if (reply.ok()) bytes_.clear();
  return reply;
}

Reply RowStream::flush() {
  auto reply = send(false);
  runs_.clear();
  if (current_) runs_.push_back({*current_, 0});
  return reply;
}

Reply RowStream::finish(End end) {
  ends_ = end == End::of_transaction;
  auto reply = send(true);
  ends_ = false;
  runs_.clear();
  current_.reset();
  return reply;
}

}  // namespace semel::postgres
