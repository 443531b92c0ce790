// This connector as the program sees it.
#include <fmt/format.h>

#include "kafka_sink/kafka_sink.hpp"
#include "kafka_sink/settings.hpp"
#include "kafka_sink/sink.hpp"

namespace semel::kafka_sink {

namespace {

const Options& options_of(const config::Part& part) {
  return part.as<Options>();
}

}  // namespace

Connector connector() {
  return {
      .name = "kafka",
      .settings = settings(),
      .queues_records = true,
      .target =
          [](const config::Part& part) {
            const auto& options = options_of(part);
            return fmt::format("kafka topic {} at {}", options.topic, options.cluster.brokers);
          },
      .policy = [](const config::Part& part) -> const record::Policy& {
        return options_of(part).policy;
      },
      .make_sink = [](const config::Part& part,
                      const SinkContext& context) { return make_sink(options_of(part), context); },
      .open_ledger =
          [](const config::Part& part, const SinkContext& context) {
            return open_ledger(options_of(part), context);
          },
      .check = [](const config::Part& part,
                  const SinkContext& context) { return check(options_of(part), context); },
      .sample = [](const config::Part& part, const SinkContext& context,
                   const RecordFeed& feed) { return sample(options_of(part), context, feed); },
      .ddl = [](const config::Part& part, const SinkContext& context) -> std::string {
        const auto names = names_of(options_of(part), context.owner);
        return names ? commands_for_topics(options_of(part), *names)
                     : "# " + names.error().message + "\n";
      },
  };
}

}  // namespace semel::kafka_sink
