// Lag as offsets and as time, of each partition.
#include "metrics/partitions.hpp"

#include "support/catch.hpp"

using namespace semel;
using namespace semel::metrics;

namespace {

std::string page_of(const Partitions& partitions, std::size_t series, std::int64_t now_ms) {
  Page page;
  partitions.collect(page, {}, series, now_ms);
  return page.text();
}

bool has_line(const std::string& page, const std::string& line) {
  return page.find("\n" + line + "\n") != std::string::npos;
}

}  // namespace

TEST_CASE("what is behind is as old as its last committed record; what has caught up is fresh") {
  const PartitionFigures behind{.tp = {"a", 0}, .lag = 1, .written_ms = 5'000, .since_ms = 9'000};
  CHECK(behind.age_ms(15'000) == 10'000);
  CHECK(behind.age_ms(4'000) == 0);  // a producer's clock is ahead
  const PartitionFigures caught_up{
      .tp = {"a", 0}, .lag = 0, .written_ms = 5'000, .since_ms = 9'000};
  CHECK(caught_up.age_ms(15'000) == 0);
}

TEST_CASE("where no record with a timestamp was committed, age is counted from the beginning") {
  const PartitionFigures fresh{.tp = {"a", 0}, .lag = 7, .written_ms = {}, .since_ms = 9'000};
  CHECK(fresh.age_ms(15'000) == 6'000);
}

TEST_CASE("partitions beyond the limit have no series, and are counted") {
  Partitions partitions;
  partitions.publish({{.tp = {"a", 0}, .lag = 1, .written_ms = 1'000, .since_ms = 0},
                      {.tp = {"a", 1}, .lag = 2, .written_ms = 2'000, .since_ms = 0},
                      {.tp = {"b", 0}, .lag = 3, .written_ms = 500, .since_ms = 0}});
  const auto page = page_of(partitions, 2, 11'000);
  CHECK(has_line(page, R"(semel_lag_records{topic="a",partition="0"} 1)"));
  CHECK(has_line(page, R"(semel_freshness_seconds{topic="a",partition="1"} 9)"));
  CHECK(page.find("topic=\"b\"") == std::string::npos);
  CHECK(has_line(page, "semel_partitions_left_out 1"));
  // The worst one is told nevertheless.
  CHECK(has_line(page, "semel_worst_freshness_seconds 10.5"));
  CHECK(has_line(page_of(partitions, 3, 11'000), "semel_partitions_left_out 0"));
}

TEST_CASE("what was published before is replaced") {
  Partitions partitions;
  partitions.publish({{.tp = {"a", 0}, .lag = 1, .written_ms = 1'000, .since_ms = 0}});
  const auto before = partitions.latest();
  partitions.publish({});
  CHECK(before->size() == 1);
  CHECK(partitions.latest()->empty());
}
