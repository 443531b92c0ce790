// Which state it is: decision 15.
#pragma once

#include <compare>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include <semel/sink.hpp>
#include <semel/types.hpp>

namespace semel::state {

/// A batch was computed once more: it has another name each time, so that what two owners make of
/// one batch time is never taken for the same.
using Version = StateVersion;

/// Below 2^63, and not 0.
std::uint64_t new_name();

/// "batch 1700000000000, 1f3c…": for people.
std::string to_string(const Version& version);

/// How a ledger keeps it: as the mark of the last position of ~batches. `checksum`: of the delta
/// that led there.
RecordMark mark_of(const Version& version, std::uint32_t checksum, Offset until);
/// The other way round; of an output that has no such mark yet, the version before the first batch.
Version version_of(const std::optional<Progress>& batches);
/// The same of all partitions of an output.
Version version_in(std::span<const Progress> progress);

/// Of the change that led there, as the mark has it; 0 where there is none.
std::uint32_t checksum_in(std::span<const Progress> progress);

/// A change of the state that is durable before any output commits it.
struct Prepared {
  Version version;
  Version parent;                   ///< which it changes
  std::vector<OffsetRange> ranges;  ///< of the batch, ~batches among them
  std::uint32_t checksum = 0;       ///< of the delta

  bool operator==(const Prepared&) const = default;
};

}  // namespace semel::state
