// Sinks that do a little, and leave the rest to another one: derive, and override what is wanted.
#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <semel/sink.hpp>

namespace semel {

/// Passes every call on. As thread safe as any session: not.
class ForwardingSession : public SinkSession {
 public:
  /// `next` is not nullptr.
  explicit ForwardingSession(std::unique_ptr<SinkSession> next) : next_(std::move(next)) {}

  void warm_up() noexcept override { next_->warm_up(); }
  Result<std::optional<Refused>> begin(std::span<const Task> tasks) override {
    return next_->begin(tasks);
  }
  Result<void> write(std::size_t task, std::span<const Record> records) override {
    return next_->write(task, records);
  }
  Result<void> set_aside(std::size_t task, const Record& record,
                         const Objection& objection) override {
    return next_->set_aside(task, record, objection);
  }
  Result<void> change_state(const StateChange& change) override {
    return next_->change_state(change);
  }
  Result<CommitResult> commit(std::span<const RangeEnd> ends) override {
    return next_->commit(ends);
  }
  void abort() noexcept override { next_->abort(); }

 protected:
  SinkSession& next() { return *next_; }  ///< the other one

 private:
  std::unique_ptr<SinkSession> next_;
};

/// Passes every call on; its sessions are the other's, unless open_session() is overridden. As
/// thread safe as any sink: every member may be called from any thread.
class ForwardingSink : public Sink {
 public:
  /// `next` is not nullptr.
  explicit ForwardingSink(std::unique_ptr<Sink> next) : next_(std::move(next)) {}

  Guarantee guarantee() const override { return next_->guarantee(); }
  std::int64_t patience_ms() const override { return next_->patience_ms(); }
  Result<TakenOver> take_over(const std::string& cluster_id) override {
    return next_->take_over(cluster_id);
  }
  Result<EnterResult> enter(std::span<const Progress> starts) override {
    return next_->enter(starts);
  }
  Result<std::vector<LedgerEntry>> resolve(std::span<const Task> tasks) override {
    return next_->resolve(tasks);
  }
  Result<Alive> keep_alive() override { return next_->keep_alive(); }
  Result<bool> trim() override { return next_->trim(); }
  Result<std::unique_ptr<SinkSession>> open_session() override { return next_->open_session(); }
  bool become_home() noexcept override { return next_->become_home(); }
  Result<StateRead> read_state(const StateVersion& since, const SeeState& see) override {
    return next_->read_state(since, see);
  }
  void leave(const std::optional<std::string>& failure) noexcept override { next_->leave(failure); }
  void interrupt() noexcept override { next_->interrupt(); }

 protected:
  Sink& next() { return *next_; }  ///< the other one

 private:
  std::unique_ptr<Sink> next_;
};

}  // namespace semel
