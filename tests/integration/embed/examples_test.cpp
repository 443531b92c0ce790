// The examples of this library's own features, as a user builds and runs them.
#include <sys/socket.h>
#include <unistd.h>

#include <csignal>
#include <sstream>

#include "bench/data/embedded_broker.hpp"
#include "integration/embed/installed.hpp"
#include "support/catch.hpp"
#include "support/kafka_producer.hpp"
#include "support/loopback.hpp"
#include "support/servers.hpp"

using namespace semel;
using namespace semel::test;

namespace {

/// A broker with topics of two partitions, and a database.
struct Servers {
  std::unique_ptr<kafka::EmbeddedBroker> broker = kafka::EmbeddedBroker::start().value();
  std::string dsn = PostgresServer::shared().create_database();

  std::vector<std::string> arguments(bool once = true) const {
    std::vector<std::string> all{broker->bootstrap_servers(), dsn};
    if (once) all.emplace_back("--once");
    return all;
  }
  /// Records `value(i)` for i in [0, count).
  template <class Value>
  void produce(const std::string& topic, int count, Value value) const {
    broker->create_topic(topic, 2).value();
    KafkaProducer producer(broker->bootstrap_servers());
    for (int i = 0; i < count; ++i) producer.produce(topic, i % 2, std::nullopt, value(i));
    producer.flush();
  }
  std::string value(const std::string& query) const { return PostgresServer::value(dsn, query); }
};

const ExampleTest first_pipeline("first_pipeline");
const ExampleTest several_pipelines("several_pipelines");
const ExampleTest json_filter("json_filter");
const ExampleTest topic_to_topic("topic_to_topic");
const ExampleTest own_sink("own_sink");
const ExampleTest word_count("word_count");
const ExampleTest receive_orders("receive_orders");
const ExampleTest word_count_test("word_count_test");
const ExampleTest clicks("clicks");
const ExampleTest clicks_test("clicks_test");

/// The blocks of that language in a section of the guide to streams.
std::vector<std::string> blocks_of_streams(const std::string& language,
                                           const std::string& heading) {
  auto page = read_file(SEMEL_SOURCE_ROOT "/docs/guides/streams.md");
  page = page.substr(page.find("\n## " + heading + "\n") + 1);
  page = page.substr(0, page.find("\n## "));
  const auto opening = "```" + language + "\n";
  std::vector<std::string> blocks;
  for (auto at = page.find(opening); at != std::string::npos; at = page.find(opening, at)) {
    at += opening.size();
    blocks.push_back(page.substr(at, page.find("```", at) - at));
  }
  return blocks;
}

}  // namespace

TEST_CASE("example first_pipeline is the program of the guide, and does what semel run does") {
  const auto program = read_file(SEMEL_SOURCE_ROOT "/examples/first_pipeline.cpp");
  CHECK_THAT(read_file(SEMEL_SOURCE_ROOT "/docs/guides/library.md"), Catch::Contains(program));
  const auto way = GENERATE(from_range(Installed::ways("first_pipeline")));
  const Servers servers;
  PostgresServer::execute(servers.dsn, "CREATE TABLE clicks (id bigint)");
  servers.produce("clicks", 30, [](int i) { return R"({"id": )" + std::to_string(i) + "}"; });
  const TempDir dir;
  write_file(dir.path() / "clicks.toml",
             "name = \"clicks\"\n[source.kafka]\nbrokers = \"" +
                 servers.broker->bootstrap_servers() +
                 "\"\ntopics = [\"clicks\"]\n[sink.postgres]\ndsn = \"" + servers.dsn +
                 "\"\ntable = \"clicks\"\n");
  const auto run = [&](const std::string& file) {
    return test::run(Installed::shared().example("first_pipeline", way, {dir / file}));
  };
  CHECK(run("clicks.toml").out == "30 rows\n");
  CHECK(servers.value("SELECT count(DISTINCT id) || ' ' || count(*) FROM clicks") == "30 30");
  const auto failed = run("none.toml");
  CHECK(failed.code == 1);
  CHECK_THAT(failed.err, Catch::Contains("none.toml"));
}

