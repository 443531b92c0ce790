// Named places on a batch's way at which a test ends the process, as SIGKILL does. They exist
// only in builds with -DSEMEL_CRASH_POINTS (meson.build says which those are): elsewhere they are
// nothing.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace semel {

/// In the order in which a run comes by them.
enum class CrashPoint : std::uint8_t {
  found_partitions,    ///< Kafka was asked, nothing is owned yet
  fenced,              ///< the epoch was raised; the previous owner's sessions still live
  read_ledger,         ///< the ledger was read
  recovered_plans,     ///< the plans to go on with are chosen
  entered_partitions,  ///< the ledger has the new partitions, the driver does not know it
  planned,             ///< a batch is planned, its plan not on disk
  persisted_plan,      ///< its plan is on disk, no task started
  began_transaction,   ///< the sink's session has begun the task
  wrote_rows,          ///< some of its rows are on their way
  fetched_range,       ///< all of them are
  sent_final_message,  ///< RELEASE, guard, COMMIT are sent; their answer is not read
  committed,           ///< the answer is read, the driver does not know it
  settled,             ///< the driver knows it; the plan is still in the log
  forgot_plan,         ///< the plan is deleted, not synced
  showing_offsets,     ///< Kafka's group offsets are about to be committed
};

inline constexpr std::array<std::string_view, 15> crash_point_names{"found_partitions",
                                                                    "fenced",
                                                                    "read_ledger",
                                                                    "recovered_plans",
                                                                    "entered_partitions",
                                                                    "planned",
                                                                    "persisted_plan",
                                                                    "began_transaction",
                                                                    "wrote_rows",
                                                                    "fetched_range",
                                                                    "sent_final_message",
                                                                    "committed",
                                                                    "settled",
                                                                    "forgot_plan",
                                                                    "showing_offsets"};

#ifdef SEMEL_CRASH_POINTS
/// Ends the process with SIGKILL where the environment variable SEMEL_CRASH_AT names this point:
/// "NAME" the first time it comes by, "NAME:3" the third. Thread safe.
void crash_point(CrashPoint point);
/// The same at a place that only some sinks have: its name begins with the sink's.
void crash_point(std::string_view name);
inline constexpr bool has_crash_points = true;
#else
inline void crash_point(CrashPoint) {}
inline void crash_point(std::string_view) {}
inline constexpr bool has_crash_points = false;
#endif

}  // namespace semel
