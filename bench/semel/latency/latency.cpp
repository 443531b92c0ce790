#include "bench/semel/latency/latency.hpp"

#include <fmt/format.h>
#include <algorithm>
#include <chrono>
#include <csignal>
#include <thread>
#include <utility>

#include "bench/semel/clock.hpp"
#include "bench/semel/latency/arrivals.hpp"
#include "bench/semel/latency/steady_producer.hpp"
#include "bench/semel/machine.hpp"
#include "bench/semel/told.hpp"
#include "bench/semel/venue.hpp"
#include "bench/semel/words.hpp"
#include "bench/semel/workload.hpp"
#include "http/client.hpp"

namespace semel::bench {

namespace {

using namespace std::chrono_literals;

// The reader sleeps so long between an answer and its next question: what it costs the machine, it
// costs semel. A few records are looked for more closely.
constexpr auto look_again_after = 1ms;
constexpr auto look_closely_after = 500us;
// As long as a producer gathers records by default (linger.ms), librdkafka's, and Kafka's own since
// 4.0.
constexpr int linger_ms = 5;
constexpr std::int64_t small_interval_ms = 1;
constexpr std::int64_t unseen_for_ns = 60'000'000'000;

class Measurement {
 public:
  Measurement(Venue& venue, const LatencyPlan& plan, Audience& audience)
      : venue_(venue),
        plan_(plan),
        audience_(audience),
        arrivals_(last_id(), plan.setup.partitions) {}

  Result<void> set_up() {
    auto scene = venue_.prepare(Kind::semel, "latency");
    if (!scene) return tl::unexpected(scene.error());
    scene_ = *std::move(scene);
    // What the reader needs, semel has to keep up to date.
    auto made = venue_.database().execute(
        fmt::format("{2}; CREATE TABLE {1} (LIKE {0} INCLUDING INDEXES)", scene_.table,
                    bare_table(), Database::index_sql(scene_.table, plan_.setup.partitions)));
    if (!made) return made;
    auto reader = Database::connect(venue_.dsn());
    if (!reader) return tl::unexpected(reader.error());
    reader_ = *std::move(reader);
    if (auto watched = reader_->watch_ids(scene_.table, plan_.setup.partitions); !watched)
      return watched;
    return {};
  }

  Result<SteadyRun> steady() {
    SteadyRun run{.load = load_average()};
    auto writer = start(plan_.interval_ms, linger_ms);
    if (!writer) return tl::unexpected(writer.error());
    const auto first = next_;
    const auto measured = first + plan_.warm_up_records();
    const auto until = measured + plan_.measured_records();
    audience_.announce(until - first,
                       fmt::format("producing {:g} records a second for {:g} s, after a warm-up",
                                   plan_.rate, plan_.seconds));
    SteadyProducer producer(*std::move(writer), {.topic = venue_.topic(),
                                                 .partitions = plan_.setup.partitions,
                                                 .first = first,
                                                 .until = until,
                                                 .record_size = plan_.setup.record_size,
                                                 .rate = plan_.rate});
    gaps_ms_.clear();
    auto seen = see_until(until, look_again_after, [&]() -> Result<void> {
      audience_.meter.done = arrivals_.count() - first;
      // Its error is the reason why nothing arrives.
      return producer.done() && !producer_ended_ ? (producer_ended_ = true, producer.finish())
                                                 : Result<void>();
    });
    if (!seen) return tl::unexpected(seen.error());
    if (!producer_ended_) {
      if (auto done = producer.finish(); !done) return tl::unexpected(done.error());
    }
    next_ = until;
    std::int64_t last_ns = 0;
    for (auto id = measured; id < until; ++id) {
      run.visible_ms.push_back(ms(arrivals_.seen_ns(id) - producer.produced_ns(id)));
      last_ns = std::max(last_ns, arrivals_.seen_ns(id));
    }
    run.seconds = ms(last_ns - producer.produced_ns(measured)) / 1e3;
    run.poll_ms_p99 = percentile(gaps_ms_, 99).value_or(0);
    run.late_ms_p99 = percentile(producer.late_ms(), 99).value_or(0);
    auto cpu = stop();
    if (!cpu) return tl::unexpected(cpu.error());
    run.cores = *cpu;
    run.driver = told_.figures().driver;
    return run;
  }