TEST_CASE("example several_pipelines moves two topics side by side, and stops by itself") {
  const auto way = GENERATE(from_range(Installed::ways("several_pipelines")));
  const Servers servers;
  PostgresServer::execute(servers.dsn,
                          "CREATE TABLE orders (id bigint, amount numeric);"
                          "CREATE TABLE clicks (id bigint, page text)");
  servers.produce("orders", 100,
                  [](int i) { return R"({"id": )" + std::to_string(i) + R"(, "amount": 1.5})"; });
  servers.produce("clicks", 50,
                  [](int i) { return R"({"id": )" + std::to_string(i) + R"(, "page": "/"})"; });
  const auto out =
      succeed(Installed::shared().example("several_pipelines", way, servers.arguments()));
  CHECK(servers.value("SELECT count(*) || ' ' || sum(amount) FROM orders") == "100 150.0");
  CHECK(servers.value("SELECT count(DISTINCT id) || ' ' || count(*) FROM clicks") == "50 50");
  CHECK_THAT(out, Catch::Contains("orders: 100 rows, ended in good order") &&
                      Catch::Contains("clicks: 50 rows, ended in good order"));
}

TEST_CASE("example several_pipelines is stopped by a signal, which its own thread takes") {
  const Servers servers;
  PostgresServer::execute(servers.dsn,
                          "CREATE TABLE orders (id bigint, amount numeric);"
                          "CREATE TABLE clicks (id bigint, page text)");
  servers.produce("orders", 10, [](int i) { return R"({"id": )" + std::to_string(i) + "}"; });
  servers.produce("clicks", 10, [](int i) { return R"({"id": )" + std::to_string(i) + "}"; });
  Process process(
      Installed::shared().example("several_pipelines", Way::pkg_config, servers.arguments(false)));
  REQUIRE(eventually([&] {
    return servers.value("SELECT (SELECT count(*) FROM orders) + (SELECT count(*) FROM clicks)") ==
           "20";
  }));
  process.signal(SIGTERM);
  const auto ended = process.wait(std::chrono::minutes(1));
  REQUIRE(ended);
  INFO(process.out() << process.err());
  CHECK(ended->code == 0);
  CHECK(servers.value("SELECT count(*) FROM semel_owners WHERE state = 'stopped'") == "2");
}

TEST_CASE(
    "example several_pipelines ends where one of them fails, and does not wait for the other") {
  const Servers servers;
  PostgresServer::execute(servers.dsn, "CREATE TABLE orders (id bigint, amount numeric)");
  servers.produce("orders", 10, [](int i) { return R"({"id": )" + std::to_string(i) + "}"; });
  servers.produce("clicks", 10, [](int i) { return R"({"id": )" + std::to_string(i) + "}"; });
  // No table for clicks, and nobody stops it.
  const auto ended = run(
      Installed::shared().example("several_pipelines", Way::pkg_config, servers.arguments(false)));
  CHECK(ended.code == 1);
  CHECK_THAT(ended.out, Catch::Contains("clicks: 0 rows") && Catch::Contains("clicks"));
}

TEST_CASE("example json_filter leaves out what the function in C++ does not want") {
  const auto way = GENERATE(from_range(Installed::ways("json_filter")));
  const Servers servers;
  PostgresServer::execute(servers.dsn,
                          "CREATE TABLE payments (id bigint, account text, amount numeric)");
  servers.produce("payments", 300, [](int i) {
    return R"({"id":)" + std::to_string(i) + R"(,"account":")" + (i % 3 == 0 ? "test-" : "shop-") +
           std::to_string(i % 7) + R"(","amount":2})";
  });
  const auto out = succeed(Installed::shared().example("json_filter", way, servers.arguments()));
  CHECK(servers.value("SELECT count(*) || ' ' || count(DISTINCT id) FROM payments") == "200 200");
  CHECK(servers.value("SELECT count(*) FROM payments WHERE id % 3 = 0") == "0");
  CHECK_THAT(out, Catch::Contains("200 rows, 100 left out"));
}

