// What is counted for one pipeline.
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "metrics/output.hpp"
#include "metrics/page.hpp"

namespace semel::metrics {

class PipelineMetrics {
 public:
  /// One entry for each output.
  PipelineMetrics(std::string pipeline, const std::vector<std::string>& outputs);

  const std::string& name() const { return pipeline_; }
  /// By name, in the order that the constructor was told.
  const std::vector<std::pair<std::string, std::unique_ptr<OutputMetrics>>>& outputs() const {
    return outputs_;
  }
  /// Of an output that the constructor was told.
  OutputMetrics& output(const std::string& name);
  const OutputMetrics& output(const std::string& name) const;

  /// Labelled `pipeline`, and `output` where there are several. `partition_series`: so many
  /// partitions have series of their own, of each output.
  void collect(Page& page, std::size_t partition_series) const;

 private:
  std::string pipeline_;
  std::vector<std::pair<std::string, std::unique_ptr<OutputMetrics>>> outputs_;
};

}  // namespace semel::metrics
