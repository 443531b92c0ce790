#include "kafka_sink/shared.hpp"

#include <fmt/format.h>

#include <chrono>

#include "base/wall_clock.hpp"
#include "kafka/topic_reader.hpp"
#include "kafka_sink/of_sink.hpp"
#include "store/moment.hpp"

namespace semel::kafka_sink {

std::int64_t now_ms() {
  return wall_clock_ms();
}

std::string now_text() {
  return store::moment_text(now_ms());
}

namespace {

/// What the cluster's clients say is said where the pipeline's words go.
Options with_log(Options options, const Log& log) {
  options.cluster.log = log;
  return options;
}

}  // namespace

Shared::Shared(Options given, SinkContext of, Names called, Partitioning chosen, Reader reader)
    : options(with_log(std::move(given), of.log)),
      context(std::move(of)),
      names(std::move(called)),
      partitioning(chosen),
      log(options.cluster, context.owner.pipeline, names.ledger, reader, context.log),
      slots(context.sessions),
      target(options, names, context.owner.pipeline) {}

Result<std::shared_ptr<Shared>> Shared::make(const Options& options, const SinkContext& context,
                                             Reader reader) {
  auto names = names_of(options, context.owner);
  if (!names) return tl::unexpected(names.error());
  auto partitioning = Partitioning::of(options.partition);
  if (!partitioning) {
    partitioning.error().message = "sink.kafka.partition " + partitioning.error().message;
    return tl::unexpected(partitioning.error());
  }
  return std::make_shared<Shared>(options, context, *std::move(names), *partitioning, reader);
}

bool Shared::is_ours() const {
  const auto seen = log.owner();
  return seen && seen->id == owner().id;
}

Result<void> Shared::is_own_ledger() const {
  const auto seen = log.owner();
  if (!seen || (seen->pipeline == owner().pipeline && seen->output == owner().output)) return {};
  return fail(ErrorKind::fatal, Cause::configuration,
              fmt::format("topic {} is the ledger of output {} of pipeline {}: give this one "
                          "another in sink.kafka.ledger.topic",
                          names.ledger, seen->output, seen->pipeline));
}

Result<ProducerPtr> Shared::fence(const std::string& id, bool one_by_one, const Stop& until) {
  constexpr auto old = std::chrono::minutes(10);
  auto limits = target.limits(old);
  if (!limits) return tl::unexpected(limits.error());
  auto made = kafka::TransactionalProducer::create(options.cluster, owner().pipeline,
                                                   {.transactional_id = id,
                                                    .timeout_ms = options.transaction_timeout_ms,
                                                    .batch_bytes_max = (*limits)->batch_bytes_max,
                                                    .queue_bytes_max = context.session_memory_bytes,
                                                    .one_by_one = one_by_one});
  if (!made) return tl::unexpected(of_sink(made.error()));
  auto fenced = (*made)->fence(ending_ms, until);
  if (fenced) return ProducerPtr(*std::move(made));
  auto error = of_sink(fenced.error());
  // Somebody else has begun with it at this moment.
  if (error.kind == ErrorKind::in_doubt) error.kind = ErrorKind::unavailable;
  return tl::unexpected(std::move(error));
}

Result<std::variant<ProducerPtr, Refused>> Shared::ready(int slot, bool one_by_one,
                                                         const TopicPartition& tp) {
  using Ready = std::variant<ProducerPtr, Refused>;
  if (auto known = slots.of(slot); known && known->one_by_one() == one_by_one) return Ready(known);
  const std::lock_guard lock(fencing);
  if (auto read = log.refresh(stop); !read) return tl::unexpected(read.error());
  if (!is_ours()) return Ready(Refused{log.entry(&tp), 0});
  slots.lost(slot);
  auto made = fence(names.slot_id(slot), one_by_one, stop);
  if (!made) return tl::unexpected(made.error());
  if (auto read = log.refresh(stop); !read) return tl::unexpected(read.error());
  if (!is_ours()) return Ready(Refused{log.entry(&tp), 0});
  slots.put(slot, *made);
  return Ready(*std::move(made));
}

Result<void> send(kafka::TransactionalProducer& producer, const Names& names, const Rows& rows,
                  const Stop& stop) {
  const auto put = [&](const std::string& topic, const std::string& key,
                       std::optional<std::string_view> value) {
    return producer.send(producer.topic(topic), {.partition = 0, .key = key, .value = value}, stop);
  };
  for (const auto& [move, note] : rows.moves) {
    auto sent = put(names.history, key_of(move.tp), encode(move, note));
    if (!sent) return sent;
  }
  for (const auto& position : rows.positions) {
    if (auto sent = put(names.ledger, key_of(position.at.tp), encode(position)); !sent) return sent;
  }
  for (const auto& tp : rows.forgotten) {
    if (auto sent = put(names.ledger, key_of(tp), std::nullopt); !sent) return sent;
  }
  if (!rows.owner) return {};
  return put(names.ledger, owner_key(), encode(*rows.owner));
}

}  // namespace semel::kafka_sink
