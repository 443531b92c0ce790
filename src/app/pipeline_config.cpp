#include "app/pipeline_config.hpp"

#include <fmt/format.h>
#include <algorithm>
#include <optional>
#include <set>

#include "app/connectors.hpp"
#include "app/settings.hpp"
#include "base/delivery.hpp"
#include "base/pipeline_names.hpp"
#include "config/load.hpp"
#include "config/render.hpp"
#include "config/value.hpp"

namespace semel::app {

namespace {

/// The part of every [sink.NAME] that is the pipeline's.
struct OutputName {
  std::string output;
};

std::string section_of(const Connector& connector) {
  return "sink." + connector.name;
}

// Of the pipeline, then of each connector its own and the output's name.
constexpr std::size_t parts_before_sinks = 1;
constexpr std::size_t parts_of_a_sink = 2;
std::size_t part_of(std::size_t connector) {
  return parts_before_sinks + connector * parts_of_a_sink;
}

// As if it were a section: the program brings a sink of its own.
constexpr auto own_sink = "sink.(own)";

void check_sinks(config::Whole& file) {
  if (file.has_section(own_sink)) return;
  std::string names;
  for (const auto& connector : connectors()) {
    if (file.has_section(section_of(connector))) return;
    names += fmt::format("{}[{}]", names.empty() ? "" : ", ", section_of(connector));
  }
  file.missing("sink", fmt::format("a sink is missing: add one of the sections {}. A sink of a "
                                   "program's own is run, shown and moved by that program",
                                   names));
}

config::Section output_section(const Connector& connector) {
  return {
      .path = section_of(connector),
      .defaults = config::Part::of(
          OutputName{connector.has_default_name ? engine::default_output : connector.name}),
      .settings = {{.path = "output",
                    .binding = config::text(&OutputName::output, output_name_mistake),
                    .text = "Names the output: what the ledger and the plan log call it. A file "
                            "may have several sinks; each is an output of the pipeline, with "
                            "positions of its own, and each needs another name. The default never "
                            "changes because another sink is added. An output that is given "
                            "another name is another output: it begins at "
                            "`source.kafka.start`. Letters, digits and _ - only, at most 63.",
                    .example = "\"archive\""}},
      .optional = true};
}

config::Section pipeline_section() {
  config::Section section{.path = "", .defaults = config::Part::of(PipelineConfig{})};
  for (auto&& part : {pipeline_settings(), kafka_settings(), http_settings()}) {
    section.settings.insert(section.settings.end(), part.begin(), part.end());
  }
  section.check = [](const config::Part& part, config::Whole& file) {
    const auto& config = part.as<PipelineConfig>();
    check_kafka(config, file);
    check_pipeline(config, file);
    check_http(config.http, file);
    check_sinks(file);
  };
  return section;
}

/// Each output has a name that no other has, and that may be one.
Result<void> check_own(const PipelineConfig& config, const std::vector<std::string>& own) {
  std::set<std::string> taken;
  for (const auto& sink : config.sinks) taken.insert(sink.output);
  for (const auto& name : own) {
    auto wrong = output_name_mistake(name);
    if (!wrong && !taken.insert(name).second) wrong = "is the name of another output";
    if (!wrong) continue;
    return fail(ErrorKind::fatal, Cause::configuration,
                fmt::format("the output {} of the program {}", config::quoted(name), *wrong));
  }
  return {};
}

/// A connector that can never give what is asked for.
Result<void> check_delivery(const SinkConfig& sink, Delivery delivery, const std::string& file) {
  const auto& connector = *std::ranges::find(connectors(), sink.connector, &Connector::name);
  const auto section = section_of(connector);
  auto why = too_weak(section, connector.guarantee, delivery);
  if (!why && delivery == Delivery::at_most_once && !connector.keeps_ledger) {
    why = fmt::format(
        "delivery = \"at_most_once\" is more than {} can give: it does not remember "
        "where it was. Say delivery = \"at_least_once\"",
        section);
  }
  if (!why) return {};
  return fail(ErrorKind::fatal, Cause::configuration, file + ": " + *why);
}

/// What no section can know alone.
Result<void> check_together(const PipelineConfig& config, const Source& source) {
  const auto& file = source.name;
  if (config.pipeline.commit == core::CommitUnit::batch &&
      config.pipeline.delivery != Delivery::exactly_once) {
    return fail(
        ErrorKind::fatal, Cause::configuration,
        fmt::format("{}: batch.commit = \"batch\" needs delivery = \"exactly_once\"", file));
  }
  for (const auto& sink : config.sinks) {
    if (auto checked = check_delivery(sink, config.pipeline.delivery, file); !checked) {
      return checked;
    }
  }
  for (auto sink = config.sinks.begin(); sink != config.sinks.end(); ++sink) {
    const auto same = std::find_if(config.sinks.begin(), sink,
                                   [&](const auto& other) { return other.output == sink->output; });
    if (same == sink) continue;
    return fail(ErrorKind::fatal, Cause::configuration,
                fmt::format("{}: sink.{}.output is {}, as that of sink.{}: give each output a name "
                            "of its own",
                            file, sink->connector, config::quoted(sink->output), same->connector));
  }
  if (auto checked = check_own(config, source.own_outputs); !checked) return checked;
  const auto outputs = static_cast<std::int64_t>(config.sinks.size() + source.own_outputs.size());
  if (engine::memory_per_executor(config.pipeline, outputs) >= engine::memory_per_executor_min) {
    return {};
  }
  return fail(
      ErrorKind::fatal, Cause::configuration,
      fmt::format("{}: memory_limit is too low for {} outputs with {} executors each: {}MiB "
                  "is the least",
                  file, outputs, config.pipeline.executors,
                  (engine::memory_of_the_rest + (outputs - 1) * engine::memory_of_another_output +
                   outputs * config.pipeline.executors * engine::memory_per_executor_min) >>
                      20));
}

}  // namespace

const config::Schema& schema() {
  static const config::Schema all = [] {
    std::vector<config::Section> sections{pipeline_section()};
    for (const auto& connector : connectors()) {
      sections.push_back(connector.settings);
      sections.back().path = section_of(connector);
      sections.back().optional = true;
      sections.push_back(output_section(connector));
    }
    return config::Schema(std::move(sections));
  }();
  return all;
}

Result<PipelineConfig> read(const Source& source) {
  std::set<std::string> given;
  if (!source.own_outputs.empty()) given.insert(own_sink);
  std::set<std::string> needless;
  if (source.what == For::looking) needless = {"source.kafka", "source.kafka.topics"};
  auto loaded = config::load(schema(), source.text, source.name, source.overrides, given, needless);
  if (!loaded) return tl::unexpected(loaded.error());
  auto config = std::move(loaded->parts.front().as<PipelineConfig>());
  config.reads_kafka = loaded->sections.contains("source.kafka");
  for (std::size_t i = 0; i < connectors().size(); ++i) {
    const auto& connector = connectors()[i];
    if (!loaded->sections.contains(section_of(connector))) continue;
    config.sinks.push_back({.connector = connector.name,
                            .output = loaded->parts[part_of(i) + 1].as<OutputName>().output,
                            .options = std::move(loaded->parts[part_of(i)])});
  }
  if (auto checked = check_together(config, source); !checked) {
    return tl::unexpected(checked.error());
  }
  return config;
}

Result<PipelineConfig> parse(const std::string& text, const std::string& name,
                             const std::vector<std::string>& overrides, For what) {
  Source source{.text = text, .name = name, .what = what};
  for (const auto& one : overrides) source.overrides.push_back({one});
  return read(source);
}

Result<PipelineConfig> load(const std::string& path, const std::vector<std::string>& overrides,
                            For what) {
  const auto text = config::read_file(path);
  if (!text) return tl::unexpected(text.error());
  return parse(*text, path, overrides, what);
}

config::Parts parts_of(const PipelineConfig& config) {
  config::Parts parts;
  for (const auto& section : schema().sections()) parts.push_back(section.defaults);
  parts.front() = config::Part::of(config);
  for (std::size_t i = 0; i < connectors().size(); ++i) {
    const auto sink = std::ranges::find(config.sinks, connectors()[i].name, &SinkConfig::connector);
    if (sink == config.sinks.end()) continue;
    parts[part_of(i)] = sink->options;
    parts[part_of(i) + 1] = config::Part::of(OutputName{sink->output});
  }
  return parts;
}

std::string render(const PipelineConfig& config) {
  std::set<std::string> sections;
  for (const auto& sink : config.sinks) sections.insert("sink." + sink.connector);
  return config::render(schema(), parts_of(config), sections);
}

}  // namespace semel::app
