#include "postgres/careful.hpp"

#include <algorithm>
#include <utility>

#include "postgres/row_stream.hpp"

namespace semel::postgres {

CarefulWriter::CarefulWriter(Connection& connection, const Table& table, const RowEncoder& encoder,
                             std::chrono::milliseconds patience)
    : connection_(connection), table_(table), encoder_(encoder), patience_(patience) {}

Reply CarefulWriter::write(std::span<const PlacedRow> rows, std::string_view bytes,
                           const OnRefused& on_refused) {
  while (!rows.empty()) {
    // One COPY has one list of columns: a chunk ends where another set begins.
    const auto same = [&](const PlacedRow& row) { return row.column_set == rows[0].column_set; };
    const auto ends = std::ranges::find_if_not(rows, same);
    const auto count = std::min(static_cast<std::size_t>(ends - rows.begin()), chunk_);
    bool clean = true;
    auto reply = write_chunk(rows.first(count), bytes, [&](const auto& row, const auto& error) {
      clean = false;
      on_refused(row, error);
    });
    if (!reply.ok()) return reply;
    chunk_ = clean ? std::min(chunk_ * 2, chunk_max) : std::max<std::size_t>(chunk_ / 2, 1);
    rows = rows.subspan(count);
  }
  return {};
}

Reply CarefulWriter::write_chunk(std::span<const PlacedRow> rows, std::string_view bytes,
                                 const OnRefused& on_refused) {
  std::vector<std::span<const PlacedRow>> left{rows};  // the next one last
  while (!left.empty()) {
    const auto part = left.back();
    left.pop_back();
    if (part.empty()) continue;
    auto reply = attempt(part, bytes);
    if (reply.ok()) continue;
    if (reply.lost || meaning_of(reply.error->sqlstate) != Meaning::data) return reply;
    if (part.size() == 1) {
      on_refused(part[0], *reply.error);
      continue;
    }
    const auto line = copy_line(reply.error->context, table_.name);
    if (line && *line <= part.size()) {
      left.push_back(part.subspan(*line));
      left.push_back(part.subspan(*line - 1, 1));
      left.push_back(part.first(*line - 1));
    } else {
      left.push_back(part.subspan(part.size() / 2));
      left.push_back(part.first(part.size() / 2));
    }
  }
  return {};
}

Reply CarefulWriter::attempt(std::span<const PlacedRow> rows, std::string_view bytes) {
  std::string stream(encoder_.copy_begin());
  std::size_t row_bytes = 0;
  for (const auto& row : rows) {
    stream += bytes.substr(row.begin, row.end - row.begin);
    row_bytes += row.end - row.begin;
  }
  stream += encoder_.copy_end();
  const auto copy = copy_statement(table_, encoder_, rows[0].column_set);
  const auto statement =
      copy.empty() ? insert_defaults_statement(table_, encoder_.format(), row_bytes) : copy;
  auto reply = connection_.exchange(
      "SAVEPOINT semel_chunk;" + statement + ";RELEASE SAVEPOINT semel_chunk", patience_);
  if (reply.copy_in) {
    constexpr std::size_t piece = std::size_t{64} * 1024;
    bool sent = true;
    for (std::size_t at = 0; sent && at < stream.size(); at += piece) {
      sent = connection_.put(std::string_view(stream).substr(at, piece), patience_);
    }
    if (sent) connection_.put_end(nullptr, patience_);
    reply = connection_.receive(patience_);
  }
  if (reply.error && !reply.lost) {
    auto back = connection_.exchange(
        "ROLLBACK TO SAVEPOINT semel_chunk;RELEASE SAVEPOINT semel_chunk", patience_);
    if (!back.ok()) return back;
  }
  return reply;
}

}  // namespace semel::postgres
