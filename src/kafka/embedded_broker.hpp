// librdkafka's mock cluster as a broker for demos and quick tests. It keeps 5 MiB per partition and
// knows no transactions; see shared facts in docs/decisions.
#pragma once

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

 private:
  struct Impl;
  explicit EmbeddedBroker(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace semel::kafka
