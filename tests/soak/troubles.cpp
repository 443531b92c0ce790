#include "soak/troubles.hpp"

#include <fmt/format.h>
#include <libpq-fe.h>
#include <csignal>
#include <memory>

namespace semel::test {

using namespace std::chrono_literals;

namespace {

using Random = std::mt19937_64;
using Ending = std::function<void()>;

int between(Random& random, int low, int high) {
  return low + static_cast<int>(random() % static_cast<std::uint64_t>(high - low + 1));
}

template <class T>
T one_of(Random& random, std::initializer_list<T> values) {
  return *(values.begin() + random() % values.size());
}

const Ending nothing_to_end = [] {};

// -- The process
// -----------------------------------------------------------------------------------

Ending kill(World& world, Random& random) {
  for (int i = between(random, 1, 3); i > 0; --i) {
    world.kill();
    world.tend(std::chrono::milliseconds(between(random, 0, 600)));
  }
  return nothing_to_end;
}

Ending stop(World& world, Random&) {
  world.stop_and_start();
  return nothing_to_end;
}

Ending zombie(World& world, Random&) {
  world.freeze_and_replace();
  return nothing_to_end;
}

Ending frozen(World& world, Random&) {
  world.semel().signal(SIGSTOP);
  return [&world] { world.semel().signal(SIGCONT); };
}

// -- Kafka
// -----------------------------------------------------------------------------------------

Ending broker_killed(World& world, Random&) {
  world.kafka.kill();
  return [&world] { world.kafka.start(); };
}

Ending broker_frozen(World& world, Random&) {
  world.kafka.freeze();
  return [&world] { world.kafka.thaw(); };
}

Ending kafka_well(World& world) {
  return [&world] { world.kafka_proxy->obey("well"); };
}

Ending kafka_told(World& world, const std::string& command) {
  if (const auto wrong = world.kafka_proxy->obey(command); !wrong.empty())
    throw std::logic_error(command + ": " + wrong);
  return kafka_well(world);
}

Ending slow_fetch(World& world, Random& random) {
  return kafka_told(world, fmt::format("delay fetch {}", between(random, 200, 6'000)));
}

Ending throttled(World& world, Random& random) {
  return kafka_told(world, fmt::format("throttle {}", between(random, 20'000, 300'000)));
}

Ending kafka_silent(World& world, Random&) {
  return kafka_told(world, "stop");
}

Ending kafka_cut(World& world, Random&) {
  return kafka_told(world, "cut");
}

Ending kafka_refuses(World& world, Random&) {
  return kafka_told(world, "connections refuse");
}

Ending leaderless(World& world, Random& random) {
  return kafka_told(world, fmt::format("leaderless {} {}", world.topic(),
                                       between(random, 0, World::partitions - 1)));
}

Ending partition_fails(World& world, Random& random) {
  // NOT_LEADER_OR_FOLLOWER, UNKNOWN_TOPIC_OR_PARTITION, KAFKA_STORAGE_ERROR, FENCED_LEADER_EPOCH,
  // UNKNOWN_SERVER_ERROR
  return kafka_told(
      world,
      fmt::format("fail {} {} {} {}", one_of(random, {"fetch", "list_offsets"}), world.topic(),
                  between(random, 0, World::partitions - 1), one_of(random, {6, 3, 56, 74, -1})));
}

Ending damaged(World& world, Random& random) {
  return kafka_told(
      world, fmt::format("damage {} * -1 -1 1 {}", one_of(random, {"magic", "content", "length"}),
                         between(random, 1, 3)));
}

Ending aborted(World& world, Random&) {
  world.abort_a_transaction();
  return nothing_to_end;
}

// -- PostgreSQL
// ------------------------------------------------------------------------------------

Ending database_killed(World& world, Random&) {
  world.postgres.kill();
  return [&world] { world.postgres.start(); };
}

Ending database_restarted(World& world, Random&) {
  world.postgres.stop();
  return [&world] { world.postgres.start(); };
}

Ending postgres_well(World& world) {
  return [&world] { world.postgres_proxy->clear(); };
}

Ending hostile_answers(World& world, Random& random) {
  world.postgres_proxy->random(random(), one_of(random, {0.01, 0.05, 0.2}));
  return postgres_well(world);
}

Ending lost_replies(World& world, Random& random) {
  world.postgres_proxy->add({.kind = PostgresFault::Kind::lose_reply,
                             .text = "RELEASE SAVEPOINT semel",
                             .nth = between(random, 1, 5),
                             .times = between(random, 1, 4)});
  return postgres_well(world);
}

Ending postgres_silent(World& world, Random& random) {
  world.postgres_proxy->add(
      {.kind = PostgresFault::Kind::stop,
       .text = one_of<std::string>(random, {"", "RELEASE SAVEPOINT semel", "BEGIN"})});
  return postgres_well(world);
}

Ending postgres_throttled(World& world, Random& random) {
  world.postgres_proxy->throttle(between(random, 20'000, 200'000));
  return postgres_well(world);
}

Ending postgres_cut(World& world, Random&) {
  world.postgres_proxy->cut_all();
  return nothing_to_end;
}

Ending backends_ended(World& world, Random&) {
  world.sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'soaker'");
  return nothing_to_end;
}

Ending table_locked(World& world, Random&) {
  std::shared_ptr<PGconn> holder(PQconnectdb(world.dsn().c_str()), PQfinish);
  PQclear(PQexec(holder.get(),
                 "SET lock_timeout = '5s'; BEGIN; LOCK TABLE events IN ACCESS EXCLUSIVE MODE"));
  return [holder] { PQclear(PQexec(holder.get(), "COMMIT")); };
}

Ending few_connections(World& world, Random& random) {
  world.sql(fmt::format("ALTER ROLE soaker CONNECTION LIMIT {}", between(random, 2, 4)));
  world.sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'soaker'");
  return [&world] { world.sql("ALTER ROLE soaker CONNECTION LIMIT -1"); };
}

Ending role_settings(World& world, Random& random) {
  world.sql(fmt::format(
      "ALTER ROLE soaker SET {}",
      one_of<std::string>(
          random,
          {"datestyle = 'German, DMY'", "datestyle = 'SQL, DMY'", "intervalstyle = 'sql_standard'",
           "timezone = 'Pacific/Auckland'", "array_nulls = off", "statement_timeout = '3s'",
           "lock_timeout = '2s'", "idle_in_transaction_session_timeout = '5s'",
           "default_transaction_isolation = 'serializable'", "bytea_output = 'escape'",
           "client_encoding = 'LATIN1'", "lc_messages = 'C'", "search_path = 'aside, public'"})));
  world.sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'soaker'");
  return [&world] { world.sql("ALTER ROLE soaker RESET ALL"); };
}

Ending schema_appears(World& world, Random&) {
  world.sql("CREATE SCHEMA IF NOT EXISTS soaker; GRANT ALL ON SCHEMA soaker TO soaker");
  world.kill();
  return [&world] { world.sql("DROP SCHEMA soaker RESTRICT"); };
}

Ending table_changes(World& world, Random& random) {
  const auto change = one_of<std::string>(
      random, {"ALTER TABLE events ALTER COLUMN id TYPE bigint",
               "ALTER TABLE events ALTER COLUMN p TYPE bigint",
               "ALTER TABLE events ADD COLUMN IF NOT EXISTS spare text DEFAULT 'x'",
               "ALTER TABLE events DROP COLUMN IF EXISTS spare",
               "ALTER TABLE events ADD COLUMN IF NOT EXISTS stored_at timestamptz DEFAULT now()",
               "ALTER TABLE events DROP COLUMN IF EXISTS stored_at",
               "CREATE INDEX IF NOT EXISTS events_id ON events (id)",
               "DROP INDEX IF EXISTS events_id", "VACUUM FULL events",
               "ALTER TABLE events ALTER COLUMN name SET DEFAULT 'none'", "ANALYZE events"});
  // Beside another trouble a session may stand still and hold the table.
  try {
    PostgresServer::execute(world.dsn() + "?options=-c%20lock_timeout%3D2s", change);
  } catch (const std::runtime_error&) {
    fmt::print("           not changed\n");
  }
  return nothing_to_end;
}

}  // namespace

const std::vector<Trouble>& all_troubles() {
  static const std::vector<Trouble> troubles = {
      {"killed", kill},
      {"stopped and started", stop},
      {"frozen and replaced", zombie},
      {"frozen for a while", frozen},
      {"broker killed", broker_killed, true},
      {"broker frozen", broker_frozen, true},
      {"fetches are slow", slow_fetch},
      {"Kafka is throttled", throttled},
      {"Kafka says nothing", kafka_silent},
      {"Kafka cuts connections", kafka_cut},
      {"Kafka refuses connections", kafka_refuses},
      {"a partition without leader", leaderless},
      {"a partition answers errors", partition_fails},
      {"a batch is damaged on its way", damaged},
      {"an aborted transaction", aborted},
      {"database killed", database_killed, true},
      {"database restarted", database_restarted, true},
      {"arbitrary errors, delays, cuts", hostile_answers},
      {"replies to commits are lost", lost_replies},
      {"PostgreSQL says nothing", postgres_silent},
      {"PostgreSQL is throttled", postgres_throttled},
      {"PostgreSQL cuts connections", postgres_cut},
      {"backends ended", backends_ended},
      {"the table is locked", table_locked},
      {"few connections", few_connections},
      {"settings of the role", role_settings},
      {"a schema appears", schema_appears},
      {"the table changes", table_changes},
  };
  return troubles;
}

}  // namespace semel::test
