// Rules of columns as a configuration writes them, and what people are told otherwise.
#include <string>

#include "app/pipeline_config.hpp"
#include "configured.hpp"
#include "support/catch.hpp"

using namespace semel;
using test::postgres_of;

namespace {

const std::string mandatory = R"(name = "clicks"
[source.kafka]
brokers = "localhost:9092"
topics  = ["clicks"]
[sink.postgres]
dsn   = "postgresql://localhost/shop"
table = "clicks"
)";

Result<app::PipelineConfig> read_with(const std::string& rule) {
  return app::parse(mandatory + "columns = { d = { " + rule + " } }\n", "clicks.toml");
}

/// The rule of column d.
record::ColumnRule rules(const std::string& rule) {
  const auto config = read_with(rule);
  INFO((config ? "" : config.error().message));
  REQUIRE(config);
  return postgres_of(*config).columns.at("d");
}

std::string wrong(const std::string& rule) {
  const auto config = read_with(rule);
  REQUIRE_FALSE(config);
  CHECK(config.error().cause == Cause::configuration);
  return config.error().message;
}

}  // namespace

TEST_CASE("a rule of a column is read key by key, and what is wrong with it is told") {
  using record::ColumnRule;
  CHECK(rules("from = \"$.a\"") == ColumnRule("$.a"));
  CHECK(rules("from = [\"$.a\", \"@key\"]").from == std::vector<std::string>{"$.a", "@key"});
  CHECK(rules("unit = \"ns\"").unit == record::Unit::nanoseconds);
  CHECK(rules("format = \"%d/%m/%Y\"").format == "%d/%m/%Y");
  CHECK(rules("encoding = \"hex\"").encoding == record::Encoding::hex);
  CHECK(rules("parse = \"json\"").parse_json);
  CHECK(rules("empty = \"null\"").empty_is_null);
  CHECK(rules("null = \"default\"").null_is_absent);
  CHECK(rules("nul = \"strip\"").nul == record::Nul::strip);
  CHECK(rules("default = 1.5").if_absent == record::Constant{record::Kind::number, "1.5"});
  CHECK(rules("default = true").if_absent == record::Constant{record::Kind::boolean, "true"});
  CHECK(rules("value = \"s7\"").constant == record::Constant{record::Kind::string, "s7"});
  CHECK(wrong("unti = \"days\"") ==
        "clicks.toml:8:26: sink.postgres.columns has for d the unknown key unti. Did you mean "
        "unit?");
  CHECK_THAT(wrong("payload = \"$.a\""),
             Catch::Contains("the unknown key payload. There are from, value, unit, format, "
                             "encoding, parse, empty, null, nul, default; a column whose name has "
                             "dots stands in quotes"));
  CHECK_THAT(wrong("unit = \"hours\""),
             Catch::Contains("columns has for d a unit that must be one of \"s\", \"ms\", \"us\", "
                             "\"ns\", \"days\""));
  CHECK_THAT(wrong("format = \"%Q\""),
             Catch::Contains("a format that cannot be read: format = \"%Q\": %Q is none of"));
  CHECK_THAT(wrong("from = []"), Catch::Contains("a from that must be a path, or a list of paths"));
  CHECK_THAT(wrong("default = nan"),
             Catch::Contains("a default that must be a string, a number or a boolean"));
  CHECK_THAT(wrong("default = 2024-01-01"), Catch::Contains("not a date or time"));
  CHECK_THAT(wrong("unit = \"s\", format = \"%F\""), Catch::Contains("there can be one"));
  CHECK_THAT(wrong("value = 1, from = \"$.a\""), Catch::Contains("it goes alone"));
}

TEST_CASE("a part of a column's rule can be set alone") {
  const auto config =
      app::parse(mandatory + "columns = { d = { from = \"$.a\", unit = \"s\" } }\n", "clicks.toml",
                 {"sink.postgres.columns.d.unit=days", "sink.postgres.columns.e.default=5"});
  REQUIRE(config);
  const auto& columns = postgres_of(*config).columns;
  CHECK(columns.at("d").from == std::vector<std::string>{"$.a"});
  CHECK(columns.at("d").unit == record::Unit::days);
  CHECK(columns.at("e").if_absent == record::Constant{record::Kind::string, "5"});
}
