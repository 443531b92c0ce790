#include "kafka/range_session.hpp"

#include <fmt/format.h>
#include <utility>

namespace semel::kafka {

namespace {

// How many offsets behind the range may be read over after the mark was compared, before a new
// fetch at the range's beginning is cheaper.
constexpr Offset far_behind = 10'000;
constexpr int probe_wait_ms = 20;

/// Errors in place of records that say nothing about the records: they are there when it is over.
/// Whatever is not known to be so is an error of the range.
bool passes(rd_kafka_resp_err_t code) {
  switch (code) {
    case RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART:
    case RD_KAFKA_RESP_ERR_LEADER_NOT_AVAILABLE:
    case RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION:
    case RD_KAFKA_RESP_ERR_BROKER_NOT_AVAILABLE:
    case RD_KAFKA_RESP_ERR_REPLICA_NOT_AVAILABLE:
    case RD_KAFKA_RESP_ERR_REQUEST_TIMED_OUT:
    case RD_KAFKA_RESP_ERR_NETWORK_EXCEPTION:
    case RD_KAFKA_RESP_ERR_KAFKA_STORAGE_ERROR:
    case RD_KAFKA_RESP_ERR_FENCED_LEADER_EPOCH:
    case RD_KAFKA_RESP_ERR_UNKNOWN_LEADER_EPOCH:
    case RD_KAFKA_RESP_ERR_OFFSET_NOT_AVAILABLE:
    case RD_KAFKA_RESP_ERR_THROTTLING_QUOTA_EXCEEDED:
    case RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC:
    case RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION:
    case RD_KAFKA_RESP_ERR__TRANSPORT:
    case RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN:
    case RD_KAFKA_RESP_ERR__RESOLVE:
    case RD_KAFKA_RESP_ERR__TIMED_OUT:
      return true;
    default:
      return false;
  }
}

/// Of the others: the batch itself cannot be read. librdkafka's own codes, which are below the
/// broker's, say so of what it cannot parse, which it leaves out, and goes on behind it.
bool is_damage(rd_kafka_resp_err_t code) {
  return code < RD_KAFKA_RESP_ERR__END || code == RD_KAFKA_RESP_ERR_INVALID_MSG ||
         code == RD_KAFKA_RESP_ERR_INVALID_MSG_SIZE || code == RD_KAFKA_RESP_ERR_INVALID_RECORD;
}

}  // namespace

RangeSession::RangeSession(Client& client, QuestionClient& questions, const TopicPartition& tp,
                           const QueueLimits& limits)
    : client_(client), questions_(questions), fetch_(client, tp, limits) {
  range_.tp = tp;
}

bool RangeSession::in_doubt() const {
  // Without a mark nothing could be learned by looking again.
  return !check_ && mark_ && client_.doubts() != doubts_resolved_;
}

void RangeSession::expect(const OffsetRange& range, const std::optional<RecordMark>& last,
                          bool recheck) {
  const Beginning beginning{range, last, recheck};
  if (expected_ == beginning) return;
  if (begin(range, last, recheck)) expected_ = beginning;
}

Result<void> RangeSession::begin(const OffsetRange& range, const std::optional<RecordMark>& last,
                                 bool recheck) {
  const Beginning beginning{range, last, recheck};
  const bool expected = std::exchange(expected_, std::nullopt) == beginning;
  // Begun again before anything of it was given out: what is on its way is what is wanted, and
  // fetching it anew could take as long as before, for ever.
  const bool again = !complete_ && !recheck && begun_ && begun_->range == range &&
                     begun_->last == last && next_ == range.from;
  begun_ = beginning;
  if ((expected || again) && fetch_.running()) {
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
  widest_.reset();
  probe_.reset();
  lost_.reset();
  moved_ = asked_ = Clock::now();
  if (contiguous && fetch_.running() && !recheck && !in_doubt()) return {};
  return restart();
}

Result<void> RangeSession::restart() {
  check_.reset();
  if (mark_ && mark_->offset < next_) check_ = mark_;
  // Before fetching starts: a doubt that comes up later is not resolved by what is fetched now.
  doubts_at_start_ = client_.doubts();
  if (!check_) doubts_resolved_ = doubts_at_start_;
  return fetch_from(check_ ? check_->offset : next_);
}

Result<void> RangeSession::fetch_from(Offset offset) {
  end_ = -1;
  least_ = offset;
  gap_ = offset;
  return fetch_.start(offset);
}

void RangeSession::compared() {
  check_.reset();
  doubts_resolved_ = doubts_at_start_;
}

Result<bool> RangeSession::read(std::size_t max_records, int wait_ms, Messages& messages,
                                std::vector<Record>& records) {
  if (complete_) return true;
  if (in_doubt()) {
    if (auto restarted = restart(); !restarted) return tl::unexpected(restarted.error());
  }
  if (at_end()) return end();
  const bool held = fetch_.holds_messages();
  fetch_.pull(messages, max_records, wait_ms);
  // Asked again: while this call waited, the partition may have become another log's.
  if (in_doubt()) {
    messages.clear();
    return false;
  }
  auto in_order = held ? Result<void>{} : follow(messages);
  auto taken = in_order ? take(messages, records) : tl::unexpected(in_order.error());
  if (!taken) {
    messages.clear();
    records.clear();
    // What was fetched behind a damaged batch is not to be relied on, and librdkafka fetches no
    // more once a topic was denied or an offset was out of range.
    fetch_.stop();
    return taken;
  }
  if (at_end() || (messages.empty() && position() >= range_.until)) {
    return end();
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
      if (auto known = below_end(message.offset); !known) return known;
      missing_before(message.offset);
      next_ = range_.until;
      fetch_.hold(messages, i);
      break;
    }
    if (check_ || message.offset < next_) {
      auto goes_on = on_record(message);
      if (!goes_on || !*goes_on) return goes_on;
      if (message.offset < next_) continue;
    }
    if (message.offset != next_) missing_before(message.offset);
    records.push_back(record_of(message));
    next_ = message.offset + 1;
  }
  if (records.empty()) return true;
  mark_ = mark_of(records.back());
  return below_end(mark_->offset);
}

/// A record is read up to the end that came with it, or was asked for: one that lies beyond is in a
/// batch whose offset, which no checksum covers, was damaged.
Result<bool> RangeSession::below_end(Offset offset) {
  if (offset < fetch_.end()) return true;
  // The end that librdkafka knows may be another replica's by now, or not be known.
  const auto ends = questions_.ends(range_.tp);
  if (!ends) return tl::unexpected(ends.error());
  if (offset < ends->latest) return true;
  return damaged(offset, fmt::format("the log ends at offset {}, and the batch begins at another "
                                     "offset than it was written at",
                                     ends->latest));
}

tl::unexpected<Error> RangeSession::damaged(Offset offset, const std::string& why) {
  return fail(ErrorKind::retriable, Cause::source,
              fmt::format("{}: a batch in Kafka's log is damaged at offset {}: {}. Repair the "
                          "broker's log, or leave the batch out with `semel offsets`",
                          to_string(range_.tp), offset, why));
}

/// Offsets only grow. One that does not is in a batch that begins elsewhere than it was written at,
/// or behind such a batch: the offset at which a batch begins is in no checksum.
Result<void> RangeSession::follow(const Messages& messages) {
  for (std::size_t i = 0; i < messages.size(); ++i) {
    const auto& message = messages[i];
    if (message.err != RD_KAFKA_RESP_ERR_NO_ERROR) continue;
    if (message.offset < least_) {
      return damaged(gap_,
                     fmt::format("offset {} comes behind offset {}, so that one of them is not "
                                 "where it was written",
                                 message.offset, least_ - 1));
    }
    if (message.offset > least_) gap_ = least_;
    least_ = message.offset + 1;
  }
  return {};
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
    compared();
  }
  if (next_ - message.offset <= far_behind) return true;
  if (auto jumped = fetch_from(next_); !jumped) return tl::unexpected(jumped.error());
  return false;
}