// Transactions need the real broker.
TEST_CASE("example topic_to_topic copies once, and goes on where it stopped") {
  if (!kafka_available()) return;
  const auto way = GENERATE(from_range(Installed::ways("topic_to_topic")));
  auto& kafka = KafkaServer::shared();
  const auto from = unique_name("from");
  const auto to = unique_name("to");
  kafka.create_topic(from, 2);
  kafka.create_topic(to, 2);
  KafkaProducer producer(kafka.bootstrap_servers());
  for (const auto* records : {"100 records copied\n", "100 records copied\n"}) {
    for (int i = 0; i < 100; ++i) producer.produce(from, i % 2, "key", std::to_string(i));
    producer.flush();
    const auto out = succeed(
        Installed::shared().example("topic_to_topic", way, {kafka.bootstrap_servers(), from, to}));
    CHECK(out == records);
  }
  CHECK(succeed(Installed::shared().example(
            "topic_to_topic", way, {kafka.bootstrap_servers(), from, to})) == "0 records copied\n");
}

TEST_CASE("every example has a test") {
  std::set<std::string> wanted;
  std::istringstream lines(read_file(SEMEL_SOURCE_ROOT "/examples/examples.list"));
  for (std::string line; std::getline(lines, line);) wanted.insert(line.substr(0, line.find(' ')));
  CHECK(wanted == ExampleTest::all());
  // And every source is in the list.
  for (const auto& entry : std::filesystem::directory_iterator(SEMEL_SOURCE_ROOT "/examples")) {
    if (entry.path().extension() == ".cpp") CHECK(wanted.contains(entry.path().stem().string()));
  }
}

