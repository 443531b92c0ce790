// The ledger as operators see and move it. What takes locks is one message; every wait has a bound.
#include <fmt/format.h>
#include <algorithm>

#include "base/ledger_names.hpp"
#include "base/process_name.hpp"
#include "postgres/client/quoting.hpp"
#include "postgres/ledger/history.hpp"
#include "postgres/ledger/ledger_place.hpp"
#include "postgres/ledger/ledger_tables.hpp"
#include "postgres/ledger/owner.hpp"
#include "postgres/postgres.hpp"
#include "postgres/session/shared.hpp"
#include "postgres/table/guard.hpp"

namespace semel::postgres {

namespace {

OwnerState state_of(std::string_view name) {
  if (name == state_running) return OwnerState::running;
  if (name == state_failed) return OwnerState::failed;
  return name == state_stopped ? OwnerState::stopped : OwnerState::silent;
}

/// What is in memory of a history of any length.
constexpr int piece_of_the_history = 5'000;

class PostgresLedger final : public Ledger {
 public:
  PostgresLedger(std::unique_ptr<Shared> shared, std::unique_ptr<Connection> connection)
      : owned_(std::move(shared)), shared_(*owned_), connection_(std::move(connection)) {}

  Result<std::optional<OwnerStatus>> owner() override {
    const auto ms = [](std::string_view seconds) {
      return fmt::format("round(1000 * {})::bigint", seconds);
    };
    const auto reply = ask(fmt::format(
        "SELECT epoch, owner, description, {}, {}, cluster_id, CASE WHEN {} THEN 'running' WHEN "
        "application_name <> '' THEN 'silent' ELSE coalesce(state, 'stopped') END, "
        "coalesce(state_reason, ''), coalesce(heartbeat_ms, 0), (SELECT {} FROM {} p WHERE {}) "
        "FROM {} WHERE {}",
        iso("since"), ms("extract(epoch FROM clock_timestamp() - seen_at)"),
        alive_condition("", "heartbeat_ms"),
        ms("extract(epoch FROM clock_timestamp() - max(p.moved_at))"), shared_.tables.progress,
        mine(shared_, "p."), shared_.tables.owners, mine(shared_)));
    if (!reply) return tl::unexpected(reply.error());
    const auto& rows = reply->table(0);
    if (rows.size() == 0) return std::nullopt;
    const auto moved = rows.optional_number(0, 9);
    return OwnerStatus{.epoch = rows.number(0, 0),
                       .id = rows.text(0, 1),
                       .description = rows.text(0, 2),
                       .since = rows.text(0, 3),
                       .seen_seconds_ago = seconds(rows.number(0, 4)),
                       .cluster_id = rows.text(0, 5),
                       .state = state_of(rows.view(0, 6)),
                       .reason = rows.text(0, 7),
                       .heartbeat_ms = rows.number(0, 8),
                       .moved_seconds_ago = moved ? std::optional(seconds(*moved)) : std::nullopt};
  }

  Result<std::vector<Progress>> progress() override {
    const auto reply = ask(progress_query());
    if (!reply) return tl::unexpected(reply.error());
    return progress_in(reply->table(0));
  }

  Result<std::vector<Progress>> history(
      const std::function<void(std::span<const Move>)>& see) override {
    // One snapshot: the moves of a running pipeline lead to the progress that is read with them.
    const std::string fetch = fmt::format("FETCH {} FROM semel_history", piece_of_the_history);
    auto reply = exchange(fmt::format(
        "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY;{};{};"
        "DECLARE semel_history NO SCROLL CURSOR FOR SELECT topic, \"partition\", batch_time, "
        "epoch, "
        "from_offset, until_offset, kind, rows, dead_letters, ignored, suppressed, {} FROM {} "
        "WHERE {} ORDER BY topic, \"partition\", batch_time, epoch, from_offset;{}",
        limits(), progress_query(), iso("committed_at"), shared_.tables.commits, mine(shared_),
        fetch));
    if (!reply) return tl::unexpected(reply.error());
    auto progress = progress_in(reply->table(0));
    std::vector<Move> moves;
    for (std::size_t table = 1; reply->table(table).size() > 0; table = 0) {
      moves_in(reply->table(table), moves);
      see(moves);
      reply = exchange(fetch);
      if (!reply) return tl::unexpected(reply.error());
    }
    connection_->roll_back();
    return progress;
  }

