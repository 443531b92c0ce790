// Which records the brokers refuse: each is sent by itself, again and again without those that were
// refused, until the rest goes in. Bad is what is refused alone while others go in
// (docs/decisions/0009).
#include <fmt/format.h>

#include <algorithm>

#include "kafka_sink/of_sink.hpp"
#include "kafka_sink/session.hpp"

namespace semel::kafka_sink {

void Session::restart_counts() {
  for (auto& part : parts_) {
    part.counts = {};
    part.tally = record::BadTally("Kafka");
  }
}

Result<void> Session::put_spooled(const Refusals& refused) {
  std::uint64_t number = 0;
  auto sent = spool_.each([&](std::size_t task, const Record& record,
                              const record::BadRecord* objection) -> Result<void> {
    auto& part = parts_[task];
    const auto bad = refused.find(++number);
    if (objection != nullptr) return refuse(part, record, *objection);
    return bad == refused.end() ? put(part, record, number) : refuse(part, record, bad->second);
  });
  if (!sent) return sent;
  if (auto flushed = producer_->flush(ending_ms, shared_->stop); !flushed) {
    return tl::unexpected(of_sink(flushed.error()));
  }
  return {};
}

/// Where none goes in, it may be the topic: one alone has no neighbour to be compared with.
Result<void> Session::clear_of_the_topic(const Refusals& refused) const {
  const bool some_in =
      std::ranges::any_of(parts_, [](const Part& part) { return part.counts.rows > 0; });
  if (some_in || refused.size() < 2) return {};
  return fail(ErrorKind::fatal, Cause::sink,
              fmt::format("topic {} refuses every record: {}. Nothing was set aside. Mend the "
                          "topic; where the records are at fault after all, go on behind them with "
                          "`semel offsets FILE set`",
                          shared_->names.target, refused.begin()->second.reason));
}

Result<void> Session::put_isolating() {
  Refusals refused;
  while (true) {
    restart_counts();
    // send() and flush() may give the producer up: what it was told is kept.
    const auto producer = producer_;
    auto put = put_spooled(refused);
    if (put) return clear_of_the_topic(refused);
    const auto before = refused.size();
    for (const auto& [tag, code, reason] : producer->refused()) {
      if (tag == 0) continue;  // a dead letter or the ledger: no record's fault
      refused.try_emplace(
          tag,
          record::BadRecord{
              .fault = record::Fault::refused, .code = code, .reason = reason, .told = reason});
    }
    if (put.error().kind != ErrorKind::bad_data || refused.size() == before) {
      // What is refused and no record is a topic of ours.
      if (put.error().kind == ErrorKind::bad_data) put.error().kind = ErrorKind::fatal;
      return producer_ ? lost(put.error()) : Result<void>(tl::unexpected(put.error()));
    }
    (void)lost(put.error());
    auto opened = open_transaction();
    if (!opened) return tl::unexpected(opened.error());
    // Somebody has taken over meanwhile: the ledger says so to whoever asks it.
    if (*opened) {
      return fail(ErrorKind::in_doubt, Cause::sink, "another owner may have taken over");
    }
  }
}

}  // namespace semel::kafka_sink
