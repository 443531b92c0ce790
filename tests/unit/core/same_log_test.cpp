#include "core/same_log.hpp"

#include "support/catch.hpp"

using namespace semel;
using namespace semel::core;

TEST_CASE("an offset outside of the log is lost, whatever is known of the record before it") {
  const auto mark = GENERATE(std::optional<Offset>{}, std::optional<Offset>{429});
  CHECK(judge_out_of_range(mark, 430, 431, 500) == OutOfRange::lost);
  CHECK(judge_out_of_range(mark, 430, 0, 429) == OutOfRange::lost);
}

TEST_CASE("only a record below the log's beginning has aged out") {
  CHECK(judge_out_of_range(429, 430, 430, 500) == OutOfRange::no_evidence);
  CHECK(judge_out_of_range(429, 430, 430, 430) == OutOfRange::no_evidence);
}

TEST_CASE("a log that was shorter than the mark and has grown past it is compared with the mark") {
  CHECK(judge_out_of_range(429, 430, 0, 430) == OutOfRange::look_again);
  CHECK(judge_out_of_range(429, 430, 429, 5'000) == OutOfRange::look_again);
  CHECK(judge_out_of_range({}, 430, 0, 5'000) == OutOfRange::look_again);
}
