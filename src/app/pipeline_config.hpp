// A configuration file as the values the rooms below are made from.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <semel/error.hpp>
#include <semel/log.hpp>
#include <semel/types.hpp>

#include "config/document.hpp"
#include "config/part.hpp"
#include "config/schema.hpp"
#include "engine/options.hpp"
#include "formats/formats.hpp"

namespace semel::app {

/// One [sink.NAME].
struct SinkConfig {
  std::string connector;  ///< NAME
  std::string output;     ///< what the ledger calls it; no two of a file are equal
  config::Part options;   ///< the connector's own
};

struct HttpConfig {
  std::string listen;              ///< empty: nowhere
  std::string auth;                ///< "none": also where other machines reach it
  std::vector<std::string> names;  ///< by which it may be asked
  std::int64_t partition_series = 1'000;
};

/// Where what a stream's pipeline remembers is kept (decision 15).
enum class StateIn : std::uint8_t { local, sink };

struct PipelineConfig {
  engine::PipelineOptions pipeline;
  StateIn state = StateIn::local;
  std::string state_home;  ///< of StateIn::sink: the output's name; empty: the first that can
  formats::FormatPtr format = formats::json();  ///< of the records' values
  HttpConfig http;
  LogLevel log_level = LogLevel::info;
  bool reads_kafka = true;        ///< false: there is no [source.kafka], see For::looking
  std::vector<SinkConfig> sinks;  ///< in the order of the list of connectors
  /// What topics were found by, where those are named now: sinks go on by its groups.
  std::string found_by{};
};

/// What a configuration is read for. To look at what a program does, which names its topics itself
/// and may read what is on its machine alone, it needs no topics, or no [source.kafka].
enum class For : std::uint8_t { running, looking };

/// Reads a TOML file, replaces ${NAME} from the environment, applies `overrides` ("key.path=value",
/// later ones win) and checks everything that can be checked without a server. Errors: fatal with
/// Cause::configuration; the message has one line per problem, each with file, line and column.
/// No message holds the value of a secret setting.
Result<PipelineConfig> load(const std::string& path, const std::vector<std::string>& overrides = {},
                            For what = For::running);

/// A configuration before it is read.
struct Source {
  std::string text;  ///< TOML
  std::string name;  ///< what messages call it
  std::vector<config::Override> overrides;
  /// Outputs whose sinks the program brings: with one of these no [sink.*] is needed.
  std::vector<std::string> own_outputs;
  For what = For::running;
};
Result<PipelineConfig> read(const Source& source);

/// The same for a file's content; `name` is what messages call it.
Result<PipelineConfig> parse(const std::string& text, const std::string& name,
                             const std::vector<std::string>& overrides = {},
                             For what = For::running);

/// Every setting with the value in effect, as TOML that load() would read, secrets masked.
std::string render(const PipelineConfig& config);

/// All sections that there are: those of the pipeline, and one of each connector.
const config::Schema& schema();

/// The structs of the schema's sections as `config` has them.
config::Parts parts_of(const PipelineConfig& config);

/// docs/reference/configuration.md. `semel reference configuration` prints it; a test compares.
std::string reference_page();

}  // namespace semel::app
