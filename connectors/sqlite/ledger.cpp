#include "sqlite/ledger.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/ledger_names.hpp"

namespace semel::sqlite {

namespace {

// Stored: do not change, neither names nor types; people's queries read these tables, too.
constexpr std::string_view tables = R"(CREATE TABLE IF NOT EXISTS semel_owners (
  pipeline TEXT NOT NULL,
  output TEXT NOT NULL,
  epoch INTEGER NOT NULL,          -- raised by each take-over
  owner TEXT NOT NULL,             -- random UUID of the process that writes
  description TEXT NOT NULL,
  since TEXT NOT NULL,
  seen_at TEXT NOT NULL,
  cluster_id TEXT NOT NULL,        -- of the Kafka cluster that the offsets belong to
  ledger_version INTEGER NOT NULL, -- of these tables
  state TEXT NOT NULL,             -- running, stopped, failed
  state_reason TEXT,
  heartbeat_ms INTEGER NOT NULL,   -- seen_at is touched at least so often
  topics TEXT NOT NULL,
  target TEXT NOT NULL,            -- the table that it writes
  PRIMARY KEY (pipeline, output)
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS semel_progress (
  pipeline TEXT NOT NULL,
  output TEXT NOT NULL,
  topic TEXT NOT NULL,
  "partition" INTEGER NOT NULL,
  until_offset INTEGER NOT NULL,   -- everything below is in the table
  epoch INTEGER NOT NULL,
  owner TEXT NOT NULL,
  batch_time INTEGER NOT NULL,     -- ms since 1970, of the batch that moved it last
  last_offset INTEGER,             -- the last record committed: by it the log is recognised
  last_timestamp INTEGER,
  last_checksum INTEGER,
  moved_at TEXT NOT NULL,
  PRIMARY KEY (pipeline, output, topic, "partition")
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS semel_commits (
  pipeline TEXT NOT NULL,
  output TEXT NOT NULL,
  topic TEXT NOT NULL,
  "partition" INTEGER NOT NULL,
  batch_time INTEGER NOT NULL,
  epoch INTEGER NOT NULL,
  from_offset INTEGER NOT NULL,
  until_offset INTEGER NOT NULL,
  kind TEXT NOT NULL,              -- start, commit, lost, set
  rows INTEGER NOT NULL,
  dead_letters INTEGER NOT NULL,
  ignored INTEGER NOT NULL,        -- records left out as configured (tombstones)
  suppressed INTEGER NOT NULL,     -- records that the table kept out by its own will
  note TEXT,
  committed_at TEXT NOT NULL,
  PRIMARY KEY (pipeline, output, topic, "partition", batch_time, epoch, from_offset)
) STRICT;
CREATE TABLE IF NOT EXISTS semel_dead_letters (
  pipeline TEXT NOT NULL,
  output TEXT NOT NULL,
  topic TEXT NOT NULL,
  "partition" INTEGER NOT NULL,
  "offset" INTEGER NOT NULL,
  batch_time INTEGER NOT NULL,
  timestamp_ms INTEGER,            -- Kafka's
  key BLOB,
  value BLOB,
  headers TEXT,                    -- JSON: [{"name": ..., "value": ... or "base64": ...}, ...]
  column_name TEXT,
  code TEXT NOT NULL,              -- https://www.sqlite.org/rescode.html; empty: not SQLite's
  reason TEXT NOT NULL,
  failed_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now'))
) STRICT;
)";

std::optional<std::int64_t> number(const Cells& row, std::size_t i) {
  return row[i] ? std::optional(row.number(i)) : std::nullopt;
}

class FileLedger final : public Ledger {
 public:
  FileLedger(std::unique_ptr<Database> database, Owner owner)
      : database_(std::move(database)), owner_(std::move(owner)) {}

