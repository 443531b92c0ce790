#include "integration/postgres/rig.hpp"

#include <fmt/format.h>

#include "support/process.hpp"

namespace semel::test {

const TopicPartition Writer::tp{"clicks", 0};

Database::Database(Kind kind) {
  if (kind == Kind::own) {
    dsn = PostgresServer::shared().create_database();
    return;
  }
  static const std::string shared_dsn = PostgresServer::shared().create_database();
  dsn = shared_dsn;
  const std::string others =
      "FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()";
  REQUIRE(eventually([&] {
    value("SELECT count(pg_terminate_backend(pid)) " + others);
    return number("SELECT count(*) " + others) == 0;
  }));
  sql("SET client_min_messages = warning; DO $$DECLARE s text; BEGIN FOR s IN SELECT nspname FROM "
      "pg_namespace WHERE nspname !~ "
      "'^pg_' "
      "AND nspname <> 'information_schema' LOOP EXECUTE format('DROP SCHEMA %I CASCADE', s); "
      "END LOOP; CREATE SCHEMA public; END$$");
}

Writer::Writer(const postgres::Options& opts, const std::string& who)
    : options(opts),
      owner{"pipe", "out", who + "-0000-4000-8000-000000000000", "process " + who},
      sink(must(postgres::make_sink(options, owner))) {}

void Writer::start() {
  const auto taken = must(sink->take_over("cluster"));
  epoch = taken.epoch;
  time = std::max(time, taken.highest_batch_time.ms);
  moved_by.reset();
  for (const auto& progress : taken.progress) {
    if (progress.tp == tp) moved_by = progress.batch_time;
  }
  REQUIRE(std::holds_alternative<std::vector<Progress>>(
      must(sink->enter(std::vector{Progress{.tp = tp, .until = 0}}))));
}

Task Writer::task(Offset from, Offset until) {
  time += 1'000;
  return {.time = {time}, .range = {tp, from, until}, .epoch = epoch, .moved_by = moved_by};
}

SinkSession& Writer::in_session() {
  if (!session) session = must(sink->open_session());
  return *session;
}

Result<void> Writer::write(Offset from, Offset until, const Values& values) {
  // In pieces, as a reader hands them out.
  for (Offset begin = from; begin < until; begin += 2'048) {
    const auto end = std::min<Offset>(begin + 2'048, until);
    std::vector<std::string> texts;
    for (Offset o = begin; o < end; ++o) texts.push_back(values(o));
    std::vector<Record> records;
    for (Offset o = begin; o < end; ++o) {
      records.push_back({.offset = o,
                         .timestamp_ms = 1'700'000'000'000 + o,
                         .key = "key",
                         .value = texts[static_cast<std::size_t>(o - begin)]});
    }
    if (auto written = in_session().write(0, records); !written) return written;
    last = mark_of(records.back());
  }
  return {};
}

Result<CommitResult> Writer::commit(const std::optional<RecordMark>& last) {
  const RangeEnd end{last};
  return in_session().commit({&end, 1});
}

Result<CommitResult> Writer::run(const Task& task, const Values& values) {
  // Whether it was committed is not known before it is.
  moved_by.reset();
  last.reset();
  auto begun = begin(task);
  if (!begun) return tl::unexpected(begun.error());
  if (*begun) return **begun;
  if (auto written = write(task.range.from, task.range.until, values); !written) {
    return tl::unexpected(written.error());
  }
  auto result = commit(last);
  if (result && !std::holds_alternative<Refused>(*result)) moved_by = task.time;
  return result;
}

Result<CommitResult> Writer::run_isolating(Task task, const Values& values) {
  auto result = run(task, values);
  for (int failures = 1; !result && failures < 4; ++failures) {
    const auto kind = result.error().kind;
    if (kind == ErrorKind::fatal || kind == ErrorKind::in_doubt) return result;
    in_session().abort();
    task.last_resort = failures == 3;
    task.isolate = task.isolate || task.last_resort || kind == ErrorKind::bad_data;
    result = run(task, values);
  }
  return result;
}

Committed Writer::store(Offset from, Offset until, const Values& values) {
  return committed(run(task(from, until), values));
}

std::string id_only(Offset offset) {
  return fmt::format(R"({{"id": {}}})", offset);
}

long long end_sessions(const Database& database, const std::string& condition) {
  const auto sessions = fmt::format(
      "FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid() AND "
      "application_name LIKE 'semel/%' AND ({})",
      condition);
  const auto ended = database.number("SELECT count(pg_terminate_backend(pid)) " + sessions);
  REQUIRE(eventually([&] { return database.number("SELECT count(*) " + sessions) == 0; }));
  return ended;
}

}  // namespace semel::test
