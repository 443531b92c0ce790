#include "fault/faults.hpp"

#include <fmt/format.h>
#include <libpq-fe.h>
#include <csignal>
#include <stdexcept>

#include "support/catch.hpp"

namespace semel::test {

using namespace std::chrono_literals;

std::string quick_by_range() {
  std::string settings(quick);
  return settings.insert(settings.find('\n') + 1, "commit = \"range\"\n");
}

Load::Load(Rig& rig)
    : thread_([this, &rig] {
        while (!done_) {
          rig.produce(400);
          std::this_thread::sleep_for(5ms);
        }
      }) {}

Load::~Load() {
  finish();
}

void Load::finish() {
  done_ = true;
  if (thread_.joinable()) thread_.join();
}

Psql::Psql(const std::string& dsn) : connection_(PQconnectdb(dsn.c_str()), PQfinish) {
  if (PQstatus(connection_.get()) != CONNECTION_OK) {
    throw std::runtime_error(PQerrorMessage(connection_.get()));
  }
}

Psql::~Psql() = default;

bool Psql::run(const std::string& sql) {
  PGresult* result = PQexec(connection_.get(), sql.c_str());
  const auto status = PQresultStatus(result);
  PQclear(result);
  return status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK;
}

bool says(Process& semel, std::string_view text, std::chrono::milliseconds at_most) {
  bool ended = false;
  bool said = false;
  eventually(
      [&] {
        ended = !semel.running();
        said = semel.err().find(text) != std::string::npos;
        return said || ended;
      },
      at_most);
  return said;
}

void expect_no_dead_letters(const Rig& rig) {
  CHECK(rig.number("SELECT count(*) FROM semel_dead_letters") == 0);
}

void store_then_kill(Rig& rig, std::int64_t count) {
  rig.produce(count);
  auto semel = rig.start();
  REQUIRE(rig.grows(count - 1));
  semel.kill();
}

void finish_well(const Rig& rig, Process& semel) {
  const bool arrived = eventually([&] { return rig.rows() >= rig.produced() || !semel.running(); });
  INFO(semel.err());
  CHECK(arrived);
  REQUIRE(semel.running());
  stop(semel);
  expect_no_dead_letters(rig);
  rig.expect_exactly_once();
}

void expect_end(Process& semel, int code, std::initializer_list<std::string_view> said) {
  const auto ended = semel.wait(60s);
  INFO(semel.err());
  REQUIRE(ended);
  CHECK(ended->code == code);
  for (const auto text : said) CHECK_THAT(semel.err(), Catch::Contains(std::string(text)));
}

}  // namespace semel::test
