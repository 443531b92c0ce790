// What a pipeline tells the program that it runs in, as it happens.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include <semel/api.hpp>
#include <semel/error.hpp>
#include <semel/sink.hpp>
#include <semel/types.hpp>

namespace semel {

/// A range whose rows and offsets are in the sink.
struct CommittedRange {
  OffsetRange range;  ///< which one
  /// Absent where the answer to the commit was lost: the range is in the sink, uncounted.
  std::optional<Committed> counts;
};

/// Tells of one pipeline: derive from it, and override what is wanted. For information: whoever
/// must know of each range exactly once, through every crash, writes that in the sink's
/// transaction. A process that is killed has told less than it committed, and the next one may tell
/// of a range again.
///
/// A thread of the pipeline calls, never two at once; the one output's from within run(), of others
/// from threads of their own. No batch is planned meanwhile: be quick. A listener may call
/// request_stop() and snapshot(); it must not destroy or close the pipeline. What it throws is
/// logged as a warning and dropped. It is not called any more once run() has returned. All views
/// and references are valid during the call. `output` names the output that it is about.
class SEMEL_API PipelineListener {
 public:
  PipelineListener() = default;
  PipelineListener(const PipelineListener&) = delete;             ///< it is one object
  PipelineListener& operator=(const PipelineListener&) = delete;  ///< it is one object
  virtual ~PipelineListener();

  /// The output is ours: at the start, and again where its ledger went back.
  virtual void on_taken_over(std::string_view output, const TakenOver& taken);
  /// Partitions that the ledger did not know begin there.
  virtual void on_entered(std::string_view output, std::span<const Progress> starts);
  /// All ranges of a batch are in the sink. In the order in which the batch was planned.
  virtual void on_committed(std::string_view output, BatchTime time,
                            std::span<const CommittedRange> ranges);
  /// Records were gone before they were read (on_data_loss), and the ledger says so; of a batch that
  /// was given up (skip_batch), each of its ranges.
  /// range.until is where reading goes on: in a topic that was made anew it may be below from.
  virtual void on_data_lost(std::string_view output, const OffsetRange& range,
                            std::string_view reason);
  /// Nothing more is committed. nullptr: in good order.
  virtual void on_ended(std::string_view output, const Error* error);
};

}  // namespace semel
