// No record costs an allocation: whatever grows, grows once. An executable of its own, because it
// replaces operator new.
#include <algorithm>
#include <cstdint>
#include <string>

#include "encode_loop.hpp"
#include "shapes.hpp"
#include "support/allocations.hpp"
#include "support/catch.hpp"

using namespace semel::shapes;

namespace {

constexpr std::size_t count = 10'000;

/// Allocations over 10,000 records of a shape (the same ones again and again where fewer are held),
/// after each of them was met once.
std::uint64_t allocations_of(const Shape& shape, EncodeLoop& loop, const Records& records) {
  const auto all = records.all();
  loop.write(all);
  const auto before = semel::test::allocations();
  for (std::size_t done = 0; done < count; done += all.size()) {
    loop.write(all.first(std::min(all.size(), count - done)));
  }
  const auto after = semel::test::allocations();
  // Otherwise nothing was shown.
  REQUIRE(loop.rows() + loop.bad() == all.size() + count);
  REQUIRE((loop.format() == semel::postgres::CopyFormat::binary) == shape.binary);
  return after - before;
}

}  // namespace

TEST_CASE("operator new is counted") {
  const auto before = semel::test::allocations();
  const std::string text(1'000, 'x');
  CHECK(text.size() == 1'000);
  CHECK(semel::test::allocations() == before + 1);
}

TEST_CASE("encoding 10,000 records allocates nothing, whatever they are like") {
  for (const Shape& shape : all_shapes()) {
    if (shape.bad_every != 0) continue;
    SECTION(shape.name) {
      const Records records(shape, shape.records);
      EncodeLoop loop(shape, records.tp());
      CHECK(allocations_of(shape, loop, records) == 0);
      CHECK(loop.bad() == 0);
    }
  }
}

TEST_CASE("a bad record allocates for its reason, a good one among them does not") {
  const Shape& shape = shape_of("dead");
  const Records records(shape, shape.records);
  EncodeLoop loop(shape, records.tp());
  const auto allocations = allocations_of(shape, loop, records);
  const auto bad = count / static_cast<std::size_t>(shape.bad_every);
  INFO(loop.last_bad().reason);
  CHECK(allocations <= bad * 12);
}