  Result<Counts> counts() override {
    const auto reply = ask(fmt::format(
        "SELECT coalesce({}, ''), count(*) FILTER (WHERE kind = 'commit'), sum(rows)::bigint, "
        "sum(dead_letters)::bigint, sum(ignored)::bigint, sum(suppressed)::bigint, "
        "count(*) FILTER (WHERE kind = 'commit' AND suppressed IS NULL), "
        "coalesce(sum(greatest(until_offset - from_offset, 0)) FILTER (WHERE kind = 'lost'), "
        "0)::bigint FROM {} WHERE {} AND kind IN ('commit', 'lost')",
        iso("min(committed_at) FILTER (WHERE kind = 'commit')"), shared_.tables.commits,
        mine(shared_)));
    if (!reply) return tl::unexpected(reply.error());
    const auto& rows = reply->table(0);
    const auto count = [&](int column) {
      return static_cast<std::uint64_t>(rows.number(0, column));
    };
    return Counts{.since = rows.text(0, 0),
                  .commits = count(1),
                  .rows = count(2),
                  .dead_letters = count(3),
                  .ignored = count(4),
                  .suppressed = count(5),
                  .uncounted = count(6),
                  .lost = count(7)};
  }

  Result<std::uint64_t> dead_letters() override {
    const auto reply = ask(fmt::format("SELECT count(*) FROM {} WHERE {}",
                                       shared_.tables.dead_letters, mine(shared_)));
    if (!reply) return tl::unexpected(reply.error());
    return static_cast<std::uint64_t>(reply->table(0).number(0, 0));
  }

  Result<void> set(std::span<const Progress> positions, bool force) override {
    if (positions.empty()) return {};
    std::string values;
    for (const auto& position : positions) {
      if (!values.empty()) values += ", ";
      std::string mark = "NULL::bigint, NULL::bigint, NULL::bigint";
      if (position.last) {
        mark = fmt::format("{}, {}, {}", position.last->offset, position.last->timestamp_ms,
                           position.last->checksum);
      }
      values +=
          fmt::format("({}, {}, {}::bigint, {}::bigint, {})", quote_literal(position.tp.topic),
                      position.tp.partition, position.until, position.batch_time.ms, mark);
    }
    // The history first: it needs where the partitions stand.
    const auto wanted = fmt::format(
        "(SELECT v.*, greatest(v.given_time, p.batch_time, e.batch_time) AS batch_time, "
        "coalesce(e.until_offset, p.until_offset) AS stood "
        "FROM (VALUES {}) AS v (topic, p, position, given_time, last_offset, last_timestamp, "
        "last_checksum) LEFT JOIN {} p ON {} AND p.topic = v.topic AND p.\"partition\" = v.p "
        "LEFT JOIN {} e ON e.topic = v.topic AND e.\"partition\" = v.p)",
        values, shared_.tables.progress, mine(shared_, "p."),
        history_ends(shared_.tables, shared_.owner));
    return change(
        fmt::format(
            "INSERT INTO {commits} (pipeline, output, topic, \"partition\", batch_time, epoch, "
            "from_offset, until_offset, kind, rows, dead_letters, note, committed_at) "
            "SELECT o.pipeline, o.output, w.topic, w.p, w.batch_time, o.epoch, coalesce(w.stood, "
            "w.position), w.position, 'set', 0, 0, o.description, clock_timestamp() "
            "FROM {taken} o, {wanted} w;"
            "INSERT INTO {progress} (pipeline, output, topic, \"partition\", until_offset, epoch, "
            "owner, batch_time, last_offset, last_timestamp, last_checksum, moved_at) "
            "SELECT o.pipeline, o.output, w.topic, w.p, w.position, o.epoch, o.owner, "
            "w.batch_time, "
            "w.last_offset, w.last_timestamp, w.last_checksum, clock_timestamp() "
            "FROM {taken} o, {wanted} w ON CONFLICT (pipeline, output, topic, \"partition\") "
            "DO UPDATE SET until_offset = excluded.until_offset, batch_time = excluded.batch_time, "
            "last_offset = excluded.last_offset, last_timestamp = excluded.last_timestamp, "
            "last_checksum = excluded.last_checksum, moved_at = excluded.moved_at",
            fmt::arg("commits", shared_.tables.commits),
            fmt::arg("progress", shared_.tables.progress), fmt::arg("taken", taken()),
            fmt::arg("wanted", wanted)),
        force);
  }

