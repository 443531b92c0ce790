// What receivers have received, until it is committed: a log in a database of RocksDB.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include <semel/stream/receiver.hpp>

#include "source/local_log.hpp"
#include "state/disk.hpp"

namespace semel::source {

/// Records and the highest number of each sender are written together, and synced, many at once:
/// what comes while the disk works is the next write. A log that is new begins at a number that is
/// taken from the clock, far above that of any log before it: so a lost log is seen as lost.
class WriteAheadLog final : public LocalLog, public stream::Inbox {
 public:
  using Entries = std::vector<stream::Received>;

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

  bool store(std::vector<stream::Received> records, Durable durable) override;
  using Inbox::store;

  /// What was taken is written and acknowledged; store() takes nothing more.
  void stop();

 private:
  using Clock = std::chrono::steady_clock;

  struct Waiting {
    Entries records;
    Durable durable;
  };

  WriteAheadLog(std::string topic, std::unique_ptr<state::Disk> disk,
                stream::ReceiverOptions options);
  Result<void> recover(std::int64_t now_ms);
  void run();
  /// `mutex_` is held.
  bool has_room();
  /// Of the writing thread, which alone changes bounds_ and failure_, and so reads them freely.
  void write(std::deque<Waiting> group, Offset trim_to);
  /// `next` goes on, `highest` gets the numbers of senders.
  std::vector<state::Disk::Change> changes_of(const std::deque<Waiting>& group, Offset trim_to,
                                              Offset& next,
                                              std::map<std::string, std::uint64_t>& highest) const;
  /// Whether the record is new; then its number is its sender's highest, in `highest`.
  bool is_new(std::map<std::string, std::uint64_t>& highest, const stream::Received& record) const;

  std::string topic_;
  std::unique_ptr<state::Disk> disk_;
  stream::ReceiverOptions options_;

  std::map<std::string, std::uint64_t> senders_;  ///< of the writing thread, once it runs

  std::mutex mutex_;
  std::condition_variable changed_;
  Bounds bounds_;  ///< this and all below is guarded by mutex_
  std::deque<Waiting> waiting_;
  std::int64_t waiting_records_ = 0;
  std::size_t waiting_bytes_ = 0;
  Offset passed_ = 0;
  double tokens_ = 0;
  Clock::time_point filled_;
  bool stopping_ = false;
  std::optional<Error> failure_;  ///< of the disk: no write after it counts
  std::thread thread_;
};

}  // namespace semel::source