  Result<std::optional<OwnerStatus>> owner() override {
    // Five missed beats are no hiccup any more.
    auto rows = run(
        "SELECT epoch, owner, description, since, (julianday('now') - julianday(seen_at)) * 86400, "
        "cluster_id, state, coalesce(state_reason, ''), heartbeat_ms, (SELECT (julianday('now') - "
        "julianday(max(moved_at))) * 86400 FROM semel_progress WHERE {0}) FROM semel_owners WHERE "
        "{0} AND epoch > 0");
    if (!rows) return tl::unexpected(rows.error());
    if (rows->empty()) return std::nullopt;
    const auto& row = rows->front();
    OwnerStatus status{.epoch = row.number(0),
                       .id = row.text(1),
                       .description = row.text(2),
                       .since = row.text(3),
                       .seen_seconds_ago = std::stod(row.text(4)),
                       .cluster_id = row.text(5),
                       .reason = row.text(7),
                       .heartbeat_ms = row.number(8)};
    if (row[9]) status.moved_seconds_ago = std::stod(row.text(9));
    constexpr double beats = 5.0 / 1'000;
    const bool seen = status.seen_seconds_ago <= beats * static_cast<double>(status.heartbeat_ms);
    status.state = row.text(6) == state_stopped  ? OwnerState::stopped
                   : row.text(6) == state_failed ? OwnerState::failed
                   : seen                        ? OwnerState::running
                                                 : OwnerState::silent;
    return status;
  }

  Result<std::vector<Progress>> progress() override { return read_progress(*database_, owner_); }

  Result<std::vector<Progress>> history(
      const std::function<void(std::span<const Move>)>& see) override {
    constexpr std::size_t piece = 1'000;
    return in_transaction(*database_, reading, [&]() -> Result<std::vector<Progress>> {
      std::vector<Move> moves;
      const auto sql = fmt::format(
          "SELECT topic, \"partition\", batch_time, epoch, from_offset, until_offset, kind, rows, "
          "dead_letters, ignored, suppressed, committed_at FROM semel_commits WHERE {} ORDER BY "
          "topic, \"partition\", batch_time, epoch, from_offset",
          mine);
      auto read = database_->each(sql, {owner_.pipeline, owner_.output}, [&](const Cells& row) {
        moves.push_back({.tp = {row.text(0), static_cast<std::int32_t>(row.number(1))},
                         .batch_time = {row.number(2)},
                         .epoch = row.number(3),
                         .from = row.number(4),
                         .until = row.number(5),
                         .kind = kind_of(row.text(6)),
                         .rows = static_cast<std::uint64_t>(row.number(7)),
                         .dead_letters = static_cast<std::uint64_t>(row.number(8)),
                         .ignored = static_cast<std::uint64_t>(row.number(9)),
                         .suppressed = static_cast<std::uint64_t>(row.number(10)),
                         .committed_at = row.text(11)});
        if (moves.size() < piece) return;
        see(moves);
        moves.clear();
      });
      if (!read) return tl::unexpected(read.error());
      if (!moves.empty()) see(moves);
      return progress();
    });
  }

  Result<Counts> counts() override {
    auto rows = run(
        "SELECT coalesce(min(committed_at), ''), count(*), coalesce(sum(rows), 0), "
        "coalesce(sum(dead_letters), 0), coalesce(sum(ignored), 0), coalesce(sum(suppressed), 0) "
        "FROM semel_commits WHERE {0} AND kind = 'commit'");
    if (!rows) return tl::unexpected(rows.error());
    const auto& row = rows->front();
    const auto count = [&](std::size_t i) { return static_cast<std::uint64_t>(row.number(i)); };
    return Counts{.since = row.text(0),
                  .commits = count(1),
                  .rows = count(2),
                  .dead_letters = count(3),
                  .ignored = count(4),
                  .suppressed = count(5)};
  }

  Result<std::uint64_t> dead_letters() override {
    auto rows = run("SELECT count(*) FROM semel_dead_letters WHERE {0}");
    if (!rows) return tl::unexpected(rows.error());
    return static_cast<std::uint64_t>(rows->front().number(0));
  }

