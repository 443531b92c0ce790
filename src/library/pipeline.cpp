#include <semel/pipeline.hpp>

#include <fmt/format.h>
#include <algorithm>
#include <atomic>
#include <optional>
#include <utility>

#include "app/outputs.hpp"
#include "base/joined.hpp"
#include "config/value.hpp"
#include "engine/own_batches.hpp"
#include "engine/pipeline.hpp"
#include "library/careful_sink.hpp"
#include "library/content.hpp"
#include "library/monitoring.hpp"
#include "library/relay.hpp"
#include "library/with_source.hpp"

namespace semel {

namespace {

/// An output as it is wired.
struct Wired {
  engine::Destination destination;
  std::string target;  ///< for people
};

constexpr const char* moved_from = "a Pipeline is used that was moved from";

/// As long as there is one.
template <class Impl>
Impl& impl_of(const std::unique_ptr<Impl>& impl) {
  if (!impl) throw Failed({ErrorKind::fatal, Cause::program, moved_from});
  return *impl;
}

std::vector<std::string> names_of(const std::vector<OwnOutput>& outputs) {
  std::vector<std::string> names;
  for (const auto& output : outputs) names.push_back(output.name);
  return names;
}

Wired wire(const app::Output& output, const SinkWrapper& wrap, std::int64_t of_executor) {
  const auto session_memory = output.session_memory(of_executor);
  auto make = output.sink_factory(session_memory);
  if (wrap) {
    make = [make = std::move(make), wrap, name = output.name()](const Owner& owner) {
      auto made = make(owner);
      if (!made) return made;
      return careful_sink(name, [&] { return wrap(name, *std::move(made)); });
    };
  }
  return {{.output = output.name(),
           .make_sink = std::move(make),
           .interval_ms = output.interval_ms(),
           .session_memory_bytes = session_memory},
          output.target()};
}

Wired wire(const OwnOutput& output) {
  return {{.output = output.name,
           .make_sink =
               [output](const Owner& owner) {
                 return careful_sink(output.name, [&] { return output.make_sink(owner); });
               },
           .clock = engine::clock_of(output.batches)},
          "a sink of the program"};
}

/// All outputs, or the one that was asked for.
Result<std::vector<Wired>> wire_all(const app::PipelineConfig& config, const PipelineSetup& setup) {
  std::vector<Wired> all;
  const auto outputs = setup.only_output.empty() ? config.sinks.size() + setup.outputs.size() : 1;
  const auto of_executor =
      engine::memory_per_executor(config.pipeline, static_cast<std::int64_t>(outputs));
  for (const auto& output : app::outputs_of(config, setup.accept_changed_target)) {
    all.push_back(wire(output, setup.wrap, of_executor));
  }
  for (const auto& output : setup.outputs) {
    if (!output.make_sink) {
      return fail(ErrorKind::fatal, Cause::configuration,
                  fmt::format("output {} has no make_sink", output.name));
    }
    all.push_back(wire(output));
  }
  if (setup.only_output.empty()) return all;
  std::vector<std::string> names;
  for (auto& one : all) {
    if (one.destination.output == setup.only_output) return std::vector{std::move(one)};
    names.push_back(one.destination.output);
  }
  return fail(ErrorKind::fatal, Cause::configuration,
              fmt::format("pipeline {} has no output {}: there is {}", config.pipeline.name,
                          setup.only_output, joined(names, ", ")));
}

/// "postgres table clicks", or of several outputs each with its name.
std::string targets_of(const std::vector<Wired>& outputs) {
  if (outputs.size() == 1) return outputs.front().target;
  std::string targets;
  for (const auto& output : outputs) {
    targets += fmt::format("{}{} ({})", targets.empty() ? "" : " and ", output.target,
                           output.destination.output);
  }
  return targets;
}

std::string topics_of(const kafka::Options& kafka) {
  return kafka.topic_pattern.empty()
             ? fmt::format("{} {}", kafka.topics.size() == 1 ? "topic" : "topics",
                           joined(kafka.topics, ", "))
             : fmt::format("topics matching {}", kafka.topic_pattern);
}

}  // namespace

struct Pipeline::Impl {
  Impl(app::PipelineConfig with, std::vector<Wired> outputs, PipelineSetup setup)
      : config(std::move(with)),
        description(fmt::format("pipeline {}: {} at {} into {}", config.pipeline.name,
                                topics_of(config.pipeline.kafka), config.pipeline.kafka.brokers,
                                targets_of(outputs))) {
    if (setup.listener) relay.emplace(std::move(setup.listener), config.pipeline.log());
    std::vector<engine::Destination> destinations;
    for (auto& output : outputs) {
      names.push_back(output.destination.output);
      output.destination.listener = relay ? &*relay : nullptr;
      destinations.push_back(std::move(output.destination));
    }
    engine.emplace(config.pipeline, std::move(destinations));
  }

