// What is shown of a configuration, and the reference page.
#include <fstream>
#include <map>
#include <sstream>

#include "app/pipeline_config.hpp"
#include "config/nearest.hpp"
#include "config/schema.hpp"
#include "config/units.hpp"
#include "configured.hpp"
#include "kafka/secret_property.hpp"
#include "postgres/client/secrets.hpp"
#include "support/catch.hpp"

using namespace semel;
using test::postgres_of;

TEST_CASE("what is rendered reads back as the same configuration, but for secrets") {
  const auto config = app::parse(R"(name = "clicks"
executors = 3
[source.kafka]
brokers = "localhost:9092"
topics = ["clicks", "views"]
start = { clicks = { 0 = 5 }, views = { 1 = 7, 0 = 9 } }
librdkafka = { "sasl.password" = "hunter2", "sasl.username" = "semel", "ssl.key.password" = "hunter2" }
[batch]
interval = "90s"
max_bytes = "64MiB"
[sink.postgres]
dsn = "postgresql://app:hunter2@localhost/shop"
table = "Click \"s\""
columns = { "a b" = "$.x", d = { from = ["$.d", "$.e"], unit = "days", empty = "null", default = "a\tb" }, n = { value = 7 }, x = {} }
names = "snake_case"
nul = "strip"
nan = "accept"
[sink.postgres.ledger]
keep_commits = "30d"
)",
                                 "clicks.toml");
  REQUIRE(config);
  const auto shown = app::render(*config);
  INFO(shown);
  CHECK(shown.find("hunter2") == std::string::npos);
  CHECK(shown.find("dsn = \"postgresql://app:***@localhost/shop\"") != std::string::npos);
  const auto again = app::parse(shown, "shown");
  REQUIRE(again);
  CHECK(app::render(*again) == shown);
  CHECK(again->pipeline.kafka.start == config->pipeline.kafka.start);
  CHECK(postgres_of(*again).table == postgres_of(*config).table);
  CHECK(postgres_of(*again).columns == postgres_of(*config).columns);
  CHECK(again->pipeline.limits.interval_ms == 90'000);
  CHECK(postgres_of(*again).keep_commits_hours == 720);
}

TEST_CASE("a value that holds ${ is rendered so that it is not taken for a variable") {
  const auto config = app::parse(R"(name = "clicks"
[source.kafka]
brokers = "localhost:9092"
topics = ["clicks"]
[sink.postgres]
dsn = "postgresql://localhost/shop"
table = "a$${{b}}"
columns = { x = "$.$$${c", y = { value = "$${d}" } }
)",
                                 "clicks.toml");
  REQUIRE(config);
  CHECK(postgres_of(*config).table == "a${{b}}");
  const auto again = app::parse(app::render(*config), "shown");
  REQUIRE(again);
  CHECK(postgres_of(*again).table == postgres_of(*config).table);
  CHECK(postgres_of(*again).columns == postgres_of(*config).columns);
}

TEST_CASE("passwords in connection strings are masked in every form") {
  using postgres::mask_connection_string;
  CHECK(mask_connection_string("postgresql://localhost/shop") == "postgresql://localhost/shop");
  CHECK(mask_connection_string("postgresql://me@h:5432/shop") == "postgresql://me@h:5432/shop");
  CHECK(mask_connection_string("postgres://me:pw@h/shop?sslmode=require") ==
        "postgres://me:***@h/shop?sslmode=require");
  CHECK(mask_connection_string("postgresql://me:p@w/x@h/shop") == "postgresql://me:***@h/shop");
  CHECK(
      mask_connection_string("postgresql://h/shop?user=me&password=pw&sslpassword=pw2&sslmode=x") ==
      "postgresql://h/shop?user=me&password=***&sslpassword=***&sslmode=x");
  // What follows may be the rest of a password that holds a &.
  CHECK(mask_connection_string("postgresql://h/shop?password=pw&more=of_it") ==
        "postgresql://h/shop?password=***");
  CHECK(mask_connection_string("postgresql://h/shop?password=***") ==
        "postgresql://h/shop?password=***");
  CHECK(mask_connection_string("postgresql://me:pw") == "postgresql://me:***");
  CHECK(mask_connection_string("postgresql://h/shop?pass%77ord=pw") ==
        "postgresql://h/shop?pass%77ord=***");
  CHECK(mask_connection_string("host=h password=pw dbname=shop") ==
        "host=h password=*** dbname=shop");
  CHECK(mask_connection_string("host=h password = 'p \\' w\\\\' dbname=shop") ==
        "host=h password = *** dbname=shop");
  CHECK(mask_connection_string("host=h password='pw") == "***");
  // Passwords that nobody quoted, or quoted as SQL does: no part of them is shown.
  CHECK(mask_connection_string("host=h password=my pw") == "***");
  CHECK(mask_connection_string("host=h password='it''s'") == "***");
  CHECK(mask_connection_string("host=h password='it''s' x=y") == "***");
  CHECK(mask_connection_string("host=h password='p w' ") == "host=h password=*** ");
  CHECK(mask_connection_string("pw") == "***");
  CHECK(mask_connection_string("mysql://me:pw@h/x") == "***");
  CHECK(mask_connection_string("") == "");
}

