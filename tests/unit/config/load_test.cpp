// Reading a configuration: what is accepted, and what people are told otherwise.
#include <cstdlib>
#include <string>

#include "app/pipeline_config.hpp"
#include "configured.hpp"
#include "engine/state_directory.hpp"
#include "support/catch.hpp"

using namespace semel;
using test::postgres_of;

namespace {

const std::string four_values = R"(name = "clicks"
[source.kafka]
brokers = "localhost:9092"
topics  = ["clicks"]
[sink.postgres]
dsn   = "postgresql://localhost/shop"
table = "clicks"
)";

app::PipelineConfig good(const std::string& text, const std::vector<std::string>& sets = {}) {
  auto config = app::parse(text, "clicks.toml", sets);
  INFO((config ? "" : config.error().message));
  REQUIRE(config.has_value());
  return *std::move(config);
}

/// The four values with `top` above the first section and `more` at the end.
app::PipelineConfig with(const std::string& top, const std::string& more = "",
                         const std::vector<std::string>& sets = {}) {
  return good(top + four_values + more, sets);
}

std::string error_of(const std::string& text, const std::vector<std::string>& sets = {}) {
  const auto config = app::parse(text, "clicks.toml", sets);
  REQUIRE_FALSE(config.has_value());
  CHECK(config.error().kind == ErrorKind::fatal);
  CHECK(config.error().cause == Cause::configuration);
  return config.error().message;
}

/// Of the four values with `more` at the end.
std::string error_with(const std::string& more, const std::vector<std::string>& sets = {}) {
  return error_of(four_values + more, sets);
}

struct Variable {
  Variable(const char* variable, const char* value) : name(variable) { setenv(name, value, 1); }
  ~Variable() { unsetenv(name); }
  const char* name;
};

}  // namespace

TEST_CASE("four values and a name are a configuration") {
  const auto config = good(four_values);
  CHECK(config.pipeline.name == "clicks");
  CHECK(config.pipeline.kafka.brokers == "localhost:9092");
  CHECK(config.pipeline.kafka.topics == std::vector<std::string>{"clicks"});
  CHECK(postgres_of(config).dsn == "postgresql://localhost/shop");
  CHECK(postgres_of(config).table == "clicks");
  // Everything else is as the rooms declare it.
  CHECK(config.pipeline.executors == engine::PipelineOptions{}.executors);
  CHECK(config.pipeline.kafka.start == kafka::Start(kafka::StartEarliest{}));
  CHECK(config.pipeline.delivery == Delivery::exactly_once);
}

