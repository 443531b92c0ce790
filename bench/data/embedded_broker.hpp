// librdkafka's mock cluster as a broker for demos and quick tests. It keeps 5 MiB per partition and
// knows no transactions; see shared facts in docs/decisions.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include <semel/error.hpp>

namespace semel::kafka {

class EmbeddedBroker {
 public:
  static Result<std::unique_ptr<EmbeddedBroker>> start(int brokers = 1);
  ~EmbeddedBroker();

  const std::string& bootstrap_servers() const;
  Result<void> create_topic(const std::string& topic, int partitions);
  /// Brokers are counted from 1; 0: nobody leads the partition.
  Result<void> set_leader(const std::string& topic, std::int32_t partition, std::int32_t broker);
  /// Connections to this broker are refused; what it leads keeps it as its leader.
  Result<void> set_down(std::int32_t broker);

 private:
  struct Impl;
  explicit EmbeddedBroker(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace semel::kafka
