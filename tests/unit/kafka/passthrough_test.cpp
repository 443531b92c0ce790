#include "kafka/client_config.hpp"
#include "kafka/planner_client.hpp"
#include "kafka/range_reader.hpp"
#include "support/catch.hpp"

namespace semel::kafka {

using Catch::Contains;

TEST_CASE("properties of TLS and SASL are passed through") {
  CHECK(validate_passthrough({{"security.protocol", "sasl_ssl"},
                              {"sasl.mechanism", "SCRAM-SHA-512"},
                              {"sasl.username", "semel"},
                              {"sasl.password", "secret"},
                              {"client.rack", "a"},
                              {"fetch.wait.max.ms", "100"},
                              {"check.crcs", "true"}}));
}

TEST_CASE("properties that would break a promise are refused by name and with the reason") {
  const auto property = GENERATE(
      "bootstrap.servers", "metadata.broker.list", "group.id", "group.instance.id",
      "enable.auto.commit", "auto.commit.enable", "enable.auto.offset.store", "auto.offset.reset",
      "enable.partition.eof", "isolation.level", "partition.assignment.strategy",
      "allow.auto.create.topics", "error_cb", "transactional.id");
  const auto refused = validate_passthrough({{property, "1"}});
  REQUIRE_FALSE(refused);
  CHECK(refused.error().kind == ErrorKind::fatal);
  CHECK(refused.error().cause == Cause::configuration);
  CHECK_THAT(refused.error().message, Contains(std::string(property) + " may not be set"));
}

TEST_CASE("a refusal names the setting to use instead") {
  const auto told = [](const std::string& property) {
    return validate_passthrough({{property, "x"}}).error().message;
  };
  CHECK_THAT(told("bootstrap.servers"), Contains("source.kafka.brokers"));
  CHECK_THAT(told("isolation.level"), Contains("source.kafka.isolation"));
  CHECK_THAT(told("group.id"), Contains("source.kafka.group_id"));
  CHECK_THAT(told("auto.offset.reset"), Contains("source.kafka.start"));
}

TEST_CASE("checksums cannot be turned off") {
  CHECK_THAT(validate_passthrough({{"check.crcs", "false"}}).error().message,
             Contains("check.crcs"));
}

TEST_CASE("what makes librdkafka speak of a time before transactions is refused") {
  CHECK_THAT(validate_passthrough({{"api.version.request", "false"}}).error().message,
             Contains("api.version.request"));
  CHECK_THAT(validate_passthrough({{"broker.version.fallback", "0.10.0"}}).error().message,
             Contains("broker.version.fallback"));
  CHECK_THAT(validate_passthrough({{"api.version.fallback.ms", "60000"}}).error().message,
             Contains("api.version.fallback.ms"));
  CHECK(validate_passthrough({{"api.version.request", "true"}}));
}

TEST_CASE("an unknown property is a configuration error in librdkafka's words") {
  const auto refused = validate_passthrough({{"sasl.user", "x"}});
  REQUIRE_FALSE(refused);
  CHECK(refused.error().cause == Cause::configuration);
  CHECK_THAT(refused.error().message, Contains("No such configuration property: \"sasl.user\""));
}

TEST_CASE("a bad value is told, a bad secret is not") {
  CHECK_THAT(validate_passthrough({{"security.protocol", "tls"}}).error().message,
             Contains("security.protocol") && Contains("tls"));
  const auto refused = validate_passthrough({{"sasl.oauthbearer.method", "hunter2"}});
  REQUIRE_FALSE(refused);
  CHECK_THAT(refused.error().message, Contains("sasl.oauthbearer.method") && !Contains("hunter2"));
}

TEST_CASE("a client with a refused property does not start") {
  Options options{.brokers = "127.0.0.1:1", .topics = {"t"}};
  options.librdkafka["isolation.level"] = "read_uncommitted";
  CHECK_FALSE(PlannerClient::connect(options, "p"));
  CHECK_FALSE(RangeReader::connect(options, "p"));
}

TEST_CASE("what librdkafka refuses only when a client is made is a configuration error, not a crash") {
  struct Case {
    std::map<std::string, std::string> properties;
    std::string named;
  };
  const std::map<std::string, std::string> ssl{{"security.protocol", "ssl"}};
  const auto with = [&ssl](const std::string& property, const std::string& value) {
    auto properties = ssl;
    properties[property] = value;
    return properties;
  };
  const auto sasl = [](const std::string& mechanism) {
    return std::map<std::string, std::string>{{"security.protocol", "SASL_PLAINTEXT"},
                                              {"sasl.mechanisms", mechanism}};
  };
  const std::vector<Case> cases{
      {with("ssl.ca.location", "/nope.pem"), "ssl.ca.location"},
      {with("ssl.ca.location", "/etc/hostname"), "ssl.ca.location"},
      {with("ssl.certificate.location", "/nope.crt"), "ssl.certificate.location"},
      {with("ssl.key.location", "/nope.key"), "ssl.key.location"},
      {with("ssl.crl.location", "/nope.crl"), "ssl.crl.location"},
      {with("ssl.ca.pem", "xx"), "ssl.ca.pem"},
      {with("ssl.key.pem", "xx"), "ssl.key.pem"},
      {with("ssl.certificate.pem", "xx"), "ssl.certificate.pem"},
      {with("ssl.cipher.suites", "FOO"), "ssl.cipher.suites"},
      {with("ssl.curves.list", "FOO"), "ssl.curves.list"},
      {with("ssl.keystore.location", "/nope.p12"), "ssl.keystore"},
      {sasl("FOO"), "sasl.mechanisms"},
      {sasl("PLAIN"), "sasl.username"},
      {sasl("SCRAM-SHA-7"), "sasl.username"},
      {sasl("SCRAM-SHA-512"), "sasl.username"},
      // Found before any client is there, and for one kind of client only.
      {{{"message.max.bytes", "1000000000"}}, "fetch.max.bytes"},
  };
  for (const auto& [properties, named] : cases) {
    CAPTURE(named, properties.begin()->first);
    Options options{.brokers = "127.0.0.1:1", .topics = {"t"}};
    options.librdkafka = properties;
    const auto reader = RangeReader::connect(options, "p");
    REQUIRE_FALSE(reader);
    CHECK(reader.error().kind == ErrorKind::fatal);
    CHECK(reader.error().cause == Cause::configuration);
    CHECK_THAT(reader.error().message, Contains(named) && !Contains("\n"));
    if (named == "fetch.max.bytes") continue;
    const auto planner = PlannerClient::connect(options, "p");
    REQUIRE_FALSE(planner);
    CHECK_THAT(planner.error().message, Contains(named));
  }
}

TEST_CASE("what is promised is stronger than what is passed through") {
  Options options{.brokers = "127.0.0.1:1", .isolation = Isolation::read_uncommitted};
  options.librdkafka["fetch.wait.max.ms"] = "123";
  const auto conf = reader_config(options, "clicks");
  REQUIRE(conf);
  const auto value = [&](const char* property) {
    char text[128];
    std::size_t size = sizeof text;
    REQUIRE(rd_kafka_conf_get(conf->get(), property, text, &size) == RD_KAFKA_CONF_OK);
    return std::string(text);
  };
  CHECK(value("fetch.wait.max.ms") == "123");
  CHECK(value("isolation.level") == "read_uncommitted");
  CHECK(value("check.crcs") == "true");
  CHECK(value("enable.partition.eof") == "true");
  CHECK(value("enable.auto.commit") == "false");
  CHECK(value("client.id") == "semel-clicks");
}

TEST_CASE("brokers must be named") {
  CHECK_THAT(PlannerClient::connect({}, "p").error().message, Contains("source.kafka.brokers"));
}

}  // namespace semel::kafka
