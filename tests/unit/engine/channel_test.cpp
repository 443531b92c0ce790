#include "engine/channel.hpp"

#include <thread>

#include "support/catch.hpp"

using semel::engine::Channel;

TEST_CASE("values come out in the order in which they went in") {
  Channel<int> channel;
  channel.push(1);
  channel.push(2);
  CHECK(channel.pop() == 1);
  CHECK(channel.pop() == 2);
}

TEST_CASE("a reader wakes up when the channel is closed, and what was queued is dropped") {
  Channel<int> channel;
  std::thread closer([&] { channel.close(); });
  CHECK_FALSE(channel.pop());
  closer.join();
  channel.push(1);
  CHECK_FALSE(channel.pop());
  CHECK_FALSE(channel.sleep_for(std::chrono::hours(1)));
}

TEST_CASE("a deadline in the past gives what is there, or nothing, at once") {
  Channel<int> channel;
  CHECK_FALSE(channel.pop_until(std::chrono::steady_clock::now()));
  channel.push(5);
  CHECK(channel.pop_until(std::chrono::steady_clock::now()) == 5);
}
