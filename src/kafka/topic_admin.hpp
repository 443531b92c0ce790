// Topics as somebody sets them up: made, and what they are configured as.
#pragma once

#include <cstddef>
#include <map>
#include <memory>
#include <string>

#include <semel/error.hpp>

#include "kafka/options.hpp"

namespace semel::kafka {

struct TopicDescription {
  bool exists = false;
  int partitions = 0;
  /// By name, with the broker's own where the topic has none; empty where this login may not see
  /// them.
  std::map<std::string, std::string> configs;
};

/// Settings of a topic of which the newest record of each key is wanted, and all of it is read at a
/// start: compacted, in small segments, because what is in the newest one is not compacted.
const std::map<std::string, std::string>& compacted_topic();

/// One thread uses it.
class TopicAdmin {
 public:
  static Result<std::unique_ptr<TopicAdmin>> connect(const Options& options,
                                                     const std::string& name);
  ~TopicAdmin();
  TopicAdmin(const TopicAdmin&) = delete;
  TopicAdmin& operator=(const TopicAdmin&) = delete;

  Result<std::string> cluster_id(int timeout_ms);
  Result<TopicDescription> describe(const std::string& topic, int timeout_ms);
  /// Returns when its partitions have leaders. One that is there already is no error. Of
  /// `replication` 0 the broker's default is taken.
  Result<void> create(const std::string& topic, int partitions, int replication,
                      const std::map<std::string, std::string>& configs, int timeout_ms);

 private:
  struct Impl;
  explicit TopicAdmin(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace semel::kafka
