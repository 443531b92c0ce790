// A range in the user's hand, as the consumer and the user's Range see it.
#pragma once

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <set>
#include <span>
#include <vector>

#include <semel/consumer.hpp>

namespace semel::consumer {

class Core;

struct Hand {
  std::atomic<bool> busy{false};  ///< a call is under way
  Core* core = nullptr;           ///< null: the consumer is gone, or the range is done with
  std::size_t lane = 0;           ///< whose reader has it: nobody else uses that meanwhile
  RangeMove move;
  std::optional<std::span<const Record>> first;  ///< read already, and not given out yet
  bool read = false;                             ///< to its end
  bool ended = false;                            ///< and the user was told so
  int exceptions = 0;                            ///< on their way when it was handed out
  std::span<const Record> given;                 ///< by the last next(): their views live
  bool advanced = false;                         ///< what moves the ledger was asked for
  std::uint64_t records = 0;
  std::uint64_t bytes = 0;
  std::chrono::steady_clock::time_point moved;  ///< when records came last
  std::set<Offset> bad;
  std::size_t dead_letter_bytes = 0;
};

}  // namespace semel::consumer
