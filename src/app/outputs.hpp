// The outputs of a configured pipeline, each with its connector.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "app/pipeline_config.hpp"
#include "connector/connector.hpp"
#include "engine/pipeline.hpp"

namespace semel::app {

/// A connector's functions, with what they take. Copies what it needs of the configuration.
class Output {
 public:
  Output(const PipelineConfig& config, const SinkConfig& sink, bool accept_changed_table);

  const std::string& name() const { return context_.owner.output; }
  /// 0: it does not mind.
  std::int64_t interval_ms() const {
    return connector_->interval_ms != nullptr ? connector_->interval_ms(options_) : 0;
  }
  std::string target() const { return connector_->target(options_); }
  bool has_standard_output() const { return connector_->has_standard_output; }
  const record::Policy& policy() const { return connector_->policy(options_); }
  /// Of an executor's memory, what its session may hold.
  std::int64_t session_memory(std::int64_t of_executor) const;
  engine::SinkFactory sink_factory(std::int64_t session_memory = session_memory_max) const;
  Result<std::unique_ptr<Ledger>> open_ledger() const {
    return connector_->open_ledger(options_, context_);
  }
  Result<std::unique_ptr<DeadLetterBox>> open_dead_letters() const;
  /// `topics`: those that were found.
  std::vector<Finding> check(std::vector<std::string> topics = {}) const;
  Result<WrittenAgain> written_again() const;
  /// Whether written_again() knows a table without rows from one that has some.
  bool looks_for_rows() const { return connector_->written_again != nullptr; }
  bool keeps_ledger() const { return connector_->keeps_ledger; }
  Result<std::vector<SampledRecord>> sample(const RecordFeed& feed) const {
    return connector_->sample(options_, context_, feed);
  }
  /// Empty: none is needed, or the sink makes no tables.
  Result<std::string> table_sql(const RecordFeed& feed) const {
    if (connector_->table_sql == nullptr) return std::string();
    return connector_->table_sql(options_, context_, feed);
  }
  std::string ddl() const { return connector_->ddl(options_, context_); }

 private:
  const Connector* connector_;
  config::Part options_;
  SinkContext context_;
};

/// In the order of `config.sinks`.
std::vector<Output> outputs_of(const PipelineConfig& config, bool accept_changed_table = false);

}  // namespace semel::app
