// Dead letters of an output in PostgreSQL.
#pragma once

#include <memory>

#include "connector/dead_letters.hpp"
#include "postgres/options.hpp"

namespace semel::postgres {

/// Fails with Cause::sink where there is no ledger. Takes nothing over: the pipeline may run.
Result<std::unique_ptr<DeadLetterBox>> open_dead_letters(const Options& options,
                                                         const Owner& owner);

}  // namespace semel::postgres
