// Settings by their documented names, from a program.
#include <semel/config.hpp>

#include <cstdlib>

#include "support/catch.hpp"
#include "support/temp_dir.hpp"

using namespace semel;

namespace {

Config clicks() {
  Config config;
  config.set("name", "clicks")
      .set("source.kafka.brokers", "localhost:9092")
      .set("source.kafka.topics", std::vector<std::string>{"clicks"})
      .set("sink.postgres.dsn", "postgresql://app:secret@localhost/shop")
      .set("sink.postgres.table", "clicks");
  return config;
}

std::string error_of(const Config& config) {
  const auto checked = config.check();
  REQUIRE_FALSE(checked);
  CHECK(checked.error().cause == Cause::configuration);
  return checked.error().message;
}

}  // namespace

TEST_CASE("a configuration made by a program is the same as one from a file") {
  auto made = clicks();
  made.set("batch.interval", "1s")
      .set("executors", 2)
      .set("batch.backpressure", false)
      .set("batch.min_rate", 2.0)
      .set("sink.postgres.columns.id", "$.user.id")
      .set_toml("source.kafka.start", "2026-01-01T00:00:00Z");
  const auto read = Config::parse(R"(
name = "clicks"
executors = 2
[batch]
interval = "1s"
backpressure = false
min_rate = 2.0
[source.kafka]
brokers = "localhost:9092"
topics = ["clicks"]
start = 2026-01-01T00:00:00Z
[sink.postgres]
dsn = "postgresql://app:secret@localhost/shop"
table = "clicks"
columns.id = "$.user.id"
)");
  CHECK(made.check());
  const auto shown = made.to_toml().value();
  CHECK(shown == read.to_toml().value());
  CHECK_THAT(shown, Catch::Contains("executors = 2") && !Catch::Contains("secret"));
}

TEST_CASE(
    "a mistake in a program's configuration is told as one in a file, and says where it was set") {
  auto config = clicks();
  SECTION("a name that is none") {
    config.set("batch.intervall", "1s");
    CHECK_THAT(error_of(config), Catch::StartsWith("Config::set batch.intervall: unknown key") &&
                                     Catch::Contains("Did you mean batch.interval"));
  }
  SECTION("a type") {
    config.set("executors", "many");
    CHECK(error_of(config) == "Config::set executors: executors must be an integer, not a string");
  }
  SECTION("all mistakes are told at once, each in a line") {
    config.set("executors", 0).set("batch.interval", "x");
    const auto error = error_of(config);
    CHECK_THAT(error, Catch::Contains("executors") && Catch::Contains("\n") &&
                          Catch::Contains("batch.interval"));
  }
  SECTION("a value is never quoted from a secret") {
    config.set("sink.postgres.dsn", std::vector<std::string>{"host=a password=hidden"});
    CHECK_THAT(error_of(config),
               Catch::Contains("sink.postgres.dsn") && !Catch::Contains("hidden"));
  }
}

TEST_CASE("what is missing is told, and a sink is not where the program brings one") {
  Config config;
  CHECK_THAT(error_of(config), Catch::Contains("name is missing") &&
                                   Catch::Contains("source.kafka.brokers is missing") &&
                                   Catch::Contains("a sink is missing"));
  config.set("name", "clicks")
      .set("source.kafka.brokers", "localhost:9092")
      .set("source.kafka.topics", std::vector<std::string>{"clicks"});
  CHECK_FALSE(config.check());
  CHECK(config.check({"default"}));
  CHECK_THAT(config.check({"a b"}).error().message, Catch::Contains("letters, digits"));
  CHECK_THAT(config.check({"a", "a"}).error().message,
             Catch::Contains("the name of another output"));
  // The configured one is called default, too.
  CHECK_THAT(clicks().check({"default"}).error().message,
             Catch::Contains("the name of another output"));
}

TEST_CASE("a text of a program is a text, whatever it looks like") {
  auto config = clicks();
  config.set("sink.postgres.table", "a \"quoted\" 'name'\\ with\nlines and = signs");
  CHECK(config.check());
  config.set("name", "true");
  CHECK_THAT(config.to_toml().value(), Catch::Contains("name = \"true\""));
}

TEST_CASE("a later set wins over an earlier one, and over the file") {
  auto config = Config::parse("name = \"a\"\nexecutors = 7\n", "a.toml");
  config.set("executors", 3).set("executors", 2);
  auto whole = clicks();
  whole.set("executors", 3).set("executors", 2);
  CHECK_THAT(whole.to_toml().value(), Catch::Contains("executors = 2"));
  CHECK_THAT(error_of(config), !Catch::Contains("executors"));
}

TEST_CASE("a file that cannot be read is told at once, what is in it when it is checked") {
  const test::TempDir dir;
  CHECK_THAT(Config::load(dir / "none.toml").error().message, Catch::Contains("none.toml"));
  test::write_file(dir.path() / "bad.toml", "name = \n");
  const auto bad = Config::load(dir / "bad.toml");
  REQUIRE(bad);
  CHECK_THAT(error_of(*bad), Catch::Contains("bad.toml:1"));
  test::write_file(dir.path() / "good.toml", clicks().to_toml().value());
  CHECK(Config::load(dir / "good.toml", {"executors=2"}).value().check());
  CHECK_THAT(error_of(Config::load(dir / "good.toml", {"executors=x"}).value()),
             Catch::StartsWith("--set executors:"));
}

TEST_CASE("copies of a configuration are independent, and one that was moved from can be used") {
  auto one = clicks();
  auto other = one;
  other.set("executors", 0);
  CHECK(one.check());
  CHECK_FALSE(other.check());
  const auto moved = std::move(one);
  CHECK(moved.check());
  one = clicks();
  CHECK(one.check());
}
