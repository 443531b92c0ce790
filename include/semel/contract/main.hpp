// The contract of sinks without a test framework: for a program of one's own.
#pragma once

#include <cstddef>
#include <exception>
#include <ostream>
#include <string>

#include <semel/contract.hpp>

namespace semel::contract {

/// Runs all cases and writes what became of them, in TAP (https://testanything.org), which Meson,
/// prove and others read. What main() returns: 0 where none failed, else 1.
inline int run_and_tell(std::ostream& out, const MakeSubject& make, Guarantee guarantee,
                        const Options& options = {}) {
  const auto all = cases(guarantee, options);
  bool all_hold = true;
  out << "1.." << all.size() << '\n';
  for (std::size_t i = 0; i < all.size(); ++i) {
    const auto told = std::to_string(i + 1) + " - " + all[i].name;
    std::string why;
    try {
      all[i].run(make);
      out << "ok " << told << std::endl;
      continue;
    } catch (const Skipped& skipped) {
      out << "ok " << told << " # SKIP " << skipped.what() << std::endl;
      continue;
    } catch (const std::exception& error) {
      why = error.what();
    } catch (...) {
      why = "threw something that is no std::exception";
    }
    all_hold = false;
    for (auto at = why.find('\n'); at != std::string::npos; at = why.find('\n', at + 1)) {
      why.insert(at + 1, "# ");
    }
    out << "not ok " << told << "\n# " << why << std::endl;
  }
  return all_hold ? 0 : 1;
}

}  // namespace semel::contract
