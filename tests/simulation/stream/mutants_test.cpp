// Whether the simulation of streams notices bugs in src/stream and src/state.
#include "simulation/mutant.hpp"
#include "support/catch.hpp"

using semel::simulation::Mutant;

namespace {

const Mutant mutants[] = {
    {"no version is in the mark", "stream/batch_session.cpp",
     "marked.back().last = state::mark_of(", "(void)state::mark_of(", 1'000},
    {"what is prepared is not synced", "state/store.cpp",
     "then.prepared = std::move(prepared);\n  return impl_->write(changes, true,",
     "then.prepared = std::move(prepared);\n  return impl_->write(changes, false,", 5'000},
    {"one output ahead is refused", "state/decide.cpp",
     "return {any_at(outputs, base) ? Remedy::roll_forward : Remedy::apply};",
     "return {any_at(outputs, base) ? Remedy::refuse : Remedy::apply};", 1'000},
    {"a batch that is rolled forward gets another name", "stream/batch_session.cpp",
     "led = {prepared.version, prepared.checksum};",
     "led = {{tasks_.front().time, state::new_name()}, prepared.checksum};", 1'000},
    {"a version is its time", "state/version.cpp",
     "return std::max<std::uint64_t>((half() << 32 | half()) >> 1, 1);", "return 1;", 25'000},
    {"before a commit, nobody asks the others", "stream/batch_session.cpp",
     "if (parts_.size() > 1 && !wanting.empty()) {", "if (false) {", 80'000},
    {"before a commit, they are asked whose they are, and not where they stand",
     "stream/outputs.cpp", "if (stands(outputs_[i], alive->progress)) continue;", "continue;",
     20'000},
    {"after a take-over, nobody asks whether all are ours", "stream/outputs_take_over.cpp",
     "outputs_.size() > 1; ++again)", "false; ++again)", 12'000},
    {"the state does not go back with a ledger", "state/decide.cpp",
     "if (stored.undo && stored.undo->version == base", "if (false", 1'000},
    {"a batch is begun in outputs that have it", "stream/batch_session.cpp",
     "parts_[i].lacks = *place == Outputs::Place::lacks;", "parts_[i].lacks = true;", 1'000},
    {"in doubt, the version is not read again", "stream/outputs.cpp",
     "output.led = {state::version_in(*progress), state::checksum_in(*progress)};", "", 5'000},
    {"a commit in doubt may arrive later", "stream/outputs.cpp", "  if (lacks) {", "  if (false) {",
     5'000},
    {"whoever lost an output stops, though it has the first one", "stream/outputs.cpp",
     "if (output == 0 || ours(of, entry)", "if (true", 5'000},
    {"a ledger that goes back during a take-over is another's", "stream/outputs_take_over.cpp",
     "went_back = alive->ledger.epoch < output.epoch || alive->ledger.owner == shared_.owner;", "",
     5'000},
    {"a new output is at the beginning", "stream/outputs_take_over.cpp",
     "is_new ? agreed->progress : (*taken)[i].progress", "(*taken)[i].progress", 1'000},
    {"an output that lacks ~batches is nowhere", "stream/agree.cpp",
     "  begin_batches(places, agreed.to_enter);\n", "", 20'000},
    {"an output that lacks a partition begins where another is", "stream/agree.cpp",
     "if (auto lacks = lacks_records(standings, places))",
     "if (auto lacks = std::optional<Error>())", 12'000},
    {"home is committed in its turn", "stream/batch_session.cpp",
     "std::ranges::stable_partition(wanting, [&](auto i) { return outputs_.shared().home != i; });",
     "", 1'000, "none", "--at-home"},
    {"what is ahead of home is computed under another name", "stream/batch_session.cpp",
     "auto led = shared.home ? outputs_.ahead_of_home() : Led{};",
     "auto led = Led{{tasks_.front().time, state::new_name()}, 0};", 1'000, "none", "--at-home"},
    {"a cache that is loaded keeps what it had", "stream/outputs_state.cpp",
     "return begun && read.all ? store.forget() : begun;", "return begun;", 5'000, "none",
     "--at-home"},
};

}  // namespace

TEST_CASE("a bug put into the outputs or the state is found by the simulation") {
  semel::simulation::find(mutants, SEMEL_SIMULATION_LIBS);
}