Result<bool> RangeSession::on_event(const rd_kafka_message_t& message) {
  switch (message.err) {
    case RD_KAFKA_RESP_ERR__PARTITION_EOF:
      end_ = std::max(end_, message.offset);
      // Nothing visible from the mark to the end: no evidence.
      if (check_ && end_ >= next_) compared();
      return true;
    case RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET:
    case RD_KAFKA_RESP_ERR_OFFSET_OUT_OF_RANGE:
#if RD_KAFKA_VERSION >= 0x020100ff
    case RD_KAFKA_RESP_ERR__LOG_TRUNCATION:
#endif
      return on_out_of_range();
    default:
      break;
  }
  if (passes(message.err)) {
    // librdkafka tries again by itself, and ask_why() finds out what does not pass.
    client_.log().debug("kafka: {}: {}", to_string(range_.tp), rd_kafka_message_errstr(&message));
    return true;
  }
  if (is_denial(message.err)) {
    return tl::unexpected(
        client_.error(message.err, fmt::format("reading {}", to_string(range_.tp))));
  }
  const auto offset = message.offset >= 0 ? message.offset : next_;
  if (is_damage(message.err)) return damaged(offset, rd_kafka_message_errstr(&message));
  return fail(ErrorKind::retriable, Cause::source,
              fmt::format("{}: the broker cannot give the records from offset {} on: {}. Its log "
                          "says why",
                          to_string(range_.tp), offset, rd_kafka_message_errstr(&message)));
}

