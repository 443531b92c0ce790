#include "bench/semel/setup.hpp"

#include <fmt/format.h>
#include <algorithm>

namespace semel::bench {

namespace {

// What the embedded broker keeps of a partition is 5 MiB; a record costs some bytes beside its
// data.
constexpr std::int64_t embedded_bytes = std::int64_t{4} << 20;
constexpr std::int64_t bytes_beside = 16;

tl::unexpected<Error> wrong(std::string message) {
  return fail(ErrorKind::fatal, Cause::configuration, std::move(message));
}

}  // namespace

Result<void> check_servers(const Setup& setup) {
  if (!setup.file.empty() && (!setup.brokers.empty() || !setup.dsn.empty())) {
    return wrong(
        "the servers are the configuration file's: leave out FILE, or --brokers and --dsn");
  }
  return {};
}

Result<Setup> complete(Setup setup) {
  if (auto named = check_servers(setup); !named) return tl::unexpected(named.error());
  if (!setup.own_broker()) {
    if (setup.records == 0) setup.records = 2'000'000;
    if (setup.partitions == 0) setup.partitions = 4;
    return setup;
  }
  if (setup.records == 0) setup.records = 1'000'000;
  const auto per_partition =
      std::max<std::int64_t>(1, embedded_bytes / (setup.record_size + bytes_beside));
  const auto needed = (setup.records + per_partition - 1) / per_partition;
  if (needed > 1'000) {
    return wrong(
        fmt::format("the embedded broker keeps 5 MiB a partition: {} records of {} bytes "
                    "are too many for it. Name a broker with --brokers",
                    setup.records, setup.record_size));
  }
  if (setup.partitions == 0) {
    setup.partitions = static_cast<int>(std::max<std::int64_t>(needed, 4));
  } else if (setup.partitions < needed) {
    return wrong(
        fmt::format("the embedded broker keeps 5 MiB a partition: {} records of {} bytes "
                    "need --partitions {} at least, or a broker named with --brokers",
                    setup.records, setup.record_size, needed));
  }
  return setup;
}

std::int64_t records_in(std::int32_t partition, int partitions, std::int64_t records) {
  return records / partitions + (partition < records % partitions ? 1 : 0);
}

}  // namespace semel::bench
