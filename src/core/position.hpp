// Where a pipeline begins and goes on, and what it means when the log does not hold that place. For
// the driver, and for `semel check`, which refuses what the driver would.
#pragma once

#include <cstdint>
#include <optional>
#include <set>
#include <string>

#include <semel/error.hpp>
#include <semel/types.hpp>

#include "base/setting_names.hpp"

namespace semel::core {

/// A new leader may answer with an end that lags for a moment; a log that stays below what it was
/// for this long has been recreated or truncated.
inline constexpr std::int64_t below_position_ms = 3'000;

/// With which a loss is recorded, and the pipeline goes on.
inline constexpr std::string_view skip_setting = "on_data_loss = \"skip\"";
/// Likewise, and what is left of a planned batch is left out with it.
inline constexpr std::string_view skip_batch_setting = "on_data_loss = \"skip_batch\"";

/// What the log holds where a range was lost.
struct LogBounds {
  Offset earliest = 0;
  Offset latest = 0;
  bool recreated = false;  ///< it is another log
  bool gone = false;       ///< there is no such partition, and so there are no offsets
};

/// Where a partition goes on by the ledger.
struct Position {
  TopicPartition tp;
  Offset committed = 0;
  bool vouched = false;  ///< the log once reached to `committed`: a record before it was committed
};

/// Whether a topic of the first discovery begins where the configuration says; else at its earliest
/// record. `start` is for topics that are new to the whole pipeline: what appears later begins at
/// its earliest record, so that nothing written to it is skipped.
bool begins_at_start(const std::set<std::string>& known_topics, const std::string& topic,
                     bool pattern);

/// The log ends below `offset`, and stays so.
Error ends_below(const TopicPartition& tp, Offset offset, const LogBounds& bounds);

/// What a pipeline ends with whose records are lost; nothing where it records that and goes on.
std::optional<Error> ends_with(const Position& position, const Error& loss, const LogBounds& bounds,
                               bool skip_lost, const SettingNames& names = {});

}  // namespace semel::core
