// What `semel check` found, line by line.
#pragma once

#include <string>

#include <semel/check.hpp>

#include "cli/exit_code.hpp"

namespace semel::cli {

/// Prints findings and remembers the first area that is not in order.
class CheckReport {
 public:
  void add(const Finding& finding);
  void ok(const std::string& what) { add({.ok = true, .what = what}); }
  void wrong(Cause cause, const std::string& what, const std::string& remedy = "") {
    add({.ok = false, .what = what, .remedy = remedy, .cause = cause});
  }
  void wrong(const Error& error) { wrong(error.cause, error.message); }

  /// Of the first thing that is not in order.
  ExitCode code() const { return code_; }

 private:
  ExitCode code_ = ExitCode::ok;
};

}  // namespace semel::cli
