#include "core/grouping.hpp"

#include "support/catch.hpp"

using namespace semel::core;

TEST_CASE("little is what one transaction is enough for, by offsets, bytes and ranges") {
  CHECK(is_small({.ranges = 64, .offsets = 4'096, .bytes = 1 << 20}));
  CHECK_FALSE(is_small({.ranges = 1, .offsets = 4'097}));
  CHECK_FALSE(is_small({.ranges = 1, .offsets = 2, .bytes = (1 << 20) + 1}));
  CHECK_FALSE(is_small({.ranges = 65, .offsets = 65}));
}

TEST_CASE(
    "small batches are gathered, a large one spreads them, and it takes many to gather again") {
  const Load small{.ranges = 4, .offsets = 4};
  const Load large{.ranges = 4, .offsets = 400'000};
  Gathering gathering;
  CHECK(gathering.on());
  gathering.planned(large);
  CHECK_FALSE(gathering.on());
  for (int i = 0; i < 15; ++i) gathering.planned(small);
  CHECK_FALSE(gathering.on());
  gathering.planned(large);
  for (int i = 0; i < 15; ++i) gathering.planned(small);
  CHECK_FALSE(gathering.on());
  gathering.planned(small);
  CHECK(gathering.on());
}

TEST_CASE("gathered partitions share an executor, which those apart leave alone") {
  for (std::size_t place = 0; place < 9; ++place) {
    CHECK(executor_for(place, 4, true, false) == 0);
    CHECK(executor_for(place, 4, false, false) == place % 4);
    CHECK(executor_for(place, 4, true, true) != 0);
    CHECK(executor_for(place, 4, true, true) < 4);
    CHECK(executor_for(place, 1, true, true) == 0);
  }
}
