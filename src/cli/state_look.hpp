// A pipeline's state beside the ledgers of its outputs.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <semel/ledger.hpp>

#include "app/outputs.hpp"
#include "state/decide.hpp"
#include "state/store.hpp"

namespace semel::cli {

/// An output whose ledger has been read.
struct OutputLedger {
  app::Output output;
  std::unique_ptr<Ledger> ledger;
  std::optional<OwnerStatus> owner;  ///< absent: it never ran
  std::vector<Progress> progress;

  state::Version version() const { return state::version_in(progress); }
};

Result<OutputLedger> read_ledger(const app::Output& output);
/// Of all outputs, or the first error.
Result<std::vector<OutputLedger>> read_ledgers(const app::PipelineConfig& config);

/// What a start compares the state with: outputs that know nothing yet begin where the others are.
std::vector<state::OutputVersion> versions_of(const std::vector<OutputLedger>& outputs);
/// Whether all of them are at one version.
bool at_one_version(const std::vector<state::OutputVersion>& versions);

/// The store of a state that is there; nullptr where there is none. Refused where a process has it.
Result<std::unique_ptr<state::Store>> open_existing(const std::string& directory);

/// All moves that the ledger's history has kept.
Result<std::vector<Move>> moves_of(const OutputLedger& output);

/// An empty state of that version takes the place of what is in `directory`, which goes beside it:
/// where to, is returned. This process must not have it open. `place`: a crash point, before
/// anything of it has moved.
Result<std::string> put_empty_in_place(const std::string& directory, const state::Version& version,
                                       const char* place);

/// What a start would do, for people; a refusal as the start has it.
std::string what_a_start_does(const state::Stored& stored,
                              const std::vector<state::OutputVersion>& versions,
                              const std::string& directory);

/// "lines:0=1500 lines:1=1200": as the command line takes them.
std::string as_arguments(const std::vector<Progress>& positions);

/// What somebody types, in quotes where a shell needs them.
std::string typed(const std::string& word);

}  // namespace semel::cli
