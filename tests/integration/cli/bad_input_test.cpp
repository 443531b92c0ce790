// Every bad input of docs/reference/errors.md gives the message and the exit code that the page
// promises. The page's table is read, so that it cannot say something else.
#include <fmt/format.h>
#include <unistd.h>
#include <filesystem>
#include <functional>
#include <regex>
#include <set>
#include <sstream>

#include "integration/cli/setup.hpp"
#include "support/catch.hpp"
#include "support/loopback.hpp"
#include "support/process.hpp"
#include "support/servers.hpp"

using namespace semel::test;

namespace {

struct Row {
  std::string message;  ///< "…" stands for anything
  int code = -1;
};

std::string trimmed(const std::string& text) {
  const auto first = text.find_first_not_of(" `");
  if (first == std::string::npos) return "";
  return text.substr(first, text.find_last_not_of(" `") - first + 1);
}

/// | what is wrong | message | exit code |
std::map<std::string, Row> rows_of_the_page() {
  std::map<std::string, Row> rows;
  std::istringstream page(read_file(SEMEL_SOURCE_ROOT "/docs/reference/errors.md"));
  static const std::regex row(R"(\| ([^|]+) \| `` (.+) `` \| (\d+) \|)");
  for (std::string line; std::getline(page, line);) {
    std::smatch cells;
    if (!std::regex_match(line, cells, row)) continue;
    rows[trimmed(cells[1])] = {trimmed(cells[2]), std::stoi(cells[3])};
  }
  return rows;
}

bool matches(const std::string& text, const std::string& pattern) {
  std::size_t at = 0;
  bool first = true;
  std::size_t from = 0;
  while (from <= pattern.size()) {
    const auto end = std::min(pattern.find("…", from), pattern.size());
    const auto piece = pattern.substr(from, end - from);
    const auto found = text.find(piece, at);
    if (found == std::string::npos || (first && found != 0)) return false;
    at = found + piece.size();
    first = false;
    if (end == pattern.size()) return pattern.ends_with("…") || at == text.size();
    from = end + std::string("…").size();
  }
  return true;
}

std::set<std::string> shown;

/// One line of standard error is the page's message, and the code is the page's.
void expect(const std::string& situation, const ProcessResult& result) {
  shown.insert(situation);
  const auto rows = rows_of_the_page();
  CAPTURE(situation, result.out, result.err);
  REQUIRE(rows.contains(situation));
  const auto& row = rows.at(situation);
  CAPTURE(row.message);
  CHECK(result.code == row.code);
  CHECK(result.signal == 0);
  int found = 0;
  int told = 0;
  std::istringstream lines(result.err);
  for (std::string line; std::getline(lines, line);) {
    if (!line.starts_with("semel: ")) continue;
    ++told;
    found += matches(line.substr(7), row.message) ? 1 : 0;
  }
  // One clear message, not several.
  CHECK(found == 1);
  CHECK(told == 1);
}

const std::string good = R"(name = "clicks"
[source.kafka]
brokers = "localhost:9092"
topics = ["clicks"]
[sink.postgres]
dsn = "postgresql://localhost/shop"
table = "clicks"
)";

/// `semel run --once` with a file of this content.
ProcessResult run_file(const std::string& content, std::vector<std::string> args = {}) {
  const TempDir dir;
  write_file(dir.path() / "clicks.toml", content);
  std::vector<std::string> argv{SEMEL_BINARY, "run", "clicks.toml", "--once"};
  argv.insert(argv.end(), args.begin(), args.end());
  return run({.argv = std::move(argv), .directory = dir.path().string()});
}

std::string replaced(std::string text, const std::string& what, const std::string& by) {
  const auto at = text.find(what);
  REQUIRE(at != std::string::npos);
  return text.replace(at, what.size(), by);
}

const std::vector<std::string> impatient{"--once", "--set", "timeouts.startup=1s"};

/// impatient, and `--set setting`.
std::vector<std::string> with(const std::string& setting) {
  auto args = impatient;
  args.insert(args.end(), {"--set", setting});
  return args;
}

/// expect() of `semel run`; and `semel check` ends with the same code. What both have said.
std::string refused(const Setup& setup, const std::string& situation,
                    std::vector<std::string> args) {
  const auto run = setup.run("run", args);
  expect(situation, run);
  std::erase(args, "--once");
  const auto check = setup.run("check", args);
  CAPTURE(situation, check.out, check.err);
  CHECK(check.code == run.code);
  return run.out + run.err + check.out + check.err;
}

}  // namespace

