// Whatever `semel run` would refuse of Kafka's side, `semel check` refuses, in the same words.
#include <fmt/format.h>
#include <regex>

#include "integration/cli/setup.hpp"
#include "support/catch.hpp"
#include "support/hostile_kafka.hpp"
#include "support/servers.hpp"

using namespace semel::test;
using Catch::Contains;

namespace {

const std::vector<std::string> skip{"--set", "on_data_loss=skip"};

std::vector<std::string> once(std::vector<std::string> args = {}) {
  args.emplace_back("--once");
  return args;
}

/// What the program said last, without the "semel: ".
std::string error_of(const ProcessResult& result) {
  const auto at = result.err.rfind("semel: ");
  REQUIRE(at != std::string::npos);
  return result.err.substr(at + 7, result.err.find('\n', at) - at - 7);
}

/// Without its numbers: which partition is found out first, and checksums, are as they come.
std::string masked(std::string text) {
  static const std::regex numbers("\\b[0-9a-f]*[0-9][0-9a-f]*(ms)?\\b");
  return std::regex_replace(text, numbers, "#");
}

/// The same exit code, and what run ends with is among what check finds.
void expect_both_refuse(const Setup& setup, int code, const std::vector<std::string>& args = {}) {
  const auto checked = setup.run("check", args);
  const auto ran = setup.run("run", once(args));
  CAPTURE(checked.out, checked.err, ran.err);
  CHECK(ran.code == code);
  CHECK(checked.code == code);
  CHECK_THAT(masked(checked.out), Contains("✗ " + masked(error_of(ran))));
}

/// check finds all in order, having said this, and run moves on.
void expect_both_go_on(const Setup& setup, const std::string& said,
                       const std::vector<std::string>& args = {}) {
  const auto checked = setup.run("check", args);
  CAPTURE(checked.out, checked.err);
  CHECK(checked.code == 0);
  CHECK_THAT(checked.out, Contains(said));
  const auto ran = setup.run("run", once(args));
  CAPTURE(ran.err);
  CHECK(ran.code == 0);
}

int broker_port() {
  const auto address = KafkaServer::shared().bootstrap_servers();
  return std::stoi(address.substr(address.rfind(':') + 1));
}

}  // namespace

TEST_CASE("a position that is not in the log is refused by check where run refuses it") {
  if (!kafka_available()) return;
  auto& kafka = KafkaServer::shared();
  Setup setup(2);
  setup.produce(10, 0);
  setup.produce(10, 1);
  drain(setup);
  const auto made_anew_with = [&](int records) {
    kafka.delete_topic(setup.topic());
    kafka.create_topic(setup.topic(), 2);
    setup.produce(records, 0);
    setup.produce(records, 1);
  };
  SECTION("the topic was made anew, and is shorter") {
    made_anew_with(5);
    expect_both_refuse(setup, 6);
  }
  SECTION("the topic was made anew, and is longer") {
    made_anew_with(20);
    expect_both_refuse(setup, 6);
    expect_both_go_on(setup, "skip", skip);
  }
  SECTION("records of one partition were deleted before they were read") {
    setup.produce(10, 0);
    setup.produce(10, 1);
    kafka.delete_records(setup.topic(), 1, 15);
    expect_both_refuse(setup, 6);
    expect_both_go_on(setup, "skip", skip);
    CHECK(setup.value("SELECT count(*) FROM events") == "35");
  }
  SECTION("a hand set it past the end") {
    REQUIRE(setup.run("offsets", {"set", setup.topic() + ":1=5000", "--force"}).code == 0);
    expect_both_refuse(setup, 6, skip);
    // Nothing is known of what waits there.
    const auto status = setup.run("status", {"--max-lag", "1000"});
    CAPTURE(status.out, status.err);
    CHECK(status.code == 9);
    CHECK_THAT(status.out,
               Contains(setup.topic() + "[1]: offset 5,000 is past the end of the log, 10"));
    CHECK_THAT(status.out, Contains("lag unknown"));
  }
}

TEST_CASE("a partition that a topic does not have is no place to start") {
  if (!kafka_available()) return;
  Setup setup(2);
  setup.produce(10);
  const auto start = [&](const std::string& partitions) -> std::vector<std::string> {
    return {"--set",
            fmt::format("source.kafka.start={{ \"{}\" = {{ {} }}, \"u\" = {{ 0 = 0 }} }}",
                        setup.topic(), partitions),
            "--set",
            "source.kafka.topic_pattern=" + setup.topic(),
            "--set",
            "source.kafka.topics=[]"};
  };
  expect_both_refuse(setup, 2, start("0 = 3, 1 = 0, 7 = 9"));
  CHECK_THAT(setup.run("check", start("0 = 3, 1 = 0, 7 = 9")).out,
             Contains(setup.topic() + "[7]") && Contains("2 partitions"));
  CHECK(setup.value("SELECT count(*) FROM semel_progress") == "0");
  expect_both_go_on(setup, "start: found in every partition", start("0 = 3, 1 = 0"));
  // What the ledger knows wins: partitions come and go, and `start` is of the first day.
  expect_both_go_on(setup, "start: not needed", start("0 = 3, 1 = 0, 7 = 9"));
  KafkaServer::shared().add_partitions(setup.topic(), 3);
  expect_both_go_on(setup, "start: ", start("0 = 3, 1 = 0"));
  CHECK(setup.value("SELECT count(*) FROM semel_progress") == "3");
}

TEST_CASE("a partition without a leader is told by check, and refuses no other") {
  if (!kafka_available()) return;
  Setup setup(2);
  setup.produce(10, 0);
  setup.produce(10, 1);
  HostileKafka proxy(broker_port());
  const std::vector<std::string> through{"--set", "source.kafka.brokers=" + proxy.address()};
  proxy.leaderless(setup.topic(), 1);
  const auto checked = setup.run("check", through);
  CAPTURE(checked.out, checked.err);
  CHECK(checked.code == 0);
  CHECK_THAT(checked.out, Contains(setup.topic() + "[1]: the partition has no leader"));
  proxy.leaderless(setup.topic(), 0);
  CHECK(setup.run("check", through).code == 3);
}

TEST_CASE("a login that Kafka refuses is told as that by check and by run") {
  if (!kafka_available()) return;
  Setup setup;
  HostileKafka proxy(broker_port());
  proxy.refuse_logins(true);
  const std::vector<std::string> login{
      "--set", "source.kafka.brokers=" + proxy.address(), "--set",
      "source.kafka.librdkafka={ \"security.protocol\" = \"SASL_PLAINTEXT\", \"sasl.mechanisms\" = "
      "\"PLAIN\", \"sasl.username\" = \"semel\", \"sasl.password\" = \"hunter2\" }"};
  expect_both_refuse(setup, 3, login);
  const auto checked = setup.run("check", login);
  CHECK_THAT(checked.out, Contains("refuses the login") && !Contains("hunter2"));
}
