// What a sink, its sessions, and an operator's view of the ledger have in common.
#pragma once

#include <atomic>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include <semel/sink.hpp>

#include "connector/connector.hpp"
#include "kafka/stop.hpp"
#include "kafka_sink/ledger_log.hpp"
#include "kafka_sink/names.hpp"
#include "kafka_sink/options.hpp"
#include "kafka_sink/slots.hpp"
#include "kafka_sink/target.hpp"
#include "record/bad_tally.hpp"
#include "record/dead_letter_notice.hpp"

namespace semel::kafka_sink {

using kafka::Stop;

/// How long brokers that say nothing are waited for, by whatever ends a transaction.
inline constexpr int ending_ms = 20'000;

/// Thread safe.
struct Shared {
  using Reader = LedgerLog::Reader;

  Shared(Options given, SinkContext of, Names called, Partitioning chosen, Reader reader);

  /// Fatal (Cause::configuration) where names or partition are none.
  static Result<std::shared_ptr<Shared>> make(const Options& options, const SinkContext& context,
                                              Reader reader = Reader::owner);

  const Options options;
  const SinkContext context;
  const Names names;
  const Partitioning partitioning;
  std::atomic<bool> interrupted{false};
  const Stop stop{[this] { return interrupted.load(); }};
  std::atomic<bool> same_cluster{false};  ///< source and target are in one, as far as is known
  LedgerLog log;
  Slots slots;
  Target target;
  record::BadStreaks streaks;
  record::DeadLetterNotice notice;
  std::mutex fencing;  ///< one producer after the other is made

  const Owner& owner() const { return context.owner; }
  /// By the ledger as it was read last.
  bool is_ours() const;
  /// Fatal (Cause::configuration) where another output's owner stands in it.
  Result<void> is_own_ledger() const;

  /// A new producer with this id; whoever had it before is fenced.
  Result<ProducerPtr> fence(const std::string& id, bool one_by_one, const Stop& until);
  /// The producer of a slot. Where there is none that can be used, one is made, if the output is
  /// ours before *and* after whoever had the id is fenced: a process that was away must not fence
  /// its heir, and what is ours then stays ours until somebody fences us.
  Result<std::variant<ProducerPtr, Refused>> ready(int slot, bool one_by_one,
                                                   const TopicPartition& tp);
};

/// What a transaction writes of the ledger.
struct Rows {
  std::optional<OwnerRow> owner{};
  std::vector<Position> positions{};
  std::vector<TopicPartition> forgotten{};
  std::vector<std::pair<Move, std::string>> moves{};  ///< with notes
};
Result<void> send(kafka::TransactionalProducer& producer, const Names& names, const Rows& rows,
                  const Stop& stop);

/// Milliseconds since 1970, and as the ledger has it.
std::int64_t now_ms();
std::string now_text();

}  // namespace semel::kafka_sink
