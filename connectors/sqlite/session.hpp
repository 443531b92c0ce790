// One transaction after the other: a task, or several of a batch, as one fact.
#pragma once

#include <memory>
#include <mutex>
#include <optional>
#include <vector>

#include <semel/sink.hpp>

#include "connector/connector.hpp"
#include "record/dead_letter_notice.hpp"
#include "sqlite/rows.hpp"

namespace semel::sqlite {

/// What a sink and its sessions share.
struct Shared {
  Options options;
  SinkContext context;
  StopFlag stop = std::make_shared<std::atomic<bool>>(false);
  std::mutex writing;  ///< SQLite has one writer: ours queue here, not at the file's lock
  record::BadStreaks streaks;
  record::DeadLetterNotice notice;

  const Owner& owner() const { return context.owner; }
};

class Session final : public SinkSession {
 public:
  explicit Session(std::shared_ptr<Shared> shared) : shared_(std::move(shared)) {}

  void warm_up() noexcept override;
  Result<std::optional<Refused>> begin(std::span<const Task> tasks) override;
  Result<void> write(std::size_t task, std::span<const Record> records) override;
  Result<CommitResult> commit(std::span<const RangeEnd> ends) override;
  void abort() noexcept override;

  /// What was written would become this; nothing stays. `tasks` as in begin(), owned by nobody.
  Result<std::vector<SampledRecord>> sample(const RecordFeed& feed);

 private:
  Result<void> connect();
  Result<CommitResult> commit_all(std::span<const RangeEnd> ends);
  Result<std::optional<Refused>> advance(std::span<const RangeEnd> ends);
  Result<void> finish();
  void resolved();

  std::shared_ptr<Shared> shared_;
  std::unique_ptr<Database> database_;
  std::optional<RangeRows> rows_;  ///< goes before the database
  std::vector<TaskRows> tasks_;
};

}  // namespace semel::sqlite
