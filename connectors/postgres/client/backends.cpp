#include "postgres/client/backends.hpp"

#include <fmt/format.h>
#include <poll.h>
#include <algorithm>
#include <chrono>
#include <set>

#include "base/joined.hpp"
#include "base/one_line.hpp"
#include "postgres/client/quoting.hpp"

namespace semel::postgres {

namespace {

using Clock = std::chrono::steady_clock;

constexpr auto patience = std::chrono::seconds(10);
// Where this role may not end the other sessions, it helps to wait only if one of them ends by
// itself.
constexpr auto patience_refused = std::chrono::seconds(3);
constexpr int look_again_ms = 20;

Result<std::set<int>> find(Connection& connection, const std::string& condition) {
  auto reply = connection.run(
      fmt::format("SELECT a.pid FROM pg_catalog.pg_stat_activity a WHERE a.datname = "
                  "current_database() AND a.pid <> pg_backend_pid() AND ({})",
                  condition),
      "looking for old sessions");
  if (!reply) return tl::unexpected(reply.error());
  const auto& rows = reply->table(0);
  std::set<int> pids;
  for (int row = 0; row < rows.size(); ++row) pids.insert(static_cast<int>(rows.number(row, 0)));
  return pids;
}

}  // namespace

Result<EndedBackends> end_backends(Connection& connection, const std::string& condition) {
  std::set<int> told;
  std::set<int> refused;
  const auto start = Clock::now();
  while (true) {
    auto present = find(connection, condition);
    if (!present) return tl::unexpected(present.error());
    bool hope = false;
    for (const int pid : *present) {
      if (told.contains(pid)) {
        hope = true;
        continue;
      }
      if (refused.contains(pid)) continue;
      // One message each: one that may not be ended must not keep the others alive.
      const auto reply = connection.exchange(fmt::format("SELECT pg_terminate_backend({})", pid));
      if (reply.lost) return tl::unexpected(to_error(reply, "ending an old session"));
      (reply.error ? refused : told).insert(pid);
      hope = hope || !reply.error;
    }
    if (present->empty() || Clock::now() - start > (hope ? patience : patience_refused)) {
      EndedBackends result;
      for (const int pid : told) {
        (present->contains(pid) ? result.living : result.ended).push_back(pid);
      }
      for (const int pid : refused) {
        if (present->contains(pid)) result.refused.push_back(pid);
      }
      return result;
    }
    poll(nullptr, 0, look_again_ms);
  }
}

std::string same_backend(int pid, const std::string& application_name) {
  return fmt::format("a.pid = {} AND a.application_name = {}", pid,
                     quote_literal(application_name));
}

std::string all_named(const std::string& application_name) {
  return fmt::format("a.application_name = {}", quote_literal(application_name));
}

std::string others_of_output(const std::string& prefix, const std::string& application_name) {
  return fmt::format("starts_with(a.application_name, {}) AND a.application_name <> {}",
                     quote_literal(prefix), quote_literal(application_name));
}

std::string or_named(const std::string& condition, const std::string& name_expression,
                     const std::string& application_name) {
  // No name is what most programs have, and what an owner leaves that stopped in good order.
  return fmt::format("({}) OR (a.application_name = {} AND a.application_name NOT IN ('', {}))",
                     condition, name_expression, quote_literal(application_name));
}

Result<std::string> who_blocks(Connection& connection, int backend) {
  auto reply = connection.run(
      fmt::format("SELECT coalesce(string_agg(DISTINCT CASE WHEN b.pid = 0 THEN 'a prepared "
                  "transaction (pg_prepared_xacts)' ELSE format('session %s (user %s, application "
                  "%s)', b.pid, coalesce(a.usename, '?'), coalesce(nullif(a.application_name, ''), "
                  "'?')) END, ', '), '') FROM unnest(pg_catalog.pg_blocking_pids({})) AS b (pid) "
                  "LEFT JOIN pg_catalog.pg_stat_activity a ON a.pid = b.pid",
                  backend),
      "looking who holds a lock", std::chrono::milliseconds(2'000));
  if (!reply) return tl::unexpected(reply.error());
  return one_line(reply->table(0).text(0, 0));
}

std::string describe_left(const EndedBackends& backends) {
  std::string text;
  if (!backends.living.empty()) {
    text =
        fmt::format("sessions (pid {}) were told to end and have not; their locks may hold us up",
                    joined(backends.living, ", "));
  }
  if (!backends.refused.empty()) {
    if (!text.empty()) text += "; ";
    text += fmt::format(
        "sessions (pid {}) may not be ended by this role; their locks may hold us "
        "up. Grant it pg_signal_backend, or log in as the same role as before",
        joined(backends.refused, ", "));
  }
  return text;
}

}  // namespace semel::postgres
