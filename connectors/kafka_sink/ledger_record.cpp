#include "kafka_sink/ledger_record.hpp"

#include <nlohmann/json.hpp>

#include "base/ledger_names.hpp"

namespace semel::kafka_sink {

namespace {

using nlohmann::json;

std::string text_of(const json& value) {
  return value.dump(-1, ' ', false, json::error_handler_t::replace);
}

json parse(std::string_view text) {
  return json::parse(text.begin(), text.end(), nullptr, false);
}

json tp_of(const TopicPartition& tp) {
  return {{"topic", tp.topic}, {"partition", tp.partition}};
}
TopicPartition tp_from(const json& value) {
  return {value.at("topic").get<std::string>(), value.at("partition").get<std::int32_t>()};
}

OwnerRow owner_from(const json& value) {
  OwnerRow row;
  value.at("version").get_to(row.version);
  // Of a later one only that is known; whoever reads refuses it.
  if (row.version > ledger_version) return row;
  value.at("pipeline").get_to(row.pipeline);
  value.at("output").get_to(row.output);
  value.at("epoch").get_to(row.epoch);
  value.at("owner").get_to(row.id);
  value.at("description").get_to(row.description);
  value.at("since").get_to(row.since);
  value.at("seen_at").get_to(row.seen_at);
  value.at("cluster_id").get_to(row.cluster_id);
  value.at("state").get_to(row.state);
  value.at("reason").get_to(row.reason);
  value.at("heartbeat_ms").get_to(row.heartbeat_ms);
  value.at("reads").get_to(row.reads);
  value.at("target").get_to(row.target);
  value.at("slots").get_to(row.slots);
  value.at("partitions").get_to(row.partitions);
  value.at("highest_batch_time").get_to(row.highest_batch_time.ms);
  return row;
}

Position position_from(const TopicPartition& tp, const json& value) {
  Position position;
  position.at.tp = tp;
  value.at("until").get_to(position.at.until);
  value.at("batch_time").get_to(position.at.batch_time.ms);
  value.at("epoch").get_to(position.epoch);
  value.at("owner").get_to(position.owner);
  value.at("moved_at").get_to(position.moved_at);
  if (const auto& last = value.at("last"); !last.is_null()) {
    position.at.last =
        RecordMark{last.at("offset").get<std::int64_t>(), last.at("timestamp").get<std::int64_t>(),
                   last.at("checksum").get<std::uint32_t>()};
  }
  return position;
}

}  // namespace

// Stored: do not change. The names of keys and members, here and below.
std::string owner_key() {
  return R"({"owner":true})";
}

std::string key_of(const TopicPartition& tp) {
  return text_of(tp_of(tp));
}

std::string encode(const OwnerRow& row) {
  return text_of({{"version", row.version},
                  {"pipeline", row.pipeline},
                  {"output", row.output},
                  {"epoch", row.epoch},
                  {"owner", row.id},
                  {"description", row.description},
                  {"since", row.since},
                  {"seen_at", row.seen_at},
                  {"cluster_id", row.cluster_id},
                  {"state", row.state},
                  {"reason", row.reason},
                  {"heartbeat_ms", row.heartbeat_ms},
                  {"reads", row.reads},
                  {"target", row.target},
                  {"slots", row.slots},
                  {"partitions", row.partitions},
                  {"highest_batch_time", row.highest_batch_time.ms}});
}

std::string encode(const Position& position) {
  json value{{"until", position.at.until},    {"batch_time", position.at.batch_time.ms},
             {"epoch", position.epoch},       {"owner", position.owner},
             {"moved_at", position.moved_at}, {"last", nullptr}};
  if (const auto& last = position.at.last) {
    value["last"] = {
        {"offset", last->offset}, {"timestamp", last->timestamp_ms}, {"checksum", last->checksum}};
  }
  return text_of(value);
}

namespace {

/// Absent: the key is no partition's. Exactly as it is written: nobody else's JSON is taken for it.
std::optional<TopicPartition> partition_of(std::string_view key) try {
  auto tp = tp_from(parse(key));
  return key_of(tp) == key ? std::optional(std::move(tp)) : std::nullopt;
} catch (const json::exception&) {
  return std::nullopt;
}

}  // namespace

LedgerFact decode(std::optional<std::string_view> key, std::optional<std::string_view> value) {
  if (!key) return {};
  const auto tp = partition_of(*key);
  if (!tp && *key != owner_key()) return {};
  try {
    if (tp) return value ? LedgerFact(position_from(*tp, parse(*value))) : Forgotten{*tp};
    // Without an owner there is none, as before the first.
    return value ? LedgerFact(owner_from(parse(*value))) : LedgerFact();
  } catch (const json::exception&) {
    return Broken{tp};
  }
}

std::string encode(const Move& move, const std::string& note) {
  auto value = tp_of(move.tp);
  value["batch_time"] = move.batch_time.ms;
  value["epoch"] = move.epoch;
  value["from"] = move.from;
  value["until"] = move.until;
  value["kind"] = kind_name(move.kind);
  value["rows"] = move.rows;
  value["dead_letters"] = move.dead_letters;
  value["ignored"] = move.ignored.value_or(0);
  value["suppressed"] = move.suppressed.value_or(0);
  value["committed_at"] = move.committed_at;
  if (!note.empty()) value["note"] = note;
  return text_of(value);
}

std::optional<Move> decode_move(std::optional<std::string_view> value) try {
  if (!value) return std::nullopt;
  const auto read = parse(*value);
  return Move{.tp = tp_from(read),
              .batch_time = {read.at("batch_time").get<std::int64_t>()},
              .epoch = read.at("epoch").get<std::int64_t>(),
              .from = read.at("from").get<Offset>(),
              .until = read.at("until").get<Offset>(),
              .kind = kind_of(read.at("kind").get<std::string>()),
              .rows = read.at("rows").get<std::uint64_t>(),
              .dead_letters = read.at("dead_letters").get<std::uint64_t>(),
              .ignored = read.at("ignored").get<std::uint64_t>(),
              .suppressed = read.at("suppressed").get<std::uint64_t>(),
              .committed_at = read.at("committed_at").get<std::string>()};
} catch (const json::exception&) {
  return std::nullopt;
}

}  // namespace semel::kafka_sink
