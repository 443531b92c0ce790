// The ledger as operators read and change it.
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <map>
#include <set>
#include <thread>
#include <tuple>

#include "base/ledger_names.hpp"
#include "kafka/topic_admin.hpp"
#include "kafka/topic_reader.hpp"
#include "kafka_sink/control.hpp"
#include "kafka_sink/dead_letter.hpp"
#include "kafka_sink/of_sink.hpp"
#include "kafka_sink/sink.hpp"
#include "store/moment.hpp"

namespace semel::kafka_sink {

namespace {

using Clock = std::chrono::steady_clock;

constexpr int operator_question_ms = 10'000;
// How long the marker of a history's partition may be behind that of the ledger's.
constexpr auto history_patience = std::chrono::seconds(3);
constexpr auto look_again_at_history = std::chrono::milliseconds(20);
constexpr double ms_a_second = 1'000;

double seconds_since(const std::string& moment) {
  return static_cast<double>(now_ms() - store::moment_of(moment).value_or(0)) / ms_a_second;
}

OwnerState state_of(const OwnerRow& row) {
  if (row.state == state_stopped) return OwnerState::stopped;
  if (row.state == state_failed) return OwnerState::failed;
  // Five missed beats are no hiccup any more.
  constexpr double beats = 5.0;
  return seconds_since(row.seen_at) * ms_a_second <= beats * static_cast<double>(row.heartbeat_ms)
             ? OwnerState::running
             : OwnerState::silent;
}

bool is_of(const Move& move, const Position& position) {
  return move.until == position.at.until && move.batch_time == position.at.batch_time &&
         move.epoch == position.epoch;
}

using Tops = std::set<TopicPartition>;

/// What a history has that is to be compared with positions of an earlier moment.
struct Ends {
  std::map<TopicPartition, std::size_t> at;  ///< where the move stands that led to the position
  Tops passed;                               ///< there are moves behind it
};

Ends ends_of(const std::vector<Move>& moves, const LedgerLog::Positions& positions) {
  Ends ends;
  for (std::size_t i = 0; i < moves.size(); ++i) {
    const auto& tp = moves[i].tp;
    const auto at = positions.find(tp);
    if (at == positions.end()) continue;
    if (is_of(moves[i], at->second)) {
      ends.at[tp] = i;
      ends.passed.erase(tp);
    } else if (ends.at.contains(tp)) {
      ends.passed.insert(tp);
    }
  }
  return ends;
}

/// The history as it was when the positions were: what came behind them is left out, but for those
/// that are told not to move.
void cut(std::vector<Move>& moves, const Ends& ends, const Tops& whole) {
  std::vector<Move> kept;
  for (std::size_t i = 0; i < moves.size(); ++i) {
    const auto end = ends.at.find(moves[i].tp);
    if (end == ends.at.end() || i <= end->second || whole.contains(moves[i].tp)) {
      kept.push_back(std::move(moves[i]));
    }
  }
  moves = std::move(kept);
}

/// Where a partition stands, or stood when its position was lost.
struct Stood {
  Progress at;
  std::int64_t epoch = 0;
  bool forgotten = false;  ///< by a reset, which is a move to where it stood

  bool is_before(const Stood& other) const {
    return std::tie(at.batch_time, epoch) < std::tie(other.at.batch_time, other.epoch);
  }
};
using AllStood = std::map<TopicPartition, Stood>;

class KafkaLedger final : public Ledger {
 public:
  explicit KafkaLedger(std::shared_ptr<Shared> shared) : shared_(std::move(shared)) {}

  Result<std::optional<OwnerStatus>> owner() override {
    if (auto read = refresh(); !read) return tl::unexpected(read.error());
    const auto row = log().owner();
    if (!row) return std::nullopt;
    OwnerStatus status{.epoch = row->epoch,
                       .id = row->id,
                       .description = row->description,
                       .since = row->since,
                       .seen_seconds_ago = seconds_since(row->seen_at),
                       .cluster_id = row->cluster_id,
                       .state = state_of(*row),
                       .reason = row->reason,
                       .heartbeat_ms = row->heartbeat_ms};
    std::string moved;
    for (const auto& [tp, position] : log().positions()) {
      moved = std::max(moved, position.moved_at);
    }
    if (!moved.empty()) status.moved_seconds_ago = seconds_since(moved);
    return status;
  }