TEST_CASE("example own_sink keeps the contract, and a pipeline writes each record into it once") {
  const auto way = GENERATE(from_range(Installed::ways("own_sink")));
  const auto kept = succeed(Installed::shared().example("own_sink", way, {}));
  CHECK_THAT(kept, Catch::StartsWith("1..") && !Catch::Contains("not ok"));
  const Servers servers;
  servers.produce("clicks", 30, [](int i) { return R"({"id": )" + std::to_string(i) + "}"; });
  KafkaProducer producer(servers.broker->bootstrap_servers());
  producer.produce("clicks", 0, "\xff\xfe", R"({"id": 30})");
  producer.produce("clicks", 0, "deep", std::string(50'000, '[') + std::string(50'000, ']'));
  producer.flush();
  const TempDir dir;
  write_file(dir.path() / "clicks.toml", "name = \"clicks\"\nstate_dir = \"" + (dir / "state") +
                                             "\"\n[source.kafka]\nbrokers = \"" +
                                             servers.broker->bootstrap_servers() +
                                             "\"\ntopics = [\"clicks\"]\n");
  for (int run = 0; run < 2; ++run) {
    succeed(Installed::shared().example("own_sink", way,
                                        {dir / "clicks.toml", dir / "store.json", "--once"}));
    // Read by somebody else.
    const auto ids = succeed(
        ProcessOptions{.argv = {"python3", "-c",
                                "import json, sys\n"
                                "output = json.load(open(sys.argv[1]))['clicks/default']\n"
                                "rows = output['rows'].values()\n"
                                "print(sorted(row['id'] for row in rows) == list(range(30)))\n"
                                "print(sorted(output['dead'].values()))\n",
                                dir / "store.json"}});
    CHECK(ids == "True\n['the key is no UTF-8', 'the value is JSON that is nested too deep']\n");
  }
  // Its operators' commands.
  const auto command = [&](std::vector<std::string> words) {
    words.insert(words.begin() + 1, {dir / "store.json", "clicks"});
    return succeed(Installed::shared().example("own_sink", way, words));
  };
  CHECK_THAT(command({"status"}),
             Catch::StartsWith("stopped: ") && Catch::EndsWith("\nclicks[0] 17\nclicks[1] 15\n"));
  CHECK(command({"verify"}) == "whole\n");
  CHECK(command({"set", "clicks:1=10"}).empty());
  CHECK_THAT(command({"status"}), Catch::EndsWith("\nclicks[0] 17\nclicks[1] 10\n"));
  succeed(Installed::shared().example("own_sink", way,
                                      {dir / "clicks.toml", dir / "store.json", "--once"}));
  CHECK_THAT(command({"status"}), Catch::EndsWith("\nclicks[0] 17\nclicks[1] 15\n"));
  CHECK(command({"verify"}) == "whole\n");
}

TEST_CASE("example word_count is the program of the guide to streams, and counts what was sent") {
  CHECK_THAT(read_file(SEMEL_SOURCE_ROOT "/examples/word_count.hpp"),
             Catch::Contains(blocks_of_streams("cpp", "A first program").at(0)));
  const auto way = GENERATE(from_range(Installed::ways("word_count")));
  const Servers servers;
  PostgresServer::execute(servers.dsn, "CREATE TABLE totals (word text, total bigint)");
  servers.produce("lines", 100, [](int i) { return i % 2 == 0 ? "to be or" : "not to be"; });
  const TempDir dir;
  const auto sqlite = [&dir](const std::string& sql) {
    return succeed({.argv = {"sqlite3", dir / "batches.db", sql}});
  };
  sqlite("CREATE TABLE batches (word TEXT, came INTEGER)");
  auto toml = blocks_of_streams("toml", "A first program").at(0);
  for (const auto& [from, to] :
       std::map<std::string, std::string>{{"localhost:9092", servers.broker->bootstrap_servers()},
                                          {"dbname=count", servers.dsn},
                                          {"batches.db", dir / "batches.db"}}) {
    toml.replace(toml.find(from), from.size(), to);
  }
  write_file(dir.path() / "count.toml", "state_dir = \"" + (dir / "state") + "\"\n" + toml);
  const auto count = [&] {
    succeed(Installed::shared().example("word_count", way, {dir / "count.toml", "--once"}));
  };
  count();
  count();
  CHECK(servers.value("SELECT string_agg(word || ' ' || t, ', ' ORDER BY word) FROM "
                      "(SELECT word, max(total) AS t FROM totals GROUP BY word) AS m") ==
        "be 100, not 50, or 50, to 100");
  CHECK(sqlite("SELECT word, sum(came) FROM batches GROUP BY word ORDER BY word") ==
        "be|100\nnot|50\nor|50\nto|100\n");
}

TEST_CASE("example receive_orders keeps what is posted, and sets aside what is bad") {
  const auto way = GENERATE(from_range(Installed::ways("receive_orders")));
  const TempDir dir;
  const auto sqlite = [&dir](const std::string& sql) {
    return succeed({.argv = {"sqlite3", dir / "orders.db", sql}});
  };
  sqlite("CREATE TABLE orders (id INTEGER, item TEXT, price REAL)");
  write_file(dir.path() / "orders.toml", "name = \"orders\"\nstate_dir = \"" + (dir / "state") +
                                             "\"\n[sink.sqlite]\noutput = \"orders\"\nfile = \"" +
                                             (dir / "orders.db") + "\"\ntable = \"orders\"\n");
  const auto [taken, port] = listen_on_loopback();
  ::close(taken);
  Process program(Installed::shared().example(
      "receive_orders", way, {dir / "orders.toml", "http", "127.0.0.1:" + std::to_string(port)}));
  int client = -1;
  REQUIRE(eventually([&, at = port] { return (client = connect_to_loopback(at)) >= 0; },
                     std::chrono::minutes(1)));
  const std::string body = R"({"id":1,"item":"tea","price":2.5}
{"id":2,"item":"cup","price":-1}
)";
  send_all(client, "POST / HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\nContent-Length: " +
                       std::to_string(body.size()) + "\r\n\r\n" + body);
  const auto answer = receive(client);
  ::close(client);
  CHECK_THAT(answer, Catch::StartsWith("HTTP/1.1 200"));
  // The tables are made meanwhile.
  CHECK(eventually(
      [&] {
        return run({.argv = {"sqlite3", dir / "orders.db",
                             "SELECT count(*) FROM semel_dead_letters"}})
                   .out == "1\n";
      },
      std::chrono::minutes(1)));
  program.signal(SIGTERM);
  CHECK(program.wait(std::chrono::minutes(1))->code == 0);
  CHECK(sqlite("SELECT id, item, price FROM orders") == "1|tea|2.5\n");
}

