// Whole pipelines: Kafka's stand-in, sinks in memory, restarts.
#include <functional>
#include <mutex>
#include <set>

#include <semel/forwarding.hpp>

#include "support/catch.hpp"
#include "support/sqlite_file.hpp"
#include "support/temp_dir.hpp"
#include "unit/stream/world.hpp"

namespace semel::test {

namespace {

struct Sum {
  int sum;
};

}  // namespace

TEST_CASE("records go through functions into an output, and bad ones are dead letters") {
  World world;
  world.produce("left", {"a", "b", "", "c"});
  auto pipeline = world.pipeline({"out"});
  pipeline.direct_stream({"left"})
      .map([](const stream::Message& m) -> stream::Step<std::string> {
        if (m.value().empty()) return stream::Bad{"empty"};
        return as_object(text(m));
      })
      .to("out");
  const auto done = pipeline.run();
  REQUIRE(done);
  CHECK(world.rows("out") == Values{as_object("a"), as_object("b"), as_object("c")});
  CHECK(done->rows == 3);
  CHECK(done->dead_letters == 1);
  CHECK(memory::dead_letters(*world.store("out")).size() == 1);
}

TEST_CASE("a second run goes on where the first one ended") {
  World world;
  const auto run = [&world] {
    auto pipeline = world.pipeline({"out"});
    pipeline.direct_stream({"left"}).map(text).map(as_object).to("out");
    REQUIRE(pipeline.run());
  };
  world.produce("left", {"a", "b"});
  run();
  run();
  world.produce("left", {"c"});
  run();
  CHECK(world.rows("out") == Values{as_object("a"), as_object("b"), as_object("c")});
}

TEST_CASE("several outputs have the same batches, from two topics") {
  World world;
  world.produce("left", {"a:1", "b:2", "a:3"});
  world.produce("right", {"a:10", "c:20"});
  auto pipeline = world.pipeline({"all", "joined"});
  const auto keyed = [&pipeline](const std::string& topic) {
    return pipeline.direct_stream({topic}, topic).map(text).share();
  };
  auto left = keyed("left");
  auto right = keyed("right");
  const auto key = [](const std::string& v) { return v.substr(0, 1); };
  const auto number = [](const std::string& v) { return std::stoi(v.substr(2)); };
  left.stream().union_with(right.stream()).map(as_object).to("all");
  left.stream()
      .key_by(key)
      .map_values(number)
      .reduce_by_key(std::plus<>())
      .join(right.stream().key_by(key).map_values(number).reduce_by_key(std::plus<>()))
      .map([](const std::string& k, const std::pair<int, int>& sums) {
        return as_object(k + std::to_string(sums.first) + "+" + std::to_string(sums.second));
      })
      .to("joined");
  REQUIRE(pipeline.run());
  CHECK(world.rows("all").size() == 5);
  CHECK(world.rows("joined") == Values{as_object("a4+10")});
}

TEST_CASE("an output that is added later begins where the others are") {
  World world;
  const auto run = [&world](const std::vector<std::string>& outputs) {
    auto pipeline = world.pipeline(outputs);
    auto all = pipeline.direct_stream({"left"}).map(text).map(as_object).share();
    for (const auto& output : outputs) all.stream().to(output);
    const auto done = pipeline.run();
    if (!done) FAIL(done.error().message);
  };
  world.produce("left", {"a"});
  run({"one"});
  world.produce("left", {"b"});
  run({"one", "two"});
  CHECK(world.rows("one") == Values{as_object("a"), as_object("b")});
  CHECK(world.rows("two") == Values{as_object("b")});
}

TEST_CASE("a member of rows that has no column is told by its name, once") {
  World world;
  const SqliteFile file("CREATE TABLE rows (v TEXT)");
  world.produce("left", {"a", "b", "c", "d"});
  auto config = world.config();
  config.set("sink.sqlite.file", file.path()).set("sink.sqlite.table", "rows");
  Values told;
  stream::Setup setup;
  setup.once = true;
  setup.log = [&told](LogLevel, std::string_view line) { told.emplace_back(line); };
  stream::Pipeline pipeline(config, std::move(setup));
  pipeline.direct_stream({"left"})
      .map(text)
      .map([](const std::string& v) { return R"({"v":")" + v + R"(","totl":1})"; })
      .key_by([](const std::string& row) { return row; })
      .reduce_by_key([](const std::string& row, const std::string&) { return row; })
      .map([](const std::string&, const std::string& row) { return row; })
      .to("sqlite");
  const auto done = pipeline.run();
  if (!done) FAIL(done.error().message);
  CHECK(done->unknown_fields == 4);
  CHECK(std::ranges::count_if(told, [](const auto& line) {
          return line.find("output sqlite have a member totl,") != std::string::npos;
        }) == 1);
}

TEST_CASE("an output that is added later begins where the state is") {
  World world;
  const auto run = [&world](const std::vector<std::string>& outputs) {
    auto pipeline = world.pipeline(outputs);
    auto all = pipeline.direct_stream({"left"}).map(text).share();
    all.stream()
        .key_by([](const std::string& v) { return v; })
        .map_values([](const std::string&) { return 1; })
        .update_state_by_key<int>("counts",
                                  [](const std::string&, std::span<const int> values,
                                     std::optional<int> before) -> std::optional<int> {
                                    return before.value_or(0) + static_cast<int>(values.size());
                                  })
        .map([](const std::string& k, int n) { return as_object(k + std::to_string(n)); })
        .to("counts");
    if (outputs.size() > 1) all.stream().map(as_object).to("new");
    const auto done = pipeline.run();
    if (!done) FAIL(done.error().message);
  };
  world.produce("left", {"a"});
  run({"counts"});
  world.produce("left", {"a"});
  run({"counts", "new"});
  world.produce("left", {"a"});
  run({"counts", "new"});
  CHECK(world.rows("counts") == Values{as_object("a1"), as_object("a2"), as_object("a3")});
  CHECK(world.rows("new") == Values{as_object("a"), as_object("a")});
}

TEST_CASE(
    "an output whose ledger's tables are there and hold nothing of it begins where the state is") {
  World world;
  const TempDir dir;
  const SqliteFile file("CREATE TABLE rows (v TEXT)");
  const auto run = [&](const std::string& name, const Values& outputs) {
    auto config = world.config();
    config.set("name", name);
    if (outputs.front() == "file") config.set("sink.file.directory", dir.path().string());
    if (outputs.back() == "sqlite") {
      config.set("sink.sqlite.file", file.path()).set("sink.sqlite.table", "rows");
    }
    stream::Setup setup;
    setup.once = true;
    stream::Pipeline pipeline(std::move(config), std::move(setup));
    auto all = counted(pipeline).share();
    for (const auto& output : outputs) all.stream().to(output);
    const auto done = pipeline.run();
    if (!done) FAIL(done.error().message);
  };
  world.produce("left", {"a"});
  run("streams", {"file"});
  // Another pipeline has made the tables.
  run("other", {"sqlite"});
  REQUIRE(file.value("SELECT v FROM rows") == "a1");
  world.produce("left", {"a"});
  run("streams", {"file"});
  world.produce("left", {"a"});
  run("streams", {"file", "sqlite"});
  CHECK(file.value("SELECT v FROM rows") == "a1\na3");
}

TEST_CASE("a stream without an output, and an output without a stream, are said") {
  World world;
  auto none = world.pipeline({"out"});
  CHECK_THAT(none.run().error().message, Catch::Contains("no stream leads to an output"));
  auto other = world.pipeline({"out"});
  other.direct_stream({"left"}).to("elsewhere");
  CHECK_THAT(other.run().error().message, Catch::Contains("leads to output elsewhere"));
  auto left_out = world.pipeline({"out", "more"});
  left_out.direct_stream({"left"}).to("out");
  CHECK_THAT(left_out.run().error().message, Catch::Contains("no stream leads to output more"));
}

TEST_CASE("a stream that needs transactions says so of an output that has none") {
  World world;
  const auto told = [&world](const auto& build, const std::string& delivery) {
    auto config = world.config();
    config.set("sink.console.output", "out");
    if (!delivery.empty()) config.set("delivery", delivery);
    stream::Pipeline pipeline(config);
    build(pipeline);
    const auto done = pipeline.run();
    REQUIRE_FALSE(done);
    CHECK(done.error().cause == Cause::configuration);
    CHECK_THAT(done.error().message, !Catch::Contains("batch.commit"));
    return done.error().message;
  };
  for (const std::string delivery : {"", "at_least_once"}) {
    INFO(delivery);
    CHECK_THAT(told([](auto& pipeline) { counted(pipeline).to("out"); }, delivery),
               Catch::Contains("output out cannot take") &&
                   Catch::Contains("stage counts remembers something"));
    CHECK_THAT(
        told([](auto& pipeline) { pipeline.direct_stream({"left"}).count().to("out"); }, delivery),
        Catch::Contains("output out cannot take") && Catch::Contains("behind stage count 1"));
  }
}

TEST_CASE("a stream that needs transactions says so of a weak sink of the program's") {
  class Weak final : public ForwardingSink {
   public:
    using ForwardingSink::ForwardingSink;
    Guarantee guarantee() const override { return Guarantee::idempotent; }
  };
  World world;
  for (const std::string delivery : {"exactly_once", "at_least_once"}) {
    INFO(delivery);
    stream::Setup setup;
    setup.outputs.push_back(
        {.name = "out", .make_sink = [&](const Owner& owner) -> Result<std::unique_ptr<Sink>> {
           return std::make_unique<Weak>(memory::memory_sink(world.store("out"), owner));
         }});
    auto config = world.config();
    config.set("delivery", delivery);
    stream::Pipeline pipeline(config, setup);
    counted(pipeline).to("out");
    const auto done = pipeline.run();
    REQUIRE_FALSE(done);
    CHECK(done.error().cause == Cause::configuration);
    CHECK_THAT(done.error().message, Catch::Contains("stage counts remembers something") &&
                                         !Catch::Contains("batch.commit"));
  }
}

TEST_CASE("a function for whole batches that throws ends the pipeline, and nothing is stored") {
  World world;
  world.produce("left", {"a"});
  auto pipeline = world.pipeline({"out"});
  pipeline.direct_stream({"left"}).map(text).for_each_batch(
      "out", [](const auto&, auto) { throw std::runtime_error("no room"); });
  const auto done = pipeline.run();
  REQUIRE_FALSE(done);
  CHECK(done.error().cause == Cause::program);
  CHECK_THAT(done.error().message, Catch::Contains("for_each_batch of output out threw: no room"));
}

TEST_CASE("once it has run, a pipeline takes no more streams, stages and outputs") {
  World world;
  world.produce("left", {"a"});
  auto pipeline = world.pipeline({"out"});
  auto all = pipeline.direct_stream({"left"}).map(text).map(as_object).share();
  all.stream().to("out");
  auto kept = all.stream();
  const auto before = pipeline.describe();
  REQUIRE(pipeline.run());
  const auto is_refused = [](auto call) {
    try {
      call();
    } catch (const Failed& failed) {
      return failed.error().cause == Cause::program &&
             failed.error().message.find("after run()") != std::string::npos;
    }
    return false;
  };
  CHECK(is_refused([&] { pipeline.direct_stream({"right"}).to("out"); }));
  CHECK(is_refused([&] { all.stream().to("more"); }));
  CHECK(is_refused([&] { (void)all.stream().share(); }));
  CHECK(is_refused([&] {
    all.stream()
        .key_by([](const std::string& v) { return v; })
        .update_state_by_key<int>("s", [](const auto&, auto, std::optional<int> s) { return s; })
        .to("more");
  }));
  CHECK(is_refused([&] { std::move(kept).for_each_batch("more", [](const auto&, auto) {}); }));
  CHECK(pipeline.describe() == before);
}

TEST_CASE("a function that cannot be copied ends the pipeline, and no sink is at fault") {
  static bool refused = false;
  struct Text {
    Text() = default;
    Text(const Text&) {
      if (refused) throw std::runtime_error("no copy");
    }
    Text(Text&&) noexcept = default;
    std::string operator()(const stream::Message& message) const { return text(message); }
  };
  World world;
  world.produce("left", {"a"});
  auto pipeline = world.pipeline({"out"});
  pipeline.direct_stream({"left"}).map(Text()).map(as_object).to("out");
  refused = true;
  const auto done = pipeline.run();
  REQUIRE_FALSE(done);
  CHECK(done.error().cause == Cause::program);
  CHECK_THAT(done.error().message, Catch::Contains("output out") && Catch::Contains("no copy"));
}

TEST_CASE("a source without a topic, or with a pattern that is none, is a mistake") {
  World world;
  auto pipeline = world.pipeline({"out"});
  CHECK_THROWS_WITH(pipeline.direct_stream({}), Catch::Contains("no topic"));
  CHECK_THROWS_WITH(pipeline.direct_stream_matching(""), Catch::Contains("no pattern"));
  CHECK_THROWS_WITH(pipeline.direct_stream_matching("("),
                    Catch::Contains("is no regular expression"));
}

TEST_CASE("describe tells the stages, in text and for Graphviz") {
  World world;
  auto pipeline = world.pipeline({"out"});
  pipeline.direct_stream({"left"}, "words").map(text, "text").count_by_value("counted").to("out");
  CHECK(pipeline.describe() ==
        "words (direct_stream)\ntext (map) <- words\nkey_by 1 <- text\nmap_values 1 <- key_by 1\n"
        "counted (reduce_by_key) <- map_values 1\noutput out <- counted, rows of whole batches\n");
  CHECK_THAT(pipeline.describe(stream::Drawing::dot),
             Catch::StartsWith("digraph pipeline {") && Catch::Contains("s4 -> o0;"));
}

}  // namespace semel::test