  ~Impl() {
    server.reset();
    engine.reset();
    config.pipeline.log().close();
  }

  app::PipelineConfig config;
  std::string description;
  std::vector<std::string> names;
  std::optional<Relay> relay;
  std::optional<engine::Pipeline> engine;
  std::unique_ptr<http::Server> server;
  std::atomic<bool> ran{false};
};

Pipeline::Pipeline(std::unique_ptr<Impl> impl) noexcept : impl_(std::move(impl)) {}
Pipeline::Pipeline(Pipeline&& other) noexcept = default;
Pipeline& Pipeline::operator=(Pipeline&& other) noexcept = default;
Pipeline::~Pipeline() = default;

Result<Pipeline> Pipeline::create(const Config& config, PipelineSetup setup) {
  return PipelineParts::create(config, std::move(setup), nullptr);
}

Result<Pipeline> PipelineParts::create(const Config& config, PipelineSetup setup,
                                       AroundKafka around) {
  auto read = semel::read(config.content(), names_of(setup.outputs));
  if (!read) return tl::unexpected(read.error());
  read->pipeline.around_kafka = std::move(around);
  return create(*std::move(read), std::move(setup));
}

Result<Pipeline> PipelineParts::create(app::PipelineConfig config, PipelineSetup setup) {
  config.pipeline.once = setup.once;
  config.pipeline.kafka.log = Log(std::move(setup.log), config.log_level);
  auto outputs = wire_all(config, setup);
  if (!outputs) return tl::unexpected(outputs.error());
  auto impl =
      std::make_unique<Pipeline::Impl>(std::move(config), *std::move(outputs), std::move(setup));
  auto server = serve(impl->config.http, *impl->engine, impl->config.pipeline.log());
  if (!server) return tl::unexpected(server.error());
  impl->server = *std::move(server);
  return Pipeline(std::move(impl));
}

Result<Snapshot> Pipeline::run() {
  if (!impl_) return fail(ErrorKind::fatal, Cause::program, moved_from);
  if (impl_->ran.exchange(true)) {
    return fail(ErrorKind::fatal, Cause::program,
                "this pipeline has run: make another one with Pipeline::create()");
  }
  return impl_->engine->run();
}

void Pipeline::request_stop() noexcept {
  if (impl_) impl_->engine->request_stop();
}

void Pipeline::close() noexcept {
  if (impl_) impl_->engine->close();
}

bool Pipeline::started() const noexcept {
  return impl_ && impl_->engine->started();
}

Snapshot Pipeline::snapshot() const {
  return impl_of(impl_).engine->snapshot();
}

std::vector<OutputSnapshot> Pipeline::outputs() const {
  std::vector<OutputSnapshot> all;
  auto snapshots = impl_of(impl_).engine->snapshots();
  for (std::size_t i = 0; i < snapshots.size(); ++i) {
    all.push_back({impl_->names[i], std::move(snapshots[i])});
  }
  return all;
}

std::string Pipeline::metrics_text() const {
  const auto& impl = impl_of(impl_);
  return semel::metrics_text(*impl.engine, impl.config.http);
}

std::string Pipeline::describe() const {
  return impl_of(impl_).description;
}

const std::string& Pipeline::name() const noexcept {
  static const std::string none;
  return impl_ ? impl_->config.pipeline.name : none;
}

LogLevel Pipeline::log_level() const noexcept {
  return impl_ ? impl_->config.log_level : LogLevel::info;
}

bool Pipeline::has_standard_output() const {
  return std::ranges::any_of(app::outputs_of(impl_of(impl_).config),
                             [](const app::Output& one) { return one.has_standard_output(); });
}

Result<std::unique_ptr<Sink>> make_sink(const Config& config, const std::string& output,
                                        const Owner& owner, LogCallback log) {
  auto read = semel::read(config.content(), {});
  if (!read) return tl::unexpected(read.error());
  read->pipeline.kafka.log = Log(std::move(log), read->log_level);
  std::vector<std::string> names;
  for (const auto& one : app::outputs_of(*read)) {
    if (one.name() == output) return one.sink_factory()(owner);
    names.push_back(one.name());
  }
  return fail(ErrorKind::fatal, Cause::configuration,
              fmt::format("pipeline {} has no output {}: there is {}", read->pipeline.name, output,
                          joined(names, ", ")));
}

}  // namespace semel
