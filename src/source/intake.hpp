// Records that receivers hand over, on their way to where they are kept.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include <semel/stream/receiver.hpp>

namespace semel::source {

/// The highest number that was kept of each sender.
using Senders = std::map<std::string, std::uint64_t>;

/// Whether the record is new, by `kept` and by what `highest` has of the group before it; then its
/// number is its sender's in `highest`.
bool is_new(const Senders& kept, Senders& highest, const stream::Received& record);

/// What comes while one write works is the next write. Senders wait where they bring too much.
class Intake : public stream::Inbox {
 public:
  using Entries = std::vector<stream::Received>;

  ~Intake() override;
  Intake(const Intake&) = delete;
  Intake& operator=(const Intake&) = delete;

  bool store(std::vector<stream::Received> records, Durable durable) override;
  using Inbox::store;
  bool store_behind(std::uint64_t failures, Entries records, Durable durable) override;
  std::uint64_t failures() override;

  /// What was taken is written and acknowledged; store() takes nothing more. Before the destructor
  /// of whatever is derived.
  void stop();

  /// Called with what became of each write, in the thread that writes; not after stop().
  using OnWritten = std::function<void(const Result<void>&)>;
  void on_written(OnWritten call);

 protected:
  struct Waiting {
    Entries records;
    Durable durable;
  };
  using Group = std::deque<Waiting>;

  explicit Intake(stream::ReceiverOptions options);
  /// From now on a thread writes.
  void begin();
  /// In that thread: all of the group becomes durable, or why not; then what was taken meanwhile
  /// is not kept either. Without records where has_work() says so.
  virtual Result<void> write(const Group& group) = 0;
  /// Why the records cannot be kept, whatever happens; bad_data. Any thread.
  virtual Result<void> fits(const Entries& records) const;
  /// mutex_ is held. Whether more may be taken, where so many records wait for their write.
  virtual bool has_place(std::int64_t waiting) const;
  /// mutex_ is held. Whether there is something to do without records.
  virtual bool has_work() const;
  /// Something of what the two above look at has changed.
  void wake() { changed_.notify_all(); }

  const stream::ReceiverOptions options_;
  std::mutex mutex_;
  bool stopping_ = false;  ///< guarded by mutex_

 private:
  using Clock = std::chrono::steady_clock;

  bool take(std::optional<std::uint64_t> failures, Entries records, Durable durable);
  void run();
  /// mutex_ is held.
  bool has_room();

  std::condition_variable changed_;
  Group waiting_;  ///< this and all below is guarded by mutex_
  std::int64_t waiting_records_ = 0;
  std::size_t waiting_bytes_ = 0;
  std::uint64_t failures_ = 0;
  OnWritten on_written_;
  double tokens_ = 0;
  Clock::time_point filled_;
  std::thread thread_;
};

}  // namespace semel::source
