#include "store/tables.hpp"

#include <array>

namespace semel::store {

// Stored: do not change, neither names nor types nor order; people's queries read these tables,
// too.

namespace {

using enum Type;
constexpr bool null = true;

}  // namespace

std::int64_t number_in(const Cell& cell, std::int64_t absent) {
  const auto* number = std::get_if<std::int64_t>(&cell);
  return number != nullptr ? *number : absent;
}

const std::string& text_in(const Cell& cell) {
  static const std::string none;
  const auto* text = std::get_if<std::string>(&cell);
  return text != nullptr ? *text : none;
}

std::optional<std::string> bytes_in(const Cell& cell) {
  if (const auto* bytes = std::get_if<Bytes>(&cell)) return bytes->bytes;
  if (const auto* text = std::get_if<std::string>(&cell)) return *text;
  return std::nullopt;
}

const Table& owners() {
  static const Table table{
      .name = "semel_owners",
      .columns = {{"pipeline", text},
                  {"output", text},
                  {"epoch", integer, !null, "raised by each take-over"},
                  {"owner", text, !null, "random UUID of the process that writes"},
                  {"description", text},
                  {"since", text},
                  {"seen_at", text},
                  {"cluster_id", text, !null, "of the Kafka cluster that the offsets belong to"},
                  {"ledger_version", integer, !null, "of these tables"},
                  {"state", text, !null, "running, stopped, failed"},
                  {"state_reason", text, null},
                  {"heartbeat_ms", integer, !null, "seen_at is touched at least so often"},
                  {"topics", text},
                  {"target", text, !null, "the table that it writes"}},
      .key = 2};
  return table;
}

const Table& progress() {
  static const Table table{
      .name = "semel_progress",
      .columns = {{"pipeline", text},
                  {"output", text},
                  {"topic", text},
                  {"partition", integer},
                  {"until_offset", integer, !null, "everything below is in the table"},
                  {"epoch", integer},
                  {"owner", text},
                  {"batch_time", integer, !null, "ms since 1970, of the batch that moved it last"},
                  {"last_offset", integer, null, "the last record: by it the log is recognised"},
                  {"last_timestamp", integer, null},
                  {"last_checksum", integer, null},
                  {"moved_at", text}},
      .key = 4};
  return table;
}

const Table& history() {
  static const Table table{
      .name = "semel_commits",
      .columns = {{"pipeline", text},
                  {"output", text},
                  {"topic", text},
                  {"partition", integer},
                  {"batch_time", integer},
                  {"epoch", integer},
                  {"from_offset", integer},
                  {"until_offset", integer},
                  {"kind", text, !null, "start, commit, lost, set"},
                  {"rows", integer},
                  {"dead_letters", integer},
                  {"ignored", integer, !null, "left out as configured (tombstones)"},
                  {"suppressed", integer, !null, "kept out by the table's own will"},
                  {"note", text, null},
                  {"committed_at", text}},
      .key = 7};
  return table;
}

const Table& dead_letters() {
  static const Table table{
      .name = "semel_dead_letters",
      .columns = {{"pipeline", text},
                  {"output", text},
                  {"topic", text},
                  {"partition", integer},
                  {"offset", integer},
                  {"batch_time", integer},
                  {"timestamp_ms", integer, null, "Kafka's"},
                  {"key", bytes, null},
                  {"value", bytes, null},
                  {"headers", text, null, "JSON: [{name, value or base64}, ...]"},
                  {"column_name", text, null},
                  {"code", text, !null, "the store's own; empty: it has none for this"},
                  {"reason", text},
                  {"failed_at", text}},
      .key = 6};
  return table;
}

const Table& begun() {
  static const Table table{.name = "semel_begun",
                           .columns = {{"pipeline", text},
                                       {"output", text},
                                       {"topic", text},
                                       {"partition", integer},
                                       {"from_offset", integer},
                                       {"until_offset", integer},
                                       {"owner", text}},
                           .key = 4};
  return table;
}

const Table& state() {
  static const Table table{
      .name = "semel_state",
      .columns = {{"pipeline", text},
                  {"output", text},
                  {"key", bytes, !null,
                   "a stage's name, a zero byte, and its key; empty: the version of the rows"},
                  {"value", bytes, null, "NULL: the key is gone; kept for caches that are behind"},
                  {"batch_time", integer, !null, "ms since 1970, of the batch that wrote it"}},
      .key = 3};
  return table;
}

const Table& state_versions() {
  static const Table table{.name = "semel_state_versions",
                           .columns = {{"pipeline", text},
                                       {"output", text},
                                       {"batch_time", integer},
                                       {"name", integer, !null, "random, given once"},
                                       {"committed_at", text}},
                           .key = 3};
  return table;
}

std::span<const Table* const> tables() {
  static const std::array all{&owners(), &progress(), &history(), &dead_letters()};
  return all;
}

}  // namespace semel::store
