// semel check: is everything in order, before anything runs? Changes nothing.
#include <fmt/format.h>
#include <algorithm>
#include <cstdio>
#include <map>
#include <memory>
#include <optional>
#include <set>

#include "app/outputs.hpp"
#include "cli/check_positions.hpp"
#include "cli/check_records.hpp"
#include "cli/check_report.hpp"
#include "cli/check_sample.hpp"
#include "cli/command.hpp"
#include "cli/positions.hpp"
#include "cli/sample_feed.hpp"
#include "cli/text.hpp"
#include "engine/same_cluster.hpp"
#include "engine/state_directory.hpp"
#include "engine/state_trial.hpp"
#include "kafka/planner_client.hpp"

namespace semel::cli {

namespace {

constexpr int kafka_timeout_ms = 10'000;

struct CheckOptions : FileOptions {
  bool show_config = false;
  bool accept_changed_table = false;
  std::size_t sample = 0;  ///< records of each topic
};

/// What reading needs; without a client where Kafka is not in order.
struct Source {
  std::unique_ptr<kafka::PlannerClient> client;
  std::string cluster_id;
  ReadFroms froms;
};

/// What the ledger knows of the pipeline. Without one: nothing, and the sink's part says why.
struct Known {
  std::string cluster_id;
  std::vector<Progress> progress;
};

Known known_of(const app::Output& output) {
  auto ledger = output.open_ledger();
  if (!ledger) return {};
  const auto owner = (*ledger)->owner();
  auto progress = (*ledger)->progress();
  if (!owner || !*owner || !progress) return {};
  return {(*owner)->cluster_id, *std::move(progress)};
}

/// Where the pipeline begins and goes on; nothing where that is not in order.
std::optional<ReadFroms> check_start(const app::PipelineConfig& config,
                                     kafka::PlannerClient& client,
                                     const std::vector<TopicPartition>& partitions,
                                     const Known& known, CheckReport& findings) {
  auto logs = look_at_logs(config, client, partitions, known.progress);
  if (!logs) {
    findings.wrong(logs.error());
    return std::nullopt;
  }
  for (const auto& [tp, why] : logs->silent) {
    findings.ok(
        fmt::format("{}: {}. `semel run` waits for it and reads the others (--once does "
                    "not)",
                    to_string(tp), why));
  }
  const auto begin = logs->starting + logs->starting_silently;
  if (begin == 0) {
    findings.ok("start: not needed, the ledger knows every partition");
  } else {
    const auto where = logs->starting_silently == 0
                           ? std::string("in every partition")
                           : fmt::format("in {} of {} partitions", logs->starting, begin);
    findings.ok(fmt::format("start: found {}, {} records from there to the ends", where,
                            grouped(logs->ahead)));
  }
  return std::move(logs->froms);
}

Source check_source(const app::PipelineConfig& config, const Known& known, CheckReport& findings) {
  if (!config.reads_kafka) {
    findings.ok(
        "no [source.kafka]: right for a program with sources of its own; `semel run` needs "
        "one");
    return {};
  }
  const auto& kafka = config.pipeline.kafka;
  const auto wrong = [&](const Error& error) {
    findings.wrong(error);
    return Source{};
  };
  auto client = kafka::PlannerClient::connect(kafka, config.pipeline.name);
  if (!client) return wrong(client.error());
  const auto cluster = (*client)->cluster_id(kafka_timeout_ms);
  if (!cluster) return wrong(cluster.error());
  findings.ok(fmt::format("Kafka at {} (cluster {})", kafka.brokers, *cluster));

  if (kafka.topics.empty() && kafka.topic_pattern.empty()) {
    findings.ok(
        "no topics are named: right for a program, which names its own; `semel run` needs "
        "source.kafka.topics");
    return {};
  }
  auto listed = (*client)->discover(kafka_timeout_ms);
  if (!listed) return wrong(listed.error());
  std::map<std::string, int> partitions;
  for (const auto& tp : listed->partitions) ++partitions[tp.topic];
  for (const auto& [topic, count] : partitions) {
    findings.ok(fmt::format("topic {}: {} partition{}", topic, count, count == 1 ? "" : "s"));
  }
  if (partitions.empty()) {
    findings.ok(fmt::format("no topic matches {} yet; they are looked for while running",
                            kafka.topic_pattern));
    return {};
  }

  for (const auto& [topic, why] : listed->unclear) wrong(why);
  auto froms = check_start(config, **client, listed->partitions, known, findings);
  if (!froms) return {};
  return {*std::move(client), *cluster, *std::move(froms)};
}

/// Seeing a topic and reading it are two rights, so one record of each is read.
bool check_reading(const app::PipelineConfig& config, Source& source, const Known& known,
                   CheckReport& findings) {
  const auto wrong = [&](const Error& error) {
    findings.wrong(error);
    return false;
  };
  const auto same = engine::same_cluster(config.pipeline, known.cluster_id, source.cluster_id);
  if (!same) return wrong(same.error());
  if (!check_positions(config, *source.client, source.froms, findings)) return false;
  const auto read = read_records(config, source.froms, 1, [](const auto&, const auto&) {});
  if (!read) return wrong(read.error());
  for (const auto& loss : read->skipped) findings.ok(loss);
  findings.ok(read->not_tried == 0
                  ? "records of every topic can be read"
                  : fmt::format("records can be read; {} topics without any were not tried",
                                read->not_tried));
  return true;
}

void check_sample(const app::PipelineConfig& config, const app::Output& output, ReadFroms& froms,
                  std::size_t count, CheckReport& findings) {
  const auto feed = [&](const TakeRecords& take) -> Result<void> {
    const auto read = read_records(config, froms, count, take);
    if (!read) return tl::unexpected(read.error());
    return {};
  };
  const auto statements = output.table_sql(feed);
  if (!statements) return findings.wrong(statements.error());
  if (!statements->empty()) {
    findings.ok("for these records `semel run` would first run:");
    fmt::print("{}", *statements);
  }
  const auto sampled = output.sample(feed);
  if (!sampled) return findings.wrong(sampled.error());
  findings.ok("what the next records would become:");
  print_sample(*sampled);
  const auto refused =
      std::ranges::count(*sampled, SampledRecord::Fate::refused, &SampledRecord::fate);
  if (refused == 0) return;
  if (output.policy().on_bad_record == record::OnBadRecord::stop) {
    findings.wrong(Cause::bad_record,
                   "a record of the sample is refused, and on_bad_record = \"stop\"");
  } else if (refused == std::ssize(*sampled)) {
    findings.wrong(Cause::bad_record, "every record of the sample is refused",
                   "the table and the topic do not fit: look at the reasons above");
  }
}

void check_state(const app::PipelineConfig& config, const app::Output& output,
                 CheckReport& findings) {
  const auto directory = engine::state_directory(config.pipeline, output.name());
  if (const auto tried = engine::try_state_directory(directory); !tried) {
    return findings.wrong(tried.error());
  }
  findings.ok(fmt::format("state directory {}", directory));
}

void check_output(const app::PipelineConfig& config, const app::Output& output, std::size_t sample,
                  CheckReport& findings) {
  const auto known = known_of(output);
  auto with_topics = config;
  if (auto asked = asked_of_kafka(config, known.progress)) {
    with_topics.pipeline.kafka = *std::move(asked);
  }
  auto source = check_source(with_topics, known, findings);
  const bool readable = source.client && check_reading(with_topics, source, known, findings);
  bool sink_is_good = true;
  std::set<std::string> topics;
  for (const auto& [tp, from] : source.froms) topics.insert(tp.topic);
  for (const auto& finding : output.check({topics.begin(), topics.end()})) {
    findings.add(finding);
    sink_is_good = sink_is_good && finding.ok;
  }
  check_state(config, output, findings);
  if (sample > 0 && readable && sink_is_good) {
    check_sample(with_topics, output, source.froms, sample, findings);
  }
}

ExitCode check(const CheckOptions& options) {
  auto config = load_configuration(options);
  if (!config) return report(config.error());
  const auto outputs = outputs_of(*config, options, options.accept_changed_table);
  if (!outputs) return report(outputs.error());
  if (options.show_config) {
    auto shown = *config;
    shown.pipeline.state_dir = engine::state_root(config->pipeline);
    if (shown.pipeline.kafka.group_id.empty())
      shown.pipeline.kafka.group_id = config->pipeline.name;
    fmt::print("{}\n", app::render(shown));
  }
  CheckReport findings;
  findings.ok(fmt::format("configuration {}", options.file));
  for (const auto& output : *outputs) {
    print_heading(*outputs, output);
    check_output(*config, output, options.sample, findings);
  }
  return findings.code();
}

}  // namespace

void add_check(CLI::App& app, ExitCode& code) {
  auto* command = app.add_subcommand(
      "check", "say whether brokers, topics, database, table and rights are in order");
  auto options = std::make_shared<CheckOptions>();
  add_file_options(*command, *options);
  command->add_flag("--show-config", options->show_config,
                    "print every setting in effect first, passwords masked");
  command
      ->add_option("--sample", options->sample,
                   "read so many records of each topic and print the rows that they would become")
      ->type_name("N")
      ->check(CLI::Range(1, sample_max));
  command->add_flag("--accept-changed-table", options->accept_changed_table,
                    "as `semel run` with it");
  command->callback([options, &code] { code = check(*options); });
}

}  // namespace semel::cli
