// What a pipeline reads beside Kafka: receivers, files, records of the program's own.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <variant>
#include <vector>

#include <semel/stream.hpp>

#include "engine/options.hpp"
#include "source/local_log.hpp"
#include "stream/receiving.hpp"

namespace semel::stream {

/// As the program has declared it.
struct LocalStream {
  struct Receives {
    std::shared_ptr<Receiver> receiver;
    ReceiverOptions options;
  };
  std::string name;
  std::variant<Receives, FileOptions, std::vector<Received>> what;
};

/// Its topic, in ledgers: on this machine, or of Kafka's. Stored: do not change.
std::string topic_of(const LocalStream& stream);
/// Throws Failed, Cause::program, where source_name_mistake() finds one.
void check_name(const std::string& name);

struct LocalLogs {
  std::vector<std::shared_ptr<source::LocalLog>> logs;
  std::vector<Receiving::One> receivers;
};

/// In the folder of the pipeline's state, or in the cluster that it reads. Fatal where one cannot
/// be opened: another process may have it. `once`: whoever looks at the ends once waits until files
/// that are there are whole, or until it says true; empty: nobody waits.
Result<LocalLogs> open_logs(const std::vector<LocalStream>& streams,
                            const engine::PipelineOptions& pipeline,
                            const std::function<bool()>& once);

}  // namespace semel::stream
