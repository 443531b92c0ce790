#include "metrics/page.hpp"

#include <prometheus/text_serializer.h>
#include <algorithm>
#include <stdexcept>

#include "metrics/declarations.hpp"

namespace semel::metrics {

namespace {

prometheus::MetricType type_of(Type type) {
  switch (type) {
    case Type::counter:
      return prometheus::MetricType::Counter;
    case Type::gauge:
      return prometheus::MetricType::Gauge;
    case Type::histogram:
      return prometheus::MetricType::Histogram;
    case Type::summary:
      return prometheus::MetricType::Summary;
  }
  return prometheus::MetricType::Untyped;
}

}  // namespace

Page::Page() {
  for (const auto& metric : declarations()) {
    families_.push_back(
        {std::string(metric.name), std::string(metric.help), type_of(metric.type), {}});
  }
}

void Page::put(std::string_view name, const Labels& labels, prometheus::ClientMetric sample) {
  const auto found = std::ranges::find(families_, name, &prometheus::MetricFamily::name);
  if (found == families_.end()) {
    throw std::logic_error("metric " + std::string(name) + " is not declared");
  }
  sample.label.insert(sample.label.begin(), labels.begin(), labels.end());
  found->metric.push_back(std::move(sample));
}

void Page::put(std::string_view name, const Labels& labels, double value) {
  prometheus::ClientMetric sample;
  sample.counter.value = value;
  sample.gauge.value = value;
  put(name, labels, std::move(sample));
}

std::string Page::text() const {
  std::vector<prometheus::MetricFamily> filled;
  std::ranges::copy_if(families_, std::back_inserter(filled),
                       [](const auto& family) { return !family.metric.empty(); });
  return prometheus::TextSerializer().Serialize(filled);
}

Labels with(Labels labels, std::string name, std::string value) {
  labels.push_back({std::move(name), std::move(value)});
  return labels;
}

}  // namespace semel::metrics
