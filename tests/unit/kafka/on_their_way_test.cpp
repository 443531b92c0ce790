// Bytes that have not arrived, by the number of messages that have not.
#include "kafka/on_their_way.hpp"

#include "support/catch.hpp"

using semel::kafka::OnTheirWay;

TEST_CASE("what has not arrived is known by the number of messages, as exactly as was asked for") {
  OnTheirWay bytes(100);
  for (int i = 0; i < 50; ++i) bytes.sent(10);
  CHECK(bytes.bytes() == 500);
  bytes.waiting(50);
  CHECK(bytes.bytes() == 500);
  // Thirty have arrived: 300 bytes.
  bytes.waiting(20);
  CHECK(bytes.bytes() == 200);
  // Five more: never less than there is, and not 100 more.
  bytes.waiting(15);
  CHECK(bytes.bytes() >= 150);
  CHECK(bytes.bytes() < 250);
  bytes.waiting(0);
  CHECK(bytes.bytes() == 0);
  bytes.sent(1'000'000);
  bytes.sent(10);
  CHECK(bytes.bytes() == 1'000'010);
  bytes.waiting(1);
  CHECK(bytes.bytes() == 10);
}
