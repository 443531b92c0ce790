#include "metrics/pipeline.hpp"

#include <stdexcept>

namespace semel::metrics {

PipelineMetrics::PipelineMetrics(std::string pipeline, const std::vector<std::string>& outputs)
    : pipeline_(std::move(pipeline)) {
  for (const auto& name : outputs) outputs_.emplace_back(name, std::make_unique<OutputMetrics>());
}

const OutputMetrics& PipelineMetrics::output(const std::string& name) const {
  for (const auto& [its_name, metrics] : outputs_) {
    if (its_name == name) return *metrics;
  }
  throw std::logic_error("no output is called " + name);
}

OutputMetrics& PipelineMetrics::output(const std::string& name) {
  return const_cast<OutputMetrics&>(std::as_const(*this).output(name));
}

void PipelineMetrics::collect(Page& page, std::size_t partition_series) const {
  const Labels labels{{"pipeline", pipeline_}};
  for (const auto& [name, metrics] : outputs_) {
    metrics->collect(page, outputs_.size() > 1 ? with(labels, "output", name) : labels,
                     partition_series);
  }
}

}  // namespace semel::metrics
