// semel check: is everything in order, before anything runs? Changes nothing.
#include <fmt/format.h>
#include <sys/statvfs.h>
#include <unistd.h>
#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <map>
#include <system_error>

#include "cli/command.hpp"
#include "cli/connectors.hpp"
#include "cli/format.hpp"
#include "engine/state_directory.hpp"
#include "kafka/planner_client.hpp"

namespace semel::cli {

namespace {

constexpr int kafka_timeout_ms = 10'000;
constexpr std::uint64_t free_bytes_min = 16 << 20;

struct CheckOptions : FileOptions {
  bool show_config = false;
};

/// Prints findings and remembers the first area that is not in order.
class Findings {
 public:
  void ok(const std::string& what) { fmt::print("✓ {}\n", what); }

  void wrong(Cause cause, const std::string& what, const std::string& remedy = "") {
    fmt::print("✗ {}\n", what);
    if (!remedy.empty()) fmt::print("    {}\n", remedy);
    if (code_ == ExitCode::ok) code_ = exit_code_of(cause);
  }

  ExitCode code() const { return code_; }

 private:
  ExitCode code_ = ExitCode::ok;
};

void check_source(const config::PipelineConfig& config, Findings& findings) {
  const auto& kafka = config.pipeline.kafka;
  const auto wrong = [&](const Error& error) { findings.wrong(error.cause, error.message); };
  const auto client = kafka::PlannerClient::connect(kafka, config.pipeline.name);
  if (!client) return wrong(client.error());
  const auto cluster = (*client)->cluster_id(kafka_timeout_ms);
  if (!cluster) return wrong(cluster.error());
  findings.ok(fmt::format("Kafka at {} (cluster {})", kafka.brokers, *cluster));

  const auto sources = (*client)->discover(kafka_timeout_ms);
  if (!sources) return wrong(sources.error());
  std::map<std::string, int> partitions;
  for (const auto& source : *sources) ++partitions[source.topic];
  for (const auto& [topic, count] : partitions) {
    findings.ok(fmt::format("topic {}: {} partition{}", topic, count, count == 1 ? "" : "s"));
  }
  if (partitions.empty()) {
    findings.ok(fmt::format("no topic matches {} yet; they are looked for while running",
                            kafka.topic_pattern));
    return;
  }

  const auto starts = (*client)->resolve_start(*sources, kafka.start, kafka_timeout_ms);
  if (!starts) return wrong(starts.error());
  const auto latest = (*client)->latest(*sources, kafka_timeout_ms);
  if (!latest) return wrong(latest.error());
  std::int64_t ahead = 0;
  for (const auto& [source, start] : *starts) {
    const auto end = latest->find(source);
    if (end != latest->end()) ahead += std::max<std::int64_t>(end->second - start, 0);
  }
  findings.ok(fmt::format("start: found in every partition, {} records from there to the ends",
                          grouped(ahead)));
}

/// Whether the directory can be made and written, and has room: without doing it.
void check_state(const config::PipelineConfig& config, Findings& findings) {
  namespace fs = std::filesystem;
  const auto directory = engine::state_directory(config.pipeline);
  const std::string remedy = "set state_dir to a directory that this user may write";
  std::error_code error;
  fs::path existing = fs::absolute(directory, error);
  while (!existing.empty() && !fs::exists(existing, error) && existing != existing.parent_path()) {
    existing = existing.parent_path();
  }
  const auto wrong = [&](const std::string& why) {
    findings.wrong(Cause::state, fmt::format("state directory {}: {}", directory, why), remedy);
  };
  if (!fs::is_directory(existing, error)) {
    return wrong(fmt::format("{} is not a directory", existing.string()));
  }
  if (access(existing.c_str(), R_OK | W_OK | X_OK) != 0) {
    return wrong(fmt::format("{}: {}", existing.string(), std::generic_category().message(errno)));
  }
  struct statvfs room {};
  if (statvfs(existing.c_str(), &room) == 0 && room.f_bavail * room.f_frsize < free_bytes_min) {
    return wrong(fmt::format("the file system of {} is full", existing.string()));
  }
  findings.ok(fmt::format("state directory {}", directory));
}

ExitCode check(const CheckOptions& options) {
  const auto config = load_configuration(options);
  if (!config) return report(config.error());
  if (options.show_config) fmt::print("{}\n", config::render(*config));
  Findings findings;
  findings.ok(fmt::format("configuration {}", options.file));
  check_source(*config, findings);
  for (const auto& finding : connector_of(*config).check(*config)) {
    if (finding.ok) {
      findings.ok(finding.what);
    } else {
      findings.wrong(Cause::sink, finding.what, finding.remedy);
    }
  }
  check_state(*config, findings);
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
  command->callback([options, &code] { code = check(*options); });
}

}  // namespace semel::cli
