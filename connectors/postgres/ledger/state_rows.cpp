#include "postgres/ledger/state_rows.hpp"

#include <fmt/format.h>
#include <algorithm>
#include <charconv>
#include <utility>

#include "postgres/client/quoting.hpp"
#include "postgres/ledger/owner.hpp"
#include "postgres/table/guard.hpp"

namespace semel::postgres {

namespace {

constexpr std::size_t piece_rows_max = 10'000;
constexpr std::size_t piece_bytes_max = std::size_t{4} << 20;
// Of what is fetched at once, as its size becomes known.
constexpr std::size_t fetched_rows_first = 100;
constexpr std::size_t fetched_rows_max = 10'000;
constexpr std::size_t fetched_bytes = std::size_t{4} << 20;
constexpr int gone_at_once = 1'000;
// Of a key, so many bytes are in the index. Stored: do not change.
constexpr int key_bytes_max = 1'000;

// Of the row that says which version the rows are of: where their table was made anew, or restored
// without that of the versions, it is another one. No row of a state has this key. Stored: do not
// change, nor its value.
constexpr std::string_view key_of_mark = "";

std::string mark_of_rows(const StateVersion& version) {
  return std::to_string(version.name);
}

constexpr auto reading_state = "reading the state";

void put_int32(std::string& out, std::int32_t value) {
  for (int shift = 24; shift >= 0; shift -= 8) {
    out += static_cast<char>(static_cast<std::uint32_t>(value) >> static_cast<unsigned>(shift));
  }
}

/// An array of bytea as the server reads it in binary.
class ByteArray {
 public:
  void add(const std::optional<std::string_view>& bytes) {
    ++count_;
    put_int32(elements_, bytes ? static_cast<std::int32_t>(bytes->size()) : -1);
    if (bytes) elements_ += *bytes;
    has_null_ = has_null_ || !bytes;
  }
  std::int32_t count() const { return count_; }
  std::size_t bytes() const { return elements_.size(); }
  std::string take() {
    constexpr std::int32_t bytea = 17;
    std::string out;
    put_int32(out, count_ == 0 ? 0 : 1);  // dimensions
    put_int32(out, has_null_ ? 1 : 0);
    put_int32(out, bytea);
    if (count_ > 0) {
      put_int32(out, count_);
      put_int32(out, 1);  // where it begins
    }
    out += elements_;
    *this = {};
    return out;
  }

