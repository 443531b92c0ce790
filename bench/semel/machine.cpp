#include "bench/semel/machine.hpp"

#include <fmt/chrono.h>
#include <fmt/format.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <cstdlib>
#include <ctime>
#include <fstream>

#include "kafka/client.hpp"

namespace semel::bench {

namespace {

std::string value_in(const char* path, const std::string& name, char separator) {
  std::ifstream file(path);
  for (std::string line; std::getline(file, line);) {
    if (!line.starts_with(name)) continue;
    const auto at = line.find(separator);
    if (at == std::string::npos) continue;
    auto value = line.substr(at + 1);
    while (!value.empty() && (value.front() == ' ' || value.front() == '"')) value.erase(0, 1);
    while (!value.empty() && (value.back() == '"')) value.pop_back();
    return value;
  }
  return "unknown";
}

}  // namespace

std::optional<double> load_average() {
  double load[1] = {0};
  if (::getloadavg(load, 1) != 1) return std::nullopt;
  return load[0];
}

Origin origin_of(Venue& venue) {
  Origin origin;
  origin.date = fmt::format("{:%Y-%m-%d %H:%M} UTC", fmt::gmtime(std::time(nullptr)));
  auto& facts = origin.machine;
  facts.emplace_back("semel", SEMEL_VERSION);
  const auto memory = static_cast<double>(::sysconf(_SC_PHYS_PAGES)) *
                      static_cast<double>(::sysconf(_SC_PAGE_SIZE)) / (1 << 30);
  facts.emplace_back("machine", fmt::format("{} × {}, {:.0f} GiB", ::sysconf(_SC_NPROCESSORS_ONLN),
                                            value_in("/proc/cpuinfo", "model name", ':'), memory));
  utsname system{};
  ::uname(&system);
  facts.emplace_back(
      "system",
      fmt::format("{}, Linux {}", value_in("/etc/os-release", "PRETTY_NAME", '='), system.release));
  if (const auto load = load_average()) {
    facts.emplace_back("load average before", fmt::format("{:.1f}", *load));
  }
  for (const auto* name :
       {"server_version", "fsync", "synchronous_commit", "shared_buffers", "max_wal_size"}) {
    const auto value = venue.database().value(std::string("SHOW ") + name);
    if (value && *value) facts.emplace_back(std::string("PostgreSQL ") + name, **value);
  }
  facts.emplace_back("librdkafka", kafka::library_version());
  facts.emplace_back("broker", venue.own_broker()
                                   ? "embedded: librdkafka's mock cluster, in memory. Not a "
                                     "measure of Kafka: name a broker"
                                   : venue.kafka().brokers);
  facts.emplace_back("database", venue.own_database() ? "a throwaway PostgreSQL on this machine, "
                                                        "with the server's defaults"
                                                      : "named by the user");
  return origin;
}

}  // namespace semel::bench
