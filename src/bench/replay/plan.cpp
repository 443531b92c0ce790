#include "bench/plan.hpp"

#include <fmt/format.h>
#include <algorithm>
#include <array>
#include <csignal>
#include <sstream>
#include <utility>

namespace semel::bench {

namespace {

constexpr std::array<std::pair<Kind, const char*>, 4> kinds{{
    {Kind::direct, "direct"},
    {Kind::receiver, "receiver"},
    {Kind::at_least_once, "at-least-once"},
    {Kind::at_most_once, "at-most-once"},
}};

constexpr std::array<std::pair<int, const char*>, 4> signals{{
    {SIGKILL, "KILL"},
    {SIGTERM, "TERM"},
    {SIGINT, "INT"},
    {SIGSTOP, "STOP"},
}};

// What the embedded broker keeps of a partition is 5 MiB; a record costs some bytes beside its
// data.
constexpr std::int64_t embedded_bytes = std::int64_t{4} << 20;
constexpr std::int64_t bytes_beside = 16;

tl::unexpected<Error> wrong(std::string message) {
  return fail(ErrorKind::fatal, Cause::configuration, std::move(message));
}

}  // namespace

std::string to_string(Kind kind) {
  for (const auto& [value, name] : kinds) {
    if (value == kind) return name;
  }
  return "?";
}

Result<std::vector<Kind>> parse_baselines(const std::string& list) {
  std::vector<Kind> chosen{Kind::direct};
  if (list == "none") return chosen;
  std::istringstream words(list == "all" ? "receiver,at-least-once,at-most-once" : list);
  for (std::string word; std::getline(words, word, ',');) {
    const auto* found = std::find_if(kinds.begin(), kinds.end(),
                                     [&](const auto& kind) { return word == kind.second; });
    if (found == kinds.end()) {
      return wrong(
          fmt::format("--baselines: {} is none of direct, receiver, at-least-once, "
                      "at-most-once, all, none",
                      word));
    }
    if (std::find(chosen.begin(), chosen.end(), found->first) == chosen.end()) {
      chosen.push_back(found->first);
    }
  }
  return chosen;
}

Result<int> parse_signal(const std::string& name) {
  const auto bare = name.starts_with("SIG") ? name.substr(3) : name;
  for (const auto& [number, text] : signals) {
    if (bare == text) return number;
  }
  return wrong(fmt::format("--signal: {} is none of KILL, TERM, INT, STOP", name));
}

std::string signal_name(int number) {
  for (const auto& [value, name] : signals) {
    if (value == number) return std::string("SIG") + name;
  }
  return fmt::format("signal {}", number);
}

Result<Plan> complete(Plan plan) {
  if (!plan.file.empty() && (!plan.brokers.empty() || !plan.dsn.empty())) {
    return wrong(
        "the servers are the configuration file's: leave out FILE, or --brokers and --dsn");
  }
  if (!plan.own_broker()) {
    if (plan.records == 0) plan.records = 2'000'000;
    if (plan.partitions == 0) plan.partitions = 4;
    return plan;
  }
  if (plan.records == 0) plan.records = 1'000'000;
  const auto per_partition =
      std::max<std::int64_t>(1, embedded_bytes / (plan.record_size + bytes_beside));
  const auto needed = (plan.records + per_partition - 1) / per_partition;
  if (needed > 1'000) {
    return wrong(
        fmt::format("the embedded broker keeps 5 MiB a partition: {} records of {} bytes "
                    "are too many for it. Name a broker with --brokers",
                    plan.records, plan.record_size));
  }
  if (plan.partitions == 0) {
    plan.partitions = static_cast<int>(std::max<std::int64_t>(needed, 4));
  } else if (plan.partitions < needed) {
    return wrong(
        fmt::format("the embedded broker keeps 5 MiB a partition: {} records of {} bytes "
                    "need --partitions {} at least, or a broker named with --brokers",
                    plan.records, plan.record_size, needed));
  }
  return plan;
}

std::int64_t transaction_records(const Plan& plan, std::int64_t configured) {
  const auto wanted = plan.records / (std::int64_t{8} * (plan.kills + 1));
  return std::clamp<std::int64_t>(wanted, 500, std::max<std::int64_t>(configured, 500));
}

std::int64_t records_in(std::int32_t partition, int partitions, std::int64_t records) {
  return records / partitions + (partition < records % partitions ? 1 : 0);
}

}  // namespace semel::bench
