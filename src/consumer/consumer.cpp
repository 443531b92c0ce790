// The public classes, which hold the core from outside.
#include <semel/consumer.hpp>

#include <fmt/format.h>
#include <algorithm>
#include <utility>

#include "consumer/core.hpp"
#include "record/header_json.hpp"

namespace semel {

namespace {

constexpr std::size_t dead_letter_bytes_max = std::size_t{64} << 20;

[[noreturn]] void misused(std::string what) {
  throw Failed({ErrorKind::fatal, Cause::program, std::move(what)});
}

/// As long as it may be used.
consumer::Core& core_of(const std::shared_ptr<consumer::Hand>& hand) {
  if (!hand) misused("a Range is used that was moved from");
  if (hand->core == nullptr) {
    misused(
        fmt::format("{} is used after its end: it was committed, settled or failed, or its "
                    "consumer was destroyed",
                    to_string(hand->move.task.range)));
  }
  return *hand->core;
}

consumer::Core& core_of(const std::shared_ptr<consumer::Core>& core) {
  if (!core) misused("a DirectConsumer is used that was moved from");
  return *core;
}

/// That of the records in hand that `record` is, or is a copy of. Offsets do not tell it: ranges of
/// other partitions have the same.
const Record* in_hand(const consumer::Hand& hand, const Record& record) {
  const auto at = std::ranges::lower_bound(hand.given, record.offset, {}, &Record::offset);
  const bool is = at != hand.given.end() && at->offset == record.offset &&
                  at->headers.message == record.headers.message;
  return is ? &*at : nullptr;
}

}  // namespace

Range::Range(std::shared_ptr<consumer::Hand> hand) : hand_(std::move(hand)) {}
Range::Range(Range&& other) noexcept : hand_(std::exchange(other.hand_, nullptr)) {}

Range& Range::operator=(Range&& other) noexcept {
  Range gone(std::move(*this));
  hand_ = std::exchange(other.hand_, nullptr);
  return *this;
}

Range::~Range() {
  if (hand_ && hand_->core != nullptr) hand_->core->dropped(*hand_);
}

const Task& Range::task() const {
  if (!hand_) misused("a Range is used that was moved from");
  return hand_->move.task;
}

std::optional<std::span<const Record>> Range::next(std::optional<std::chrono::milliseconds> wait) {
  return core_of(hand_).read(*hand_, wait);
}

void Range::bad(const Record& record, std::string_view reason) {
  core_of(hand_);
  auto& hand = *hand_;
  const auto& range = hand.move.task.range;
  if (hand.advanced) {
    misused(
        fmt::format("bad(): {} is advanced already: the record at offset {} would be neither "
                    "stored nor a dead letter. Say bad() before the advance is made",
                    to_string(range), record.offset));
  }
  const auto* bad = in_hand(hand, record);
  if (bad == nullptr) {
    misused(
        fmt::format("bad(): the record at offset {} is none of those that {} gave out last: it "
                    "is of another range, or next() was called since, after which a record's "
                    "views are dead",
                    record.offset, to_string(range)));
  }
  if (hand.bad.contains(bad->offset)) return;
  const auto copy = [](const std::optional<std::string_view>& bytes) {
    return bytes ? std::optional<std::string>(*bytes) : std::nullopt;
  };
  BadRecordCopy letter{.offset = bad->offset,
                       .timestamp_ms = bad->timestamp_ms,
                       .key = copy(bad->key),
                       .value = copy(bad->value),
                       .headers = record::headers_as_json(bad->headers()),
                       .reason = std::string(reason.substr(0, 1'000))};
  hand.dead_letter_bytes += (letter.key ? letter.key->size() : 0) +
                            (letter.value ? letter.value->size() : 0) + letter.headers.size() +
                            letter.reason.size();
  if (hand.dead_letter_bytes > dead_letter_bytes_max) {
    misused(
        fmt::format("{}: the dead letters of one range are more than 64 MiB: so many bad "
                    "records are a mistake of the program's, or want smaller ranges "
                    "(max_records_per_range)",
                    to_string(range)));
  }
  hand.move.dead_letters.push_back(std::move(letter));
  hand.bad.insert(bad->offset);
}

void Range::committed() {
  core_of(hand_).committed(*hand_);
}

bool Range::settle() {
  return core_of(hand_).settle(*hand_);
}

void Range::failed(std::string_view why) noexcept {
  if (hand_ && hand_->core != nullptr) hand_->core->failed(*hand_, why);
}

void Range::conflicted(std::string_view why) noexcept {
  if (hand_ && hand_->core != nullptr) hand_->core->conflicted(*hand_, why);
}

const RangeMove& Range::move() const {
  core_of(hand_);
  auto& hand = *hand_;
  if (!hand.ended) {
    misused(
        fmt::format("{} is to be advanced before it was read to its end: what was not read would "
                    "be lost. Call Range::next() until it returns nothing",
                    to_string(hand.move.task.range)));
  }
  hand.advanced = true;
  hand.move.rows = hand.records - hand.move.dead_letters.size();
  return hand.move;
}

TransactionLedger& Range::ledger() const {
  return core_of(hand_).ledger();
}

DirectConsumer::DirectConsumer(ConsumerOptions options, LedgerFactory ledger) {
  if (!ledger) misused("DirectConsumer: no ledger is given: postgres::ledger(), for example");
  core_ = std::make_shared<consumer::Core>(options, std::move(ledger));
}
DirectConsumer::~DirectConsumer() = default;
DirectConsumer::DirectConsumer(DirectConsumer&&) noexcept = default;
DirectConsumer& DirectConsumer::operator=(DirectConsumer&&) noexcept = default;

void DirectConsumer::start() {
  core_of(core_).start();
}
std::optional<Range> DirectConsumer::next(std::chrono::milliseconds wait) {
  return core_of(core_).next(wait);
}
int DirectConsumer::poll_fd() const {
  return core_of(core_).poll_fd();
}
void DirectConsumer::request_stop() noexcept {
  if (core_) core_->request_stop();
}
bool DirectConsumer::done() const {
  return core_of(core_).done();
}
std::int64_t DirectConsumer::lag() const {
  return core_of(core_).lag();
}

}  // namespace semel