TEST_CASE("a configuration that cannot be used is told in one line, with exit code 2") {
  expect("unknown command", run_semel({"rnu", "clicks.toml"}));
  expect("unknown option", run_semel({"run", "clicks.toml", "--onec"}));
  expect("value of an option out of range",
         run_semel({"status", "clicks.toml", "--max-lag", "-1"}));
  expect("missing file", run_semel({"run", "nowhere.toml"}));
  expect("bad TOML", run_file(replaced(good, "[source.kafka]", "[source.kafka")));
  expect("unknown key", run_file(replaced(good, "table =", "tabel =")));
  expect("key in the wrong section", run_file(good + "state_dir = \"/tmp\"\n"));
  expect("wrong type", run_file("executors = \"many\"\n" + good));
  expect("value out of range", run_file("executors = 0\n" + good));
  expect("not among the choices", run_file("delivery = \"exactly_twice\"\n" + good));
  expect("required setting missing", run_file(replaced(good, "table = \"clicks\"\n", "")));
  expect("variable not set",
         run_file(replaced(good, "//localhost", "//app:${SEMEL_TEST_NO_SUCH}@localhost")));
  expect("address of a broker that is none",
         run_file(replaced(good, "localhost:9092", "localhost:abc")));
  expect("librdkafka property refused",
         run_file(good + "[source.kafka.librdkafka]\n\"enable.auto.commit\" = true\n"));
  expect("unknown key on the command line", run_file(good, {"--set", "bacth.interval=1s"}));
}

TEST_CASE(
    "security settings that librdkafka refuses end every command in one line, with exit code 2") {
  if (!kafka_available()) return;
  const Setup setup;
  const std::string wrong =
      R"(source.kafka.librdkafka={ "security.protocol" = "ssl", "ssl.ca.location" = "/nope.pem" })";
  refused(setup, "librdkafka refuses a client", with(wrong));
  // What looks into the ledger first needs one.
  REQUIRE(setup.run("run", {"--once"}).code == 0);
  expect("librdkafka refuses a client", setup.run("status", {"--set", wrong}));
  expect("librdkafka refuses a client",
         setup.run("offsets", {"set", setup.topic() + ":0=0", "--set", wrong}));
}

TEST_CASE("a broker or topic that is not there is told in one line, with exit code 3") {
  if (!kafka_available()) return;
  const Setup setup;
  const auto kafka_at = [](int port) {
    return with(fmt::format("source.kafka.brokers=127.0.0.1:{}", port));
  };
  refused(setup, "unreachable broker", kafka_at(free_port()));
  const auto else_there = refused(setup, "something else at the broker's address",
                                  kafka_at(PostgresServer::shared().port()));
  CHECK(else_there.find("receive.message.max.bytes") == std::string::npos);
  refused(setup, "unknown topic", with("source.kafka.topics=[\"no-such-topic\"]"));
  refused(setup, "start of a partition that is not there",
          with(fmt::format("source.kafka.start={{ \"{}\" = {{ 0 = 0, 7 = 9 }} }}", setup.topic())));
}

TEST_CASE("a broker's certificate that nobody vouches for is told, with the settings to correct") {
  if (!kafka_available()) return;
  const Setup setup;
  const TempDir directory;
  const auto key = directory / "key.pem";
  const auto certificate = directory / "certificate.pem";
  REQUIRE(run({.argv = {"openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj",
                        "/CN=127.0.0.1", "-keyout", key, "-out", certificate}})
              .code == 0);
  const auto port = free_port();
  const Process server(
      {.argv = {"openssl", "s_server", "-quiet", "-accept", fmt::format("127.0.0.1:{}", port),
                "-key", key, "-cert", certificate}});
  REQUIRE(eventually([&] {
    const int fd = connect_to_loopback(port);
    if (fd >= 0) close(fd);
    return fd >= 0;
  }));
  auto args = with(fmt::format("source.kafka.brokers=127.0.0.1:{}", port));
  args.insert(args.end(), {"--set", R"(source.kafka.librdkafka={ "security.protocol" = "ssl" })"});
  refused(setup, "broker's certificate not trusted", args);
}

TEST_CASE("a database that refuses is told in one line, with exit code 4") {
  if (!kafka_available()) return;
  Setup setup;
  setup.produce(1);
  const auto& dsn = setup.dsn();
  const auto login = [&](const std::string& user) {
    return with(fmt::format("sink.postgres.dsn={} user={}", dsn, user));
  };
  const auto by_uri = dsn.starts_with("postgresql://");
  const auto as = [&](const std::string& user, const std::string& password = "") {
    if (!by_uri) return login(user + (password.empty() ? "" : " password=" + password));
    const auto at = dsn.find('@');
    return with(fmt::format("sink.postgres.dsn=postgresql://{}{}{}", user,
                            password.empty() ? "" : ":" + password, dsn.substr(at)));
  };

  refused(setup, "unreachable database",
          with(fmt::format("sink.postgres.dsn=postgresql://127.0.0.1:{}/shop", free_port())));
  const auto guarded = unique_name("guarded");
  setup.sql(
      fmt::format("CREATE ROLE \"{}\" LOGIN PASSWORD 'right' IN ROLE password_login", guarded));
  CHECK(refused(setup, "wrong password", as(guarded, "hunter2")).find("hunter2") ==
        std::string::npos);
  refused(setup, "TLS that the server does not offer",
          with("sink.postgres.dsn=" + setup.dsn() + "?sslmode=require"));
  refused(setup, "option that the server does not know",
          with("sink.postgres.dsn=" + setup.dsn() + "?options=-cnonsense%3D1"));
  CHECK(refused(setup, "password with special characters", as(guarded, "hunter2@half/way"))
            .find("half") == std::string::npos);
  refused(setup, "missing table", with("sink.postgres.table=no_such_table"));
  refused(setup, "missing column in the mapping",
          with("sink.postgres.columns={ nope = \"$.id\" }"));
  const auto reader = unique_name("reader");
  setup.sql(
      fmt::format("CREATE ROLE \"{0}\" LOGIN; GRANT SELECT ON events TO \"{0}\"; "
                  "GRANT CREATE, USAGE ON SCHEMA public TO \"{0}\"",
                  reader));
  refused(setup, "no right to insert", as(reader));
  const auto writer = unique_name("writer");
  setup.sql(
      fmt::format("CREATE SCHEMA closed; CREATE ROLE \"{0}\" LOGIN; GRANT INSERT, SELECT ON "
                  "events TO \"{0}\"; GRANT USAGE ON SCHEMA closed TO \"{0}\"",
                  writer));
  auto args = as(writer);
  args.insert(args.end(), {"--set", "sink.postgres.ledger.schema=closed"});
  refused(setup, "no right to make the ledger", args);
}

