#include <unistd.h>

#include <functional>
#include <stdexcept>
#include <string>

#include "support/catch.hpp"
#include "support/process.hpp"
#include "support/temp_dir.hpp"
#include "unit/stream/trial.hpp"

namespace semel::test {

using stream::Bad;
using stream::Step;

namespace {

Step<int> number(const stream::Message& message) {
  if (message.value().empty()) return Bad{"empty"};
  return std::stoi(std::string(message.value()));
}

/// What comes on standard output meanwhile.
template <class Work>
std::string printed(Work work) {
  const TempDir dir;
  std::fflush(stdout);
  const int before = dup(STDOUT_FILENO);
  std::FILE* file = std::fopen((dir.path() / "out").c_str(), "w");
  dup2(fileno(file), STDOUT_FILENO);
  work();
  std::fflush(stdout);
  dup2(before, STDOUT_FILENO);
  close(before);
  std::fclose(file);
  return read_file(dir.path() / "out");
}

}  // namespace

TEST_CASE("map makes one row of each record, filter leaves out") {
  Trial trial;
  trial.source()
      .map(number)
      .filter([](int n) { return n % 2 == 1; })
      .map([](int n) { return n * 10; })
      .to("out");
  CHECK(trial.one({"1", "2", "3"}) == Came{{"10", "30"}, {}});
  CHECK(trial.one({}) == Came{{}, {}});
  CHECK(trial.one({"7"}) == Came{{"70"}, {}});
}

TEST_CASE("a record that a function finds bad is a dead letter with the stage's name") {
  Trial trial;
  trial.source().map(number, "parse").map([](int n) { return 10 / n; }, "divide").to("out");
  // 10 / 0 is not thrown by C++: it is left to the next case.
  CHECK(trial.one({"1", "", "x", "5"}) == Came{{"10", "2"}, {"1: parse: empty", "2: parse: stoi"}});
}

TEST_CASE("each kind of stage makes dead letters, thrown or returned") {
  const auto bad_at = [](const std::string& at) {
    return [at](const std::string& value) {
      if (value == at) throw Bad{"no " + at};
      return true;
    };
  };
  Trial trial;
  trial.source()
      .map(text)
      .filter(bad_at("f"), "filter")
      .flat_map<std::string>(
          [](const std::string& value, auto emit) -> std::optional<Bad> {
            emit(value);
            if (value == "m") return Bad{"returned"};
            if (value == "n") throw std::runtime_error("thrown");
            emit(value + value);
            return std::nullopt;
          },
          "twice")
      .key_by(
          [](const std::string& value) -> Step<std::string> {
            if (value == "kk") return Bad{"key"};
            return value;
          },
          "key")
      .map_values(
          [](const std::string& value) {
            if (value == "vv") throw 1;
            return value.size();
          },
          "value")
      .group_by_key()
      .to("out");
  CHECK(trial.one({"a", "f", "m", "n", "k", "v", "b"}) ==
        Came{{R"({"key":"a","value":[1]})", R"({"key":"aa","value":[2]})",
              R"({"key":"b","value":[1]})", R"({"key":"bb","value":[2]})"},
             {"1: filter: no f", "2: twice: returned", "3: twice: thrown", "4: key: key",
              "5: value: it threw something that is no std::exception"}});
}

TEST_CASE("what a flat_map gave before it threw is taken back, whatever it went into") {
  Trial trial;
  auto words = trial.source()
                   .flat_map<std::string>([](const stream::Message& message, auto emit) {
                     split(message, emit);
                     if (message.value().ends_with('!')) throw Bad{"shouted"};
                   })
                   .share();
  words.stream().count().to("count");
  words.stream().to("rows");
  words.stream().count_by_value().to("by value");
  const auto came = trial.batch({{0, {"a b", "a c!", "b"}}});
  CHECK(came[0] == Came{{"3"}, {"1: flat_map 1: shouted"}});
  CHECK(came[1] == Came{{"a", "b", "b"}, {"1: flat_map 1: shouted"}});
  CHECK(came[2] ==
        Came{{R"({"key":"a","value":1})", R"({"key":"b","value":2})"}, {"1: flat_map 1: shouted"}});
}

TEST_CASE("a record that is bad behind share is dead in the outputs behind that stage alone") {
  Trial trial;
  auto all = trial.source().map(text).share();
  all.stream().to("all");
  all.stream()
      .map([](const std::string& value) -> Step<std::string> {
        if (value == "b") return Bad{"b"};
        return value;
      })
      .to("some");
  const auto came = trial.batch({{0, {"a", "b", "c"}}});
  CHECK(came[0] == Came{{"a", "b", "c"}, {}});
  CHECK(came[1] == Came{{"a", "c"}, {"1: map 2: b"}});
}

TEST_CASE("a record that is dead on one way to an output is dead on the others") {
  Trial trial;
  auto all = trial.source().map(text).share();
  all.stream()
      .union_with(all.stream().map([](const std::string& value) -> Step<std::string> {
        if (value == "b") return Bad{"b"};
        return value + "'";
      }))
      .to("out");
  CHECK(trial.one({"a", "b"}) == Came{{"a", "a'"}, {"1: map 2: b"}});
}

TEST_CASE("two that read one source without share take each record as one") {
  Trial trial;
  trial.source("a").to("whole");
  trial.source("b").map(number).to("numbers");
  const auto came = trial.batch({{0, {"1", "x"}}, {1, {"1", "x"}}});
  CHECK(came[0] == Came{{"1", "x"}, {}});
  CHECK(came[1] == Came{{"1"}, {"1: map 1: stoi"}});
}

TEST_CASE("union_with has the items of both") {
  Trial trial;
  auto left = trial.source("left").map(text);
  auto right = trial.source("right").map(text);
  std::move(left).union_with(std::move(right)).to("out");
  CHECK(trial.batch({{0, {"a"}}, {1, {"b"}}}).front() == Came{{"a", "b"}, {}});
  CHECK(trial.batch({{1, {"b"}}}).front() == Came{{"b"}, {}});
}

TEST_CASE("transform has all items of a batch, and is called for a batch without any") {
  Trial trial;
  trial.source()
      .map(text)
      .transform<std::string>(
          [](const stream::BatchInfo& batch, std::span<const std::string> items, auto emit) {
            emit(std::to_string(batch.time.ms) + ":" + std::to_string(items.size()));
            if (!items.empty()) emit(items.back());
          })
      .to("out");
  CHECK(trial.one({"a", "b"}, 5) == Came{{"5:2", "b"}, {}});
  CHECK(trial.one({}, 6) == Came{{"6:0"}, {}});
}

TEST_CASE("what a function for a whole batch throws is the program's fault") {
  Trial trial;
  trial.source()
      .map(text)
      .transform<int>([](const auto&, auto, auto) { throw std::runtime_error("broken"); }, "all")
      .to("out");
  CHECK_THROWS_WITH(trial.one({"a"}), Catch::Contains("all threw: broken"));
}

TEST_CASE("an item that is bad behind an aggregate has a dead letter with its key") {
  Trial trial;
  trial.source()
      .map(text)
      .count_by_value()
      .map([](const std::string& key, std::uint64_t count) -> Step<std::string> {
        if (count > 1) return Bad{"too often"};
        return key;
      })
      .to("out");
  CHECK(trial.one({"a", "b", "a"}) == Came{{"b"}, {"a: map 2: too often"}});
}

TEST_CASE("for_each_batch is called once per batch, with all of it") {
  Trial trial;
  std::vector<std::string> seen;
  trial.source().map(text).for_each_batch(
      "out", [&seen](const stream::BatchInfo& batch, std::span<const std::string> items) {
        seen.push_back(std::to_string(batch.time.ms));
        seen.insert(seen.end(), items.begin(), items.end());
      });
  CHECK(trial.one({"a", "b"}, 7) == Came{});
  CHECK(trial.one({}, 8) == Came{});
  CHECK(seen == Values{"7", "a", "b", "8"});
}

TEST_CASE("a batch that was given up leaves nothing in the next one") {
  Trial trial;
  auto words = trial.source().map(text).share();
  words.stream().count().to("count");
  words.stream().count_by_value().to("by value");
  words.stream().to("rows");
  words.stream()
      .key_by([](const std::string& w) { return w; })
      .join(words.stream().key_by([](const std::string& w) { return w; }))
      .to("join");
  trial.crash_within({"x", "y"});
  const auto came = trial.batch({{0, {"a"}}});
  CHECK(came[0].rows == Values{"1"});
  CHECK(came[1].rows == Values{R"({"key":"a","value":1})"});
  CHECK(came[2].rows == Values{"a"});
  CHECK(came[3].rows == Values{R"({"key":"a","value":["a","a"]})"});
}

TEST_CASE("memory that is gone, and errors of semel, are no record's fault") {
  Trial trial;
  trial.source()
      .map([](const stream::Message& message) -> std::string {
        if (message.value() == "memory") throw std::bad_alloc();
        throw Failed({ErrorKind::fatal, Cause::program, "stop"});
      })
      .to("out");
  CHECK_THROWS_AS(trial.one({"memory"}), std::bad_alloc);
  CHECK_THROWS_AS(trial.one({"x"}), Failed);
}

TEST_CASE("rows have their record's offset where each comes of one record, and only there") {
  Trial trial;
  trial.source("1").map(text).filter([](const auto&) { return true; }).to("by record");
  trial.source("2").map(text).key_by([](const auto& v) { return v; }).to("keyed");
  trial.source("3").map(text).count().to("count");
  trial.source("4").flat_map<int>([](const auto&, auto) {}).to("flat");
  trial.source("5").map(text).union_with(trial.source("6").map(text)).to("both");
  trial.source("7").map(text).print().to("printed");
  const auto& outputs = trial.graph().outputs;
  CHECK(outputs[0].by_record);
  CHECK(outputs[1].by_record);
  CHECK_FALSE(outputs[2].by_record);
  CHECK_FALSE(outputs[3].by_record);
  CHECK_FALSE(outputs[4].by_record);
  CHECK(outputs[5].by_record);
}

TEST_CASE("print shows the first items of a batch and how many there are, but no dead letters") {
  Trial trial;
  trial.source()
      .map(text)
      .print(2, "seen")
      .map(
          [](const std::string& value) {
            if (value == "bad") throw Bad{"bad"};
            return value;
          },
          "check")
      .to("out");
  Came came;
  CHECK(printed([&] {
          came = trial.one({"bad", "a", "bad", "b", "c"}, 5);
        }) == "-- seen: batch 5, 3 items\na\nb\n...\n");
  CHECK(came == Came{{"a", "b", "c"}, {"0: check: bad", "2: check: bad"}});
  CHECK(printed([&] { trial.one({"d"}, 6); }) == "-- seen: batch 6, 1 items\nd\n");
}

TEST_CASE("print before share makes no record dead in an output that another one is for") {
  Trial trial;
  auto all = trial.source().map(text).print(10, "seen").share();
  all.stream().to("all");
  all.stream()
      .filter([](const std::string& value) {
        if (value == "b") throw Bad{"b"};
        return true;
      })
      .to("some");
  std::vector<Came> came;
  // What one output has is shown.
  CHECK(printed([&] {
          came = trial.batch({{0, {"a", "b"}}}, 7);
        }) == "-- seen: batch 7, 2 items\na\nb\n");
  CHECK(came[0] == Came{{"a", "b"}, {}});
  CHECK(came[1] == Came{{"a"}, {"1: filter 1: b"}});
}

TEST_CASE("what a batch that was given up has shown is not counted again") {
  Trial trial;
  trial.source().map(text).print(10, "seen").to("out");
  trial.crash_within({"x", "y"});
  CHECK(printed([&] { trial.one({"a"}, 8); }) == "-- seen: batch 8, 1 items\na\n");
}

TEST_CASE("two stages of one name, and two streams into one output, are mistakes") {
  Trial trial;
  auto first = trial.source("a");
  CHECK_THROWS_WITH(trial.source("a"), Catch::Contains("two stages are called a"));
  std::move(first).to("out");
  CHECK_THROWS_WITH(trial.source("b").to("out"), Catch::Contains("union_with"));
}

}  // namespace semel::test