  Result<void> reset(bool force) override {
    // The history keeps where the partitions stood; a row of kind "start" will say where they begin
    // again. The cluster is forgotten too: offsets of another one may follow. A position that only
    // the history knows is forgotten as well: somebody may have lost the other.
    const auto forgotten = fmt::format(
        "(SELECT coalesce(p.topic, e.topic) AS topic, coalesce(p.\"partition\", e.\"partition\") "
        "AS "
        "\"partition\", greatest(p.batch_time, e.batch_time) AS batch_time, "
        "coalesce(e.until_offset, p.until_offset) AS until_offset FROM (SELECT * FROM {} WHERE {}) "
        "p "
        "FULL JOIN {} e ON p.topic = e.topic AND p.\"partition\" = e.\"partition\" WHERE p.topic "
        "IS "
        "NOT NULL OR NOT e.forgotten)",
        shared_.tables.progress, mine(shared_), history_ends(shared_.tables, shared_.owner));
    return change(
        fmt::format(
            "INSERT INTO {commits} (pipeline, output, topic, \"partition\", batch_time, epoch, "
            "from_offset, until_offset, kind, rows, dead_letters, note, committed_at) "
            "SELECT o.pipeline, o.output, f.topic, f.\"partition\", f.batch_time, o.epoch, "
            "f.until_offset, f.until_offset, 'set', 0, 0, {note} || o.description, "
            "clock_timestamp() FROM {taken} o, {forgotten} f;"
            "DELETE FROM {progress} p USING {taken} o WHERE {mine_p};"
            "UPDATE {owners} w SET cluster_id = '', topics = NULL, target = NULL, "
            "target_oid = NULL, mapping = NULL FROM {taken} o WHERE {mine_w}",
            fmt::arg("commits", shared_.tables.commits),
            fmt::arg("progress", shared_.tables.progress),
            fmt::arg("owners", shared_.tables.owners), fmt::arg("taken", taken()),
            fmt::arg("note", quote_literal(reset_note)), fmt::arg("forgotten", forgotten),
            fmt::arg("mine_p", mine(shared_, "p.")), fmt::arg("mine_w", mine(shared_, "w."))),
        force);
  }

  Result<void> forget() override {
    const auto mine_of = [&](const std::string& table) {
      return fmt::format("DELETE FROM {} w USING {} o WHERE {}", table, taken(),
                         mine(shared_, "w."));
    };
    const auto& tables = shared_.tables;
    if (auto gone = change(fmt::format("{};{};{}", mine_of(tables.dead_letters),
                                       mine_of(tables.commits), mine_of(tables.progress)),
                           false);
        !gone) {
      return gone;
    }
    // The owner's row said that the change was ours.
    const auto reply = exchange(fmt::format("DELETE FROM {} WHERE {} AND owner = {}", tables.owners,
                                            mine(shared_), quote_literal(shared_.owner.id)));
    if (!reply) return tl::unexpected(reply.error());
    return {};
  }

 private:
  static std::string iso(std::string_view column) {
    return fmt::format("to_char({} AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.MS\"Z\"')",
                       column);
  }

  /// The owner's row, if it is ours now: what every statement behind the take-over joins.
  std::string taken() const {
    return fmt::format("(SELECT * FROM {} WHERE {} AND owner = {})", shared_.tables.owners,
                       mine(shared_), quote_literal(shared_.owner.id));
  }

  static double seconds(std::int64_t ms) { return static_cast<double>(ms) / 1e3; }