TEST_CASE("a ledger or a table that cannot keep the promise is told in one line") {
  if (!kafka_available()) return;
  Setup setup;
  setup.produce(1);
  setup.sql(
      "CREATE TABLE other (id bigint, name text); CREATE UNLOGGED TABLE fleeting (id bigint)");
  const std::string weak = "sink.postgres.table=fleeting";
  refused(setup, "table that cannot hold the promise", with(weak));
  REQUIRE(setup.run("run", {"--once"}).code == 0);
  refused(setup, "another table than before", with("sink.postgres.table=other"));
  setup.sql("CREATE SCHEMA second");
  refused(setup, "a second ledger", with("sink.postgres.ledger.schema=second"));
  setup.sql(
      "CREATE TABLE second.semel_owners (LIKE public.semel_owners INCLUDING ALL); "
      "CREATE TABLE second.semel_progress (LIKE public.semel_progress INCLUDING ALL); "
      "INSERT INTO second.semel_owners SELECT * FROM public.semel_owners; "
      "INSERT INTO second.semel_progress SELECT * FROM public.semel_progress");
  refused(setup, "two ledgers", with("sink.postgres.ledger.schema=second"));
  setup.sql(
      "DROP SCHEMA second CASCADE; CREATE TABLE kept AS TABLE semel_progress; TRUNCATE "
      "semel_progress");
  refused(setup, "ledger without its progress", {"--once"});
  setup.sql("INSERT INTO semel_progress TABLE kept; ALTER TABLE semel_progress SET UNLOGGED");
  refused(setup, "ledger that cannot hold the promise", {"--once"});
  setup.sql(
      "ALTER TABLE semel_progress SET LOGGED; "
      "ALTER TABLE semel_owners ALTER COLUMN ledger_version SET DEFAULT 1000");
  refused(setup, "ledger of a later version", {"--once"});
  expect("ledger of a later version", setup.run("status"));
}

TEST_CASE("a bad record with on_bad_record stop is told in one line, with exit code 7") {
  if (!kafka_available()) return;
  Setup setup;
  setup.produce_value("{\"id\": \"seven\"}");
  expect("bad record", setup.run("run", with("sink.postgres.on_bad_record=stop")));
}

TEST_CASE("a state directory that cannot be used is told in one line, with exit code 8") {
  if (!kafka_available()) return;
  Setup setup;
  const auto plans = setup.state_dir() + "/" + setup.topic() + "/plans";

  // A disk that fills up while running, as far as a process without rights can make one: no file
  // may grow beyond 48 KiB. One record a batch makes many plans.
  setup.produce(1000);
  expect("full disk",
         run({.argv = {"bash", "-c", "ulimit -f 48; exec \"$@\"", "bash", SEMEL_BINARY, "run",
                       setup.file(), "--once", "--set", "batch.max_records_per_partition=1"}}));
  // With room again it goes on where it was.
  REQUIRE(setup.run("run", {"--once"}).code == 0);
  CHECK(setup.value("SELECT count(*) || ' ' || count(DISTINCT id) FROM events") == "1000 1000");

  write_file(plans + "/CURRENT", "damaged");
  refused(setup, "corrupt plan log", {"--once"});

  // The remedy that the message names: the directory may be removed, and nothing is lost or
  // doubled.
  std::filesystem::remove_all(plans);
  setup.produce(5);
  REQUIRE(setup.run("run", {"--once"}).code == 0);
  CHECK(setup.value("SELECT count(*) || ' ' || count(DISTINCT id) FROM events") == "1005 1005");

  write_file(setup.path("a-file"), "");
  refused(setup, "state directory not writable", with("state_dir=" + setup.path("a-file")));
}

TEST_CASE("every row of the page is shown by a test") {
  if (!kafka_available()) return;
  for (const auto& [situation, row] : rows_of_the_page()) {
    CAPTURE(situation);
    // Filled by the tests above, which run before this one when all are run.
    if (shown.size() > 1) CHECK(shown.contains(situation));
  }
  CHECK(rows_of_the_page().size() >= 20);
}
