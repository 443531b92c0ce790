#include "bench/semel/counting_sink.hpp"

#include <utility>

#include "bench/semel/tally.hpp"

namespace semel::bench {

namespace {

class CountingSession : public SinkSession {
 public:
  CountingSession(std::unique_ptr<SinkSession> session, std::shared_ptr<Tally> tally)
      : session_(std::move(session)), tally_(std::move(tally)) {}

  void warm_up() noexcept override { session_->warm_up(); }
  Result<std::optional<Refused>> begin(std::span<const Task> tasks) override {
    return session_->begin(tasks);
  }
  Result<void> write(std::size_t task, std::span<const Record> records) override {
    tally_->add(records.size());
    return session_->write(task, records);
  }
  Result<CommitResult> commit(std::span<const RangeEnd> ends) override {
    auto result = session_->commit(ends);
    if (result && !std::holds_alternative<Refused>(*result)) tally_->committed();
    return result;
  }
  void abort() noexcept override { session_->abort(); }

 private:
  std::unique_ptr<SinkSession> session_;
  std::shared_ptr<Tally> tally_;
};

class CountingSink : public Sink {
 public:
  CountingSink(std::unique_ptr<Sink> sink, std::shared_ptr<Tally> tally)
      : sink_(std::move(sink)), tally_(std::move(tally)) {}

  Guarantee guarantee() const override { return sink_->guarantee(); }
  Result<TakenOver> take_over(const std::string& cluster_id) override {
    return sink_->take_over(cluster_id);
  }
  Result<EnterResult> enter(std::span<const Progress> starts) override {
    return sink_->enter(starts);
  }
  Result<std::vector<LedgerEntry>> resolve(std::span<const Task> tasks) override {
    return sink_->resolve(tasks);
  }
  Result<Alive> keep_alive() override { return sink_->keep_alive(); }
  Result<bool> trim() override { return sink_->trim(); }
  Result<std::unique_ptr<SinkSession>> open_session() override {
    auto session = sink_->open_session();
    if (!session) return session;
    return std::make_unique<CountingSession>(*std::move(session), tally_);
  }
  void leave(const std::optional<std::string>& failure) noexcept override { sink_->leave(failure); }
  void interrupt() noexcept override { sink_->interrupt(); }

 private:
  std::unique_ptr<Sink> sink_;
  std::shared_ptr<Tally> tally_;
};

}  // namespace

Result<void> tell_driver_cost(const metrics::DriverCost& cost, const std::string& file) {
  const auto figure = [](const metrics::DurationCounts& counts) -> DriverFigures::Figure {
    const auto at = [&](double percent) {
      return counts.percentile(percent).value_or(std::chrono::nanoseconds(0)).count();
    };
    return {.median_ns = at(50), .p99_ns = at(99)};
  };
  auto tally = Tally::open(file);
  if (!tally) return tl::unexpected(tally.error());
  (*tally)->set_driver({.batches = cost.batch().count(),
                        .batch = figure(cost.batch()),
                        .deciding = figure(cost.deciding()),
                        .syncing = figure(cost.syncing())});
  return {};
}

Result<std::unique_ptr<Sink>> count_records(std::unique_ptr<Sink> sink, const std::string& file) {
  auto tally = Tally::open(file);
  if (!tally) return tl::unexpected(tally.error());
  return std::make_unique<CountingSink>(std::move(sink), std::shared_ptr<Tally>(*std::move(tally)));
}

}  // namespace semel::bench