 private:
  std::string elements_;
  std::int32_t count_ = 0;
  bool has_null_ = false;
};

std::string place_of(const Shared& shared) {
  return quote_literal(shared.owner.pipeline) + ", " + quote_literal(shared.owner.output);
}

std::string version_statement(const Shared& shared, const StateVersion& version) {
  return fmt::format(
      "INSERT INTO {} (pipeline, output, batch_time, name, committed_at) VALUES ({}, {}, {}, "
      "clock_timestamp())",
      shared.tables.state_versions, place_of(shared), version.time.ms, version.name);
}

std::string rows_statement(const Shared& shared, const StateVersion& version) {
  return fmt::format(
      "INSERT INTO {} (pipeline, output, key, key_rest, value, batch_time) "
      "SELECT {}, CASE WHEN length(k) > {max} THEN substr(k, 1, {max}) || sha256(k) ELSE k END, "
      "CASE WHEN length(k) > {max} THEN substr(k, {max} + 1) END, v, {} "
      "FROM unnest($1::bytea[], $2::bytea[]) AS u (k, v) ORDER BY 3 "
      "ON CONFLICT (pipeline, output, key) DO UPDATE SET value = EXCLUDED.value, "
      "batch_time = EXCLUDED.batch_time",
      shared.tables.state, place_of(shared), version.time.ms, fmt::arg("max", key_bytes_max));
}

/// All that the cursor gives. In its transaction.
Result<void> fetch_all(Connection& connection, const StateRead& read, const Sink::SeeState& see) {
  for (auto wanted = fetched_rows_first;;) {
    const auto reply =
        connection.run(fmt::format("FETCH {} FROM semel_state_rows", wanted), reading_state);
    if (!reply) return tl::unexpected(reply.error());
    const auto& rows = reply->table(0);
    if (rows.size() == 0) return {};
    std::vector<std::pair<std::string, std::optional<std::string>>> piece;
    std::vector<StateRow> views;
    std::size_t bytes = 1;
    for (int row = 0; row < rows.size(); ++row) {
      bytes += (rows.view(row, 0).size() + rows.view(row, 1).size()) / 2;
      piece.emplace_back(rows.bytes(row, 0).value_or(""), rows.bytes(row, 1));
    }
    for (const auto& [key, value] : piece) {
      views.push_back({key, value ? std::optional<std::string_view>(*value) : std::nullopt});
    }
    if (auto seen = see(read, views); !seen) return seen;
    const auto came = static_cast<std::size_t>(rows.size());
    if (came < wanted) return {};
    wanted = std::clamp<std::size_t>(fetched_bytes * came / bytes, 1, fetched_rows_max);
  }
}

Result<StateRead> read_in_transaction(Connection& connection, const Shared& shared,
                                      const StateVersion& since, const Sink::SeeState& see) {
  const auto begun = connection.run(
      fmt::format("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY;"
                  "SELECT batch_time, name FROM {0} WHERE {1} ORDER BY batch_time DESC LIMIT 1;"
                  "SELECT 1 FROM {0} WHERE {1} AND batch_time = {2} AND name = {3};"
                  "SELECT batch_time, encode(value, 'escape') FROM {4} WHERE {1} AND key = ''",
                  shared.tables.state_versions, mine(shared), since.time.ms, since.name,
                  shared.tables.state),
      reading_state);
  if (!begun) return tl::unexpected(begun.error());
  StateRead read;
  if (const auto& newest = begun->table(0); newest.size() > 0) {
    read.version = {{newest.number(0, 0)}, static_cast<std::uint64_t>(newest.number(0, 1))};
  }
  const auto& mark = begun->table(2);
  const bool whole = read.version == StateVersion() ||
                     (mark.size() > 0 && mark.number(0, 0) == read.version.time.ms &&
                      mark.view(0, 1) == mark_of_rows(read.version));
  if (!whole) return StateRead{};
  if (read.version == since) return read;
  read.all = begun->table(1).size() == 0;
  const auto which =
      read.all ? std::string("value IS NOT NULL") : fmt::format("batch_time > {}", since.time.ms);
  const auto declared = connection.run(
      fmt::format("DECLARE semel_state_rows NO SCROLL CURSOR FOR SELECT encode(CASE WHEN key_rest "
                  "IS NULL THEN key ELSE substr(key, 1, {}) || key_rest END, 'hex'), encode(value, "
                  "'hex') FROM {} WHERE {} AND key <> '' AND {}",
                  key_bytes_max, shared.tables.state, mine(shared), which),
      reading_state);
  if (!declared) return tl::unexpected(declared.error());
  if (auto fetched = fetch_all(connection, read, see); !fetched) {
    return tl::unexpected(fetched.error());
  }
  return read;
}

}  // namespace

void StateRows::set(const StateChange& change) {
  change_.emplace(Encoded{.version = change.version, .all = change.all, .pieces = {}});
  ByteArray keys;
  ByteArray values;
  const auto end_piece = [&] { change_->pieces.push_back({keys.take(), values.take()}); };
  const auto mark = mark_of_rows(change.version);
  keys.add(key_of_mark);
  values.add(mark);
  for (const auto& row : change.rows) {
    keys.add(row.key);
    values.add(row.value);
    if (static_cast<std::size_t>(keys.count()) >= piece_rows_max ||
        keys.bytes() + values.bytes() >= piece_bytes_max) {
      end_piece();
    }
  }
  if (keys.count() > 0) end_piece();
}

Reply StateRows::send(Connection& connection, const Shared& shared,
                      std::chrono::milliseconds patience) {
  Reply reply;
  if (!change_) return reply;
  const auto change = *std::exchange(change_, std::nullopt);
  if (change.all) {
    reply = connection.exchange(
        fmt::format("DELETE FROM {} WHERE {};DELETE FROM {} WHERE {}", shared.tables.state,
                    mine(shared), shared.tables.state_versions, mine(shared)),
        patience);
  }
  const auto rows = rows_statement(shared, change.version);
  for (std::size_t i = 0; i < change.pieces.size() && reply.ok(); ++i) {
    const auto& [keys, values] = change.pieces[i];
    const bool last = i + 1 == change.pieces.size();
    reply = connection.exchange(last ? fmt::format("WITH version AS ({}) {}",
                                                   version_statement(shared, change.version), rows)
                                     : rows,
                                {keys.data(), values.data()},
                                {static_cast<int>(keys.size()), static_cast<int>(values.size())},
                                patience);
  }
  return reply;
}

Result<StateRead> read_state(Connection& connection, const Shared& shared,
                             const StateVersion& since, const Sink::SeeState& see) {
  auto read = read_in_transaction(connection, shared, since, see);
  connection.roll_back();
  return read;
}

Result<bool> trim_state(Connection& connection, const Shared& shared, bool gone_keys) {
  if (shared.options.keep_commits_hours <= 0) return false;
  auto statements = fmt::format(
      "DELETE FROM {versions} WHERE {mine} AND batch_time IN (SELECT batch_time FROM {versions} "
      "WHERE {mine} AND committed_at < clock_timestamp() - interval '{hours} hours' AND batch_time "
      "< (SELECT max(batch_time) FROM {versions} WHERE {mine}) ORDER BY batch_time LIMIT {most})",
      fmt::arg("versions", shared.tables.state_versions), fmt::arg("mine", mine(shared)),
      fmt::arg("hours", shared.options.keep_commits_hours), fmt::arg("most", gone_at_once));
  if (gone_keys) {
    // Waits for no batch; and a key that a batch brings back meanwhile stays.
    const auto gone = fmt::format(
        "{} AND value IS NULL AND batch_time <= (SELECT min(batch_time) FROM {} WHERE {})",
        mine(shared), shared.tables.state_versions, mine(shared));
    statements += fmt::format(
        ";DELETE FROM {0} WHERE {1} AND key IN (SELECT key FROM {0} WHERE {1} LIMIT {2} FOR UPDATE "
        "SKIP LOCKED)",
        shared.tables.state, gone, gone_at_once);
  }
  const auto reply = connection.exchange(ledger_begin(shared) + statements + ";COMMIT");
  if (!reply.ok()) {
    connection.roll_back();
    return tl::unexpected(to_error(reply, "trimming the state's history"));
  }
  bool more = false;
  const auto deletes = std::ptrdiff_t{gone_keys ? 2 : 1};
  for (auto at = reply.results.end() - 1 - deletes; at != reply.results.end() - 1; ++at) {
    const auto tag = at->tag();  // "DELETE 1000"
    int removed = 0;
    std::from_chars(tag.data() + tag.find(' ') + 1, tag.data() + tag.size(), removed);
    more = more || removed >= gone_at_once;
  }
  return more;
}

}  // namespace semel::postgres
