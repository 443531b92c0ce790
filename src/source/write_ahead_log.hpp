// What receivers have received, until it is committed: a log in a database of RocksDB.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <semel/stream/receiver.hpp>

#include "source/intake.hpp"
#include "source/local_log.hpp"
#include "state/disk.hpp"

namespace semel::source {

/// Records and the highest number of each sender are written together, and synced, many at once. A
/// log that is new begins at a number that is taken from the clock, far above that of any log
/// before it: so a lost log is seen as lost.
class WriteAheadLog final : public LocalLog, public Intake {
 public:
  /// `disk` is this log's alone. `now_ms`: since 1970.
  static Result<std::shared_ptr<WriteAheadLog>> open(std::string topic,
                                                     std::unique_ptr<state::Disk> disk,
                                                     stream::ReceiverOptions options,
                                                     std::int64_t now_ms);
  /// As stop().
  ~WriteAheadLog() override;

  const std::string& topic() const override { return topic_; }
  Result<Bounds> bounds() override;
  Result<void> read(Offset from, Offset until, std::size_t max, KeptRecords& into) override;
  void passed(Offset until) override;
  void close() override;

 private:
  WriteAheadLog(std::string topic, std::unique_ptr<state::Disk> disk,
                stream::ReceiverOptions options);
  Result<void> recover(std::int64_t now_ms);
  /// Of the writing thread, which alone changes bounds_ and failure_, and so reads them freely.
  Result<void> write(const Group& group) override;
  bool has_place(std::int64_t waiting) const override;
  bool has_work() const override;
  /// `next` goes on, `highest` gets the numbers of senders.
  std::vector<state::Disk::Change> changes_of(const Group& group, Offset trim_to, Offset& next,
                                              Senders& highest) const;

  std::string topic_;
  std::unique_ptr<state::Disk> disk_;
  Senders senders_;  ///< of the writing thread, once it runs

  Bounds bounds_;  ///< this and all below is guarded by mutex_
  Offset passed_ = 0;
  std::optional<Error> failure_;  ///< of the disk: no write after it counts
};

}  // namespace semel::source