  Result<SmallBatches> small() {
    SmallBatches small{.interval_ms = small_interval_ms};
    auto writer = start(small_interval_ms, 0);
    if (!writer) return tl::unexpected(writer.error());
    audience_.announce(plan_.small_batches, fmt::format("{} times {} records", plan_.small_batches,
                                                        plan_.small_records()));
    gaps_ms_.clear();
    for (int round = 0; round < plan_.small_batches; ++round) {
      if (auto done = small_batch(**writer, small); !done) return tl::unexpected(done.error());
      audience_.meter.done = round + 1;
      // Caught up, and at another point of the interval each time.
      std::this_thread::sleep_for(5ms + round % 7 * 300us);
    }
    small.poll_ms_p99 = percentile(gaps_ms_, 99).value_or(0);
    if (auto cpu = stop(); !cpu) return tl::unexpected(cpu.error());
    small.driver = told_.figures().driver;
    return small;
  }

  Result<Comparison> comparison() {
    const auto found = venue_.database().find(scene_.table, next_);
    if (!found) return tl::unexpected(found.error());
    venue_.clear(scene_);
    return compare(*found, next_);
  }

 private:
  std::string bare_table() const { return scene_.table + "_bare"; }

  /// All records of both parts, and what each process is found ready with.
  std::int64_t last_id() const {
    return plan_.warm_up_records() + plan_.measured_records() +
           std::int64_t{plan_.setup.partitions} * 2 +
           std::int64_t{plan_.small_records()} * plan_.small_batches;
  }

  tl::unexpected<Error> failed(const std::string& what) const {
    return fail(ErrorKind::fatal, Cause::internal,
                fmt::format("{}. semel's last words:{}", what, tail_of(scene_.log)));
  }

  /// semel and a writer, both ready: a record of every partition has gone all the way.
  Result<std::unique_ptr<kafka::TopicWriter>> start(std::int64_t interval_ms, int linger) {
    scene_.arguments = {"--set", fmt::format("batch.interval={}ms", interval_ms)};
    const auto address = http::free_address();
    told_ = Told(address, scene_.metrics_file(++starts_));
    auto process = ChildProcess::start(scene_.command(starts_, address));
    if (!process) return tl::unexpected(process.error());
    process_ = *std::move(process);
    // Without retries: librdkafka before 2.1 spins while five requests are under way.
    auto writer = kafka::TopicWriter::connect(venue_.kafka(), "semel-bench",
                                              {.linger_ms = linger, .retries = false});
    if (!writer) return writer;
    if (auto done = produce(**writer, plan_.setup.partitions); !done) {
      return tl::unexpected(done.error());
    }
    if (auto done = (*writer)->flush(); !done) return tl::unexpected(done.error());
    auto seen = see_until(next_, look_again_after, [] { return Result<void>(); });
    if (!seen) return tl::unexpected(seen.error());
    return writer;
  }

  /// In good order. What it used of a core on average.
  Result<double> stop() {
    process_.signal(SIGTERM);
    const auto ended = process_.wait(60s);
    if (!ended) return failed("it did not end within a minute of SIGTERM");
    if (ended->code != 0)
      return failed(fmt::format("at its end the process {}", to_string(*ended)));
    told_.look_into_file();
    return ended->cpu_seconds / (ms(monotonic_ns() - process_.started_ns()) / 1e3);
  }

  /// To the partitions in turn.
  Result<void> produce(kafka::TopicWriter& writer, int records) {
    for (int i = 0; i < records; ++i, ++next_) {
      value_.clear();
      append_record(next_, plan_.setup.record_size, value_);
      const auto partition = static_cast<std::int32_t>(next_ % plan_.setup.partitions);
      if (auto done = writer.produce(venue_.topic(), partition, value_); !done) return done;
    }
    return {};
  }

