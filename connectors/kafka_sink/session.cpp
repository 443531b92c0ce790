#include "kafka_sink/session.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/crash_point.hpp"
#include "kafka_sink/of_sink.hpp"
#include "kafka_sink/sink.hpp"

namespace semel::kafka_sink {

namespace {

constexpr std::string_view code_name = "Kafka";
constexpr int abort_ms = 5'000;
// How old what is known of the topic may be: for what goes in, the broker has the last word.
constexpr auto known_for = std::chrono::minutes(10);
// For what is set aside, nobody has: somebody may just have allowed more.
constexpr auto sure_for = std::chrono::seconds(5);

tl::unexpected<Error> misused(const char* what) {
  return fail(ErrorKind::fatal, Cause::internal, what);
}

}  // namespace

Session::~Session() {
  abort();
  shared_->slots.give_back(slot_);
}

/// Nothing: what could be prepared fences somebody.
void Session::warm_up() noexcept {}

tl::unexpected<Error> Session::lost(Error error) {
  producer_.reset();
  shared_->slots.lost(slot_);
  return tl::unexpected(of_sink(std::move(error)));
}

std::optional<Refused> Session::first_refused() const {
  for (std::size_t i = 0; i < parts_.size(); ++i) {
    const auto& task = parts_[i].task;
    auto entry = shared_->log.entry(&task.range.tp);
    if (!allows(entry, task, shared_->owner())) return Refused{std::move(entry), i};
  }
  return std::nullopt;
}

Result<std::optional<Refused>> Session::open_transaction() {
  const auto& first = parts_.front().task;
  auto ready = shared_->ready(slot_, first.isolate, first.range.tp);
  if (!ready) return tl::unexpected(of_sink(ready.error()));
  if (auto* refused = std::get_if<Refused>(&*ready)) return std::move(*refused);
  producer_ = std::get<ProducerPtr>(*std::move(ready));
  target_ = producer_->topic(shared_->names.target);
  dead_letters_ = producer_->topic(shared_->names.dead_letters);
  if (auto begun = producer_->begin(); !begun) return lost(begun.error());
  return std::nullopt;
}

Result<std::optional<Refused>> Session::begin(std::span<const Task> tasks) {
  abort();
  if (tasks.empty()) return misused("begin without a task");
  if (shared_->stop()) return fail(ErrorKind::unavailable, Cause::sink, "interrupted");
  for (const auto& task : tasks) {
    if (auto fine = is_no_loop(*shared_, task.range.tp); !fine) return tl::unexpected(fine.error());
    parts_.push_back({.task = task, .counts = {}, .tally = record::BadTally(code_name)});
  }
  auto limits = shared_->target.limits(known_for);
  if (!limits) return tl::unexpected(limits.error());
  limits_ = *std::move(limits);
  if (tasks.front().isolate) {
    if (auto read = shared_->log.refresh(shared_->stop); !read) return tl::unexpected(read.error());
    if (auto refused = first_refused()) return refused;
  }
  return open_transaction();
}

Result<void> Session::fenced_or(const Error& error) {
  if (error.kind != ErrorKind::in_doubt || shared_->stop()) return tl::unexpected(error);
  if (auto read = shared_->log.refresh(shared_->stop); !read) return tl::unexpected(error);
  fenced_ = !shared_->is_ours();
  return fenced_ ? Result<void>() : tl::unexpected(error);
}

Result<void> Session::write(std::size_t task, std::span<const Record> records) {
  if (fenced_) return {};
  if (task >= parts_.size() || !producer_) return misused("write outside a task that loads");
  auto& part = parts_[task];
  order_.written(task, records);
  for (const auto& record : records) {
    auto done = part.task.isolate ? spool_.add(task, record) : put(part, record, 0);
    if (!done) return fenced_or(done.error());
  }
  return {};
}

Result<void> Session::set_aside(std::size_t task, const Record& record,
                                const Objection& objection) {
  if (fenced_) return {};
  if (task >= parts_.size() || !producer_) {
    return misused("set_aside outside a task that loads");
  }
  auto& part = parts_[task];
  if (auto in_turn = order_.set_aside(task, part.task.range, record.offset); !in_turn) {
    abort();
    return in_turn;
  }
  const auto bad = record::bad_record_of(objection);
  auto done = part.task.isolate ? spool_.add(task, record, &bad) : refuse(part, record, bad);
  return done ? done : fenced_or(done.error());
}

/// A topic's count of bad records in a row goes on from one range to the next.
void Session::start_tally(Part& part) {
  if (part.tally.records() > 0) return;
  const auto& topic = part.task.range.tp.topic;
  auto in_a_row = shared_->streaks.of(topic);
  for (const auto& before : parts_) {
    if (before.tally.records() == 0 || before.task.range.tp.topic != topic) continue;
    in_a_row = before.tally.in_a_row();
  }
  part.tally.start(in_a_row);
}

/// What the topic would say, as far as that is known.
Result<std::optional<record::BadRecord>> Session::refusal(const Record& record) {
  auto bad = refusal_of(*limits_, record, headers_, now_ms());
  if (!bad) return bad;
  auto limits = shared_->target.limits(sure_for);
  if (!limits) return tl::unexpected(limits.error());
  limits_ = *std::move(limits);
  return refusal_of(*limits_, record, headers_, now_ms());
}

/// `tag`: comes back with what a broker refuses.
Result<void> Session::put(Part& part, const Record& record, std::uint64_t tag) {
  start_tally(part);
  const auto& tp = part.task.range.tp;
  record.headers.read_into(headers_);
  if (shared_->options.origin_headers) origin_.add(tp, record.offset, headers_);
  auto bad = refusal(record);
  if (!bad) return tl::unexpected(bad.error());
  if (*bad) return refuse(part, record, **bad);
  auto partition = shared_->partitioning(tp.partition, record.key.has_value(), limits_->partitions);
  if (!partition) {
    auto limits = shared_->target.limits(sure_for);
    if (!limits) return tl::unexpected(limits.error());
    limits_ = *std::move(limits);
    partition = shared_->partitioning(tp.partition, record.key.has_value(), limits_->partitions);
  }
  if (!partition) {
    return fail(ErrorKind::fatal, Cause::sink,
                fmt::format("topic {} has {} partitions, and records of {} are to keep theirs: "
                            "give it more, or set sink.kafka.partition = \"key\"",
                            shared_->names.target, limits_->partitions, to_string(tp)));
  }
  auto sent = producer_->send(target_,
                              {.partition = *partition,
                               .timestamp_ms = record.timestamp_ms,
                               .key = record.key,
                               .value = record.value,
                               .headers = headers_,
                               .tag = tag},
                              shared_->stop);
  if (!sent) return lost(sent.error());
  ++part.counts.rows;
  part.tally.good();
  return {};
}

Result<void> Session::refuse(Part& part, const Record& record, const record::BadRecord& bad) {
  start_tally(part);
  part.tally.bad(record.offset, bad);
  if (shared_->options.policy.on_bad_record == record::OnBadRecord::stop) {
    return tl::unexpected(record::stopped_by(part.task.range, record.offset,
                                             "topic " + shared_->names.target,
                                             record::for_log(bad, code_name)));
  }
  ++part.counts.dead_letters;
  const DeadLetter letter(shared_->owner(), part.task, record, bad, limits_->dead_letter_bytes_max);
  auto sent = producer_->send(dead_letters_, letter.outgoing(), shared_->stop);
  if (!sent) return lost(sent.error());
  return {};
}

/// The ledger's rows of all tasks.
Rows Session::rows_of(std::span<const RangeEnd> ends) const {
  Rows rows;
  const auto now = now_text();
  for (std::size_t i = 0; i < parts_.size(); ++i) {
    const auto& [task, counts, tally] = parts_[i];
    const bool lost_range = task.kind == TaskKind::lost;
    rows.positions.push_back({.at = {.tp = task.range.tp,
                                     .until = task.range.until,
                                     .batch_time = task.time,
                                     .last = lost_range ? std::nullopt : ends[i].last},
                              .epoch = task.epoch,
                              .owner = shared_->owner().id,
                              .moved_at = now});
    rows.moves.emplace_back(Move{.tp = task.range.tp,
                                 .batch_time = task.time,
                                 .epoch = task.epoch,
                                 .from = task.range.from,
                                 .until = task.range.until,
                                 .kind = lost_range ? MoveKind::lost : MoveKind::commit,
                                 .rows = counts.rows,
                                 .dead_letters = counts.dead_letters,
                                 .committed_at = now},
                            task.reason);
  }
  return rows;
}

/// The guard. Since this producer's id was fenced the output is ours until somebody else fences
/// it, and then the commit fails: so nobody has moved a position but we, who know what we did.
Result<CommitResult> Session::commit_all(std::span<const RangeEnd> ends) {
  if (auto refused = first_refused()) {
    // As it stands now: somebody may have taken over meanwhile.
    if (auto read = shared_->log.refresh(shared_->stop); !read) return tl::unexpected(read.error());
    auto now = first_refused();
    return now ? *std::move(now) : *std::move(refused);
  }
  if (fenced_) return fail(ErrorKind::in_doubt, Cause::sink, "another owner has taken over");
  if (parts_.front().task.isolate) {
    if (auto put = put_isolating(); !put) return tl::unexpected(put.error());
  }
  for (const auto& part : parts_) {
    if (!part.tally.stops(shared_->options.policy)) continue;
    return tl::unexpected(
        record::does_not_fit(part.task.range, part.tally, "topic " + shared_->names.target));
  }
  const auto rows = rows_of(ends);
  auto done = send(*producer_, shared_->names, rows, shared_->stop);
  if (done) done = producer_->flush(ending_ms, shared_->stop);
  if (!done) {
    (void)lost(done.error());
    if (auto other = fenced_or(of_sink(done.error())); !other) return tl::unexpected(other.error());
    return Refused{shared_->log.entry(&parts_.front().task.range.tp), 0};
  }
  crash_point(CrashPoint::sent_final_message);
  done = producer_->commit(ending_ms, shared_->stop);
  if (!done) return lost(done.error());
  shared_->log.committed(rows.positions);
  std::vector<Committed> counts;
  for (const auto& part : parts_) {
    counts.push_back(part.counts);
    counts.back().dead_letter_codes = part.tally.codes();
  }
  return counts;
}

Result<CommitResult> Session::commit(std::span<const RangeEnd> ends) {
  if (parts_.empty() || (!producer_ && !fenced_)) return misused("commit without a task");
  auto result = commit_all(ends);
  if (result && !std::holds_alternative<Refused>(*result)) {
    committed();
    producer_.reset();
  }
  abort();
  return result;
}

void Session::committed() {
  for (const auto& [task, counts, tally] : parts_) {
    if (tally.records() > 0) shared_->streaks.set(task.range.tp.topic, tally.in_a_row());
    if (!tally.first()) continue;
    const auto notice = shared_->notice.of(
        task.range, tally.count(), *tally.first(),
        fmt::format("kcat -C -b {} -t {} -f '%h %s\\n'", shared_->options.cluster.brokers,
                    shared_->names.dead_letters),
        record::DeadLetterNotice::Clock::now());
    if (notice) shared_->context.log.warn("{}", *notice);
  }
}

void Session::abort() noexcept {
  fenced_ = false;
  parts_.clear();
  order_.start();
  spool_.clear();
  if (!producer_) return;
  const auto open = std::exchange(producer_, nullptr);
  if (!open->abort(abort_ms)) shared_->slots.lost(slot_);
}

}  // namespace semel::kafka_sink
