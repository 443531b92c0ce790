// Many seeds, and what to say of one that fails.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "simulation/simulation.hpp"

namespace semel::simulation {

struct FailingSeed {
  std::uint64_t seed = 0;
  Failure failure;
  Variant variant;
};

std::optional<FailingSeed> fail_of(std::uint64_t seed, const Variant& variant = {});

/// Runs [first, first + count); the failure with the lowest seed among those found before the
/// threads stopped.
std::optional<FailingSeed> run_seeds(std::uint64_t first, std::uint64_t count, unsigned threads,
                                     const Variant& variant = {});

/// The seed, how to replay it, and the shortened schedule as it happens.
std::string describe(const FailingSeed& failing);

}  // namespace semel::simulation
