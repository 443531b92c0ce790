#include "bench/semel/pipeline_file.hpp"

#include <fmt/format.h>
#include <set>

#include "app/pipeline_config.hpp"
#include "bench/semel/measured_sink.hpp"
#include "config/value.hpp"

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

std::string write_configuration(const app::PipelineConfig& config) {
  // Shown masked, or of another table; written below.
  const std::set<std::string> apart{"sink.postgres.dsn", "source.kafka.librdkafka",
                                    "sink.postgres.columns"};
  auto parts = app::parts_of(config);
  const auto& schema = app::schema();
  std::string out;
  for (const auto& setting : schema.settings()) {
    const auto& section = schema.sections()[schema.section_of(setting)];
    if (apart.contains(setting.path) || (section.optional && section.path != "sink.postgres")) {
      continue;
    }
    const auto shown = config::show(schema, setting, parts);
    if (!shown.empty()) out += fmt::format("{} = {}\n", setting.path, shown);
  }
  out += fmt::format("sink.postgres.dsn = {}\n", literal(measured_sink(config).dsn));
  for (const auto& [property, value] : config.pipeline.kafka.librdkafka) {
    out +=
        fmt::format("source.kafka.librdkafka.{} = {}\n", config::quoted(property), literal(value));
  }
  return out;
}

}  // namespace semel::bench
