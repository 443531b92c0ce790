#include "cli/check_report.hpp"

#include <fmt/format.h>
#include <cstdio>

namespace semel::cli {

void CheckReport::add(const Finding& finding) {
  fmt::print("{} {}\n", finding.ok ? "✓" : "✗", finding.what);
  if (!finding.remedy.empty()) fmt::print("    {}\n", finding.remedy);
  if (!finding.ok && code_ == ExitCode::ok) code_ = exit_code_of(finding.cause);
}

}  // namespace semel::cli
