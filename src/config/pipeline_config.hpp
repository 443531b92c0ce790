// A configuration file as the values the rooms below are made from.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <semel/error.hpp>

#include "engine/options.hpp"
#include "postgres/options.hpp"

namespace semel::config {

enum class LogLevel : std::uint8_t { trace, debug, info, warn, error };

struct PipelineConfig {
  engine::PipelineOptions pipeline;
  postgres::Options postgres;
  LogLevel log_level = LogLevel::info;
};

/// Reads a TOML file, replaces ${NAME} from the environment, applies `overrides` ("key.path=value",
/// later ones win) and checks everything that can be checked without a server. Errors: fatal with
/// Cause::configuration; the message has one line per problem, each with file, line and column.
/// No message holds the value of a secret setting.
Result<PipelineConfig> load(const std::string& path,
                            const std::vector<std::string>& overrides = {});

/// The same for a file's content; `name` is what messages call it.
Result<PipelineConfig> parse(const std::string& text, const std::string& name,
                             const std::vector<std::string>& overrides = {});

/// Every setting with the value in effect, as TOML that load() would read, secrets masked.
std::string render(const PipelineConfig& config);

}  // namespace semel::config
