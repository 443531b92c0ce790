// How values that people read are spelled: as the enumerator is. Pure, no state, safe from any
// thread; never fails: a value that is none of the enumerators has the empty name.
#pragma once

#include <string_view>

#include <semel/error.hpp>
#include <semel/ledger.hpp>

namespace semel {

/// "retriable": also a label's value in metrics.
constexpr std::string_view name_of(ErrorKind kind) {
  switch (kind) {
    case ErrorKind::unavailable:
      return "unavailable";
    case ErrorKind::retriable:
      return "retriable";
    case ErrorKind::bad_data:
      return "bad_data";
    case ErrorKind::in_doubt:
      return "in_doubt";
    case ErrorKind::data_loss:
      return "data_loss";
    case ErrorKind::fatal:
      return "fatal";
  }
  return "";
}

/// "silent": also a value in `semel status --json`.
constexpr std::string_view name_of(OwnerState state) {
  switch (state) {
    case OwnerState::running:
      return "running";
    case OwnerState::silent:
      return "silent";
    case OwnerState::stopped:
      return "stopped";
    case OwnerState::failed:
      return "failed";
  }
  return "";
}

}  // namespace semel