TEST_CASE("secret properties of librdkafka are known by name") {
  for (const auto* name :
       {"sasl.password", "ssl.key.password", "ssl.keystore.password", "ssl.key.pem",
        "sasl.oauthbearer.client.secret", "sasl.oauthbearer.config"}) {
    CAPTURE(name);
    CHECK(kafka::is_secret_property(name));
  }
  CHECK_FALSE(kafka::is_secret_property("sasl.username"));
  CHECK_FALSE(kafka::is_secret_property("ssl.key.location"));
}

TEST_CASE("the committed reference page is what the settings say") {
  std::ifstream file(SEMEL_SOURCE_ROOT "/docs/reference/configuration.md");
  std::ostringstream page;
  page << file.rdbuf();
  // Differs? `semel reference configuration > docs/reference/configuration.md`
  CHECK(page.str() == app::reference_page());
}

TEST_CASE("every setting's example and default are accepted") {
  for (const auto& setting : app::schema().settings()) {
    config::Parts defaults;
    for (const auto& declared : app::schema().sections()) defaults.push_back(declared.defaults);
    for (const auto& value : {setting.example, config::show(app::schema(), setting, defaults)}) {
      if (value.empty()) continue;
      CAPTURE(setting.path, value);
      setenv("SHOP_PASSWORD", "x", 1);
      setenv("KAFKA_PASSWORD", "x", 1);
      const auto dot = setting.path.rfind('.');
      const auto section =
          dot == std::string::npos ? "" : "[" + setting.path.substr(0, dot) + "]\n";
      const auto text = section + setting.path.substr(dot + 1) + " = " + value + "\n";
      // It says where what another setting has asked for is.
      const std::string upsert = "sink.postgres.write=upsert";
      const std::string where = "sink.postgres.deletes.when=$.op";
      const std::map<std::string, std::vector<std::string>> others{
          {"state_home", {"state=sink"}},
          {"sink.postgres.key", {upsert}},
          {"sink.postgres.version", {upsert}},
          {"sink.postgres.types", {"sink.postgres.create=true"}},
          {"sink.postgres.deletes.when", {upsert, "sink.postgres.deletes.is=[\"d\"]"}},
          {"sink.postgres.deletes.is", {upsert, where}},
          {"sink.postgres.deletes.set", {upsert, where, "sink.postgres.deletes.is=[\"d\"]"}}};
      const auto found = others.find(setting.path);
      const auto beside = found == others.end() ? std::vector<std::string>() : found->second;
      const auto config = app::parse(text, "example", beside);
      // Others are missing; this one must not be complained about.
      const auto message = config ? "" : config.error().message;
      CAPTURE(message);
      CHECK(message.find("example:2") == std::string::npos);
      CHECK((message.find("example:1") == std::string::npos));
    }
  }
}

TEST_CASE("every setting explains itself") {
  for (const auto& setting : app::schema().settings()) {
    CAPTURE(setting.path);
    CHECK(setting.text.size() > 20);
    CHECK_FALSE(setting.binding.type.empty());
    CHECK(app::schema().find(setting.path) == &setting);
    if (setting.required) CHECK_FALSE(setting.example.empty());
  }
}

TEST_CASE("durations, sizes and moments read back as they are written") {
  for (const std::int64_t ms : {0, 1, 999, 1'000, 90'000, 3'600'000, 86'400'000}) {
    CHECK(config::parse_duration(config::format_duration(ms)) == ms);
  }
  CHECK(config::format_duration(90'000) == "90s");
  for (const auto* text : {"", "5", "s", "-5s", "5 s", "5sec", "1.5s", "99999999999999999999s",
                           "9223372036854775807d", "+5s"}) {
    CAPTURE(text);
    CHECK_FALSE(config::parse_duration(text).has_value());
  }
  CHECK(config::parse_size("1KiB") == 1024);
  CHECK(config::parse_size("2MB") == 2'000'000);
  CHECK(config::parse_size("7") == 7);
  CHECK(config::format_size(64 << 20) == "64MiB");
  CHECK_FALSE(config::parse_size("1XiB").has_value());
  CHECK(config::parse_moment("1970-01-01T00:00:00Z") == 0);
  CHECK(config::parse_moment("2026-02-28T23:59:59.999-00:30") ==
        config::parse_moment("2026-03-01T00:29:59.999Z"));
  CHECK(config::format_moment(1769817600250) == "2026-01-31T00:00:00.250Z");
  for (const auto* text :
       {"2026-02-30T00:00:00Z", "2026-01-31", "2026-01-31T00:00:00", "soon", "2026-01-31T24:00:00Z",
        "2026-01-31T00:00:00Zx", "2026-01-31T00:00:00.Z"}) {
    CAPTURE(text);
    CHECK_FALSE(config::parse_moment(text).has_value());
  }
}

TEST_CASE("edit distance counts a swap of neighbours once") {
  CHECK(config::edit_distance("tabel", "table") == 1);
  CHECK(config::edit_distance("", "abc") == 3);
  CHECK(config::edit_distance("kitten", "sitting") == 3);
}