  Result<std::vector<Progress>> progress() override {
    if (auto read = refresh(); !read) return tl::unexpected(read.error());
    return progress_of(log().positions());
  }

  Result<std::vector<Progress>> history(
      const std::function<void(std::span<const Move>)>& see) override {
    auto moment = of_one_moment();
    if (!moment) return tl::unexpected(moment.error());
    auto& [moves, positions] = *moment;
    std::ranges::stable_sort(moves, {}, [](const Move& move) {
      return std::tuple(move.tp, move.batch_time, move.epoch);
    });
    constexpr std::size_t piece = 1'000;
    for (std::size_t at = 0; at < moves.size(); at += piece) {
      see(std::span(moves).subspan(at, std::min(piece, moves.size() - at)));
    }
    return progress_of(positions);
  }

  Result<Counts> counts() override {
    auto moment = of_one_moment();
    if (!moment) return tl::unexpected(moment.error());
    Counts counts;
    for (const auto& move : moment->first) {
      if (move.kind == MoveKind::lost && move.until > move.from) {
        counts.lost += static_cast<std::uint64_t>(move.until - move.from);
      }
      if (move.kind != MoveKind::commit) continue;
      if (counts.commits++ == 0 || move.committed_at < counts.since) {
        counts.since = move.committed_at;
      }
      counts.rows += move.rows;
      counts.dead_letters += move.dead_letters;
      counts.ignored += move.ignored.value_or(0);
      counts.suppressed += move.suppressed.value_or(0);
    }
    return counts;
  }

  Result<std::uint64_t> dead_letters() override {
    const auto& owner = shared_->owner();
    const auto& topic = shared_->names.dead_letters;
    auto admin = kafka::TopicAdmin::connect(shared_->options.cluster, owner.pipeline);
    if (!admin) return tl::unexpected(of_sink(admin.error()));
    auto there = (*admin)->describe(topic, operator_question_ms);
    if (!there) return tl::unexpected(of_sink(there.error()));
    std::uint64_t count = 0;
    for (int partition = 0; partition < there->partitions; ++partition) {
      auto read = read_all(topic, partition, [&](const Record& record) -> Result<void> {
        if (is_dead_letter_of(record.headers(), owner.pipeline, owner.output)) ++count;
        return {};
      });
      if (!read) return tl::unexpected(read.error());
    }
    return count;
  }

  Result<void> set(std::span<const Progress> positions, bool force) override {
    return as_operator(force, [&](OwnerRow& row) -> Result<Rows> {
      auto stood = where_all_stood();
      if (!stood) return tl::unexpected(stood.error());
      return jump(positions, row, *stood);
    });
  }

  Result<void> reset(bool force) override {
    return as_operator(force, [&](OwnerRow& row) -> Result<Rows> {
      auto stood = where_all_stood();
      if (!stood) return tl::unexpected(stood.error());
      std::vector<Progress> all;
      for (const auto& [tp, one] : *stood) {
        if (!one.forgotten) all.push_back(one.at);
      }
      auto rows = jump(all, row, *stood);
      rows.positions.clear();
      rows.forgotten = log().broken();
      for (const auto& one : all) {
        rows.forgotten.push_back(one.tp);
        row.highest_batch_time = std::max(row.highest_batch_time, one.batch_time);
      }
      row.cluster_id.clear();
      row.partitions = 0;
      return rows;
    });
  }

  /// Those that stand before the end of their history.
  Result<std::vector<TopicPartition>> disputed() override {
    auto moment = of_one_moment();
    if (!moment) return tl::unexpected(moment.error());
    const auto& [moves, positions] = *moment;
    std::map<TopicPartition, const Move*> last;
    for (const auto& move : moves) last[move.tp] = &move;
    std::vector<TopicPartition> all;
    for (const auto& [tp, position] : positions) {
      const auto end = last.find(tp);
      if (end == last.end() || end->second->until == position.at.until) continue;
      if (end->second->batch_time >= position.at.batch_time) all.push_back(tp);
    }
    return all;
  }

