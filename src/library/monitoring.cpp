#include "library/monitoring.hpp"

#include <fmt/format.h>

#include <chrono>
#include <nlohmann/json.hpp>
#include <vector>

#include "kafka/client.hpp"
#include "metrics/process.hpp"

namespace semel {

namespace {

/// Why the output is not ready; nothing: it is.
std::vector<std::string> reasons_of(const metrics::OutputMetrics& output) {
  std::vector<std::string> reasons;
  const auto because = [](const metrics::Contact& server) {
    const auto why = server.why();
    return why.empty() ? std::string() : ": " + why;
  };
  if (output.ended) {
    reasons.emplace_back("it has ended, and nothing more is committed");
  } else if (output.stopping) {
    reasons.emplace_back("it is stopping: what is begun is committed, nothing new is begun");
  }
  if (!output.source.up()) reasons.push_back("Kafka does not answer" + because(output.source));
  if (!output.sink.up()) reasons.push_back("the sink does not answer" + because(output.sink));
  if (output.epoch.Value() == 0) {
    reasons.emplace_back("it is not taken over yet");
  } else if (!output.taken_over) {
    reasons.emplace_back("the ledger went back: it is taken over again");
  }
  return reasons;
}

}  // namespace

std::string metrics_text(const engine::Pipeline& pipeline, const app::HttpConfig& config) {
  metrics::Page page;
  pipeline.metrics().collect(page, static_cast<std::size_t>(config.partition_series));
  metrics::put_process(page, SEMEL_VERSION, kafka::library_version());
  return page.text();
}

http::Page health_of(const metrics::PipelineMetrics& pipeline) {
  std::string late;
  const auto now = metrics::Beat::Clock::now();
  for (const auto& [name, output] : pipeline.outputs()) {
    for (const auto& thread : output->beats.late(now)) {
      late += fmt::format("pipeline {}, output {}: {}\n", pipeline.name(), name, thread);
    }
  }
  if (late.empty()) return {.text = "ok\n"};
  return {.status = 503, .text = late};
}

http::Page readiness_of(const metrics::PipelineMetrics& pipeline) {
  bool ready = true;
  auto outputs = nlohmann::ordered_json::array();
  for (const auto& [name, output] : pipeline.outputs()) {
    const auto reasons = reasons_of(*output);
    ready = ready && reasons.empty();
    outputs.push_back({{"output", name},
                       {"ready", reasons.empty()},
                       {"reasons", reasons},
                       {"taken_over", output->taken_over.load()},
                       {"epoch", static_cast<std::int64_t>(output->epoch.Value())},
                       {"source_up", output->source.up()},
                       {"sink_up", output->sink.up()},
                       {"caught_up", output->caught_up.Value() > 0}});
  }
  const nlohmann::ordered_json json{
      {"pipeline", pipeline.name()}, {"ready", ready}, {"outputs", std::move(outputs)}};
  return {.status = ready ? 200 : 503,
          .type = "application/json",
          .text = json.dump(2, ' ', false, nlohmann::json::error_handler_t::replace) + "\n"};
}

Result<std::unique_ptr<http::Server>> serve(const app::HttpConfig& config,
                                            const engine::Pipeline& pipeline, const Log& log) {
  if (config.listen.empty()) return nullptr;
  auto address = http::parse_address(config.listen);
  if (!address) return tl::unexpected(address.error());
  auto server =
      http::Server::start({.listen = *std::move(address), .names = config.names},
                          {{"/metrics",
                            [&pipeline, config] {
                              return http::Page{.type = "text/plain; version=0.0.4; charset=utf-8",
                                                .text = metrics_text(pipeline, config)};
                            }},
                           {"/healthz", [&pipeline] { return health_of(pipeline.metrics()); }},
                           {"/readyz", [&pipeline] { return readiness_of(pipeline.metrics()); }}});
  if (server) {
    log.info("http://{}/metrics, /healthz and /readyz", http::to_string((*server)->address()));
  }
  return server;
}

}  // namespace semel
