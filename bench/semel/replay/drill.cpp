#include "bench/semel/replay/drill.hpp"

#include <fmt/format.h>
#include <algorithm>
#include <chrono>
#include <csignal>
#include <thread>

#include "bench/semel/clock.hpp"
#include "bench/semel/replay/schedule.hpp"
#include "bench/semel/statistics.hpp"
#include "bench/semel/told.hpp"
#include "http/client.hpp"
#include "metrics/output.hpp"

namespace semel::bench {

namespace {

using namespace std::chrono_literals;

constexpr auto poll_every = 2ms;
constexpr std::int64_t stuck_after_ns = 120'000'000'000;
constexpr int fenced_code = 5;

class Performance {
 public:
  Performance(Venue& venue, const Scene& scene, const Drill& drill, Meter& meter)
      : database_(venue.database()), scene_(scene), drill_(drill), meter_(meter) {}

  Result<Run> perform() {
    if (auto started = start(); !started) return tl::unexpected(started.error());
    while (true) {
      if (drill_.interrupted()) return fail(ErrorKind::fatal, Cause::internal, "interrupted");
      // Asked for first: what it had committed when it ended is seen afterwards.
      const auto ended = process_.poll();
      if (auto seen = look(); !seen) return tl::unexpected(seen.error());
      if (ended) {
        if (ended->code == 0) break;
        return failed(fmt::format("the process {} by itself", to_string(*ended)));
      }
      if (kill_at_ns_ != 0 && now_ns_ >= kill_at_ns_ && committed_ < drill_.records) {
        if (auto killed = kill(); !killed) return tl::unexpected(killed.error());
      } else if (now_ns_ - moved_ns_ > stuck_after_ns) {
        return failed("no row was committed for two minutes");
      }
      std::this_thread::sleep_for(poll_every);
    }
    return finish();
  }

 private:
  tl::unexpected<Error> failed(const std::string& what) const {
    return fail(ErrorKind::fatal, Cause::internal,
                fmt::format("{}: {}. Its last words:{}", scene_.name, what, tail_of(scene_.log)));
  }

  Result<void> start() {
    waiting_ = true;
    kill_at_ns_ = 0;
    const auto address = http::free_address();
    auto process = ChildProcess::start(scene_.command(++starts_, address));
    told_.emplace_back(address, scene_.metrics_file(starts_));
    if (!process) return tl::unexpected(process.error());
    process_ = *std::move(process);
    if (begun_ns_ == 0) begun_ns_ = process_.started_ns();
    moved_ns_ = process_.started_ns();
    return {};
  }

  Result<void> look() {
    auto seen = database_.see();
    if (!seen) return tl::unexpected(seen.error());
    const auto before = now_ns_;
    now_ns_ = monotonic_ns();
    if (before != 0) gaps_ms_.push_back(ms(now_ns_ - before));
    if (seen->committed != committed_) {
      committed_ = seen->committed;
      moved_ns_ = now_ns_;
      last_row_ns_ = now_ns_;
      run_.samples.push_back({seconds(now_ns_ - begun_ns_), committed_});
      meter_.done = committed_;
    }
    // Rows that the killed process had sent off may still arrive: only this one's count.
    if (waiting_ && seen->start > committing_start_) {
      committing_start_ = seen->start;
      first_row();
    }
    return {};
  }

  void first_row() {
    waiting_ = false;
    const auto since = [this](std::int64_t ns) { return ms(ns - process_.started_ns()); };
    if (starts_ == 1) {
      run_.cold_ms = since(now_ns_);
      first_row_ns_ = now_ns_;
    } else {
      auto& kill = run_.kills.back();
      kill.first_commit_ms = since(now_ns_);
      told_.back().ask();
      if (const auto first = told_.back().figures().first_read; first != 0) {
        kill.first_read_ms = first * 1e3 - metrics::unix_now() * 1e3 + since(monotonic_ns());
      }
    }
    const auto nth = run_.kills.size();
    if (nth < drill_.kill_parts.size()) {
      const auto left = static_cast<double>(drill_.records - committed_) /
                        static_cast<double>(drill_.records) * drill_.calm_seconds;
      const auto kills_left = static_cast<int>(drill_.kill_parts.size() - nth);
      const auto interval = kill_interval(drill_.kill_every_s, left, kills_left);
      run_.interval_s = std::max(run_.interval_s, interval);
      const auto wait = drill_.kill_parts[nth] * interval;
      kill_at_ns_ = now_ns_ + static_cast<std::int64_t>(wait * 1e9);
    }
    wake_frozen();
  }

  Result<void> kill() {
    // What a process has read it tells for the last time; what it reads until it is gone, within a
    // millisecond, is not counted.
    told_.back().ask();
    run_.kills.push_back({seconds(now_ns_ - begun_ns_), committed_, {}, {}});
    process_.signal(drill_.signal);
    if (drill_.signal == SIGSTOP) {
      // A baseline has nothing against a process that wakes up: it is spared that.
      if (scene_.kind == Kind::semel) {
        frozen_ = std::move(process_);
      }
      process_.signal(SIGKILL);
      process_.wait(10s);
    } else if (!process_.wait(60s)) {
      return failed(
          fmt::format("it did not end within a minute of {}", signal_name(drill_.signal)));
    }
    return start();
  }

  void wake_frozen() {
    if (!frozen_) return;
    frozen_->signal(SIGCONT);
    const auto ended = frozen_->wait(30s);
    if (ended && ended->code == fenced_code) ++run_.fenced;
    frozen_.reset();
    now_ns_ = monotonic_ns();
  }

  Result<Run> finish() {
    run_.seconds = seconds(last_row_ns_ - begun_ns_);
    run_.working_seconds = first_row_ns_ != 0 ? seconds(last_row_ns_ - first_row_ns_) : 0;
    run_.last_restart_to_end_ms =
        ms(std::max<std::int64_t>(last_row_ns_ - process_.started_ns(), 0));
    for (auto& told : told_) {
      told.look_into_file();
      run_.read += told.figures().read;
    }
    // Whatever a killed process did not come to tell: each record was read.
    run_.read = std::max(run_.read, static_cast<std::uint64_t>(drill_.records));
    run_.poll_ms_p99 = percentile(gaps_ms_, 99).value_or(0);
    return std::move(run_);
  }

  Database& database_;
  const Scene& scene_;
  const Drill& drill_;
  Meter& meter_;
  std::vector<Told> told_;  ///< by the processes, in the order of their starts
  Run run_;
  ChildProcess process_;
  std::optional<ChildProcess> frozen_;
  int starts_ = 0;
  bool waiting_ = true;  ///< for the first row of this process
  std::int64_t committing_start_ = 0;
  std::int64_t committed_ = 0;
  std::int64_t begun_ns_ = 0;
  std::int64_t now_ns_ = 0;
  std::int64_t moved_ns_ = 0;
  std::int64_t first_row_ns_ = 0;
  std::int64_t last_row_ns_ = 0;
  std::int64_t kill_at_ns_ = 0;  ///< 0: not yet, or no more
  std::vector<double> gaps_ms_;
};

}  // namespace

Result<Run> perform(Venue& venue, const Scene& scene, const Drill& drill, Meter& meter) {
  return Performance(venue, scene, drill, meter).perform();
}

}  // namespace semel::bench
