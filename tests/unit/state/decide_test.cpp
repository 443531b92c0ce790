#include "state/decide.hpp"

#include "support/catch.hpp"

namespace semel::test {

using namespace state;

namespace {

const Version zero{};
const Version a{{10}, 0xA};
const Version b{{20}, 0xB};
const Version b2{{20}, 0xB2};
const Version c{{30}, 0xC};

Prepared step(const Version& from, const Version& to) {
  return {.version = to, .parent = from, .ranges = {}, .checksum = 1};
}

Remedy of(const Stored& stored, const std::vector<Version>& outputs) {
  std::vector<OutputVersion> named;
  for (const auto& version : outputs) named.push_back({std::to_string(named.size()), version});
  return decide(stored, named).remedy;
}

}  // namespace

TEST_CASE("where no output has committed, what is prepared is forgotten") {
  CHECK(of({a, step(a, b), {}}, {a, a}) == Remedy::drop);
  CHECK(of({a, {}, step(zero, a)}, {a, a}) == Remedy::drop);
  CHECK(of({zero, {}, {}}, {zero}) == Remedy::drop);
}

TEST_CASE("where all outputs have committed, what is prepared is applied") {
  CHECK(of({a, step(a, b), {}}, {b, b}) == Remedy::apply);
  CHECK(of({zero, step(zero, a), {}}, {a}) == Remedy::apply);
}

TEST_CASE("where one output is ahead, the others follow") {
  CHECK(of({a, step(a, b), {}}, {a, b}) == Remedy::roll_forward);
  CHECK(of({a, step(a, b), {}}, {b, a}) == Remedy::roll_forward);
  CHECK(of({zero, step(zero, a), {}}, {zero, a}) == Remedy::roll_forward);
}

TEST_CASE("a ledger that went back by one batch takes the state back with it") {
  CHECK(of({b, {}, step(a, b)}, {a, a}) == Remedy::take_back);
  CHECK(of({b, {}, step(a, b)}, {a, b}) == Remedy::take_back);
  // Also where the next one is prepared already: nobody has it.
  CHECK(of({b, step(b, c), step(a, b)}, {a, b}) == Remedy::take_back);
}

TEST_CASE("the same batch of another owner is never taken for one's own") {
  CHECK(of({a, step(a, b), {}}, {b2}) == Remedy::refuse);
  CHECK(of({a, step(a, b), {}}, {a, b2}) == Remedy::refuse);
}

TEST_CASE("outputs that do not belong to the state are refused") {
  CHECK(of({a, step(a, b), {}}, {c}) == Remedy::refuse);
  CHECK(of({b, {}, {}}, {a}) == Remedy::refuse);
  CHECK(of({c, {}, step(b, c)}, {a}) == Remedy::refuse);
  CHECK(of({a, step(zero, b), {}}, {b}) == Remedy::refuse);
}

TEST_CASE("an output that was left out is told how it comes back") {
  const std::vector<OutputVersion> one_left_out{{"one", c}, {"two", a}};
  const Stored stored{c, {}, step(b, c)};
  CHECK_THAT(decide(stored, one_left_out).why,
             Catch::Contains("output two is at batch 10") && Catch::Contains("reset --output"));
  // Where all are elsewhere, that would hide what has happened.
  const std::vector<OutputVersion> all_elsewhere{{"one", a}, {"two", a}};
  CHECK_THAT(decide(stored, all_elsewhere).why, !Catch::Contains("reset --output"));
}

TEST_CASE("a machine without the state is told so") {
  const std::vector<OutputVersion> outputs{{"out", b}};
  const auto decision = decide({}, outputs);
  CHECK(decision.remedy == Remedy::refuse);
  CHECK_THAT(decision.why, Catch::Contains("not on this machine") &&
                               Catch::Contains("output out") && Catch::Contains("batch 20"));
}

TEST_CASE("home commits last: others are with it, or one version ahead of it") {
  const auto at_home = [](const Version& home, const std::vector<Version>& others) {
    std::vector<OutputVersion> named;
    for (const auto& version : others) named.push_back({std::to_string(named.size()), version});
    return decide_at_home({"home", home}, named).remedy;
  };
  CHECK(at_home(a, {}) == Remedy::drop);
  CHECK(at_home(zero, {zero}) == Remedy::drop);
  CHECK(at_home(a, {a, a}) == Remedy::drop);
  CHECK(at_home(a, {b, b}) == Remedy::roll_forward);
  CHECK(at_home(a, {b, a}) == Remedy::roll_forward);
  CHECK(at_home(a, {a, b}) == Remedy::roll_forward);
  CHECK(at_home(zero, {a}) == Remedy::roll_forward);
  // Two results of one batch, two batches, and a ledger behind home.
  CHECK(at_home(a, {b, b2}) == Remedy::refuse);
  CHECK(at_home(b, {b2}) == Remedy::refuse);
  CHECK(at_home(a, {b, c}) == Remedy::refuse);
  CHECK(at_home(b, {a}) == Remedy::refuse);
  CHECK(at_home(b, {b, a}) == Remedy::refuse);
  const std::vector<OutputVersion> behind{{"lost", a}};
  const auto why = decide_at_home({"home", b}, behind).why;
  CHECK_THAT(why, Catch::Contains("output home, at batch 20") &&
                      Catch::Contains("output lost is at batch 10"));
}

}  // namespace semel::test
