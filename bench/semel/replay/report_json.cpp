// The report for machines. docs/guides/replay.md describes it.
#include "bench/semel/json.hpp"
#include "bench/semel/replay/result.hpp"
#include "bench/semel/statistics.hpp"

namespace semel::bench {

namespace {

Json json_of(const Run& run, std::int64_t records) {
  const auto restarts = first_commits_ms(run);
  Json kills = Json::array();
  for (const auto& kill : run.kills) {
    kills.push_back({{"at_seconds", kill.seconds},
                     {"rows", kill.rows},
                     {"restart_to_first_read_ms", or_null(kill.first_read_ms)},
                     {"restart_to_first_commit_ms", or_null(kill.first_commit_ms)}});
  }
  Json samples = Json::array();
  for (const auto& sample : run.samples) samples.push_back({sample.seconds, sample.rows});
  Json json{{"rows_per_second", rows_per_second(run, records)},
            {"seconds", run.seconds},
            {"start_to_first_commit_ms", or_null(run.cold_ms)},
            {"kills_made", run.kills.size()},
            {"kill_interval_seconds", run.interval_s},
            {"restart_to_first_commit_ms",
             {{"median", or_null(median(restarts))},
              {"p99", or_null(percentile(restarts, 99))},
              {"values", restarts}}},
            {"last_restart_to_end_ms", run.last_restart_to_end_ms},
            {"records_read", run.read},
            {"records_read_again", read_again(run, records)},
            {"rows_rolled_back", run.rolled_back ? Json(*run.rolled_back) : Json(nullptr)},
            {"fenced", run.fenced},
            {"poll_ms_p99", run.poll_ms_p99},
            {"kills", kills},
            {"committed", samples}};
  json.update(json_of(run.comparison));
  return json;
}

}  // namespace

std::string json_report(const Report& report) {
  const auto& plan = report.plan;
  auto json = json_of(report.origin, "semel bench replay");
  json["records"] = plan.setup.records;
  json["record_size"] = plan.setup.record_size;
  json["partitions"] = plan.setup.partitions;
  json["transaction_records"] = report.transaction_records;
  json["kills"] = plan.kills;
  json["kill_every_seconds"] = plan.kill_every_s;
  json["signal"] = signal_name(plan.signal);
  json["seed"] = plan.seed;
  json["exactly_once"] = report.exactly_once();
  json["pipelines"] = Json::array();
  for (const auto& contender : report.contenders) {
    Json one{{"kind", to_string(contender.kind)},
             {"without_kills", json_of(contender.calm, plan.setup.records)}};
    one["with_kills"] =
        contender.stormy ? json_of(*contender.stormy, plan.setup.records) : Json(nullptr);
    json["pipelines"].push_back(one);
  }
  return json.dump(2) + "\n";
}

}  // namespace semel::bench
