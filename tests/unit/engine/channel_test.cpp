#include "engine/channel.hpp"

#include <deque>
#include <thread>
#include <vector>

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

TEST_CASE("what must not be dropped can be taken after the channel was closed") {
  Channel<int> channel;
  channel.push(1);
  channel.push(2);
  std::vector<int> seen;
  channel.look_at_first(5, [&](int value) { seen.push_back(value); });
  CHECK(seen == std::vector<int>{1, 2});
  channel.close();
  channel.push(3);
  CHECK_FALSE(channel.pop());
  CHECK(channel.take_all() == std::deque<int>{1, 2});
  CHECK(channel.take_all().empty());
}
