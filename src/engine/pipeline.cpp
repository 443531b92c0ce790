#include "engine/pipeline.hpp"

#include <fmt/format.h>
#include <algorithm>
#include <functional>
#include <numeric>
#include <thread>

#include "engine/output.hpp"
#include "source/kafka_source.hpp"

namespace semel::engine {

namespace {

/// The first output in this thread, all others in threads of their own, side by side.
template <class Work>
void for_each(const std::vector<std::unique_ptr<Output>>& outputs, Work work) {
  std::vector<std::thread> others;
  for (std::size_t i = 1; i < outputs.size(); ++i) {
    others.emplace_back([&work, &output = *outputs[i]] { work(output); });
  }
  work(*outputs.front());
  for (auto& other : others) other.join();
}

std::vector<std::string> names_of(const std::vector<Destination>& destinations) {
  std::vector<std::string> names;
  for (const auto& destination : destinations) names.push_back(destination.output);
  return names;
}

}  // namespace

Pipeline::Pipeline(PipelineOptions options, std::vector<Destination> destinations)
    : log_(options.log()), metrics_(options.name, names_of(destinations)) {
  const auto of_executor =
      memory_per_executor(options, static_cast<std::int64_t>(destinations.size()));
  const bool one_of_several = destinations.size() > 1;
  for (auto& destination : destinations) {
    auto& metrics = metrics_.output(destination.output);
    options.kafka.reader_memory_bytes = of_executor - destination.session_memory_bytes;
    auto of_output = options;
    if (destination.clock != core::BatchClock::none) of_output.clock = destination.clock;
    of_output.source = source::kafka_source(of_output.kafka, of_output.name);
    if (options.around_kafka) of_output.source = options.around_kafka(of_output.source);
    outputs_.push_back(std::make_unique<Output>(std::move(of_output), std::move(destination),
                                                one_of_several, metrics));
  }
}

Pipeline::~Pipeline() {
  close();
}

Result<Snapshot> Pipeline::run() {
  for_each(outputs_, [this](Output& output) { run(output); });
  if (first_error_) return tl::unexpected(*first_error_);
  return snapshot();
}

void Pipeline::run(Output& output) {
  const auto ended = output.run();
  if (ended) return;
  {
    const std::lock_guard lock(mutex_);
    if (first_error_) {
      // What was first is told by the caller.
      log_.error("{}", ended.error().message);
    } else {
      first_error_ = ended.error();
    }
  }
  request_stop();
}

void Pipeline::close() {
  for_each(outputs_, [](Output& output) { output.close(); });
}

bool Pipeline::started() const noexcept {
  return std::ranges::any_of(outputs_, [](const auto& output) { return output->started(); });
}

void Pipeline::request_stop() noexcept {
  for (auto& output : outputs_) output->request_stop();
}

Snapshot Pipeline::snapshot() const {
  const auto each = snapshots();
  return std::accumulate(each.begin() + 1, each.end(), each.front());
}

std::vector<Snapshot> Pipeline::snapshots() const {
  std::vector<Snapshot> each;
  for (const auto& output : outputs_) each.push_back(output->snapshot());
  return each;
}

}  // namespace semel::engine
