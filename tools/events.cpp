#include "events.hpp"

#include <array>
#include <chrono>
#include <iterator>
#include <string_view>

#include <fmt/format.h>

namespace semel::demo {
namespace {

constexpr std::array<std::string_view, 4> kinds = {"click", "view", "purchase", "refund"};
constexpr std::array<std::string_view, 8> notes = {
    "delivered to the door on the second try, signed",
    "paid in full with the card that ends in 4242",
    "left in the basket for a day \\u2013 reminder sent",
    "returned unopened, the money back within days",
    "gift wrapped, a card with \\\"thank you\\\"",
    "asked for another invoice with a tax number",
    "ordered again, the same things as last month",
    "picked up at the counter of the old town shop"};

}  // namespace

std::uint64_t mixed(std::int64_t id) {
  std::uint64_t z = static_cast<std::uint64_t>(id) + 0x9e3779b97f4a7c15U;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9U;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebU;
  return z ^ (z >> 31);
}

void append_event(std::int64_t id, std::string& out) {
  Totals unused;
  append_event(id, out, unused);
}

void append_event(std::int64_t id, std::string& out, Totals& totals) {
  using namespace std::chrono;
  const std::uint64_t random = mixed(id);
  const auto size_before = out.size();
  const auto user_id = static_cast<std::int64_t>(random % 100'000);
  const auto cents = static_cast<std::int64_t>((random >> 20) % 1'000'000);
  const auto at = sys_days{2026y / January / 1} + milliseconds(id * 37);
  const auto day = floor<days>(at);
  const year_month_day date{day};
  const hh_mm_ss time{floor<milliseconds>(at - day)};

  fmt::format_to(std::back_inserter(out),
                 R"({{"id":{},"user_id":{},"kind":"{}","amount":{}.{:02},)"
                 R"("ts":"{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}Z","note":"{}","ok":{}}})",
                 id, user_id, kinds[(random >> 40) % kinds.size()], cents / 100, cents % 100,
                 static_cast<int>(date.year()), static_cast<unsigned>(date.month()),
                 static_cast<unsigned>(date.day()), time.hours().count(), time.minutes().count(),
                 time.seconds().count(), time.subseconds().count(),
                 notes[(random >> 44) % notes.size()], (random >> 50) % 8 != 0);
  ++totals.count;
  totals.sum_id += id;
  totals.sum_user_id += user_id;
  totals.sum_amount_cents += cents;
  totals.bytes += static_cast<std::int64_t>(out.size() - size_before);
}

}  // namespace semel::demo