  Result<void> set(std::span<const Progress> positions, bool force) override {
    return as_operator(force, [&](std::int64_t epoch) -> Result<void> {
      for (const auto& position : positions) {
        if (auto moved = jump(position, epoch); !moved) return moved;
      }
      return {};
    });
  }

  Result<void> reset(bool force) override {
    return as_operator(force, [&](std::int64_t epoch) -> Result<void> {
      auto all = progress();
      if (!all) return tl::unexpected(all.error());
      for (const auto& position : *all) {
        if (auto moved = jump(position, epoch); !moved) return moved;
      }
      for (const auto* sql : {"DELETE FROM semel_progress WHERE {0}",
                              "UPDATE semel_owners SET cluster_id = '' WHERE {0}"}) {
        if (auto done = run(sql); !done) return tl::unexpected(done.error());
      }
      return {};
    });
  }

 private:
  Result<Rows> run(std::string_view sql) {
    return database_->run(fmt::format(fmt::runtime(sql), mine), {owner_.pipeline, owner_.output});
  }

  template <class Action>
  Result<void> as_operator(bool force, Action action) {
    return in_transaction(*database_, writing, [&]() -> Result<void> {
      auto status = owner();
      if (!status) return tl::unexpected(status.error());
      if (!force && *status && (*status)->state == OwnerState::running) {
        return fail(ErrorKind::fatal, Cause::sink,
                    fmt::format("{} is running: stop it first, or use --force, which fences it",
                                (*status)->description));
      }
      if (!*status) {
        return fail(ErrorKind::fatal, Cause::sink,
                    fmt::format("pipeline {} has never written into this file", owner_.pipeline));
      }
      auto taken = run(fmt::format(
          "UPDATE semel_owners SET epoch = epoch + 1, owner = 'operator', description = 'semel "
          "offsets', since = {0}, seen_at = {0}, state = '{1}', state_reason = NULL "
          "WHERE {{0}}",
          now, state_stopped));
      if (!taken) return tl::unexpected(taken.error());
      return action((*status)->epoch + 1);
    });
  }

  Result<void> jump(Progress to, std::int64_t epoch) {
    const auto& [topic, partition] = to.tp;
    auto before = database_->run(
        fmt::format("SELECT until_offset, coalesce((SELECT max(batch_time) FROM semel_commits "
                    "WHERE {0} AND topic = ?3 AND \"partition\" = ?4), 0) FROM (SELECT 1) LEFT "
                    "JOIN semel_progress ON {0} AND topic = ?3 AND \"partition\" = ?4",
                    mine),
        {owner_.pipeline, owner_.output, topic, std::int64_t{partition}});
    if (!before) return tl::unexpected(before.error());
    to.batch_time.ms = std::max(to.batch_time.ms, (*before)[0].number(1));
    const auto from = number((*before)[0], 0).value_or(to.until);
    Arg none;
    auto put = database_->run(
        fmt::format("REPLACE INTO semel_progress VALUES (?1, ?2, ?3, ?4, ?5, ?6, 'operator', ?7, "
                    "?8, ?9, ?10, {})",
                    now),
        {owner_.pipeline, owner_.output, topic, std::int64_t{partition}, to.until, epoch,
         to.batch_time.ms, to.last ? Arg(to.last->offset) : none,
         to.last ? Arg(to.last->timestamp_ms) : none,
         to.last ? Arg(std::int64_t{to.last->checksum}) : none});
    if (!put) return tl::unexpected(put.error());
    return write_history(
        *database_, owner_,
        {.to = to, .from = from, .kind = MoveKind::set, .epoch = epoch, .counts = {}, .note = ""});
  }

