#include "bench/semel/pipeline_file.hpp"

#include <fmt/format.h>
#include <set>

#include "config/setting.hpp"

namespace semel::bench {

namespace {

/// In quotes; "${" would be replaced from the environment.
std::string literal(const std::string& text) {
  const auto plain = config::quoted(text);
  std::string out;
  for (std::size_t i = 0; i < plain.size(); ++i) {
    if (plain.compare(i, 2, "${") == 0) out += '$';
    out += plain[i];
  }
  return out;
}

}  // namespace

std::string write_configuration(const config::PipelineConfig& config) {
  // Shown masked, or of another table; written below.
  const std::set<std::string> apart{"sink.postgres.dsn", "source.kafka.librdkafka",
                                    "sink.postgres.columns"};
  auto copy = config;
  std::string out;
  for (const auto& setting : config::settings()) {
    if (apart.contains(setting.path)) continue;
    const auto shown = setting.binding.show(copy);
    if (!shown.empty()) out += fmt::format("{} = {}\n", setting.path, shown);
  }
  out += fmt::format("sink.postgres.dsn = {}\n", literal(config.postgres.dsn));
  for (const auto& [property, value] : config.pipeline.kafka.librdkafka) {
    out +=
        fmt::format("source.kafka.librdkafka.{} = {}\n", config::quoted(property), literal(value));
  }
  return out;
}

}  // namespace semel::bench
