#include "bench/semel/database.hpp"

#include <fmt/format.h>
#include <chrono>
#include <cstdlib>
#include <pqxx/pqxx>
#include <thread>

#include "base/joined.hpp"
#include "postgres/client/secrets.hpp"

namespace semel::bench {

namespace {

tl::unexpected<Error> refused(ErrorKind kind, std::string message) {
  while (!message.empty() && message.back() == '\n') message.pop_back();
  return fail(kind, Cause::sink, "PostgreSQL: " + message);
}

}  // namespace

struct Database::Impl {
  explicit Impl(const std::string& dsn) : connection(dsn) {}
  pqxx::connection connection;
  std::unique_ptr<pqxx::nontransaction> statements;

  /// The one place where libpqxx's exceptions become values.
  template <class Work>
  auto attempt(Work work) -> Result<decltype(work(*statements))> {
    try {
      return work(*statements);
    } catch (const pqxx::broken_connection& error) {
      return refused(ErrorKind::unavailable, error.what());
    } catch (const std::exception& error) {
      return refused(ErrorKind::fatal, error.what());
    }
  }
};

Database::Database(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Database::~Database() = default;

Result<std::unique_ptr<Database>> Database::connect(const std::string& dsn) {
  try {
    auto impl = std::make_unique<Impl>(dsn);
    impl->statements = std::make_unique<pqxx::nontransaction>(impl->connection);
    impl->statements->exec("SET application_name = 'semel bench'; SET client_min_messages = error");
    return std::unique_ptr<Database>(new Database(std::move(impl)));
  } catch (const std::exception& error) {
    return refused(ErrorKind::unavailable, postgres::without_secrets(error.what(), dsn));
  }
}

Result<void> Database::execute(const std::string& sql) {
  auto done = impl_->attempt([&](auto& statements) { return statements.exec(sql); });
  if (!done) return tl::unexpected(done.error());
  return {};
}

Result<std::optional<std::string>> Database::value(const std::string& sql) {
  return impl_->attempt([&](auto& statements) -> std::optional<std::string> {
    const auto rows = statements.exec(sql);
    if (rows.empty() || rows[0][0].is_null()) return std::nullopt;
    return std::string(rows[0][0].c_str());
  });
}

Result<void> Database::watch(const std::string& query) {
  auto done = impl_->attempt([&](auto& statements) {
    statements.exec("DEALLOCATE ALL");
    return statements.exec("PREPARE semel_bench_watch AS " + query);
  });
  if (!done) return tl::unexpected(done.error());
  return {};
}

Result<Seen> Database::see() {
  return impl_->attempt([&](auto& statements) {
    const auto rows = statements.exec("EXECUTE semel_bench_watch");
    return Seen{rows[0][0].template as<std::int64_t>(), rows[0][1].template as<std::int64_t>()};
  });
}

std::string Database::index_sql(const std::string& table, int partitions) {
  return fmt::format("CREATE INDEX ON {} ((id % {}), id)", table, partitions);
}

Result<void> Database::watch_ids(const std::string& table, int partitions) {
  // One question about all partitions, that touches nothing but what is new.
  const auto query = fmt::format(
      "SET enable_seqscan = off; SET enable_bitmapscan = off; SET enable_hashjoin = off; SET "
      "enable_mergejoin = off; SET plan_cache_mode = force_generic_plan; PREPARE semel_bench_ids "
      "(bigint[]) AS SELECT id FROM unnest($1) WITH ORDINALITY AS lows(low, nth) CROSS JOIN "
      "LATERAL (SELECT id FROM {0} WHERE id % {1} = nth - 1 AND id >= low) AS new",
      table, partitions);
  auto done = impl_->attempt([&](auto& statements) { return statements.exec(query); });
  if (!done) return tl::unexpected(done.error());
  return {};
}

Result<void> Database::see_ids(const std::vector<std::int64_t>& low,
                               std::vector<std::int64_t>& ids) {
  const auto question = fmt::format("EXECUTE semel_bench_ids ('{{{}}}')", joined(low, ","));
  auto done = impl_->attempt([&](auto& statements) {
    const auto rows = statements.exec(question);
    for (const auto& row : rows) ids.push_back(std::strtoll(row[0].c_str(), nullptr, 10));
    return true;
  });
  if (!done) return tl::unexpected(done.error());
  return {};
}

Result<Found> Database::find(const std::string& table, std::int64_t produced) {
  return impl_->attempt([&](auto& statements) {
    const auto rows = statements.exec(oracle_sql(table, produced));
    const auto number = [&](int column) { return rows[0][column].template as<std::int64_t>(); };
    return Found{number(0), number(1), number(2), number(3), number(4)};
  });
}

Result<std::optional<std::int64_t>> Database::rolled_back(const std::string& schema,
                                                          const std::string& table,
                                                          std::int64_t rows) {
  // A session's counts arrive when it ends, at the latest a moment afterwards.
  std::optional<std::int64_t> inserted;
  int unchanged = 0;
  for (int i = 0; i < 50 && unchanged < 4; ++i) {
    const auto counted =
        value(fmt::format("SELECT n_tup_ins FROM pg_stat_user_tables WHERE schemaname = '{}' AND "
                          "relname = '{}'",
                          schema, table));
    if (!counted) return tl::unexpected(counted.error());
    if (!*counted) return std::nullopt;
    const auto number = std::stoll(**counted);
    unchanged = inserted && *inserted == number && number >= rows ? unchanged + 1 : 0;
    inserted = number;
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
  }
  if (!inserted || *inserted < rows) return std::nullopt;
  return *inserted - rows;
}

}  // namespace semel::bench
