// The ledger as operators see and move it. Reads go through libpqxx; what takes locks is one
// message.
#include <fmt/format.h>
#include <unistd.h>
#include <random>

#include "postgres/guard.hpp"
#include "postgres/ledger_place.hpp"
#include "postgres/ledger_tables.hpp"
#include "postgres/owner.hpp"
#include "postgres/postgres.hpp"
#include "postgres/pqxx_handle.hpp"
#include "postgres/quoting.hpp"
#include "postgres/shared.hpp"

namespace semel::postgres {

namespace {

std::string random_id() {
  std::random_device source;
  std::string id;
  for (int i = 0; i < 4; ++i) id += fmt::format("{:08x}", source());
  return id;
}

std::string who_we_are() {
  char host[256] = "unknown host";
  gethostname(host, sizeof host - 1);
  return fmt::format("semel offsets on {}, pid {}", host, getpid());
}

OwnerState state_of(std::string_view name) {
  if (name == state_running) return OwnerState::running;
  if (name == state_failed) return OwnerState::failed;
  return name == state_stopped ? OwnerState::stopped : OwnerState::silent;
}

MoveKind kind_of(std::string_view name) {
  for (const auto kind : {MoveKind::start, MoveKind::lost, MoveKind::set}) {
    if (name == kind_name(kind)) return kind;
  }
  return MoveKind::commit;
}

class PostgresLedger final : public Ledger {
 public:
  PostgresLedger(std::unique_ptr<Shared> shared, std::unique_ptr<Connection> connection)
      : owned_(std::move(shared)), shared_(*owned_), connection_(std::move(connection)) {}

  Result<std::optional<OwnerStatus>> owner() override {
    return read<std::optional<OwnerStatus>>(
        fmt::format("SELECT epoch, owner, description, {}, extract(epoch FROM clock_timestamp() - "
                    "seen_at)::double precision, cluster_id, CASE WHEN {} THEN 'running' WHEN "
                    "application_name <> '' THEN 'silent' ELSE coalesce(state, 'stopped') END, "
                    "coalesce(state_reason, ''), coalesce(heartbeat_ms, 0), "
                    "(SELECT extract(epoch FROM clock_timestamp() - max(p.moved_at))::double "
                    "precision FROM {} p WHERE {}) FROM {} WHERE {}",
                    iso("since"), alive_condition("", "heartbeat_ms"), shared_.tables.progress,
                    mine(shared_, "p."), shared_.tables.owners, mine(shared_)),
        [](const pqxx::result& rows) -> std::optional<OwnerStatus> {
          if (rows.empty()) return std::nullopt;
          const auto row = rows[0];
          return OwnerStatus{.epoch = row[0].as<std::int64_t>(),
                             .id = row[1].as<std::string>(),
                             .description = row[2].as<std::string>(),
                             .since = row[3].as<std::string>(),
                             .seen_seconds_ago = row[4].as<double>(),
                             .cluster_id = row[5].as<std::string>(),
                             .state = state_of(row[6].as<std::string>()),
                             .reason = row[7].as<std::string>(),
                             .heartbeat_ms = row[8].as<std::int64_t>(),
                             .moved_seconds_ago =
                                 row[9].is_null() ? std::nullopt
                                                  : std::optional(row[9].as<double>())};
        });
  }

  Result<std::vector<Progress>> progress() override {
    return read<std::vector<Progress>>(
        fmt::format("SELECT topic, \"partition\", until_offset, batch_time, last_offset, "
                    "last_timestamp, last_checksum FROM {} WHERE {} ORDER BY topic, \"partition\"",
                    shared_.tables.progress, mine(shared_)),
        [](const pqxx::result& rows) {
          std::vector<Progress> all;
          for (const auto row : rows) {
            Progress one{.source = {row[0].as<std::string>(), row[1].as<std::int32_t>()},
                         .until = row[2].as<std::int64_t>(),
                         .batch_time = {row[3].as<std::int64_t>()},
                         .last = std::nullopt};
            if (!row[4].is_null()) {
              one.last = RecordMark{row[4].as<std::int64_t>(), row[5].as<std::int64_t>(),
                                    static_cast<std::uint32_t>(row[6].as<std::int64_t>())};
            }
            all.push_back(std::move(one));
          }
          return all;
        });
  }

  Result<std::vector<Move>> moves() override {
    return read<std::vector<Move>>(
        fmt::format("SELECT topic, \"partition\", batch_time, epoch, from_offset, until_offset, "
                    "kind, rows, dead_letters, ignored, suppressed, {} FROM {} WHERE {} "
                    "ORDER BY topic, \"partition\", batch_time, epoch, from_offset",
                    iso("committed_at"), shared_.tables.commits, mine(shared_)),
        [](const pqxx::result& rows) {
          const auto count = [](const auto& field) {
            return field.is_null() ? std::nullopt
                                   : std::optional(field.template as<std::uint64_t>());
          };
          std::vector<Move> all;
          for (const auto row : rows) {
            all.push_back({.source = {row[0].as<std::string>(), row[1].as<std::int32_t>()},
                           .batch_time = {row[2].as<std::int64_t>()},
                           .epoch = row[3].as<std::int64_t>(),
                           .from = row[4].as<std::int64_t>(),
                           .until = row[5].as<std::int64_t>(),
                           .kind = kind_of(row[6].as<std::string>()),
                           .rows = row[7].as<std::uint64_t>(),
                           .dead_letters = row[8].as<std::uint64_t>(),
                           .ignored = count(row[9]),
                           .suppressed = count(row[10]),
                           .committed_at = row[11].as<std::string>()});
          }
          return all;
        });
  }

