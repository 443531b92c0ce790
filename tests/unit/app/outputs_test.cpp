// A file with several sinks.
#include "app/outputs.hpp"

#include "app/formats.hpp"

#include "postgres/options.hpp"
#include "support/catch.hpp"

using namespace semel;

namespace {

const std::string tp = R"(name = "clicks"
[source.kafka]
brokers = "localhost:9092"
topics  = ["clicks"]
)";
const std::string first = "[sink.postgres]\ndsn = \"host=a\"\ntable = \"clicks\"\n";
const std::string second = "[sink.other]\ndsn = \"host=b\"\ntable = \"archive\"\n";

Result<app::PipelineConfig> parse(const std::string& text) {
  return app::parse(text, "clicks.toml");
}

app::PipelineConfig good(const std::string& text) {
  auto config = parse(text);
  INFO((config ? "" : config.error().message));
  REQUIRE(config.has_value());
  return *std::move(config);
}

std::string error_of(const std::string& text) {
  const auto config = parse(text);
  REQUIRE_FALSE(config.has_value());
  CHECK(config.error().cause == Cause::configuration);
  return config.error().message;
}

std::vector<std::string> names_of(const app::PipelineConfig& config) {
  std::vector<std::string> names;
  for (const auto& output : app::outputs_of(config)) names.push_back(output.name());
  return names;
}

}  // namespace

TEST_CASE("every sink section is an output, with the options of its own section") {
  const auto outputs = app::outputs_of(good(tp + first + second));
  REQUIRE(outputs.size() == 2);
  CHECK(outputs[0].target() == "postgres table clicks");
  CHECK(outputs[1].target() == "postgres table archive");
}

TEST_CASE("an output is called the same whether it stands alone or not") {
  using Names = std::vector<std::string>;
  CHECK(names_of(good(tp + first)) == Names{"default"});
  CHECK(names_of(good(tp + second)) == Names{"other"});
  CHECK(names_of(good(tp + second + first)) == Names{"default", "other"});
  CHECK(names_of(good(tp + first + "output = \"live\"\n" + second)) == Names{"live", "other"});
}

TEST_CASE("a connector in front of all others in the list takes no name from any of them") {
  const auto newest = "[sink.newest]\ndsn = \"host=c\"\ntable = \"clicks\"\n";
  CHECK(names_of(good(tp + first + newest)) == std::vector<std::string>{"newest", "default"});
}

TEST_CASE("the formats of the list are what records may be, and JSON is the first") {
  CHECK(app::all_formats().front()->name() == "json");
  CHECK(good(tp + first).format == formats::json());
  const auto other = tp.find("topics");
  REQUIRE(other != std::string::npos);
  const auto with = [&](const std::string& name) {
    return std::string(tp).insert(other, "value = \"" + name + "\"\n") + first;
  };
  CHECK(good(with("raw")).format == formats::raw());
  CHECK_THAT(error_of(with("avro")), Catch::Contains("json") && Catch::Contains("raw"));
}

TEST_CASE("two outputs of one name are refused") {
  CHECK(error_of(tp + first + second + "output = \"default\"\n") ==
        "clicks.toml: sink.other.output is \"default\", as that of sink.postgres: give each output "
        "a name of its own");
}

TEST_CASE("an output's name is safe as a directory") {
  CHECK_THAT(error_of(tp + first + "output = \"../x\"\n"),
             Catch::Contains("letters, digits and _ - only"));
  CHECK_THAT(error_of(tp + first + "output = \"\"\n"), Catch::Contains("must not be empty"));
}

TEST_CASE("what a sink requires is required where its section is there") {
  CHECK_THAT(error_of(tp + first + "[sink.other]\n"),
             Catch::Contains("sink.other.dsn is missing") && !Catch::Contains("sink.postgres"));
}

TEST_CASE("a file without a sink is told all that there are") {
  CHECK(error_of(tp) ==
        "clicks.toml: a sink is missing: add one of the sections [sink.newest], [sink.postgres], "
        "[sink.other]. A sink of a program's own is run, shown and moved by that program");
}

TEST_CASE("rules between settings of one sink are said of that sink") {
  CHECK_THAT(error_of(tp + first + second + "[sink.other.ledger]\ncommits = \"semel_owners\"\n"),
             Catch::Contains("sink.other.ledger.commits is \"semel_owners\" as well"));
}

TEST_CASE("several outputs need memory for the executors of each") {
  const auto text = "executors = 8\nmemory_limit = \"100MiB\"\n" + tp + first;
  CHECK(names_of(good(text)).size() == 1);
  CHECK(error_of(text + second) ==
        "clicks.toml: memory_limit is too low for 2 outputs with 8 executors each: 128MiB is the "
        "least");
}

TEST_CASE("what is shown of several sinks is read again") {
  const auto config = good(tp + first + second + "output = \"archive\"\n");
  const auto shown = app::render(config);
  const auto again = good(shown);
  CHECK(app::render(again) == shown);
  CHECK(names_of(again) == std::vector<std::string>{"default", "archive"});
  CHECK_THAT(app::render(good(tp + second)), !Catch::Contains("[sink.postgres]"));
}
