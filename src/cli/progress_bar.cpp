#include "cli/progress_bar.hpp"

#include <fmt/format.h>
#include <algorithm>
#include <chrono>
#include <cmath>
#include <deque>
#include <utility>

#include "cli/console.hpp"
#include "cli/text.hpp"

namespace semel::cli {

namespace {

using Clock = std::chrono::steady_clock;
constexpr auto redraw_every = std::chrono::milliseconds(200);
constexpr auto rate_over = std::chrono::seconds(5);
constexpr int bar_width = 30;

/// Records per second over the last few seconds.
class Rate {
 public:
  double add(Clock::time_point at, std::uint64_t records) {
    seen_.emplace_back(at, records);
    while (seen_.size() > 2 && at - seen_.front().first > rate_over) seen_.pop_front();
    const std::chrono::duration<double> span = at - seen_.front().first;
    if (span.count() <= 0) return 0;
    return static_cast<double>(records - seen_.front().second) / span.count();
  }

 private:
  std::deque<std::pair<Clock::time_point, std::uint64_t>> seen_;
};

}  // namespace

std::string progress_line(const Snapshot& now, double records_per_second, int width) {
  const auto lag = std::max<std::int64_t>(now.lag, 0);
  const auto total = now.offsets + static_cast<std::uint64_t>(lag);
  if (total == 0) return "connecting ...";
  const double done = static_cast<double>(now.offsets) / static_cast<double>(total);
  const auto filled = static_cast<std::size_t>(done * bar_width);
  auto numbers = fmt::format("{:3.0f}%  {} offsets  {}/s  lag {}", std::floor(done * 100),
                             grouped(now.offsets),
                             grouped(static_cast<std::int64_t>(records_per_second)), grouped(lag));
  if (lag > 0 && records_per_second >= 1) {
    numbers += fmt::format("  {} left", for_people(static_cast<double>(lag) / records_per_second));
  }
  if (now.dead_letters > 0) numbers += fmt::format("  {} dead letters", grouped(now.dead_letters));
  auto line = fmt::format("[{}{}] {}", std::string(filled, '='),
                          std::string(bar_width - filled, ' '), numbers);
  // A narrow terminal loses the bar first.
  const auto fits = static_cast<std::size_t>(std::max(width - 1, 1));
  if (line.size() > fits) line = numbers;
  return line.substr(0, fits);
}

ProgressBar::ProgressBar(std::function<Snapshot()> look) : look_(std::move(look)) {
  thread_ = std::thread([this] { run(); });
}

ProgressBar::~ProgressBar() {
  {
    const std::lock_guard lock(mutex_);
    stopped_ = true;
  }
  stop_.notify_all();
  thread_.join();
  Console::shared().redraw("");
}

void ProgressBar::run() {
  Rate rate;
  std::unique_lock lock(mutex_);
  while (!stopped_) {
    const auto now = look_();
    auto& console = Console::shared();
    console.redraw(progress_line(now, rate.add(Clock::now(), now.offsets), console.width()));
    stop_.wait_for(lock, redraw_every, [this] { return stopped_; });
  }
}

}  // namespace semel::cli