  std::string progress_query() const {
    return fmt::format(
        "SELECT topic, \"partition\", until_offset, batch_time, last_offset, last_timestamp, "
        "last_checksum FROM {} WHERE {} ORDER BY topic, \"partition\"",
        shared_.tables.progress, mine(shared_));
  }

  static std::vector<Progress> progress_in(const Rows& rows) {
    std::vector<Progress> all;
    for (int row = 0; row < rows.size(); ++row) {
      Progress one{.tp = tp_in(rows, row),
                   .until = rows.number(row, 2),
                   .batch_time = {rows.number(row, 3)},
                   .last = std::nullopt};
      if (!rows.is_null(row, 4)) {
        one.last = RecordMark{rows.number(row, 4), rows.number(row, 5),
                              static_cast<std::uint32_t>(rows.number(row, 6))};
      }
      all.push_back(std::move(one));
    }
    return all;
  }

  static TopicPartition tp_in(const Rows& rows, int row) {
    return {rows.text(row, 0), static_cast<std::int32_t>(rows.number(row, 1))};
  }

  static std::optional<std::uint64_t> counted(const std::optional<std::int64_t>& number) {
    return number ? std::optional(static_cast<std::uint64_t>(*number)) : std::nullopt;
  }

  static void moves_in(const Rows& rows, std::vector<Move>& moves) {
    moves.clear();
    for (int row = 0; row < rows.size(); ++row) {
      moves.push_back({.tp = tp_in(rows, row),
                       .batch_time = {rows.number(row, 2)},
                       .epoch = rows.number(row, 3),
                       .from = rows.number(row, 4),
                       .until = rows.number(row, 5),
                       .kind = kind_of(rows.view(row, 6)),
                       .rows = static_cast<std::uint64_t>(rows.number(row, 7)),
                       .dead_letters = static_cast<std::uint64_t>(rows.number(row, 8)),
                       .ignored = counted(rows.optional_number(row, 9)),
                       .suppressed = counted(rows.optional_number(row, 10)),
                       .committed_at = rows.text(row, 11)});
    }
  }

  /// How long the server may take for a statement, where that is configured.
  std::string limits() const {
    const auto ms = shared_.options.statement_timeout_ms;
    return ms > 0 ? fmt::format("SET LOCAL statement_timeout = {}", ms) : "";
  }

  /// Who looks sits in front of it, so as long as any question unless more is configured; the way
  /// to the server and back as long as a login.
  std::chrono::milliseconds patience() const {
    const auto& options = shared_.options;
    if (options.statement_timeout_ms <= 0) return control_patience;
    return std::chrono::milliseconds(options.statement_timeout_ms + options.connect_timeout_ms);
  }

  Result<Reply> exchange(const std::string& sql) {
    auto reply = connection_->exchange(sql, patience());
    if (reply.ok()) return reply;
    connection_->roll_back();
    auto error = to_error(reply, "reading the ledger");
    if (reply.lost) {
      error.message += ". Where the server only needs longer, raise " +
                       shared_.options.names("sink.postgres.statement_timeout");
    }
    return tl::unexpected(std::move(error));
  }

  Result<Reply> ask(const std::string& query) {
    return exchange(fmt::format("BEGIN READ ONLY;{};{};COMMIT", limits(), query));
  }

