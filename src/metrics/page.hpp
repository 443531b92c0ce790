// All metrics of a process at one moment, in the text format of Prometheus.
#pragma once

#include <prometheus/client_metric.h>
#include <prometheus/metric_family.h>
#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace semel::metrics {

using Labels = std::vector<prometheus::ClientMetric::Label>;

/// One moment's samples, by metric. Not thread safe.
class Page {
 public:
  Page();

  /// Adds a sample to a metric of declarations(); any other name is a bug.
  void put(std::string_view name, const Labels& labels, prometheus::ClientMetric sample);
  /// Of a counter or a gauge.
  void put(std::string_view name, const Labels& labels, double value);

  /// Metrics without a sample are left out.
  std::string text() const;

 private:
  std::vector<prometheus::MetricFamily> families_;
};

/// `labels` and one more.
Labels with(Labels labels, std::string name, std::string value);

}  // namespace semel::metrics