  Result<std::uint64_t> dead_letters() override {
    return read<std::uint64_t>(
        fmt::format("SELECT count(*) FROM {} WHERE {}", shared_.tables.dead_letters, mine(shared_)),
        [](const pqxx::result& rows) { return rows[0][0].as<std::uint64_t>(); });
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
          fmt::format("({}, {}, {}::bigint, {}::bigint, {})", quote_literal(position.source.topic),
                      position.source.partition, position.until, position.batch_time.ms, mark);
    }
    // The trail first: it needs where the partitions stand.
    const auto wanted = fmt::format(
        "(SELECT v.*, greatest(v.given_time, p.batch_time, (SELECT max(c.batch_time) FROM {} c "
        "WHERE "
        "{} AND c.topic = v.topic AND c.\"partition\" = v.p)) AS batch_time, p.until_offset AS "
        "stood "
        "FROM (VALUES {}) AS v (topic, p, position, given_time, last_offset, last_timestamp, "
        "last_checksum) LEFT JOIN {} p ON {} AND p.topic = v.topic AND p.\"partition\" = v.p)",
        shared_.tables.commits, mine(shared_, "c."), values, shared_.tables.progress,
        mine(shared_, "p."));
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
    // The trail keeps where the partitions stood; a row of kind "start" will say where they begin
    // again. The cluster is forgotten too: offsets of another one may follow.
    return change(
        fmt::format(
            "INSERT INTO {commits} (pipeline, output, topic, \"partition\", batch_time, epoch, "
            "from_offset, until_offset, kind, rows, dead_letters, note, committed_at) "
            "SELECT p.pipeline, p.output, p.topic, p.\"partition\", p.batch_time, o.epoch, "
            "p.until_offset, p.until_offset, 'set', 0, 0, 'reset by ' || o.description, "
            "clock_timestamp() FROM {taken} o, {progress} p WHERE {mine_p};"
            "DELETE FROM {progress} p USING {taken} o WHERE {mine_p};"
            "UPDATE {owners} w SET cluster_id = '', topics = NULL, target = NULL, target_oid = NULL, "
            "mapping = NULL FROM {taken} o WHERE {mine_w}",
            fmt::arg("commits", shared_.tables.commits),
            fmt::arg("progress", shared_.tables.progress),
            fmt::arg("owners", shared_.tables.owners), fmt::arg("taken", taken()),
            fmt::arg("mine_p", mine(shared_, "p.")), fmt::arg("mine_w", mine(shared_, "w."))),
        force);
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

  template <class Value, class Convert>
  Result<Value> read(const std::string& query, Convert convert) try {
    pqxx::nontransaction transaction(connection_->pqxx().connection());
    return convert(transaction.exec(query));
  } catch (const pqxx::sql_error& error) {
    return tl::unexpected(to_error(
        ServerError{.sqlstate = error.sqlstate(), .message = error.what()}, "reading the ledger"));
  } catch (const std::exception& error) {
    return fail(ErrorKind::unavailable, Cause::sink,
                fmt::format("the ledger cannot be read: {}", error.what()));
  }

  /// Takes the owner's row (unless its owner is alive), raises the epoch everywhere, and runs
  /// `statements`: all of it, or nothing.
  Result<void> change(const std::string& statements, bool force) {
    const auto reply = connection_->exchange(fmt::format(
        "{begin}"
        "INSERT INTO {owners} (pipeline, output, epoch, owner, description, application_name, "
        "since, seen_at, cluster_id) VALUES ({pipeline}, {output}, 0, '', '', '', "
        "clock_timestamp(), clock_timestamp(), '') ON CONFLICT DO NOTHING;"
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
        fmt::arg("pipeline", quote_literal(shared_.owner.pipeline)),
        fmt::arg("output", quote_literal(shared_.owner.output)), fmt::arg("mine", mine(shared_)),
        fmt::arg("mine_p", mine(shared_, "p.")), fmt::arg("id", quote_literal(shared_.owner.id)),
        fmt::arg("who", quote_literal(shared_.owner.description)),
        fmt::arg("force", force ? "true" : "false"), fmt::arg("alive", alive_condition("", "heartbeat_ms")),
        fmt::arg("stopped", state_stopped),
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
  shared->owner = {pipeline, output, random_id(), who_we_are()};
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
                    state->missing, shared->tables.schema, (*connection)->where()));
  }
  return std::unique_ptr<Ledger>(
      std::make_unique<PostgresLedger>(std::move(shared), *std::move(connection)));
}

}  // namespace semel::postgres
