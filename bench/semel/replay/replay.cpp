#include "bench/semel/replay/replay.hpp"

#include <fmt/format.h>
#include <memory>

#include "bench/semel/machine.hpp"
#include "bench/semel/replay/drill.hpp"
#include "bench/semel/replay/schedule.hpp"
#include "bench/semel/venue.hpp"

namespace semel::bench {

namespace {

Result<Run> run_once(Venue& venue, const Plan& plan, Kind kind, const Drill& drill, Meter& meter) {
  const auto scene = venue.prepare(kind, drill.kill_parts.empty() ? "calm" : "kills");
  if (!scene) return tl::unexpected(scene.error());
  auto run = perform(venue, *scene, drill, meter);
  if (!run) return run;
  const auto found = venue.database().find(scene->table, plan.setup.records);
  if (!found) return tl::unexpected(found.error());
  run->comparison = compare(*found, plan.setup.records);
  auto rolled_back = venue.database().rolled_back(bench_schema, scene->bare, found->rows);
  if (!rolled_back) return tl::unexpected(rolled_back.error());
  run->rolled_back = *rolled_back;
  venue.clear(*scene);
  return run;
}

std::string outcome(const Run& run, const Plan& plan) {
  return fmt::format("   {:.0f} rows/s, {} kills, lost {}, duplicated {}",
                     rows_per_second(run, plan.setup.records), run.kills.size(),
                     run.comparison.lost, run.comparison.duplicated);
}

}  // namespace

Result<Report> replay(const Plan& plan, Audience& audience) {
  auto directory = WorkDirectory::make();
  if (!directory) return tl::unexpected(directory.error());
  audience.say(fmt::format("setting up in {}", directory->path()));
  auto venue = Venue::set_up(plan.setup, *directory, audience.interrupted);
  if (!venue) return tl::unexpected(venue.error());

  Report report;
  report.plan = plan;
  report.transaction_records = (*venue)->transaction_records();
  report.origin = origin_of(**venue);

  audience.announce(plan.setup.records,
                    fmt::format("producing {} records of {} bytes into {} partitions",
                                plan.setup.records, plan.setup.record_size, plan.setup.partitions));
  auto produced = (*venue)->produce([&](std::int64_t n) { audience.meter.done = n; });
  if (!produced) return tl::unexpected(produced.error());

  for (const auto kind : plan.kinds) {
    Contender contender{.kind = kind};
    Drill drill{
        .records = plan.setup.records, .signal = plan.signal, .interrupted = audience.interrupted};
    audience.announce(plan.setup.records, to_string(kind) + ", without kills");
    auto calm = run_once(**venue, plan, kind, drill, audience.meter);
    if (!calm) return tl::unexpected(calm.error());
    audience.say(outcome(*calm, plan));
    contender.calm = *std::move(calm);
    if (plan.kills > 0) {
      drill.kill_parts = kill_parts(plan.seed, plan.kills);
      drill.kill_every_s = plan.kill_every_s;
      drill.calm_seconds = contender.calm.working_seconds;
      audience.announce(plan.setup.records,
                        fmt::format("{}, killed {} times", to_string(kind), plan.kills));
      auto stormy = run_once(**venue, plan, kind, drill, audience.meter);
      if (!stormy) return tl::unexpected(stormy.error());
      audience.say(outcome(*stormy, plan));
      contender.stormy = *std::move(stormy);
    }
    report.contenders.push_back(std::move(contender));
  }
  return report;
}

}  // namespace semel::bench
