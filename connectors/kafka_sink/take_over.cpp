// The owner's first words: who it is, and where everything stands.
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <map>
#include <thread>

#include "base/ledger_names.hpp"
#include "kafka/topic_admin.hpp"
#include "kafka/topic_reader.hpp"
#include "kafka_sink/control.hpp"
#include "kafka_sink/of_sink.hpp"

namespace semel::kafka_sink {

namespace {

// Of a history's end, compared with the positions at each start.
constexpr Offset tail_offsets = 1'000;
constexpr int cluster_question_ms = 5'000;
// How long one marker of a transaction may be behind another.
constexpr auto whole_patience = std::chrono::seconds(3);
constexpr auto look_again_for_whole = std::chrono::milliseconds(20);

/// A reset forgets a position, and says so in the history: a move to where it stood.
bool is_reset(const Move& last) {
  return last.kind == MoveKind::set && last.from == last.until;
}

/// Each partition stands where its history ends: both move in one transaction.
Result<void> is_whole(const Shared& shared, const std::vector<Move>& moves) {
  const auto positions = shared.log.positions();
  std::map<TopicPartition, Move> last;
  for (const auto& move : moves) last.insert_or_assign(move.tp, move);
  for (const auto& [tp, move] : last) {
    const auto stands = positions.find(tp);
    const bool fits = stands == positions.end()
                          ? is_reset(move)
                          : stands->second.at.until == move.until ||
                                stands->second.at.batch_time > move.batch_time;
    if (fits) continue;
    return not_whole(
        shared.names.ledger,
        fmt::format("the history of {} ends at {}, and {}", to_string(tp), move.until,
                    stands == positions.end()
                        ? std::string("its position is gone")
                        : fmt::format("its position is {}", stands->second.at.until)),
        fmt::format("`semel offsets FILE set {}:{}={}` goes on where the history ends, `semel "
                    "offsets FILE reset` reads everything again",
                    tp.topic, tp.partition, move.until));
  }
  return {};
}

/// The moves at the history's end; `all`: from its beginning.
Result<std::vector<Move>> moves_of(const Shared& shared, bool all, const Stop& stop) {
  auto reader = kafka::TopicReader::open(shared.options.cluster, shared.owner().pipeline,
                                         shared.names.history);
  if (!reader) return tl::unexpected(reader.error());
  auto begin = reader->begin(stop);
  if (!begin) return tl::unexpected(begin.error());
  auto end = reader->end(stop);
  if (!end) return tl::unexpected(end.error());
  return read_history(*reader, all ? *begin : std::max(*begin, *end - tail_offsets), *end, stop);
}

/// With where the partitions stood whose records are none, as far as the history knows.
tl::unexpected<Error> with_ends(const Shared& shared, Error error, const Stop& stop) {
  const auto broken = shared.log.broken();
  if (broken.empty()) return tl::unexpected(std::move(error));
  const auto moves = moves_of(shared, true, stop);
  if (!moves) return tl::unexpected(std::move(error));
  std::map<TopicPartition, Offset> ends;
  for (const auto& move : *moves) ends[move.tp] = move.until;
  for (const auto& tp : broken) {
    const auto end = ends.find(tp);
    if (end == ends.end()) continue;
    error.message += fmt::format(
        ". The history of {} ends at {}: `semel offsets FILE set {}:{}={}` goes on there",
        to_string(tp), end->second, tp.topic, tp.partition, end->second);
  }
  return tl::unexpected(std::move(error));
}

/// Whether what is there may be gone on from.
Result<void> goes_on(const Shared& shared, const Stop& stop) {
  const auto& names = shared.names;
  const auto before = shared.log.owner();
  const auto positions = shared.log.positions();
  if (!before) {
    auto moves = moves_of(shared, false, stop);
    if (!moves) return tl::unexpected(moves.error());
    if (moves->empty() && positions.empty()) return {};
    return not_whole(names.ledger, "there are positions or a history, and no owner any more",
                     fmt::format("restore both topics, or delete {} and {} to begin anew",
                                 names.ledger, names.history));
  }
  if (auto own = shared.is_own_ledger(); !own) return own;
  if (static_cast<std::int64_t>(positions.size()) < before->partitions) {
    auto moves = moves_of(shared, true, stop);
    if (!moves) return tl::unexpected(moves.error());
    if (auto whole = is_whole(shared, *moves); !whole) return whole;
    return not_whole(
        names.ledger,
        fmt::format("it has {} positions, and had {}", positions.size(), before->partitions),
        "say where to go on with `semel offsets FILE set`, or read everything again "
        "with `semel offsets FILE reset`");
  }
  if (positions.empty() || before->target == names.target || shared.context.accept_changed_table) {
    return {};
  }
  return fail(ErrorKind::fatal, Cause::configuration,
              fmt::format("pipeline {} has written into topic {} so far: into {} it would go on "
                          "from where that one ended. For that, run it once with "
                          "--accept-changed-table; for all records, choose another pipeline.name "
                          "or sink.kafka.output",
                          shared.owner().pipeline, before->target, names.target));
}

/// Which cluster the ledger's offsets are of, where that is another one.
std::optional<std::string> other_cluster(const Shared& shared, const std::string& cluster_id) {
  const auto before = shared.log.owner();
  if (!before || before->cluster_id.empty() || before->cluster_id == cluster_id) return {};
  return before->cluster_id;
}

OwnerRow new_row(const Shared& shared, const std::string& cluster_id) {
  const auto before = shared.log.owner().value_or(OwnerRow{});
  const auto& owner = shared.owner();
  const auto now = now_text();
  return {.pipeline = owner.pipeline,
          .output = owner.output,
          .epoch = before.epoch + 1,
          .id = owner.id,
          .description = owner.description,
          .since = now,
          .seen_at = now,
          .cluster_id = cluster_id,
          .state = std::string(state_running),
          .reason = {},
          .heartbeat_ms = owner.heartbeat_ms,
          .reads = owner.reads,
          .target = shared.names.target,
          .slots = std::max(before.slots, shared.slots.count()),
          .partitions = static_cast<std::int64_t>(shared.log.positions().size()),
          .highest_batch_time = before.highest_batch_time};
}

Result<void> learn_cluster(Shared& shared, const std::string& source) {
  auto admin = kafka::TopicAdmin::connect(shared.options.cluster, shared.owner().pipeline);
  if (!admin) return tl::unexpected(of_sink(admin.error()));
  auto own = (*admin)->cluster_id(cluster_question_ms);
  if (!own) return tl::unexpected(of_sink(own.error()));
  shared.same_cluster = *own == source;
  return {};
}

TakenOver taken_over(const Shared& shared, const OwnerRow& row,
                     const std::optional<OwnerRow>& before, const std::vector<Move>& moves) {
  TakenOver taken{.epoch = row.epoch,
                  .progress = {},
                  .highest_batch_time = row.highest_batch_time,
                  .cluster_id = before ? before->cluster_id : "",
                  .previous_owner = {},
                  .notes = {}};
  if (before && before->id != row.id && before->state == state_running) {
    taken.previous_owner = before->description;
  }
  for (const auto& move : moves) {
    taken.highest_batch_time = std::max(taken.highest_batch_time, move.batch_time);
  }
  for (const auto& [tp, position] : shared.log.positions()) {
    taken.highest_batch_time = std::max(taken.highest_batch_time, position.at.batch_time);
    taken.progress.push_back(position.at);
  }
  return taken;
}

}  // namespace

Result<void> can_go_on(Shared& shared, const Stop& stop) {
  const auto give_up = std::chrono::steady_clock::now() + whole_patience;
  while (true) {
    // The history first: whoever is at work has moved on when the positions are read.
    auto moves = moves_of(shared, false, stop);
    if (!moves) return tl::unexpected(moves.error());
    if (auto read = shared.log.refresh(stop); !read) return with_ends(shared, read.error(), stop);
    auto whole = goes_on(shared, stop);
    if (whole) whole = is_whole(shared, *moves);
    if (whole || std::chrono::steady_clock::now() >= give_up) return whole;
    std::this_thread::sleep_for(look_again_for_whole);
  }
}

Result<TakenOver> take_over(Shared& shared, Control& control, const std::string& cluster_id,
                            const Stop& stop) {
  const auto other = [&] { return other_cluster(shared, cluster_id); };
  auto ready = set_up_topics(shared.options, shared.names, shared.owner().pipeline);
  if (ready) ready = learn_cluster(shared, cluster_id);
  if (!ready) return tl::unexpected(ready.error());
  if (ready = shared.log.refresh(stop); !ready) return with_ends(shared, ready.error(), stop);
  // Before anybody is fenced, and once more when nobody else can write it.
  if (const auto id = other()) return TakenOver{.cluster_id = *id};
  ready = goes_on(shared, stop);
  if (ready) ready = control.fence(stop);
  if (!ready) return tl::unexpected(ready.error());
  if (const auto id = other()) return TakenOver{.cluster_id = *id};
  ready = goes_on(shared, stop);
  if (!ready) return tl::unexpected(ready.error());
  const auto before = shared.log.owner();
  auto row = new_row(shared, cluster_id);
  if (auto seized = control.seize({.owner = row}, true, stop); !seized) {
    return tl::unexpected(seized.error());
  }
  auto moves = moves_of(shared, false, stop);
  if (!moves) return tl::unexpected(moves.error());
  if (auto whole = is_whole(shared, *moves); !whole) {
    // An heir may have gone on meanwhile: that is found out by whatever comes next.
    if (auto read = shared.log.refresh(stop); !read) return tl::unexpected(read.error());
    if (!shared.is_ours()) return taken_over(shared, row, before, *moves);
    row.state = state_failed;
    row.reason = "the ledger is not whole";
    (void)control.write({.owner = row}, stop);
    return tl::unexpected(whole.error());
  }
  return taken_over(shared, row, before, *moves);
}

}  // namespace semel::kafka_sink
