// Why the records of a range do not come: what can be waited for, and what is lost.
#include <fmt/format.h>

#include "core/same_log.hpp"
#include "kafka/range_session.hpp"

namespace semel::kafka {

namespace {

using namespace std::chrono_literals;

// A range whose records are there gives something within this time.
constexpr auto patience = 2s;
// Metadata lags behind: a topic that is unknown for less than this may only have moved.
constexpr auto missing_patience = 10s;
// A new leader may answer with an end that lags for a moment.
constexpr auto short_patience = 3s;

}  // namespace

Result<bool> RangeSession::on_out_of_range() {
  const auto ends = questions_.ends(range_.tp);
  if (!ends) return tl::unexpected(ends.error());
  const auto mark = check_ ? std::optional(check_->offset) : std::nullopt;
  Result<void> going;
  switch (core::judge_out_of_range(mark, next_, ends->earliest, ends->latest)) {
    case core::OutOfRange::lost:
      return tl::unexpected(out_of_log(ends->earliest, ends->latest));
    case core::OutOfRange::look_again:
      going = restart();
      break;
    case core::OutOfRange::no_evidence:
      compared();
      going = fetch_from(next_);
      break;
  }
  if (!going) return tl::unexpected(going.error());
  return false;
}

Result<void> RangeSession::ask_why() {
  const auto now = Clock::now();
  if (now - asked_ < patience) return {};
  const auto no_answer = [this](const Error& error) -> Result<void> {
    if (error.kind == ErrorKind::fatal || questions_.outage()) return tl::unexpected(error);
    return {};
  };
  const auto topic = questions_.topic(range_.tp.topic);
  asked_ = Clock::now();
  if (!topic) return no_answer(topic.error());
  // Whoever may not see a topic is not told whether it is there.
  if (is_denial(topic->error)) {
    return tl::unexpected(
        client_.error(topic->error, fmt::format("reading {}", to_string(range_.tp))));
  }
  const auto partition = topic->leaders.find(range_.tp.partition);
  const bool being_made = topic->error != RD_KAFKA_RESP_ERR_NO_ERROR;
  if (!topic->exists || (partition == topic->leaders.end() && !being_made)) {
    if (!missing_since_) missing_since_ = now;
    if (now - *missing_since_ >= missing_patience) return tl::unexpected(vanished());
    return fail(
        ErrorKind::unavailable, Cause::source,
        fmt::format("{}: Kafka does not know this partition at the moment", to_string(range_.tp)));
  }
  missing_since_.reset();
  if (being_made || partition->second < 0) {
    return fail(ErrorKind::unavailable, Cause::source,
                fmt::format("{}: the partition has no leader at the moment: a broker is down",
                            to_string(range_.tp)));
  }
  const auto ends = questions_.ends(range_.tp);
  asked_ = Clock::now();
  if (!ends) return no_answer(ends.error());
  if (next_ < ends->earliest) {
    return tl::unexpected(out_of_log(ends->earliest, ends->latest));
  }
  if (range_.until <= ends->latest) {
    short_since_.reset();  // everything is there: slow, or damaged
    return {};
  }
  if (!short_since_) short_since_ = now;
  if (now - *short_since_ < short_patience) return {};
  if (next_ > ends->latest) return tl::unexpected(out_of_log(ends->earliest, ends->latest));
  return fail(
      ErrorKind::retriable, Cause::source,
      fmt::format("{}: the log ends at offset {} now, below the planned end: it was cut off "
                  "(an unclean leader election) or created anew",
                  to_string(range_), ends->latest));
}

Error RangeSession::vanished() {
  lost_ = {.wanted = next_, .gone = true};
  return {
      ErrorKind::data_loss, Cause::data_loss,
      fmt::format("topic {} no longer exists in Kafka, or no longer has partition {}: offset {} "
                  "and what follows cannot be read",
                  range_.tp.topic, range_.tp.partition, next_)};
}

Error RangeSession::out_of_log(Offset earliest, Offset latest) {
  const bool recreated = latest < next_;
  lost_ = {.wanted = next_, .earliest = earliest, .latest = latest, .recreated = recreated};
  const auto* why = recreated ? "the topic was created anew or truncated"
                              : "the records before it were deleted by retention or by hand";
  return {ErrorKind::data_loss, Cause::data_loss,
          fmt::format("{}: offset {} is wanted, but the log begins at {} and ends at {}: {}",
                      to_string(range_.tp), next_, earliest, latest, why)};
}

Error RangeSession::another_log(const RecordMark& found) {
  const auto ends = questions_.ends(range_.tp);
  if (!ends) return ends.error();
  lost_ = {.wanted = next_, .earliest = ends->earliest, .latest = ends->latest, .recreated = true};
  return {
      ErrorKind::data_loss, Cause::data_loss,
      fmt::format("{}: the topic was created anew: the record at offset {} has timestamp {} and "
                  "checksum {:08x}, the one that was read before had {} and {:08x}. Offset {} is "
                  "wanted, the new log begins at {} and ends at {}",
                  to_string(range_.tp), found.offset, found.timestamp_ms, found.checksum,
                  check_->timestamp_ms, check_->checksum, next_, ends->earliest, ends->latest)};
}

}  // namespace semel::kafka