 private:
  using Moment = std::pair<std::vector<Move>, LedgerLog::Positions>;

  LedgerLog& log() { return shared_->log; }
  Result<void> refresh() {
    auto read = log().refresh(shared_->stop);
    return read ? shared_->is_own_ledger() : read;
  }

  static std::vector<Progress> progress_of(const LedgerLog::Positions& positions) {
    std::vector<Progress> all;
    for (const auto& [tp, position] : positions) all.push_back(position.at);
    return all;
  }

  Result<void> read_all(const std::string& topic, int partition,
                        const kafka::TopicReader::See& see) {
    auto reader = kafka::TopicReader::open(shared_->options.cluster, shared_->owner().pipeline,
                                           topic, partition);
    if (!reader) return tl::unexpected(reader.error());
    auto begin = reader->begin(shared_->stop);
    if (!begin) return tl::unexpected(begin.error());
    auto end = reader->settled_end(shared_->stop);
    if (!end) return tl::unexpected(end.error());
    return reader->read(*begin, *end, std::nullopt, shared_->stop, see);
  }

  /// By the positions, and by the history where that has come further: the record of a position may
  /// be none, or gone, or an old one that somebody has written again.
  Result<AllStood> where_all_stood() {
    AllStood all;
    auto read = read_all(shared_->names.history, 0, [&](const Record& record) -> Result<void> {
      const auto move = decode_move(record.value);
      if (!move) return {};
      const bool forgets = move->kind == MoveKind::set && move->from == move->until;
      all[move->tp] = {.at = {.tp = move->tp, .until = move->until, .batch_time = move->batch_time},
                       .epoch = move->epoch,
                       .forgotten = forgets};
      return {};
    });
    if (!read) return tl::unexpected(read.error());
    for (const auto& [tp, position] : log().positions()) {
      const Stood stands{.at = position.at, .epoch = position.epoch};
      const auto [known, fresh] = all.try_emplace(tp, stands);
      if (!fresh && !stands.is_before(known->second)) known->second = stands;
    }
    return all;
  }

  Result<std::vector<Move>> moves() {
    std::vector<Move> all;
    auto read = read_all(shared_->names.history, 0, [&](const Record& record) -> Result<void> {
      if (auto move = decode_move(record.value)) all.push_back(*std::move(move));
      return {};
    });
    if (!read) return tl::unexpected(read.error());
    return all;
  }

  /// Those of `passed` whose positions are still what they were.
  Result<Tops> resting(const Tops& passed, const LedgerLog::Positions& before) {
    if (passed.empty()) return Tops();
    if (auto read = refresh(); !read) return tl::unexpected(read.error());
    const auto now = log().positions();
    auto rest = passed;
    std::erase_if(rest, [&](const TopicPartition& tp) {
      const auto at = now.find(tp);
      return at == now.end() || at->second.at != before.at(tp).at;
    });
    return rest;
  }

  /// Positions first: each was committed together with its move, whose marker may come later. A
  /// move that no position follows was not committed meanwhile: then the position is not the last.
  Result<Moment> of_one_moment() {
    if (auto read = refresh(); !read) return tl::unexpected(read.error());
    Moment moment{{}, log().positions()};
    const auto give_up = Clock::now() + history_patience;
    while (true) {
      auto read = moves();
      if (!read) return tl::unexpected(read.error());
      moment.first = *std::move(read);
      const auto ends = ends_of(moment.first, moment.second);
      auto rest = resting(ends.passed, moment.second);
      if (!rest) return tl::unexpected(rest.error());
      // Of one that nothing has moved for longer than the history is kept, there is none.
      const bool whole = ends.at.size() == moment.second.size() || !may_come(moment.second);
      if ((whole && rest->empty()) || Clock::now() >= give_up) {
        cut(moment.first, ends, *rest);
        return moment;
      }
      std::this_thread::sleep_for(look_again_at_history);
    }
  }

