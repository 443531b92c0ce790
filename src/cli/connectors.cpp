#include "cli/connectors.hpp"

#include <fmt/format.h>
#include <array>

#include "postgres/postgres.hpp"

namespace semel::cli {

namespace {

using config::PipelineConfig;

Connector postgres_connector() {
  return {
      .target =
          [](const PipelineConfig& config) {
            return fmt::format("postgres table {}", config.postgres.table);
          },
      .sink_factory = [](const PipelineConfig& config) -> engine::SinkFactory {
        return [options = config.postgres](const Owner& owner) {
          return postgres::make_sink(options, owner);
        };
      },
      .open_ledger =
          [](const PipelineConfig& config) {
            return postgres::open_ledger(config.postgres, config.pipeline.name,
                                         engine::default_output);
          },
      .check =
          [](const PipelineConfig& config) {
            const Owner owner{.pipeline = config.pipeline.name,
                              .output = engine::default_output,
                              .reads = engine::topics_of(config.pipeline.kafka)};
            return postgres::check(config.postgres, owner, config.pipeline.executors + 1);
          },
      .sample = [](const PipelineConfig& config,
                   const RecordFeed& feed) { return postgres::sample(config.postgres, feed); },
      .ddl = [](const PipelineConfig& config) { return postgres::ledger_ddl(config.postgres); },
  };
}

}  // namespace

std::span<const Connector> connectors() {
  static const std::array all{postgres_connector()};
  return all;
}

const Connector& connector_of(const PipelineConfig&) {
  // Every configuration has [sink.postgres], until there is a second sink to choose.
  return connectors().front();
}

}  // namespace semel::cli
