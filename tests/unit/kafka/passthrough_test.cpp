#include "kafka/passthrough.hpp"
#include "kafka/broker_list.hpp"
#include "kafka/client_config.hpp"
#include "kafka/planner_client.hpp"
#include "kafka/range_reader.hpp"
#include "support/catch.hpp"

namespace semel::kafka {

using Catch::Contains;
using Catch::StartsWith;

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

TEST_CASE(
    "of a sink is refused what would break a promise of a sink, and what a source is refused") {
  const auto told = [](const std::string& property) {
    const auto checked = validate_passthrough({{property, "1"}}, Use::sink);
    return checked ? "" : checked.error().message;
  };
  CHECK_THAT(told("transactional.id"),
             StartsWith("sink.kafka.librdkafka: transactional.id may not"));
  CHECK_THAT(told("acks"), Contains("may not be set"));
  CHECK_THAT(told("transaction.timeout.ms"), Contains("sink.kafka.transaction_timeout"));
  CHECK_THAT(told("bootstrap.servers"), Contains("sink.kafka.brokers"));
  CHECK_THAT(told("isolation.level"), Contains("may not be set"));
  CHECK_THAT(told("dr_msg_cb"), Contains("may not be set"));
  CHECK(told("linger.ms").empty());
  CHECK(validate_passthrough({{"compression.codec", "zstd"}}, Use::sink));
  CHECK_THAT(
      validate_passthrough({{"sasl.password", "x"}, {"nonsense", "1"}}, Use::sink).error().message,
      Contains("sink.kafka.librdkafka: nonsense"));
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

TEST_CASE("a property that is on or off is read as librdkafka reads it") {
  for (const auto* property : {"check.crcs", "api.version.request"}) {
    for (const auto* on : {"true", "TRUE", "True", "t", "1"}) {
      CAPTURE(property, on);
      CHECK(validate_passthrough({{property, on}}));
    }
    for (const auto* off : {"false", "FALSE", "f", "0"}) {
      CAPTURE(property, off);
      CHECK_THAT(validate_passthrough({{property, off}}).error().message,
                 Contains("cannot be turned off"));
    }
    for (const auto* neither : {"yes", "on", "", "2"}) {
      CAPTURE(property, neither);
      CHECK_THAT(validate_passthrough({{property, neither}}).error().message,
                 Contains(property) && !Contains("turned off"));
    }
  }
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

TEST_CASE(
    "what librdkafka refuses only when a client is made is a configuration error, not a crash") {
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

TEST_CASE("brokers are hosts with a port, or without") {
  const auto read = [](const std::string& text) { return broker_list(text).value(); };
  CHECK(read("localhost:9092") == "localhost:9092");
  CHECK(read("localhost") == "localhost");
  CHECK(read(" a.example.org:1 ,\tb-1_x:65535 , 10.0.0.1:9092") ==
        "a.example.org:1,b-1_x:65535,10.0.0.1:9092");
  CHECK(read("[::1]:9092,[fe80::1%eth0]") == "[::1]:9092,[fe80::1%eth0]");
}

TEST_CASE("an address that no broker can have is refused with what to write") {
  const auto said = [](const std::string& text) {
    const auto list = broker_list(text);
    REQUIRE_FALSE(list);
    CHECK(list.error().kind == ErrorKind::fatal);
    CHECK(list.error().cause == Cause::configuration);
    return list.error().message;
  };
  for (const auto* port :
       {"abc", "0", "65536", "99999", "-1", "+1", "9092x", "9 092", "", "18446744073709560708"}) {
    CAPTURE(port);
    CHECK_THAT(said("good:1,nonsense:" + std::string(port)),
               Contains("nonsense") && Contains("1 to 65535"));
  }
  CHECK_THAT(said("http://127.0.0.1:29392"),
             Contains("\"http://127.0.0.1:29392\"") && Contains("write 127.0.0.1:29392"));
  CHECK_THAT(said("SSL://a:9093"), Contains("write a:9093") && Contains("security.protocol"));
  CHECK_THAT(said("kafka://"), Contains("host:port"));
  for (const auto* list : {"", " ", ",", "a:1,", ",a:1", "a:1,,b:1", "a:1, ,b:1"}) {
    CAPTURE(list);
    CHECK_THAT(said(list), Contains("empty") && Contains("host:port"));
  }
  CHECK_THAT(said("::1"), Contains("[::1]"));
  CHECK_THAT(said("fe80::1:9092"), Contains("brackets"));
  for (const auto* host :
       {":9092", "a b:9092", "a/b:9092", "[::1:9092", "a;b:9092", "[]:9092", "[::1]9092"}) {
    CAPTURE(host);
    CHECK_THAT(said(host), Contains("host:port"));
  }
  // Whoever writes a login there writes a password.
  CHECK_THAT(said("kafka://app:hunter2@a:9092"), !Contains("hunter2") && Contains("sasl.password"));
  CHECK_THAT(said("app:hunter2@a:9092"), !Contains("hunter2"));
}

}  // namespace semel::kafka