  /// Whether one of the positions moved just now.
  static bool may_come(const LedgerLog::Positions& positions) {
    constexpr double just_now = 60;
    return std::ranges::any_of(
        positions, [](const auto& one) { return seconds_since(one.second.moved_at) < just_now; });
  }

  /// Becomes the owner, so that whoever was it is fenced; then, in a second transaction, writes
  /// what `change` makes of what stands.
  template <class Change>
  Result<void> as_operator(bool force, Change change) {
    auto before = owner();
    if (!before) return tl::unexpected(before.error());
    if (!*before) {
      return fail(ErrorKind::fatal, Cause::sink,
                  fmt::format("pipeline {} has never written with the ledger {}",
                              shared_->owner().pipeline, shared_->names.ledger));
    }
    if (!force && (*before)->state == OwnerState::running) {
      return fail(ErrorKind::fatal, Cause::sink,
                  fmt::format("{} is running: stop it first, or use --force, which fences it",
                              (*before)->description));
    }
    Control control(shared_);
    if (auto fenced = control.fence(shared_->stop); !fenced) return fenced;
    auto row = log().owner().value_or(OwnerRow{});
    ++row.epoch;
    row.id = shared_->owner().id;
    row.description = "semel offsets";
    row.since = row.seen_at = now_text();
    row.state = state_stopped;
    row.reason.clear();
    if (auto seized = control.seize({.owner = row}, false, shared_->stop); !seized) return seized;
    auto rows = change(row);
    if (!rows) return tl::unexpected(rows.error());
    row.slots = 0;  // all are fenced, and an operator has none
    rows->owner = row;
    auto written = control.write(*rows, shared_->stop);
    if (!written) return tl::unexpected(written.error());
    if (*written) return refresh();
    return fail(ErrorKind::unavailable, Cause::sink,
                "another process has taken the output over meanwhile: nothing was changed");
  }

  static Rows jump(std::span<const Progress> to, OwnerRow& row, AllStood& stood) {
    Rows rows;
    const auto now = now_text();
    for (auto at : to) {
      const auto before = stood.find(at.tp);
      at.batch_time = std::max(at.batch_time, row.highest_batch_time);
      auto from = at.until;
      if (before != stood.end()) {
        at.batch_time = std::max(at.batch_time, before->second.at.batch_time);
        from = before->second.at.until;
      }
      rows.positions.push_back(
          Position{.at = at, .epoch = row.epoch, .owner = row.id, .moved_at = now});
      rows.moves.emplace_back(Move{.tp = at.tp,
                                   .batch_time = at.batch_time,
                                   .epoch = row.epoch,
                                   .from = from,
                                   .until = at.until,
                                   .kind = MoveKind::set,
                                   .committed_at = now},
                              "");
      stood[at.tp] = {.at = at, .epoch = row.epoch};
    }
    // One that is lost is still missed.
    const auto known =
        std::ranges::count_if(stood, [](const auto& one) { return !one.second.forgotten; });
    row.partitions = std::max<std::int64_t>(row.partitions, known);
    return rows;
  }

  std::shared_ptr<Shared> shared_;
};

}  // namespace

Result<std::unique_ptr<Ledger>> open_ledger(const Options& options, const SinkContext& context) {
  auto of = context;
  // One of its own: two of them are two owners.
  of.owner.id = fmt::format("operator {} {}", getpid(), now_ms());
  auto shared = Shared::make(options, of, Shared::Reader::people);
  if (!shared) return tl::unexpected(shared.error());
  const auto& names = (*shared)->names;
  auto admin = kafka::TopicAdmin::connect(options.cluster, context.owner.pipeline);
  if (!admin) return tl::unexpected(of_sink(admin.error()));
  auto there = (*admin)->describe(names.ledger, operator_question_ms);
  if (!there) return tl::unexpected(of_sink(there.error()));
  if (!there->exists) {
    return fail(ErrorKind::fatal, Cause::sink,
                fmt::format("there is no ledger {} in Kafka at {}: no pipeline has written with it",
                            names.ledger, options.cluster.brokers));
  }
  return std::make_unique<KafkaLedger>(*std::move(shared));
}

}  // namespace semel::kafka_sink
