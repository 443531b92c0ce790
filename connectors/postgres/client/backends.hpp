// Ending server processes that hold what we need: a predecessor's that was frozen, or our own whose
// answer never came. One code path for both.
#pragma once

#include <string>
#include <vector>

#include <semel/error.hpp>

#include "postgres/client/connection.hpp"

namespace semel::postgres {

struct EndedBackends {
  std::vector<int> ended;    ///< they are gone
  std::vector<int> living;   ///< told to end, but still there after a bounded wait
  std::vector<int> refused;  ///< we may not end them, and they did not go by themselves

  bool all_gone() const { return living.empty() && refused.empty(); }
};

/// Ends the sessions in this database for which `condition` holds, an SQL expression over
/// pg_stat_activity `a`, except our own, and waits until they are gone, for a bounded time.
Result<EndedBackends> end_backends(Connection& connection, const std::string& condition);

/// Conditions: the sessions of `pid`, as long as it still is one of ours; all of ours; all sessions
/// of this output that are not ours.
std::string same_backend(int pid, const std::string& application_name);
std::string all_named(const std::string& application_name);
std::string others_of_output(const std::string& prefix, const std::string& application_name);
/// Or those of a session name that an SQL expression gives.
std::string or_named(const std::string& condition, const std::string& name_expression,
                     const std::string& application_name);

/// For people: who holds what `backend` waits for, "session 42 (user bob, application psql)", and
/// others behind it. Empty where it waits for no lock.
Result<std::string> who_blocks(Connection& connection, int backend);

/// For people: which are left, and what would help. Empty if all are gone.
std::string describe_left(const EndedBackends& backends);

}  // namespace semel::postgres
