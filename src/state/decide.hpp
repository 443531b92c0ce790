// What a start, or a batch that failed, finds in the state's store and in the outputs, and what is
// done then: the table of decision 15. Pure.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include <semel/error.hpp>

#include "state/version.hpp"

namespace semel::state {

/// In the store.
struct Stored {
  Version base;                      ///< the state's
  std::optional<Prepared> prepared;  ///< at most one
  std::optional<Prepared> undo;      ///< the last that was applied, as far as it can be taken back
};

/// Where an output's ledger is.
struct OutputVersion {
  std::string output;  ///< its name
  Version version;
};

enum class Remedy : std::uint8_t {
  drop,          ///< nobody has committed: forget what is prepared, compute the batch again
  apply,         ///< all have committed what is prepared: apply it
  roll_forward,  ///< some have: compute what is prepared again, as what it was, for the others
  take_back,     ///< a ledger went back by one: take the last apply back, and ask again
  refuse,        ///< the outputs and the store do not belong together
};

struct Decision {
  Remedy remedy = Remedy::drop;
  std::string why{};  ///< of refuse: for people
};

/// At least one output.
Decision decide(const Stored& stored, std::span<const OutputVersion> outputs);

/// Of a state that has its home in one of the outputs, which commits last: whether the others
/// belong to it. drop; roll_forward, where others are at one later version, of one batch as far as
/// can be seen here; or refuse.
Decision decide_at_home(const OutputVersion& home, std::span<const OutputVersion> others);

/// Of refuse, for people: with where the state is, and what can be done.
tl::unexpected<Error> refused(const Decision& decision, const std::string& directory);

}  // namespace semel::state
