#include "state/decide.hpp"

#include <fmt/format.h>
#include <algorithm>

namespace semel::state {

namespace {

/// Whether each output is at one of both.
bool all_at(std::span<const OutputVersion> outputs, const Version& a, const Version& b) {
  return std::ranges::all_of(
      outputs, [&](const auto& output) { return output.version == a || output.version == b; });
}

bool any_at(std::span<const OutputVersion> outputs, const Version& version) {
  return std::ranges::any_of(outputs,
                             [&](const auto& output) { return output.version == version; });
}

std::string where_all_are(std::span<const OutputVersion> outputs) {
  std::string text;
  for (const auto& output : outputs) {
    text += fmt::format("{}output {} is at {}", text.empty() ? "" : ", ", output.output,
                        to_string(output.version));
  }
  return text;
}

}  // namespace

Decision decide(const Stored& stored, std::span<const OutputVersion> outputs) {
  const auto& base = stored.base;
  if (all_at(outputs, base, base)) return {Remedy::drop};
  if (stored.prepared && stored.prepared->parent == base &&
      all_at(outputs, base, stored.prepared->version)) {
    return {any_at(outputs, base) ? Remedy::roll_forward : Remedy::apply};
  }
  if (stored.undo && stored.undo->version == base && all_at(outputs, base, stored.undo->parent)) {
    return {Remedy::take_back};
  }
  const auto found = where_all_are(outputs);
  if (base == Version() && !stored.prepared) {
    return {Remedy::refuse, fmt::format("the state is not on this machine: {}, and the state "
                                        "directory has none",
                                        found)};
  }
  const auto* left_out = any_at(outputs, base)
                             ? ". An output that was left out for a while begins where the others "
                               "are after `semel offsets FILE reset --output NAME`"
                             : "";
  return {Remedy::refuse,
          fmt::format("the state and the outputs do not belong together: the state is "
                      "at {}, {}. Another process has gone on without this state, or "
                      "a ledger was restored that is older than the state can go back{}",
                      to_string(base), found, left_out)};
}

Decision decide_at_home(const OutputVersion& home, std::span<const OutputVersion> others) {
  const auto ahead = std::ranges::find_if(
      others, [&](const auto& other) { return other.version != home.version; });
  if (ahead == others.end()) return {Remedy::drop};
  // Home commits last: the others may be one batch ahead of it, and never behind.
  if (ahead->version.time > home.version.time && all_at(others, home.version, ahead->version)) {
    return {Remedy::roll_forward};
  }
  return {Remedy::refuse,
          fmt::format("the state and the outputs do not belong together: the state is in output "
                      "{}, at {}, and {}. A ledger was restored, or an output was left out for a "
                      "while: it begins where the others are after `semel offsets FILE reset "
                      "--output NAME`",
                      home.output, to_string(home.version), where_all_are(others))};
}

tl::unexpected<Error> refused(const Decision& decision, const std::string& directory) {
  return fail(
      ErrorKind::fatal, Cause::state,
      fmt::format(
          "{}. The state is looked for in {}; `semel state FILE show` says what is there. "
          "Remedies: "
          "`semel state FILE restore DIR` puts a checkpoint, or the directory of the machine that "
          "had it, in place; `semel state FILE empty --yes` goes on from here and has forgotten "
          "what was counted; to count anew, empty the outputs' tables and `semel offsets FILE set "
          "--to earliest --state empty`",
          decision.why, directory));
}

}  // namespace semel::state