void RangeSession::missing_before(Offset record) {
  const auto missing = record - next_;
  if (missing > 1 && record != sound_ && (!widest_ || missing > widest_->record - widest_->from)) {
    widest_ = Gap{.from = next_, .record = record};
  }
}

// A jump shows by what comes behind it only if that is in the same answer: the next fetch begins
// where the jump led to. But a fetch that begins before the record behind the gap finds whatever is
// there, if the broker's index leads past the batch that jumped.
Result<bool> RangeSession::look_into_gap() {
  if (!widest_) return true;
  if (!probe_) {
    auto client = questions_.client();
    if (!client) return tl::unexpected(client.error());
    probe_ = std::make_unique<PartitionFetch>(**client, range_.tp, QueueLimits{1, 1024});
    if (auto started = probe_->start(widest_->record - 1); !started) {
      return tl::unexpected(started.error());
    }
  }
  Messages found;
  probe_->pull(found, 1, probe_wait_ms);
  if (found.empty() || passes(found[0].err)) return false;
  // The end of the partition, or any error: the record was read before, so this proves nothing.
  const bool missing =
      found[0].err == RD_KAFKA_RESP_ERR_NO_ERROR && found[0].offset < widest_->record;
  const auto gap = *std::exchange(widest_, std::nullopt);
  found.clear();
  probe_.reset();
  if (missing) {
    return damaged(gap.from, fmt::format("a batch jumped to offset {}, over records that are there",
                                         gap.record));
  }
  sound_ = gap.record;
  return true;
}

Result<bool> RangeSession::end() {
  // Where no record ended the range, its end may be one that a damaged batch has led to.
  auto known = end_ > range_.until ? below_end(end_ - 1) : Result<bool>(true);
  if (known) known = look_into_gap();
  if (!known) {
    fetch_.stop();
    return known;
  }
  if (!*known) return false;
  finish();
  return true;
}

/// One past the last offset that was seen, where that is not the end of the partition: librdkafka
/// 2.8 counts an end like a record, and would have a record pass that is written there afterwards.
/// What is behind such an end is told by the next one.
Offset RangeSession::position() const {
  const auto seen = fetch_.position();
  return end_ >= 0 && seen == end_ + 1 ? end_ : seen;
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
