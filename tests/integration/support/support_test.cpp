// The tests' own tools: what they promise to the other tests.
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "support/catch.hpp"
#include "support/kafka_producer.hpp"
#include "support/process.hpp"
#include "support/servers.hpp"

using namespace semel::test;

TEST_CASE("a process's output, exit code and signal are reported") {
  const ProcessResult done =
      run({.argv = {"sh", "-c", "cat; echo oops >&2; exit 7"}, .input = "in"});
  CHECK(done.code == 7);
  CHECK(done.out == "in");
  CHECK(done.err == "oops\n");

  Process sleeper({.argv = {"sleep", "1000"}});
  CHECK(sleeper.running());
  CHECK(sleeper.kill().signal == SIGKILL);
  CHECK_FALSE(sleeper.running());
}

TEST_CASE("what a killed test leaves behind is cleaned up by its janitor") {
  // A child with a janitor of its own: it starts a program, makes a directory and is killed.
  int ends[2];
  REQUIRE(::pipe(ends) == 0);
  const pid_t self_as_test = ::fork();
  if (self_as_test == 0) {
    char fd[16];
    std::snprintf(fd, sizeof fd, "%d", ends[1]);
    ::setenv("SEMEL_TEST_VICTIM", fd, 1);
    ::execl("/proc/self/exe", "victim", "[.victim]", nullptr);
    ::_exit(127);
  }
  ::close(ends[1]);
  char buffer[4096];
  const auto got = ::read(ends[0], buffer, sizeof buffer);
  ::close(ends[0]);
  REQUIRE(got > 0);
  const std::string said(buffer, static_cast<std::size_t>(got));
  const std::string pid = said.substr(0, said.find(' '));
  const std::string directory = said.substr(said.find(' ') + 1);
  REQUIRE(std::filesystem::exists(directory));
  REQUIRE(::kill(std::stoi(pid), 0) == 0);

  ::kill(self_as_test, SIGKILL);
  int status = 0;
  ::waitpid(self_as_test, &status, 0);
  CHECK(eventually([&] { return !std::filesystem::exists(directory); }));
  CHECK(eventually([&] { return read_file("/proc/" + pid + "/cmdline").empty(); }));
}

TEST_CASE("the victim of the janitor's test", "[.victim]") {
  const char* fd = std::getenv("SEMEL_TEST_VICTIM");
  REQUIRE(fd != nullptr);
  const TempDir directory("semel-victim");
  Process sleeper({.argv = {"sleep", "1000"}});
  const std::string said = std::to_string(sleeper.pid()) + " " + directory.path().string();
  REQUIRE(::write(std::stoi(fd), said.data(), said.size()) == static_cast<ssize_t>(said.size()));
  sleeper.wait(std::chrono::minutes(5));
}

TEST_CASE("the throwaway database keeps what was committed over a stop and over a crash") {
  PostgresServer& server = PostgresServer::shared();
  const std::string dsn = server.create_database();
  PostgresServer::execute(dsn, "CREATE TABLE t AS SELECT 1 AS i");
  const int port = server.port();
  server.stop();
  CHECK_THROWS(PostgresServer::value(dsn, "SELECT 1"));
  server.start();
  PostgresServer::execute(dsn, "INSERT INTO t VALUES (2)");
  server.kill();
  CHECK_THROWS(PostgresServer::value(dsn, "SELECT 1"));
  server.start();
  CHECK(server.port() == port);
  CHECK(PostgresServer::value(dsn, "SELECT sum(i) FROM t") == "3");
}

TEST_CASE("a member of password_login is refused without its password") {
  PostgresServer& server = PostgresServer::shared();
  const std::string dsn = server.dsn();
  PostgresServer::execute(
      dsn, "CREATE ROLE somebody LOGIN PASSWORD 'right'; GRANT password_login TO somebody");
  const std::string at = "@127.0.0.1:" + std::to_string(server.port()) + "/postgres";
  CHECK(PostgresServer::value("postgresql://somebody:right" + at, "SELECT 1") == "1");
  CHECK_THROWS_WITH(PostgresServer::value("postgresql://somebody:wrong" + at, "SELECT 1"),
                    Catch::Contains("password authentication failed"));
}

TEST_CASE("the throwaway broker keeps its records over a stop and over a crash") {
  if (!kafka_available()) return;
  KafkaServer& server = KafkaServer::shared();
  const std::string topic = unique_name("support");
  server.create_topic(topic, 2, {{"cleanup.policy", "delete"}});
  const auto produce = [&](int partition) {
    KafkaProducer producer(server.bootstrap_servers());
    producer.produce(topic, partition, "key", "value", {{"name", "content"}, {"empty", {}}}, 1234);
    producer.flush();
    return producer.last_offset(topic, partition);
  };
  CHECK(produce(1) == 0);
  server.stop();
  server.start();
  CHECK(produce(1) == 1);
  server.kill();
  server.start();
  CHECK(produce(1) == 2);
  CHECK(produce(0) == 0);
  server.add_partitions(topic, 3);
  server.delete_records(topic, 1, 2);
  server.delete_topic(topic);
  server.create_topic(topic, 1);
  CHECK(produce(0) == 0);
}

TEST_CASE("transactions leave their markers in the log") {
  if (!kafka_available()) return;
  KafkaServer& server = KafkaServer::shared();
  const std::string topic = unique_name("support");
  server.create_topic(topic, 1);
  KafkaProducer producer(server.bootstrap_servers(), {{"transactional.id", topic}});
  producer.begin();
  producer.produce(topic, 0, {}, "committed");
  producer.commit();
  producer.begin();
  producer.produce(topic, 0, {}, "aborted");
  producer.abort();
  producer.begin();
  producer.produce(topic, 0, {}, "committed");
  producer.commit();
  CHECK(producer.last_offset(topic, 0) == 4);  // 0, marker, 2, marker, 4
}