  /// Reads until all ids below `until` are visible. `meanwhile` is called after each answer.
  template <class Meanwhile>
  Result<void> see_until(std::int64_t until, std::chrono::microseconds pause, Meanwhile meanwhile) {
    auto moved_ns = monotonic_ns();
    std::int64_t answered_ns = 0;
    while (true) {
      ids_.clear();
      const auto before = arrivals_.count();
      if (auto seen = reader_->see_ids(arrivals_.low(), ids_); !seen) return seen;
      const auto now_ns = monotonic_ns();
      if (answered_ns != 0) gaps_ms_.push_back(ms(now_ns - answered_ns));
      answered_ns = now_ns;
      arrivals_.see(ids_, now_ns);
      if (auto done = meanwhile(); !done) return done;
      if (arrivals_.complete(until)) return {};
      if (arrivals_.count() != before) {
        moved_ns = now_ns;
      } else if (now_ns - moved_ns > unseen_for_ns) {
        return failed("no record became visible for a minute");
      }
      if (audience_.interrupted()) return fail(ErrorKind::fatal, Cause::internal, "interrupted");
      if (const auto ended = process_.poll()) {
        return failed(fmt::format("the process {} by itself", to_string(*ended)));
      }
      std::this_thread::sleep_for(pause);
    }
  }

  Result<void> small_batch(kafka::TopicWriter& writer, SmallBatches& small) {
    const auto first = next_;
    const auto begun_ns = monotonic_ns();
    if (auto done = produce(writer, plan_.small_records()); !done) return done;
    std::int64_t acknowledged_ns = 0;
    const auto look = [&]() -> Result<void> {
      if (acknowledged_ns == 0 && writer.unacknowledged() == 0) acknowledged_ns = monotonic_ns();
      return {};
    };
    if (auto seen = see_until(next_, look_closely_after, look); !seen) return seen;
    std::int64_t visible_ns = 0;
    for (auto id = first; id < next_; ++id) {
      visible_ns = std::max(visible_ns, arrivals_.seen_ns(id));
    }
    small.visible_ms.push_back(ms(visible_ns - begun_ns));
    if (acknowledged_ns == 0) {
      if (auto done = writer.flush(); !done) return done;
      acknowledged_ns = monotonic_ns();
    }
    small.acknowledged_ms.push_back(ms(acknowledged_ns - begun_ns));
    return bare_transaction(first, small);
  }

  Result<void> bare_transaction(std::int64_t first, SmallBatches& small) {
    std::string records;
    for (auto id = first; id < next_; ++id) {
      records += records.empty() ? "[" : ",";
      append_record(id, plan_.setup.record_size, records);
    }
    const auto insert =
        fmt::format("INSERT INTO {0} SELECT * FROM json_populate_recordset(NULL::{0}, $${1}]$$)",
                    bare_table(), records);
    const auto begun_ns = monotonic_ns();
    if (auto done = venue_.database().execute(insert); !done) return done;
    small.bare_ms.push_back(ms(monotonic_ns() - begun_ns));
    return {};
  }

  Venue& venue_;
  const LatencyPlan& plan_;
  Audience& audience_;
  Scene scene_;
  std::unique_ptr<Database> reader_;
  Told told_;
  int starts_ = 0;
  ChildProcess process_;
  Arrivals arrivals_;
  std::int64_t next_ = 0;  ///< id
  bool producer_ended_ = false;
  std::vector<double> gaps_ms_;  ///< between two answers
  // Kept for their memory:
  std::vector<std::int64_t> ids_;
  std::string value_;
};

}  // namespace

Result<LatencyPlan> complete(LatencyPlan plan) {
  if (auto named = check_servers(plan.setup); !named) return tl::unexpected(named.error());
  if (plan.setup.partitions == 0) plan.setup.partitions = 4;
  return plan;
}

Result<LatencyReport> latency(const LatencyPlan& plan, Audience& audience) {
  auto directory = WorkDirectory::make();
  if (!directory) return tl::unexpected(directory.error());
  audience.say(fmt::format("setting up in {}", directory->path()));
  auto venue = Venue::set_up(plan.setup, *directory, audience.interrupted);
  if (!venue) return tl::unexpected(venue.error());
  LatencyReport report{
      .plan = plan, .origin = origin_of(**venue), .steady = {}, .small = {}, .comparison = {}};

  Measurement measurement(**venue, plan, audience);
  if (auto done = measurement.set_up(); !done) return tl::unexpected(done.error());
  auto steady = measurement.steady();
  if (!steady) return tl::unexpected(steady.error());
  report.steady = *std::move(steady);
  auto small = measurement.small();
  if (!small) return tl::unexpected(small.error());
  report.small = *std::move(small);
  const auto comparison = measurement.comparison();
  if (!comparison) return tl::unexpected(comparison.error());
  report.comparison = *comparison;
  return report;
}

}  // namespace semel::bench