  /// Takes the owner's row (unless its owner is alive), raises the epoch everywhere, and runs
  /// `statements`: all of it, or nothing.
  Result<void> change(const std::string& statements, bool force) {
    const auto reply = connection_->exchange(fmt::format(
        "{begin}"
        "INSERT INTO {owners} (pipeline, output, epoch, owner, description, application_name, "
        "since, seen_at, cluster_id) SELECT {pipeline}, {output}, greatest((SELECT max(epoch) FROM "
        "{progress} WHERE {mine}), (SELECT max(e.epoch) FROM {ends} e), 0), '', '', '', "
        "clock_timestamp(), clock_timestamp(), '' ON CONFLICT DO NOTHING;"
        "SELECT description, extract(epoch FROM clock_timestamp() - seen_at)::bigint FROM {owners} "
        "WHERE {mine} FOR UPDATE;"
        "UPDATE {owners} SET epoch = epoch + 1, owner = {id}, description = {who}, "
        "application_name = '', since = clock_timestamp(), seen_at = clock_timestamp(), state = "
        "'{stopped}', state_reason = NULL WHERE {mine} AND ({force} OR NOT {alive});"
        "SELECT 1 FROM {progress} WHERE {mine} ORDER BY topic, \"partition\" FOR UPDATE;"
        "{statements};"
        "UPDATE {progress} p SET epoch = o.epoch, owner = o.owner FROM {taken} o WHERE {mine_p};"
        "SELECT count(*) FROM {taken} o;"
        "COMMIT",
        fmt::arg("begin", ledger_begin(shared_)), fmt::arg("owners", shared_.tables.owners),
        fmt::arg("progress", shared_.tables.progress),
        // Where the owner was lost, its epochs are not given again.
        fmt::arg("ends", history_ends(shared_.tables, shared_.owner)),
        fmt::arg("pipeline", quote_literal(shared_.owner.pipeline)),
        fmt::arg("output", quote_literal(shared_.owner.output)), fmt::arg("mine", mine(shared_)),
        fmt::arg("mine_p", mine(shared_, "p.")), fmt::arg("id", quote_literal(shared_.owner.id)),
        fmt::arg("who", quote_literal(shared_.owner.description)),
        fmt::arg("force", force ? "true" : "false"),
        fmt::arg("alive", alive_condition("", "heartbeat_ms")), fmt::arg("stopped", state_stopped),
        fmt::arg("statements", statements), fmt::arg("taken", taken())));
    if (!reply.ok()) {
      connection_->roll_back();
      return tl::unexpected(to_error(reply, "moving the ledger"));
    }
    if ((reply.results.end() - 2)->number(0, 0) == 1) return {};
    // Tables in the answer: a setting, the owner, ...
    const auto& owner = reply.table(1);
    return fail(ErrorKind::fatal, Cause::sink,
                fmt::format("pipeline {} is alive: {} was seen {} seconds ago. Stop it first, or "
                            "use --force to fence it",
                            shared_.owner.pipeline, owner.view(0, 0), owner.number(0, 1)));
  }

  std::unique_ptr<Shared> owned_;
  const Shared& shared_;
  std::unique_ptr<Connection> connection_;
};

}  // namespace

Result<std::unique_ptr<Ledger>> open_ledger(const Options& options, const std::string& pipeline,
                                            const std::string& output) {
  auto shared = std::make_unique<Shared>();
  shared->options = options;
  shared->owner = {pipeline, output, random_uuid(), process_name("semel offsets")};
  auto connection = Connection::open(options, "semel ledger", shared->interrupter);
  if (!connection) return tl::unexpected(connection.error());
  // Whatever the table is by now: who looks, or starts over, need not say that it may be another.
  auto wherever = options;
  wherever.accept_changed_table = true;
  auto place = locate_ledger(**connection, wherever, shared->owner);
  if (!place) return tl::unexpected(place.error());
  shared->tables = place->tables;
  auto state = inspect_ledger(**connection, options, shared->tables);
  if (!state) return tl::unexpected(state.error());
  if (auto known = understood(*state, shared->tables); !known) {
    return tl::unexpected(known.error());
  }
  if (state->outdated()) {
    return fail(ErrorKind::fatal, Cause::sink,
                fmt::format("the ledger in schema {} is of version {}, and this semel needs {}: "
                            "`semel run` brings it up, or run what `semel sql` prints",
                            shared->tables.schema, state->version, ledger_version));
  }
  if (!state->missing.empty()) {
    return fail(
        ErrorKind::fatal, Cause::sink,
        fmt::format("the ledger tables {} do not exist in schema {} ({}). `semel run` makes "
                    "them, or run what `semel sql` prints",
                    state->missing_names(), shared->tables.schema, (*connection)->where()));
  }
  return std::unique_ptr<Ledger>(
      std::make_unique<PostgresLedger>(std::move(shared), *std::move(connection)));
}

}  // namespace semel::postgres
