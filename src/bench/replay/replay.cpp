#include "bench/replay.hpp"

#include <fmt/chrono.h>
#include <fmt/format.h>
#include <ctime>
#include <memory>

#include "bench/machine.hpp"
#include "bench/schedule.hpp"
#include "bench/stage.hpp"

namespace semel::bench {

namespace {

Result<Run> run_once(Stage& stage, const Plan& plan, Kind kind, const Drill& drill,
                     Progress& progress) {
  const auto scene = stage.prepare(kind, drill.kill_parts.empty() ? "calm" : "kills");
  if (!scene) return tl::unexpected(scene.error());
  auto run = perform(stage, *scene, drill, progress);
  if (!run) return run;
  const auto found = stage.database().find(scene->table, plan.records);
  if (!found) return tl::unexpected(found.error());
  run->verdict = judge(*found, plan.records);
  auto rolled_back = stage.database().rolled_back(bench_schema, scene->bare, found->rows);
  if (!rolled_back) return tl::unexpected(rolled_back.error());
  run->rolled_back = *rolled_back;
  stage.clear(*scene);
  return run;
}

std::string outcome(const Run& run, const Plan& plan) {
  return fmt::format("   {:.0f} rows/s, {} kills, lost {}, duplicated {}",
                     rows_per_second(run, plan.records), run.kills.size(), run.verdict.lost,
                     run.verdict.duplicated);
}

/// What comes next goes through all records.
void announce(Audience& audience, const Plan& plan, const std::string& text) {
  audience.progress.done = 0;
  audience.progress.total = plan.records;
  audience.say(text);
}

}  // namespace

Result<Report> replay(const Plan& plan, Audience& audience) {
  auto directory = WorkDirectory::make();
  if (!directory) return tl::unexpected(directory.error());
  audience.say(fmt::format("setting up in {}", directory->path()));
  auto stage = Stage::set_up(plan, *directory, audience.interrupted);
  if (!stage) return tl::unexpected(stage.error());

  Report report;
  report.plan = plan;
  report.transaction_records = (*stage)->transaction_records();
  report.date = fmt::format("{:%Y-%m-%d %H:%M} UTC", fmt::gmtime(std::time(nullptr)));
  report.machine = machine_facts(**stage);

  announce(audience, plan,
           fmt::format("producing {} records of {} bytes into {} partitions", plan.records,
                       plan.record_size, plan.partitions));
  auto produced = (*stage)->produce([&](std::int64_t n) { audience.progress.done = n; });
  if (!produced) return tl::unexpected(produced.error());

  for (const auto kind : plan.kinds) {
    Contender contender{.kind = kind};
    Drill drill{
        .records = plan.records, .signal = plan.signal, .interrupted = audience.interrupted};
    announce(audience, plan, to_string(kind) + ", without kills");
    auto calm = run_once(**stage, plan, kind, drill, audience.progress);
    if (!calm) return tl::unexpected(calm.error());
    audience.say(outcome(*calm, plan));
    contender.calm = *std::move(calm);
    if (plan.kills > 0) {
      drill.kill_parts = kill_parts(plan.seed, plan.kills);
      drill.kill_every_s = plan.kill_every_s;
      drill.calm_seconds = contender.calm.working_seconds;
      announce(audience, plan, fmt::format("{}, killed {} times", to_string(kind), plan.kills));
      auto stormy = run_once(**stage, plan, kind, drill, audience.progress);
      if (!stormy) return tl::unexpected(stormy.error());
      audience.say(outcome(*stormy, plan));
      contender.stormy = *std::move(stormy);
    }
    report.contenders.push_back(std::move(contender));
  }
  return report;
}

}  // namespace semel::bench
