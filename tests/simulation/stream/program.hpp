// The program whose runs are simulated: each record into one output, and of each key all that was
// seen, which is its state, into another. And the same, computed from the log at once.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>

#include <semel/stream/graph.hpp>

#include "simulation/kafka.hpp"
#include "simulation/stream/database.hpp"
#include "stream/sources.hpp"

namespace semel::stream_simulation {

struct Program {
  std::shared_ptr<stream::detail::Graph> graph;
  std::shared_ptr<stream::Sources> sources;
};

/// With the outputs of these names, in their order.
Program make_program(const std::vector<std::pair<std::string, Holds>>& outputs);

/// A record, as a producer wrote it, from what tells it from every other.
std::string value_of(std::uint32_t id);
std::string key_of(std::uint32_t id);
/// All records of a key below where partitions stand.
std::set<std::uint32_t> seen_in(const simulation::Kafka& kafka, const std::string& key,
                                const std::map<TopicPartition, Offset>& until);
/// A row of the output that holds what was seen.
std::string row_of(const std::string& key, const std::set<std::uint32_t>& seen);
std::string key_in(std::string_view row);

}  // namespace semel::stream_simulation
