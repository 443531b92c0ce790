// What a server says of values stays out of errors and logs; what it says of itself does not.
#include <fmt/format.h>
#include <unistd.h>
#include <cstdio>
#include <memory>
#include <vector>

#include "integration/postgres/rig.hpp"

using namespace semel;
using namespace semel::test;

namespace {

/// What this process writes to standard output and error while it lives.
class OutputOf {
 public:
  OutputOf() {
    std::fflush(nullptr);
    for (const int fd : {1, 2}) {
      saved_.push_back(dup(fd));
      dup2(fileno(file_.get()), fd);
    }
  }
  ~OutputOf() { restore(); }
  OutputOf(const OutputOf&) = delete;
  OutputOf& operator=(const OutputOf&) = delete;

  std::string text() {
    restore();
    std::string all(static_cast<std::size_t>(lseek(fileno(file_.get()), 0, SEEK_END)), ' ');
    REQUIRE(pread(fileno(file_.get()), all.data(), all.size(), 0) ==
            static_cast<ssize_t>(all.size()));
    return all;
  }

 private:
  void restore() {
    std::fflush(nullptr);
    for (std::size_t i = 0; i < saved_.size(); ++i) {
      dup2(saved_[i], static_cast<int>(i) + 1);
      close(saved_[i]);
    }
    saved_.clear();
  }

  std::shared_ptr<std::FILE> file_{std::tmpfile(), std::fclose};
  std::vector<int> saved_;
};

std::string values(Offset o) {
  return fmt::format(R"({{"id": {}, "v": "secret{}"}})", o % 2, o / 2);
}

Error refused_with(const Database& database, bool isolate) {
  Writer writer(database.options(), "a");
  writer.start();
  auto task = writer.task(0, 4);
  task.isolate = isolate;
  const auto result = writer.run(task, values);
  REQUIRE_FALSE(result);
  return result.error();
}

}  // namespace

TEST_CASE("what only the end of a range refuses is told without the values in it") {
  Database database;
  const bool isolate = GENERATE(false, true);
  std::string named;
  SECTION("a key") {
    named = "t_v_key";
    database.sql(
        "CREATE TABLE t (id bigint, v text UNIQUE DEFERRABLE INITIALLY DEFERRED);"
        "INSERT INTO t VALUES (9, 'secret1')");
  }
  SECTION("a foreign key") {
    named = "t_v_fkey";
    database.sql(
        "CREATE TABLE parents (v text PRIMARY KEY); CREATE TABLE t (id bigint, v text "
        "REFERENCES parents DEFERRABLE INITIALLY DEFERRED)");
  }
  SECTION("a trigger of a constraint") {
    named = "refuse()";
    database.sql(
        "CREATE TABLE t (id bigint, v text); CREATE FUNCTION refuse() RETURNS trigger "
        "LANGUAGE plpgsql AS $$BEGIN RAISE EXCEPTION 'no %', NEW.v; END$$;"
        "CREATE CONSTRAINT TRIGGER r AFTER INSERT ON t DEFERRABLE INITIALLY DEFERRED FOR "
        "EACH ROW EXECUTE FUNCTION refuse()");
  }
  const auto error = refused_with(database, isolate);
  CHECK_THAT(error.message, Catch::Contains(named) && Catch::Contains("SQLSTATE"));
  CHECK_THAT(error.message, !Catch::Contains("secret"));
}

TEST_CASE("what a function says is told without its words, whatever code it chooses") {
  Database database;
  const bool isolate = GENERATE(false, true);
  const std::string code = isolate ? GENERATE("40001", "XX000", "42501", "U1234")
                                   : GENERATE("40001", "08006", "57014", "XX000", "42501", "42P01",
                                              "53100", "P0001", "23505");
  INFO(code << " " << isolate);
  database.sql(fmt::format(
      "CREATE TABLE t (id bigint, v text); CREATE FUNCTION refuse() RETURNS trigger LANGUAGE "
      "plpgsql AS $$BEGIN RAISE EXCEPTION USING ERRCODE = '{}', MESSAGE = 'no secret ' || "
      "coalesce(NEW.v, ''), DETAIL = 'a secret', HINT = 'the secret'; END$$; CREATE TRIGGER r "
      "BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION refuse()",
      code));
  const auto error = refused_with(database, isolate);
  CHECK_THAT(error.message, Catch::Contains(code) && Catch::Contains("refuse()"));
  CHECK_THAT(error.message, !Catch::Contains("secret"));
}

TEST_CASE("the notices of a session, from its login on, are printed nowhere") {
  Database database(Database::Kind::own);
  database.sql(
      "CREATE TABLE t (id bigint, v text); CREATE FUNCTION talk() RETURNS trigger LANGUAGE "
      "plpgsql AS $$BEGIN RAISE WARNING 'secret %', NEW.v; RETURN NEW; END$$; CREATE "
      "TRIGGER r BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION talk(); DO $$BEGIN "
      "EXECUTE format('ALTER DATABASE %I SET client_min_messages = debug5', "
      "current_database()); END$$");
  const auto all = [&] {
    OutputOf both;
    auto options = database.options();
    options.log =
        Log([](LogLevel, std::string_view line) { fmt::print("{}\n", line); }, LogLevel::trace);
    Writer writer(options, "a");
    writer.start();
    CHECK(writer.store(0, 4, values).rows == 4);
    return both.text();
  }();
  CHECK(all == "");
}
