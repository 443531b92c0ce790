#include "kafka_sink/names.hpp"

#include <fmt/format.h>

#include <set>

#include "kafka/topic_name.hpp"

namespace semel::kafka_sink {

Result<Names> names_of(const Options& options, const Owner& owner) {
  Names names{.target = options.topic,
              .dead_letters = options.dead_letters,
              .ledger = options.ledger,
              .history = {}};
  // Stored: do not change. Both names may hold - and _, only a pipeline's a dot: so no two outputs
  // have one topic.
  if (names.ledger.empty()) names.ledger = fmt::format("semel.{}.{}", owner.pipeline, owner.output);
  if (names.dead_letters.empty()) names.dead_letters = options.topic + ".dead-letters";
  names.history = names.ledger + ".history";
  std::set<std::string> all;
  for (const auto& name : {names.target, names.dead_letters, names.ledger, names.history}) {
    if (!kafka::is_topic_name(name)) {
      return fail(ErrorKind::fatal, Cause::configuration,
                  fmt::format("{} is too long for the name of a topic, which has at most 249 "
                              "characters: give another one in sink.kafka.ledger.topic or "
                              "sink.kafka.dead_letters",
                              name));
    }
    if (!all.insert(name).second) {
      return fail(ErrorKind::fatal, Cause::configuration,
                  fmt::format("sink.kafka would use topic {} for two things: the topic itself, its "
                              "dead letters, the ledger and the ledger's history are four topics",
                              name));
    }
  }
  return names;
}

}  // namespace semel::kafka_sink
