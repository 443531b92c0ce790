#include "bench/semel/throughput/throughput.hpp"

#include <fmt/format.h>
#include <chrono>
#include <thread>

#include "bench/semel/clock.hpp"
#include "bench/semel/machine.hpp"
#include "bench/semel/told.hpp"
#include "bench/semel/venue.hpp"
#include "bench/semel/words.hpp"
#include "http/client.hpp"

namespace semel::bench {

namespace {

using namespace std::chrono_literals;

// Between two looks at the process, and two questions to it: answering costs it some 0.2 ms.
constexpr auto look_every = 2ms;
constexpr std::int64_t ask_every_ns = 500'000'000;
constexpr std::int64_t unread_for_ns = 120'000'000'000;

Result<Drain> drain(const Scene& scene, Audience& audience) {
  const auto address = http::free_address();
  Told told(address, scene.metrics_file(1));
  Drain run{.load = load_average()};
  auto process = ChildProcess::start(scene.command(1, address));
  if (!process) return tl::unexpected(process.error());
  std::uint64_t read = 0;
  auto moved_ns = process->started_ns();
  auto asked_ns = moved_ns;
  std::optional<Ended> ended;
  const auto failed = [&](const std::string& what) {
    return fail(ErrorKind::fatal, Cause::internal,
                fmt::format("{}: {}. Its last words:{}", scene.name, what, tail_of(scene.log)));
  };
  while (!(ended = process->wait(look_every))) {
    if (audience.interrupted()) return fail(ErrorKind::fatal, Cause::internal, "interrupted");
    if (const auto peak = process->peak_memory_kib()) run.peak_memory_kib = peak;
    const auto now_ns = monotonic_ns();
    if (now_ns - asked_ns > ask_every_ns) {
      told.ask();
      asked_ns = now_ns;
    }
    if (const auto now_read = told.figures().read; now_read != read) {
      read = now_read;
      moved_ns = now_ns;
      audience.meter.done = static_cast<std::int64_t>(read);
    } else if (now_ns - moved_ns > unread_for_ns) {
      return failed("no record was read for two minutes");
    }
  }
  run.seconds = seconds(monotonic_ns() - process->started_ns());
  if (ended->code != 0) return failed(fmt::format("the process {}", to_string(*ended)));
  run.cpu_seconds = ended->cpu_seconds;
  told.look_into_file();
  run.steady_seconds = told.figures().last_commit - told.figures().first_read;
  return run;
}

Result<Drain> drain_and_check(Venue& venue, int nth, std::int64_t records, Audience& audience) {
  const auto scene = venue.prepare(Kind::semel, fmt::format("run_{}", nth));
  if (!scene) return tl::unexpected(scene.error());
  auto run = drain(*scene, audience);
  if (!run) return run;
  const auto found = venue.database().find(scene->table, records);
  if (!found) return tl::unexpected(found.error());
  run->comparison = compare(*found, records);
  venue.clear(*scene);
  return run;
}

}  // namespace

Result<ThroughputReport> throughput(const Setup& setup, int runs, Audience& audience) {
  auto directory = WorkDirectory::make();
  if (!directory) return tl::unexpected(directory.error());
  audience.say(fmt::format("setting up in {}", directory->path()));
  auto venue = Venue::set_up(setup, *directory, audience.interrupted);
  if (!venue) return tl::unexpected(venue.error());
  ThroughputReport report{.setup = setup, .origin = origin_of(**venue), .runs = {}};

  audience.announce(setup.records,
                    fmt::format("producing {} records of {} bytes into {} partitions",
                                setup.records, setup.record_size, setup.partitions));
  auto produced = (*venue)->produce([&](std::int64_t n) { audience.meter.done = n; });
  if (!produced) return tl::unexpected(produced.error());
  for (int nth = 1; nth <= runs; ++nth) {
    audience.announce(setup.records, fmt::format("run {} of {}", nth, runs));
    auto run = drain_and_check(**venue, nth, setup.records, audience);
    if (!run) return tl::unexpected(run.error());
    const auto figures = figures_of(*run, setup.records);
    audience.say(fmt::format("   {} rows/s, lost {}, duplicated {}",
                             grouped(figures.rows_per_second), run->comparison.lost,
                             run->comparison.duplicated));
    report.runs.push_back(*run);
  }
  return report;
}

}  // namespace semel::bench
