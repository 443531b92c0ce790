#include "postgres/rows/dead_letters.hpp"

#include <fmt/format.h>

#include "base/clean_text.hpp"
#include "postgres/client/quoting.hpp"
#include "record/header_json.hpp"

namespace semel::postgres {

namespace {

constexpr std::size_t text_bytes_max = 1'000;
constexpr std::int16_t fields = 13;

template <class Integer>
void put_integer(std::string& out, Integer value) {
  for (int shift = static_cast<int>(sizeof(Integer)) * 8 - 8; shift >= 0; shift -= 8) {
    out += static_cast<char>(static_cast<std::uint64_t>(value) >> static_cast<unsigned>(shift));
  }
}

template <class Integer>
void put_field(std::string& out, Integer value) {
  put_integer(out, static_cast<std::int32_t>(sizeof value));
  put_integer(out, value);
}

void put_bytes(std::string& out, std::string_view bytes) {
  put_integer(out, static_cast<std::int32_t>(bytes.size()));
  out += bytes;
}

void put_null(std::string& out) {
  put_integer(out, std::int32_t{-1});
}

void put_optional(std::string& out, const std::optional<std::string_view>& bytes) {
  bytes ? put_bytes(out, *bytes) : put_null(out);
}

}  // namespace

void DeadLetters::clear() {
  rows_.clear();
  count_ = 0;
}

void DeadLetters::add(const Shared& shared, const Task& task, const Record& record,
                      const record::BadRecord& bad, bool ascii_only) {
  ++count_;
  put_integer(rows_, fields);
  put_bytes(rows_, shared.owner.pipeline);
  put_bytes(rows_, shared.owner.output);
  put_bytes(rows_, task.range.tp.topic);
  put_field(rows_, task.range.tp.partition);
  put_field(rows_, record.offset);
  put_field(rows_, task.time.ms);
  record.timestamp_ms < 0 ? put_null(rows_) : put_field(rows_, record.timestamp_ms);
  put_optional(rows_, record.key);
  put_optional(rows_, record.value);
  const auto headers = record::headers_as_json(record.headers());
  headers.empty() ? put_null(rows_) : put_bytes(rows_, headers);
  bad.column.empty() ? put_null(rows_)
                     : put_bytes(rows_, sanitise(bad.column, text_bytes_max, ascii_only));
  put_bytes(rows_, sanitise(bad.code, record::code_bytes_max, true));
  put_bytes(rows_, sanitise(bad.reason, text_bytes_max, ascii_only));
}

Reply DeadLetters::send(Connection& connection, const Shared& shared,
                        std::chrono::milliseconds patience) {
  if (rows_.empty()) return {};
  auto reply = connection.exchange(
      fmt::format("COPY {} (pipeline, output, topic, \"partition\", \"offset\", batch_time, "
                  "timestamp_ms, key, value, headers, column_name, sqlstate, reason) "
                  "FROM STDIN (FORMAT binary)",
                  shared.tables.dead_letters),
      patience);
  if (!reply.ok()) return reply;
  constexpr std::string_view signature("PGCOPY\n\377\r\n\0\0\0\0\0\0\0\0\0", 19);
  constexpr std::string_view trailer("\377\377", 2);
  const auto rows = std::exchange(rows_, {});
  if (!connection.put(signature, patience)) return connection.receive(patience);
  constexpr std::size_t piece = std::size_t{64} * 1024;
  for (std::size_t at = 0; at < rows.size(); at += piece) {
    const auto bytes = std::string_view(rows).substr(at, piece);
    if (!connection.put(bytes, patience)) return connection.receive(patience);
  }
  if (!connection.put(trailer, patience) || !connection.put_end(nullptr, patience)) {
    return connection.receive(patience);
  }
  return connection.receive(patience);
}

}  // namespace semel::postgres
