#include "core/position.hpp"

#include <fmt/format.h>

namespace semel::core {

namespace {

/// Where nobody committed anything, nothing says that the log was another one: it may be the offset
/// that is wrong. Beginning anew would store everything twice.
Error not_in_the_log(const Position& position, const LogBounds& bounds, const SettingNames& names) {
  const auto& tp = position.tp;
  return {ErrorKind::data_loss, Cause::data_loss,
          fmt::format("{}: the pipeline is to go on at offset {}, where {}, `semel offsets` or a "
                      "loss that was skipped has put it, but the log ends at {} and "
                      "begins at {}. Nothing is skipped, whatever {} says: correct the "
                      "offset with `semel offsets FILE set {}:{}=OFFSET`",
                      to_string(tp), position.committed, names("source.kafka.start"), bounds.latest,
                      bounds.earliest, names("on_data_loss"), tp.topic, tp.partition)};
}

}  // namespace

bool begins_at_start(const std::set<std::string>& known_topics, const std::string& topic,
                     bool pattern) {
  return !known_topics.contains(topic) && (!pattern || known_topics.empty());
}

Error ends_below(const TopicPartition& tp, Offset offset, const LogBounds& bounds) {
  return {ErrorKind::data_loss, Cause::data_loss,
          fmt::format("{}: offset {} was committed, but the log ends at {} and begins at {}: the "
                      "topic was created anew or truncated",
                      to_string(tp), offset, bounds.latest, bounds.earliest)};
}

std::optional<Error> ends_with(const Position& position, const Error& loss, const LogBounds& bounds,
                               bool skip_lost, const SettingNames& names) {
  if (!position.vouched && bounds.recreated && bounds.latest < position.committed) {
    return not_in_the_log(position, bounds, names);
  }
  if (skip_lost) return std::nullopt;
  auto told = loss;
  told.message +=
      bounds.gone
          ? fmt::format(
                ". Nothing more is read of the pipeline. Make it again, or take it out of {}",
                names("source.kafka"))
          : fmt::format(
                ". Nothing more is read of the pipeline. Set {} to record the loss in the "
                "ledger and go on, or move the position with `semel offsets`",
                names(skip_setting));
  return told;
}

}  // namespace semel::core
