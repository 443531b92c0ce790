// How `semel check --sample` shows what records would become.
#pragma once

#include <vector>

#include <semel/check.hpp>

namespace semel::cli {

/// Prints what each record would become, and how well the columns are filled.
void print_sample(const std::vector<SampledRecord>& sampled);

}  // namespace semel::cli
