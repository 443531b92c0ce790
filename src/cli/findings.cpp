#include "cli/findings.hpp"

#include <fmt/format.h>
#include <cstdio>

namespace semel::cli {

void Findings::add(const Finding& finding) {
  fmt::print("{} {}\n", finding.ok ? "✓" : "✗", finding.what);
  if (!finding.remedy.empty()) fmt::print("    {}\n", finding.remedy);
  if (!finding.ok && code_ == ExitCode::ok) code_ = exit_code_of(finding.cause);
}

}  // namespace semel::cli
