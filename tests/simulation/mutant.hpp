// Bugs put into the real code, one at a time: a line is replaced, the file compiled, linked with a
// simulation, and run through the same seeds. A mutant that does not apply any more, or that lives,
// is a failure.
#pragma once

#include <span>
#include <string>

namespace semel::simulation {

struct Mutant {
  const char* name;
  const char* file;  ///< below src/
  const char* original;
  const char* replacement;
  int found_within;            ///< seeds; ten times what it took when it was written
  const char* clock = "none";  ///< as the program's --clock
  const char* first = "";      ///< an argument of the program before all others; empty: none
};

/// Fails the test where a mutant cannot be made, or is not found. Each is made; of all of them a
/// third is looked for, another one whenever a mutated file changes, and all with SEMEL_MUTANTS=all
/// (nights). `libraries`: with main(), and with the files that mutants take the place of.
void find(std::span<const Mutant> mutants, const std::string& libraries);

}  // namespace semel::simulation
