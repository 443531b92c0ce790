#include "state/version.hpp"

#include <fmt/format.h>
#include <algorithm>
#include <random>

namespace semel::state {

std::uint64_t new_name() {
  static thread_local std::random_device device;
  const auto half = [] { return static_cast<std::uint64_t>(device()) & 0xFFFF'FFFFu; };
  return std::max<std::uint64_t>((half() << 32 | half()) >> 1, 1);
}

std::string to_string(const Version& version) {
  if (version == Version()) return "the beginning";
  return fmt::format("batch {} ({:x})", version.time.ms, version.name);
}

RecordMark mark_of(const Version& version, std::uint32_t checksum, Offset until) {
  return {.offset = until - 1,
          .timestamp_ms = static_cast<std::int64_t>(version.name),
          .checksum = checksum};
}

Version version_of(const std::optional<Progress>& batches) {
  if (!batches || !batches->last || batches->last->timestamp_ms <= 0) return {};
  return {batches->batch_time, static_cast<std::uint64_t>(batches->last->timestamp_ms)};
}

Version version_in(std::span<const Progress> progress) {
  const auto found =
      std::ranges::find_if(progress, [](const auto& one) { return is_batches(one.tp); });
  return version_of(found == progress.end() ? std::nullopt : std::optional(*found));
}

std::uint32_t checksum_in(std::span<const Progress> progress) {
  const auto found =
      std::ranges::find_if(progress, [](const auto& one) { return is_batches(one.tp); });
  return found == progress.end() || !found->last ? 0 : found->last->checksum;
}

}  // namespace semel::state
