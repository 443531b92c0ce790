// Reads what is committed of a topic's partition, from one offset to the next.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include <semel/error.hpp>
#include <semel/record.hpp>

#include "kafka/options.hpp"
#include "kafka/planner_client.hpp"
#include "kafka/range_reader.hpp"
#include "kafka/stop.hpp"

namespace semel::kafka {

/// One thread at a time. Errors: unavailable, data_loss (the log is another one, or was cut),
/// fatal; of a cluster that is a sink, their cause is the sink.
class TopicReader {
 public:
  using See = std::function<Result<void>(const Record&)>;

  static Result<TopicReader> open(const Options& cluster, const std::string& name,
                                  const std::string& topic, std::int32_t partition = 0);

  /// Where what is committed begins and ends: of transactions, those that are over.
  Result<Offset> begin(const Stop& stop);
  Result<Offset> end(const Stop& stop);
  /// Behind all that is there, also what nobody has ended.
  Result<Offset> end_of_all(const Stop& stop);
  /// end(), but what was answered as committed before this was called is in it: a commit is
  /// answered before each partition has its marker. What somebody leaves open is waited for, for a
  /// moment.
  Result<Offset> settled_end(const Stop& stop);
  /// Records of [from, until), in order; ends with the first error of `see`. `last`: of the record
  /// before them, where that is known.
  Result<void> read(Offset from, Offset until, const std::optional<RecordMark>& last,
                    const Stop& stop, const See& see);

 private:
  TopicReader() = default;
  template <class Ask>
  Result<Offset> ask(const Stop& stop, Ask what);

  Options options_;
  std::string name_;
  TopicPartition tp_;
  std::unique_ptr<PlannerClient> asks_for_all_;  ///< what is not committed, too
  std::unique_ptr<PlannerClient> asks_;
  std::unique_ptr<RangeReader> reads_;
};

}  // namespace semel::kafka