TEST_CASE("every kind of setting reaches its field") {
  const auto config = with(R"(
delivery = "at_least_once"
on_data_loss = "skip"
executors = 7
state_dir = "/var/lib/x"
log_level = "debug"
)",
                           R"(
columns = { id = "$.payload.id", raw = "@value" }
unknown_fields = "dead_letter"
bad_share_max = 0.25
bad_share_min_records = 5
epoch_unit = "seconds"
synchronous_commit = false
connect_timeout = "2s"
[sink.postgres.ledger]
schema = "semel"
commits = "trail"
create = false
keep_commits = "30d"
[batch]
interval = "2m"
max_bytes = "64MiB"
max_records = 1_000
backpressure = true
initial_rate = 500
[retry]
max_failures = 3
backoff_max = "500ms"
[timeouts]
startup = "0s"
)");
  CHECK(config.pipeline.delivery == Delivery::at_least_once);
  CHECK(config.pipeline.on_data_loss == engine::OnDataLoss::skip);
  CHECK(config.pipeline.executors == 7);
  CHECK(config.pipeline.state_dir == "/var/lib/x");
  CHECK(config.log_level == LogLevel::debug);
  CHECK(postgres_of(config).columns ==
        record::ColumnRules{{"id", "$.payload.id"}, {"raw", "@value"}});
  CHECK(postgres_of(config).policy.unknown_fields == record::UnknownFields::dead_letter);
  CHECK(postgres_of(config).policy.bad_share_max == 0.25);
  CHECK(postgres_of(config).policy.bad_share_min_records == 5);
  CHECK(postgres_of(config).epoch_unit == postgres::EpochUnit::seconds);
  CHECK_FALSE(postgres_of(config).synchronous_commit);
  CHECK(postgres_of(config).connect_timeout_ms == 2'000);
  CHECK(postgres_of(config).ledger_schema == "semel");
  CHECK(postgres_of(config).commits_table == "trail");
  CHECK_FALSE(postgres_of(config).create_ledger);
  CHECK(postgres_of(config).keep_commits_hours == 720);
  CHECK(config.pipeline.limits.interval_ms == 120'000);
  CHECK(config.pipeline.limits.max_bytes == 64 << 20);
  CHECK(config.pipeline.limits.max_records == 1'000);
  CHECK(config.pipeline.limits.backpressure);
  CHECK(config.pipeline.limits.initial_rate == 500);
  CHECK(config.pipeline.retry.max_failures == 3);
  CHECK(config.pipeline.retry.backoff_ms_max == 500);
  CHECK(config.pipeline.startup_timeout_ms == 0);
}

TEST_CASE("start is a word, a moment with or without quotes, or offsets") {
  const auto start = [](const std::string& value) {
    return with("", "", {"source.kafka.start=" + value}).pipeline.kafka.start;
  };
  CHECK(start("latest") == kafka::Start(kafka::StartLatest{}));
  CHECK(start("\"earliest\"") == kafka::Start(kafka::StartEarliest{}));
  CHECK(start("2026-01-31T00:00:00Z") == kafka::Start(kafka::StartTimestamp{1769817600000}));
  CHECK(start("\"2026-01-31T01:00:00.25+01:00\"") ==
        kafka::Start(kafka::StartTimestamp{1769817600250}));
  const auto from_file = good(R"(name = "clicks"
[source.kafka]
brokers = "localhost:9092"
topics = ["clicks"]
start = 2026-01-31T00:00:00Z
[sink.postgres]
dsn = ""
table = "clicks"
)");
  CHECK(from_file.pipeline.kafka.start == kafka::Start(kafka::StartTimestamp{1769817600000}));
  const auto offsets = with("", "[source.kafka.start]\nclicks = {0 = 100, 1 = 250}\n");
  CHECK(offsets.pipeline.kafka.start ==
        kafka::Start(kafka::StartOffsets{{{{"clicks", 0}, 100}, {{"clicks", 1}, 250}}}));
}

TEST_CASE("the format of values is chosen by its name, and is JSON unless it is") {
  CHECK(with("", "").format == formats::json());
  CHECK(with("", "", {"source.kafka.value=raw"}).format == formats::raw());
  CHECK_THAT(error_with("", {"source.kafka.value=avro"}),
             Catch::Contains("source.kafka.value must be one of \"json\", \"raw\""));
}

TEST_CASE("properties of librdkafka may be written with dots or quotes") {
  const auto config = with("", R"([source.kafka.librdkafka]
"sasl.username" = "semel"
security.protocol = "SASL_SSL"
socket.timeout.ms = 5000
socket.keepalive.enable = true
)",
                           {"source.kafka.librdkafka.sasl.password=1e5"});
  CHECK(config.pipeline.kafka.librdkafka ==
        std::map<std::string, std::string>{{"sasl.username", "semel"},
                                           {"sasl.password", "1e5"},
                                           {"security.protocol", "SASL_SSL"},
                                           {"socket.timeout.ms", "5000"},
                                           {"socket.keepalive.enable", "true"}});
}

TEST_CASE("broken TOML is located") {
  const auto message = error_of("name = \"clicks\"\n[source.kafka\nbrokers = 1\n");
  CHECK(message.starts_with("clicks.toml:2:14: "));
}

TEST_CASE("an unknown key is located and the nearest known one named") {
  CHECK(error_with("on_bad_recrod = \"stop\"\n") ==
        "clicks.toml:8:1: unknown key sink.postgres.on_bad_recrod. Did you mean "
        "sink.postgres.on_bad_record?");
  CHECK(error_with("[bacth]\ninterval = \"1s\"\n") ==
        "clicks.toml:8:2: unknown key bacth. Did you mean batch?");
}

TEST_CASE("a problem is one line, whatever it quotes") {
  CHECK(error_with("\"a\\nb\" = 1\n")
            .starts_with("clicks.toml:8:1: unknown key sink.postgres.a\\nb. "));
  CHECK(error_with("synchronous_commit = fa\n").find('\n') == std::string::npos);
  CHECK(error_with("columns = { \"a\\nb\" = [] }\n").find('\n') == std::string::npos);
  CHECK(error_with("columns = { \"a\\nb\" = \"${\" }\n").find('\n') == std::string::npos);
}

TEST_CASE("a key in the wrong section is sent to the right one") {
  CHECK(error_with("state_dir = \"x\"\n") ==
        "clicks.toml:8:1: unknown key sink.postgres.state_dir. state_dir stands at the top of the "
        "file, above the first [section]");
  CHECK(
      error_with("batch.interval = \"1s\"\n") ==
      "clicks.toml:8:1: unknown key sink.postgres.batch. batch is a section: [batch] on a line of "
      "its own");
  CHECK(error_of("max_records = 5\n" + four_values) ==
        "clicks.toml:1:1: unknown key max_records. max_records stands in [batch]");
  CHECK(error_with("", {"source.kafka.security.protocol=ssl"}).find("[source.kafka.librdkafka]") !=
        std::string::npos);
}

TEST_CASE("a misspelt required key is reported once") {
  CHECK(error_of(R"(name = "clicks"
[source.kafka]
brokers = "localhost:9092"
topics = ["clicks"]
[sink.postgres]
dsn = "postgresql:///shop"
tabel = "clicks"
)") == "clicks.toml:7:1: unknown key sink.postgres.tabel. Did you mean sink.postgres.table?");
}

TEST_CASE("a value of the wrong type is located and the expected type named") {
  CHECK(error_with("[batch]\nmax_records = \"many\"\n") ==
        "clicks.toml:9:15: batch.max_records must be an integer, not a string");
  CHECK(error_with("[batch]\ninterval = 5\n") ==
        "clicks.toml:9:12: batch.interval must be a duration such as \"250ms\", \"5s\", \"10m\", "
        "\"2h\" or \"7d\", not an integer");
  CHECK(error_with("[batch]\nmax_bytes = \"64 potatoes\"\n") ==
        "clicks.toml:9:13: batch.max_bytes must be a size such as \"64MiB\" or a number of bytes, "
        "not \"64 potatoes\"");
  CHECK(error_with("columns = { a = [1] }\n") ==
        "clicks.toml:8:17: sink.postgres.columns must hold paths or tables, but a is a list");
  CHECK(error_of("batch = 5\n" + four_values) ==
        "clicks.toml:1:9: batch must be a table, not an integer: [batch] on a line of its own");
}

TEST_CASE("a value out of range or not among the choices says what is allowed") {
  CHECK(error_of("executors = 0\n" + four_values) ==
        "clicks.toml:1:13: executors must be at least 1");
  CHECK(error_with("[batch]\ninterval = \"0ms\"\n") ==
        "clicks.toml:9:12: batch.interval must be at least 1ms");
  CHECK(error_with("tombstones = \"drop\"\n") ==
        "clicks.toml:8:14: sink.postgres.tombstones must be one of \"ignore\", \"dead_letter\", "
        "\"delete\", not \"drop\"");
  CHECK(error_with("bad_share_max = nan\n") ==
        "clicks.toml:8:17: sink.postgres.bad_share_max must be at least 0");
  CHECK(error_with("[sink.postgres.ledger]\nkeep_commits = \"90m\"\n") ==
        "clicks.toml:9:16: sink.postgres.ledger.keep_commits must be a multiple of 1h");
}

TEST_CASE("what only upsert has is refused without it, and so is half of what belongs together") {
  const std::string upsert = "write = \"upsert\"\n";
  CHECK(error_with("tombstones = \"delete\"\n") ==
        "clicks.toml:8:14: sink.postgres.tombstones needs write = \"upsert\"");
  CHECK(error_with("key = [\"id\"]\n") ==
        "clicks.toml:8:7: sink.postgres.key needs write = \"upsert\"");
  CHECK(error_with(upsert + "on_conflict = \"ignore\"\n") ==
        "clicks.toml:9:15: sink.postgres.on_conflict is of write = \"append\": an upsert meets its "
        "key as usual");
  CHECK(
      error_with(upsert + "deletes = { when = \"$.op\" }\n") ==
      "clicks.toml:9:20: sink.postgres.deletes.when goes with the other: deletes.when says where, "
      "deletes.is what");
  CHECK(
      error_with(upsert + "deletes = { set = \"gone\" }\n") ==
      "clicks.toml:9:19: sink.postgres.deletes.set needs deletes.when or tombstones = \"delete\": "
      "nothing removes a row");
  CHECK_THAT(error_with(upsert + "deletes = { when = \"op\", is = [\"d\"] }\n"),
             Catch::Contains("sink.postgres.deletes.when is no place in a record: mapping \"op\""));
}

TEST_CASE("a required setting that is missing comes with the line to add") {
  CHECK(error_of("[sink.postgres]\n") ==
        R"(clicks.toml: name is missing: add the line  name = "clicks"  at the top of the file
clicks.toml: source.kafka.brokers is missing: add the line  brokers = "localhost:9092"  in [source.kafka]
clicks.toml: source.kafka.topics is missing: add the line  topics = ["clicks"]  in [source.kafka]
clicks.toml: sink.postgres.dsn is missing: add the line  dsn = "postgresql://app:${SHOP_PASSWORD}@localhost/shop"  in [sink.postgres]
clicks.toml: sink.postgres.table is missing: add the line  table = "clicks"  in [sink.postgres])");
}

TEST_CASE("a file without a sink is told which there are") {
  CHECK_THAT(error_of(""), Catch::StartsWith("clicks.toml: a sink is missing: add one of the "
                                             "sections [sink.postgres]"));
  // What was probably meant for one is not called missing too.
  CHECK_THAT(error_of("[sink.postgre]\n"), !Catch::Contains("a sink is missing"));
}

TEST_CASE("all problems are reported, in the order of the file") {
  const auto message = error_of("executors = 0\nmood = 1\n" + four_values + "tombstones = 1\n",
                                {"batch.interval=x"});
  CHECK(message == R"(clicks.toml:1:13: executors must be at least 1
clicks.toml:2:1: unknown key mood
clicks.toml:10:14: sink.postgres.tombstones must be one of "ignore", "dead_letter", "delete", not an integer
--set batch.interval: batch.interval must be a duration such as "250ms", "5s", "10m", "2h" or "7d", not "x")");
}

TEST_CASE("topics and a pattern exclude each other") {
  CHECK(error_with("[source.kafka.librdkafka]\n", {"source.kafka.topic_pattern=a.*"})
            .find("keep one of them") != std::string::npos);
  const auto config = with("", "", {"source.kafka.topics=[]", "source.kafka.topic_pattern=a.*"});
  CHECK(config.pipeline.kafka.topic_pattern == "a.*");
  CHECK(error_with("", {"source.kafka.topics=[]", "source.kafka.topic_pattern=a("})
            .find("is not a regular expression") != std::string::npos);
}

TEST_CASE("settings that contradict each other are refused") {
  CHECK(error_with("[batch]\nmin_records_per_partition = 10\nmax_records_per_partition = 5\n")
            .find("must not be more than") != std::string::npos);
  CHECK(error_with("[retry]\nbackoff_min = \"1m\"\n").find("at or below") != std::string::npos);
  CHECK(error_with("[sink.postgres.ledger]\ncommits = \"semel_owners\"\n").find("four names") !=
        std::string::npos);
  CHECK(error_with("[source.kafka.start]\nviews = {0 = 1}\n").find("not among") !=
        std::string::npos);
}

TEST_CASE("a name is safe as a directory and a consumer group") {
  const auto error_of_name = [](const std::string& name) {
    return error_with("", {"name=\"" + name + "\""});
  };
  CHECK(error_of_name("../etc").find("letters, digits") != std::string::npos);
  CHECK(error_of_name("").find("empty") != std::string::npos);
  CHECK(error_of_name("..").find("must not be") != std::string::npos);
  CHECK(error_of_name(std::string(201, 'a')).find("at most 200") != std::string::npos);
  CHECK(with("", "", {"name=" + std::string(200, 'a')}).pipeline.name.size() == 200);
}

TEST_CASE("strings take values from the environment") {
  const Variable password("SEMEL_TEST_PASSWORD", "p\"w\n$x${y}");
  const auto config =
      with("", "", {"sink.postgres.dsn=postgresql://u:${SEMEL_TEST_PASSWORD}@h/$${z}"});
  CHECK(postgres_of(config).dsn == "postgresql://u:p\"w\n$x${y}@h/${z}");
}

TEST_CASE("a value from the environment may stand for any type") {
  const Variable number("SEMEL_TEST_N", "5");
  const Variable word("SEMEL_TEST_TOPICS", "a,b");
  const Variable yes("SEMEL_TEST_YES", "true");
  const auto config = good(R"(name = "${SEMEL_TEST_N}"
executors = "${SEMEL_TEST_N}"
[source.kafka]
brokers = "localhost:9092"
topics = "${SEMEL_TEST_TOPICS}"
[batch]
backpressure = "${SEMEL_TEST_YES}"
[sink.postgres]
dsn = ""
table = "t"
)");
  CHECK(config.pipeline.name == "5");
  CHECK(config.pipeline.executors == 5);
  CHECK(config.pipeline.kafka.topics == std::vector<std::string>{"a", "b"});
  CHECK(config.pipeline.limits.backpressure);
  CHECK(error_of("executors = \"5\"\n" + four_values).find("must be an integer, not a string") !=
        std::string::npos);
}

TEST_CASE("a variable that is not set is named, unless its setting is overridden") {
  unsetenv("SEMEL_TEST_UNSET");
  const std::string text = R"(name = "clicks"
[source.kafka]
brokers = "localhost:9092"
topics = ["clicks"]
[sink.postgres]
dsn = "${SEMEL_TEST_UNSET}"
table = "clicks"
)";
  const auto message = error_of(text);
  CHECK(
      message.starts_with("clicks.toml:6:7: sink.postgres.dsn needs the environment variable "
                          "SEMEL_TEST_UNSET, which is not set"));
  CHECK(postgres_of(good(text, {"sink.postgres.dsn=host=x"})).dsn == "host=x");
}

TEST_CASE("an override wins, takes bare words, and is held to the same rules") {
  CHECK(postgres_of(with("", "", {"sink.postgres.table=orders"})).table == "orders");
  CHECK(postgres_of(with("", "", {"sink.postgres.table=123"})).table == "123");
  CHECK(postgres_of(with("", "", {"sink.postgres.table=\"a b\""})).table == "a b");
  CHECK(with("", "", {"executors=3", "executors=4"}).pipeline.executors == 4);
  CHECK(with("", "", {"source.kafka.topics=a,b"}).pipeline.kafka.topics.size() == 2);
  CHECK(with("", "", {"source.kafka.topics=[\"a\"]"}).pipeline.kafka.topics.size() == 1);
  CHECK(postgres_of(with("", "columns = { a = \"$.b\" }\n", {"sink.postgres.columns.c=$.d"}))
            .columns.size() == 2);
  CHECK(error_with("", {"sink.postgres.tabel=x"}) ==
        "--set sink.postgres.tabel: unknown key sink.postgres.tabel. Did you mean "
        "sink.postgres.table?");
  CHECK(error_with("", {"executors=many"}) ==
        "--set executors: executors must be an integer, not a string");
  CHECK(error_with("", {"executors"}).find("needs key.path=value") != std::string::npos);
  CHECK(error_with("", {"source.kafka.topics=[\"a\""}).find("is not TOML") != std::string::npos);
}

TEST_CASE("an override may be a table, of one entry too") {
  for (const std::string one : {R"({"client.id"="abc"})", R"( { "client.id" = "abc" })"}) {
    const auto config = with("", "", {"source.kafka.librdkafka=" + one});
    CHECK(config.pipeline.kafka.librdkafka.at("client.id") == "abc");
  }
  CHECK(postgres_of(with("", "", {R"(sink.postgres.columns={id="$.a"})"})).columns.at("id") ==
        "$.a");
}

TEST_CASE("a property that librdkafka does not know, or that would break a promise, is refused") {
  CHECK(error_with("[source.kafka.librdkafka]\nfetch.wait.max = 5\n")
            .starts_with("clicks.toml:9:18: source.kafka.librdkafka: fetch.wait.max: No such"));
  CHECK(error_with("[source.kafka.librdkafka]\nisolation.level = \"read_committed\"\n")
            .find("isolation.level may not be set: it is set with source.kafka.isolation") !=
        std::string::npos);
}

TEST_CASE("each property that is refused is told, where it stands") {
  const auto message = error_with("[source.kafka.librdkafka]\n\"group.id\" = \"x\"\nfoo.bar = 5\n");
  CHECK(message.find("clicks.toml:9:14: source.kafka.librdkafka: group.id may not") == 0);
  CHECK(message.find("\nclicks.toml:10:11: source.kafka.librdkafka: foo.bar: No such") !=
        std::string::npos);
  CHECK(error_with("", {"source.kafka.librdkafka.group.id=x"})
            .starts_with("--set source.kafka.librdkafka.group.id: "));
}

TEST_CASE("an address that no broker can have is refused where it stands") {
  const auto with_brokers = [](const std::string& brokers) {
    return error_of(std::string("name = \"clicks\"\n[source.kafka]\nbrokers = ") + brokers +
                    "\ntopics = [\"clicks\"]\n[sink.postgres]\ndsn = \"postgresql:///shop\"\n"
                    "table = \"clicks\"\n");
  };
  CHECK(with_brokers("\"a:1,nonsense:abc\"")
            .starts_with("clicks.toml:3:11: source.kafka.brokers holds \"nonsense:abc\""));
  CHECK(with_brokers("\"a:1,,b:2\"").find("empty") != std::string::npos);
}

TEST_CASE("an empty list of topics is told as that") {
  CHECK(error_with("", {"source.kafka.topics=[]"}) ==
        "--set source.kafka.topics: source.kafka.topics must name a topic, such as [\"clicks\"]");
}

TEST_CASE("no message holds a secret") {
  const std::string secret = "hunter2";
  CHECK(error_with("", {"sink.postgres.dsnx=" + secret}).find(secret) == std::string::npos);
  CHECK(error_of("name = \"clicks\"\nsink.postgres.dsn = [\"" + secret + "\"]").find(secret) ==
        std::string::npos);
  CHECK(error_with("", {"sink.postgres.dsn=postgresql://u:${" + secret + " }@h"}).find(secret) ==
        std::string::npos);
  CHECK(error_with("[source.kafka.librdkafka]\nsasl.password = [\"" + secret + "\"]\n")
            .find(secret) == std::string::npos);
  CHECK(error_with("", {"source.kafka.librdkafka.sasl.password"}).find(secret) ==
        std::string::npos);
}

TEST_CASE("~ in state_dir is the user's home, and another's is refused with a word") {
  const auto config = with("state_dir = \"~/semel\"\n");
  CHECK(engine::state_directory(config.pipeline) ==
        std::string(std::getenv("HOME")) + "/semel/clicks");
  CHECK(engine::state_directory(with("state_dir = \"a~b\"\n").pipeline) == "a~b/clicks");
  CHECK_THAT(error_of("state_dir = \"~app/semel\"\n" + four_values),
             Catch::Contains("state_dir must not begin with ~ and a name"));
}

TEST_CASE("a table's name is looked at before anything is asked for it") {
  const auto table = [](const std::string& written) {
    auto text = four_values;
    text.replace(text.find("table = \"clicks\""), 16, "table = '" + written + "'");
    return text;
  };
  CHECK(postgres_of(good(table("\"a.b\""))).table == "\"a.b\"");
  for (const auto* written : {"", "a.", "\"a", "\"a\"b"}) {
    CHECK_THAT(error_of(table(written)),
               Catch::Contains("sink.postgres.table must be table or schema.table"));
  }
}

TEST_CASE("executors that memory_limit is not enough for are refused, with what would be") {
  CHECK(with("executors = 116\n").pipeline.executors == 116);
  CHECK_THAT(
      error_of("executors = 117\n" + four_values),
      Catch::Contains("executors does not fit: 117 executors need a memory_limit of 516MiB"));
  CHECK_THAT(error_of("memory_limit = \"64MiB\"\nexecutors = 5\n" + four_values),
             Catch::Contains("is enough for 4"));
}

TEST_CASE("a batch as one transaction is refused where nothing is one") {
  const std::string weak = "delivery = \"at_least_once\"\n";
  const std::string batch = "[batch]\ncommit = \"batch\"\n";
  CHECK(error_of(weak + four_values + batch) ==
        "clicks.toml: batch.commit = \"batch\" needs delivery = \"exactly_once\"");
  CHECK(with("", batch).pipeline.commit == core::CommitUnit::batch);
  CHECK(with(weak, "[batch]\ncommit = \"auto\"\n").pipeline.delivery == Delivery::at_least_once);
}
