// What all processes of a run share: the log, the databases, the machines, and chance.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "simulation/choices.hpp"
#include "simulation/kafka.hpp"
#include "simulation/stream/database.hpp"
#include "simulation/stream/machine.hpp"

namespace semel::stream_simulation {

/// What may go wrong in a run, each or not.
struct Faults {
  bool sink = false;           ///< statements fail, replies are lost
  bool adrift = false;         ///< a final message is executed after its client has gone
  bool sessions_stay = false;  ///< whoever owns the output may not end them
  bool crashes = false;
  bool power = false;
  bool zombies = false;     ///< processes are stopped, and overlap
  bool failover = false;    ///< databases become what they were once
  bool moves = false;       ///< processes start on another machine
  bool partitions = false;  ///< appear later
  bool new_output = false;  ///< is configured later
};

struct World {
  simulation::Choices& choices;
  std::function<void(const std::string&)> tell;
  Faults faults{};
  bool trouble = true;  ///< faults happen; else all that is tried succeeds
  bool with_state = true;
  std::optional<std::size_t> home{};  ///< the number of the database that is; absent: none is
  bool ticks = false;                 ///< batches without records, too
  std::size_t outputs = 2;            ///< configured now: the first ones of `databases`
  simulation::Kafka kafka{};
  std::deque<Database> databases{};
  std::deque<Machine> machines{};
  std::map<std::string, std::size_t> machine_of{};  ///< of owners
  std::map<std::uint64_t, std::size_t> made_by{};   ///< machines, by the name of a version
  bool went_back = false;                           ///< a database did

  /// A moment in which others may run, or the process may end.
  void step() const;
  bool one_in(bool fault, std::uint32_t n) const { return trouble && fault && choices.one_in(n); }
  void say(const std::string& what) const {
    if (tell) tell(what);
  }
  /// Looks at what has become one fact, as somebody who knows all of the log.
  CommitResult commit(Database& database, const Transaction& transaction);

 private:
  void check_commit(const Database& database, const Transaction& transaction);
  void check_fork(const Database& database, const state::Version& version) const;
  void check_rows(const Database& database, const Transaction& transaction) const;
};

}  // namespace semel::stream_simulation
