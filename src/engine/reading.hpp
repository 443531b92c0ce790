// What all that read ranges have in common: how much at once, and what a failure is to the driver.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

#include <semel/error.hpp>
#include <semel/record.hpp>
#include <semel/types.hpp>

#include "core/driver.hpp"
#include "source/interface.hpp"

namespace semel::engine {

/// What one read may yield: enough that calls cost nothing, little enough that views stay in the
/// cache and that large records do not fill the memory.
constexpr std::size_t records_per_read = 2'048;
std::size_t records_to_read(std::size_t mean_record_bytes);
/// Bytes of keys and values.
std::size_t size_of(std::span<const Record> records);

/// Tasks that share a transaction, by the first of them.
core::TaskId id_of(std::span<const Task> tasks);

/// No task of these was committed. `task`: the place of the one whose records could not be read,
/// by `reader`, where there is one.
core::TaskFailed failure_of(std::span<const Task> tasks, Error error,
                            std::optional<std::size_t> task, const source::Reader* reader);

/// Nothing of `range` was read for `waited_ms`: `reader` gives it up. Why.
Error nothing_read(source::Reader& reader, const OffsetRange& range, std::int64_t waited_ms);

}  // namespace semel::engine