TEST_CASE("example word_count_test is what the guide to streams shows, and finds all in order") {
  const auto program = read_file(SEMEL_SOURCE_ROOT "/examples/word_count_test.cpp");
  const auto blocks = blocks_of_streams("cpp", "Testing a pipeline");
  CHECK(blocks.size() == 3);
  for (const auto& block : blocks) CHECK_THAT(program, Catch::Contains(block));
  const auto way = GENERATE(from_range(Installed::ways("word_count_test")));
  CHECK(succeed(Installed::shared().example("word_count_test", way, {})) ==
        "ok: a total goes on from batch to batch\n"
        "ok: it dies when the first output has the batch\n"
        "ok: the other has not\n"
        "ok: started anew, both have it once\n"
        "ok: whatever place it dies at, the result is the same\n");
}

TEST_CASE("example clicks looks up, finds visits and ranks pages, and its test finds so") {
  const auto way = GENERATE(from_range(Installed::ways("clicks")));
  CHECK(succeed(Installed::shared().example("clicks_test", way, {})) ==
        "ok: clicks of users that are known have their country\n"
        "ok: one of a user that nobody knows is set aside\n"
        "ok: visits end half an hour after their last click\n"
        "ok: the pages of an hour are ranked\n"
        "ok: whatever place it dies at, the result is the same\n");
  const Servers servers;
  servers.produce("clicks", 4, [](int i) {
    const int minutes[] = {0, 10, 20, 200};
    return R"({"user":"ann","page":"p)" + std::to_string(i % 2) + R"(","at_ms":)" +
           std::to_string(minutes[i] * 60'000) + "}";
  });
  const TempDir dir;
  const auto sqlite = [&dir](const std::string& sql) {
    return succeed({.argv = {"sqlite3", dir / "clicks.db", sql}});
  };
  sqlite("CREATE TABLE known (user TEXT, country TEXT, page TEXT)");
  PostgresServer::execute(
      servers.dsn,
      "CREATE TABLE visits (\"user\" text, start_ms bigint, end_ms bigint, clicks int)");
  const std::string toml =
      "name = \"clicks\"\nstate_dir = \"" + (dir / "state") + "\"\n[source.kafka]\nbrokers = \"" +
      servers.broker->bootstrap_servers() + "\"\n[sink.sqlite]\noutput = \"known\"\nfile = \"" +
      (dir / "clicks.db") + "\"\ntable = \"known\"\n" +
      "[sink.postgres]\noutput = \"visits\"\ndsn = \"" + servers.dsn +
      "\"\ntable = \"visits\"\n[sink.file]\noutput = \"top\"\ndirectory = \"" + (dir / "top") +
      "\"\n";
  succeed({.argv = {"mkdir", dir / "top"}});
  write_file(dir.path() / "clicks.toml", toml);
  write_file(dir.path() / "countries.csv", "ann,FR\nbob,DE\n");
  succeed(Installed::shared().example("clicks", way,
                                      {dir / "clicks.toml", dir / "countries.csv", "--once"}));
  CHECK(sqlite("SELECT count(*), min(country), max(country) FROM known") == "4|FR|FR\n");
  // The last click ends the first visit and its hour.
  CHECK(servers.value("SELECT string_agg(visits::text, ' ') FROM visits") == "(ann,0,3000000,3)");
  CHECK(succeed({.argv = {"sh", "-c", "find " + (dir / "top") + " -name '*.jsonl' | xargs cat"}}) ==
        "{\"hour_ms\":0,\"rank\":1,\"page\":\"p0\",\"clicks\":2}\n"
        "{\"hour_ms\":0,\"rank\":2,\"page\":\"p1\",\"clicks\":1}\n");
}
