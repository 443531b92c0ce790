#include "engine/same_cluster.hpp"

#include <fmt/format.h>

namespace semel::engine {

Result<void> same_cluster(const PipelineOptions& options, const std::string& recorded,
                          const std::string& found) {
  if (recorded.empty() || recorded == found) return {};
  return fail(
      ErrorKind::data_loss, Cause::data_loss,
      fmt::format("the ledger of pipeline {} belongs to Kafka cluster {}, but {} answers as "
                  "cluster {}: its offsets mean nothing here. Correct {}, choose another pipeline "
                  "name, or start over with `semel offsets FILE reset`",
                  options.name, recorded, options.kafka.brokers, found,
                  options.kafka.called("brokers")));
}

}  // namespace semel::engine
