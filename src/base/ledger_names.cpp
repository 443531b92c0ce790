#include "base/ledger_names.hpp"

namespace semel {

// Stored: do not change.
std::string_view kind_name(MoveKind kind) {
  switch (kind) {
    case MoveKind::start:
      return "start";
    case MoveKind::commit:
      return "commit";
    case MoveKind::lost:
      return "lost";
    case MoveKind::set:
      return "set";
  }
  return "";
}

MoveKind kind_of(std::string_view name) {
  for (const auto kind : {MoveKind::start, MoveKind::lost, MoveKind::set}) {
    if (name == kind_name(kind)) return kind;
  }
  return MoveKind::commit;
}

}  // namespace semel
