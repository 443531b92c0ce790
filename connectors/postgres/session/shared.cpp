#include "postgres/session/shared.hpp"

#include <fmt/format.h>
#include <algorithm>
#include <cstdint>

namespace semel::postgres {

namespace {

constexpr std::size_t name_bytes_max = 63;  // NAMEDATALEN - 1
constexpr std::size_t uuid_bytes = 8;

/// FNV-1a: the same in every process and version. Stored: do not change.
std::uint64_t hash(std::string_view text) {
  std::uint64_t value = 0xcbf29ce484222325;
  for (const char c : text) value = (value ^ static_cast<unsigned char>(c)) * 0x100000001b3;
  return value;
}

bool plain(std::string_view text) {
  return std::ranges::all_of(text, [](char c) { return c > ' ' && c < '\x7f'; });
}

}  // namespace

// Stored: do not change. Another version would not find its predecessor's sessions.
ApplicationName application_name(const LedgerTables& tables, const Owner& owner) {
  std::string where;
  if (tables.owners != ledger_tables(Options{}, "public").owners) {
    where = fmt::format("@{:08x}", static_cast<std::uint32_t>(hash(tables.owners)));
  }
  auto prefix = fmt::format("semel/{}/{}{}/", owner.pipeline, owner.output, where);
  if (!plain(prefix) || prefix.size() + uuid_bytes > name_bytes_max) {
    prefix = fmt::format("semel/{:016x}/", hash(prefix));
  }
  return {prefix, prefix + owner.id.substr(0, uuid_bytes)};
}

void Doubts::add(const TopicPartition& tp, int backend) {
  const std::lock_guard lock(mutex_);
  backends_[tp] = backend;
}

int Doubts::backend(const TopicPartition& tp) const {
  const std::lock_guard lock(mutex_);
  const auto found = backends_.find(tp);
  return found == backends_.end() ? 0 : found->second;
}

void Doubts::resolved(const TopicPartition& tp) {
  const std::lock_guard lock(mutex_);
  backends_.erase(tp);
}

std::string session_name(const Shared& shared, const Task& task) {
  const auto range =
      hash(fmt::format("{} {} {}", shared.owner.id, to_string(task.range), task.time.ms));
  return shared.name.prefix + fmt::format("{:08x}", static_cast<std::uint32_t>(range));
}

}  // namespace semel::postgres
