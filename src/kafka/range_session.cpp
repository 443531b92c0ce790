#include "kafka/range_session.hpp"

#include <fmt/format.h>
#include <spdlog/spdlog.h>
#include <utility>

#include "kafka/cluster_questions.hpp"

namespace semel::kafka {

namespace {

// How many offsets behind the range may be read over after the mark was compared, before a new
// fetch at the range's beginning is cheaper.
constexpr Offset far_behind = 10'000;

}  // namespace

RangeSession::RangeSession(Client& client, const TopicPartition& source, const QueueLimits& limits)
    : client_(client), fetch_(client, source, limits) {
  range_.source = source;
}

bool RangeSession::in_doubt() const {
  // Without a mark nothing could be learned by looking again.
  return !check_ && mark_ && client_.doubts() != doubts_settled_;
}

void RangeSession::expect(const OffsetRange& range, const std::optional<RecordMark>& last,
                          bool recheck) {
  const Beginning beginning{range, last, recheck};
  if (expected_ == beginning) return;
  if (begin(range, last, recheck)) expected_ = beginning;
}

Result<void> RangeSession::begin(const OffsetRange& range, const std::optional<RecordMark>& last,
                                 bool recheck) {
  if (std::exchange(expected_, std::nullopt) == Beginning{range, last, recheck} &&
      fetch_.running()) {
    moved_ = asked_ = Clock::now();
    return {};
  }
  const bool contiguous = complete_ && range.from == range_.until;
  // Our own mark is the later one, except for ranges that another executor read, and for a ledger
  // that went back and stands where we stood once, in another log.
  const bool keep_mark =
      contiguous && (!last || (!recheck && mark_ && mark_->offset >= last->offset));
  if (!keep_mark) mark_ = last;
  range_ = range;
  next_ = range.from;
  complete_ = false;
  lost_.reset();
  moved_ = asked_ = Clock::now();
  if (contiguous && fetch_.running() && !recheck && !in_doubt()) return {};
  return restart();
}

Result<void> RangeSession::restart() {
  check_.reset();
  if (mark_ && mark_->offset < next_) check_ = mark_;
  // Before fetching starts: a doubt that comes up later is not settled by what is fetched now.
  doubts_at_start_ = client_.doubts();
  if (!check_) doubts_settled_ = doubts_at_start_;
  return fetch_from(check_ ? check_->offset : next_);
}

Result<void> RangeSession::fetch_from(Offset offset) {
  end_ = -1;
  return fetch_.start(offset);
}

Result<bool> RangeSession::read(std::size_t max_records, int wait_ms, Messages& messages,
                                std::vector<Record>& records) {
  if (complete_) return true;
  if (in_doubt()) {
    if (auto restarted = restart(); !restarted) return tl::unexpected(restarted.error());
  }
  if (at_end()) {
    finish();
    return true;
  }
  fetch_.pull(messages, max_records, wait_ms);
  // Asked again: while this call waited, the partition may have become another log's.
  if (in_doubt()) {
    messages.clear();
    return false;
  }
  auto taken = take(messages, records);
  if (!taken) {
    messages.clear();
    records.clear();
    return taken;
  }
  if (at_end() || (messages.empty() && fetch_.position() >= range_.until)) {
    finish();
    return true;
  }
  if (!records.empty()) {
    moved_ = asked_ = Clock::now();
    // What was missing is there: the next time counts from its own beginning.
    missing_since_.reset();
    short_since_.reset();
    return false;
  }
  if (auto known = ask_why(); !known) return tl::unexpected(known.error());
  return false;
}

Result<bool> RangeSession::take(Messages& messages, std::vector<Record>& records) {
  for (std::size_t i = 0; i < messages.size(); ++i) {
    const auto& message = messages[i];
    if (message.err != RD_KAFKA_RESP_ERR_NO_ERROR) {
      if (!records.empty() && message.err != RD_KAFKA_RESP_ERR__PARTITION_EOF) {
        fetch_.hold(messages, i);  // first give out what came before it
        break;
      }
      auto goes_on = on_event(message);
      if (!goes_on || !*goes_on) return goes_on;
      continue;
    }
    if (message.offset >= range_.until) {
      if (check_) {
        auto goes_on = on_record(message);
        if (!goes_on || !*goes_on) return goes_on;
      }
      next_ = range_.until;
      fetch_.hold(messages, i);
      break;
    }
    if (check_ || message.offset < next_) {
      auto goes_on = on_record(message);
      if (!goes_on || !*goes_on) return goes_on;
      if (message.offset < next_) continue;
    }
    records.push_back(record_of(message));
    next_ = message.offset + 1;
  }
  if (!records.empty()) mark_ = mark_of(records.back());
  return true;
}

/// Compares what the log holds with the mark, where a comparison is due.
Result<bool> RangeSession::on_record(const rd_kafka_message_t& message) {
  if (check_) {
    if (message.offset < check_->offset) return true;
    if (message.offset == check_->offset) {
      const auto found = mark_of(record_of(message));
      if (found != *check_) return tl::unexpected(another_log(found));
    }
    // A record beyond the mark: the marked one was compacted or aged out, and proves nothing.
    check_.reset();
    doubts_settled_ = doubts_at_start_;
  }
  if (next_ - message.offset <= far_behind) return true;
  if (auto jumped = fetch_from(next_); !jumped) return tl::unexpected(jumped.error());
  return false;
}

Result<bool> RangeSession::on_event(const rd_kafka_message_t& message) {
  switch (message.err) {
    case RD_KAFKA_RESP_ERR__PARTITION_EOF:
      end_ = std::max(end_, message.offset);
      if (check_ && end_ >= next_) {
        check_.reset();  // nothing visible from the mark to the end: no evidence
        doubts_settled_ = doubts_at_start_;
      }
      return true;
    case RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET:
    case RD_KAFKA_RESP_ERR_OFFSET_OUT_OF_RANGE:
      return on_out_of_range(message.offset);
    case RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED:
      return tl::unexpected(
          client_.error(message.err, fmt::format("reading {}", to_string(range_.source))));
    case RD_KAFKA_RESP_ERR__BAD_MSG:
    case RD_KAFKA_RESP_ERR__BAD_COMPRESSION:
    case RD_KAFKA_RESP_ERR_INVALID_MSG:
      // What librdkafka parses behind a damaged batch is not to be relied on, and what the batch
      // held must not be missing: nothing that was fetched behind it is taken.
      return fail(ErrorKind::retriable, Cause::source,
                  fmt::format("{}: a batch in Kafka's log is damaged: {}. Repair the broker's log, "
                              "or leave the batch out with `semel offsets`",
                              to_string(range_.source), rd_kafka_message_errstr(&message)));
    default:
      // A topic that is unknown for a moment: librdkafka tries again by itself, and ask_why() finds
      // out what does not pass.
      spdlog::debug("kafka: {}: {}", to_string(range_.source), rd_kafka_message_errstr(&message));
      return true;
  }
}

bool RangeSession::at_end() const {
  if (next_ >= range_.until) return true;
  // Everything below the end was pulled before the end was; it only may still be held.
  return end_ >= range_.until && !fetch_.holds_messages();
}

void RangeSession::finish() {
  complete_ = true;
  next_ = range_.until;
  check_.reset();
  moved_ = Clock::now();
  missing_since_.reset();
  short_since_.reset();
  // With nothing prefetched, fetching pauses until the next range: a poll that finds nothing costs
  // a broker as much as one that finds something. Starting costs a millisecond and, with a mark,
  // tells whether it is still the same log.
  if (!fetch_.holds_messages() && fetch_.queued() == 0) fetch_.stop();
}

}  // namespace semel::kafka