  std::unique_ptr<Database> database_;
  Owner owner_;
};

}  // namespace

std::string ledger_ddl() {
  return std::string(tables);
}

Result<void> make_ledger(Database& database) {
  auto there = find_ledger(database);
  if (!there) return tl::unexpected(there.error());
  return *there ? Result<void>{} : database.script(tables);
}

Result<bool> find_ledger(Database& database) {
  auto there = database.run("SELECT count(*) FROM main.sqlite_schema WHERE name = 'semel_owners'");
  if (!there) return tl::unexpected(there.error());
  if ((*there)[0].number(0) == 0) return false;
  auto newest = database.run("SELECT max(ledger_version) FROM main.semel_owners");
  if (!newest) return tl::unexpected(newest.error());
  if ((*newest)[0].number(0) <= ledger_version) return true;
  return fail(ErrorKind::fatal, Cause::sink,
              fmt::format("the ledger in sink.sqlite.file is of version {}, and this semel knows "
                          "{}: use the newer semel that wrote it",
                          (*newest)[0].text(0), ledger_version));
}

Result<LedgerEntry> read_entry(Database& database, const Owner& owner, const TopicPartition* tp) {
  auto rows = database.run(
      "SELECT o.epoch, o.owner, o.description, o.since, p.until_offset, p.batch_time FROM (SELECT "
      "1) LEFT JOIN main.semel_owners o ON o.pipeline = ?1 AND o.output = ?2 LEFT JOIN "
      "main.semel_progress p ON p.pipeline = ?1 AND p.output = ?2 AND p.topic = ?3 AND "
      "p.\"partition\" = ?4",
      {owner.pipeline, owner.output, tp != nullptr ? Arg(tp->topic) : Arg(),
       tp != nullptr ? Arg(std::int64_t{tp->partition}) : Arg()});
  if (!rows) return tl::unexpected(rows.error());
  const auto& row = rows->front();
  return LedgerEntry{.until = number(row, 4),
                     .epoch = row[0] ? row.number(0) : -1,
                     .owner = row.text(1),
                     .owner_description = row.text(2),
                     .since = row.text(3),
                     .batch_time = {row.number(5)}};
}

Result<std::vector<Progress>> read_progress(Database& database, const Owner& owner) {
  std::vector<Progress> all;
  auto read = database.each(
      fmt::format("SELECT topic, \"partition\", until_offset, batch_time, last_offset, "
                  "last_timestamp, last_checksum FROM main.semel_progress WHERE {} ORDER BY topic, "
                  "\"partition\"",
                  mine),
      {owner.pipeline, owner.output}, [&](const Cells& row) {
        Progress progress{.tp = {row.text(0), static_cast<std::int32_t>(row.number(1))},
                          .until = row.number(2),
                          .batch_time = {row.number(3)},
                          .last = std::nullopt};
        if (row[4]) {
          progress.last =
              RecordMark{row.number(4), row.number(5), static_cast<std::uint32_t>(row.number(6))};
        }
        all.push_back(std::move(progress));
      });
  if (!read) return tl::unexpected(read.error());
  return all;
}

Result<void> write_history(Database& database, const Owner& owner, const Jump& jump) {
  const auto& [to, from, kind, epoch, counts, note] = jump;
  const auto count = [](std::uint64_t n) { return static_cast<std::int64_t>(n); };
  auto written = database.run(
      fmt::format("INSERT INTO main.semel_commits VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, "
                  "?11, ?12, ?13, ?14, {})",
                  now),
      {owner.pipeline, owner.output, to.tp.topic, std::int64_t{to.tp.partition}, to.batch_time.ms,
       epoch, from, to.until, kind_name(kind), count(counts.rows), count(counts.dead_letters),
       count(counts.ignored), count(counts.suppressed), note.empty() ? Arg() : Arg(note)});
  return written ? Result<void>{} : tl::unexpected(written.error());
}

Result<std::unique_ptr<Ledger>> open_ledger(const Options& options, const Owner& owner) {
  auto database = Database::open(options, std::make_shared<std::atomic<bool>>(false));
  if (!database) return tl::unexpected(database.error());
  auto there = find_ledger(**database);
  if (!there) return tl::unexpected(there.error());
  if (!*there) {
    return fail(
        ErrorKind::fatal, Cause::sink,
        fmt::format("there is no ledger in {}: no pipeline has written into it", options.file));
  }
  return std::make_unique<FileLedger>(*std::move(database), owner);
}

}  // namespace semel::sqlite
