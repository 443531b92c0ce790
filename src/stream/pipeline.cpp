#include <semel/stream.hpp>

#include <fmt/format.h>
#include <algorithm>
#include <atomic>
#include <mutex>
#include <optional>
#include <utility>

#include "app/outputs.hpp"
#include "base/joined.hpp"
#include "base/log.hpp"
#include "engine/state_directory.hpp"
#include "library/careful_sink.hpp"
#include "library/content.hpp"
#include "library/with_source.hpp"
#include "source/mixed_source.hpp"
#include "source/partitions.hpp"
#include "stream/batch_state.hpp"
#include "stream/content.hpp"
#include "stream/describe.hpp"
#include "stream/local_logs.hpp"
#include "stream/outputs.hpp"
#include "stream/receiving.hpp"

namespace semel::stream {

namespace {

// What the plan log and the log call all outputs together. Stored: do not change.
constexpr auto together = "stream";

[[noreturn]] void misused(ErrorKind kind, Cause cause, std::string what) {
  throw Failed({kind, cause, std::move(what)});
}

}  // namespace

OwnOutput::Batches batches_of(const detail::Graph& graph) {
  using Batches = OwnOutput::Batches;
  if (std::ranges::any_of(graph.states, [](const auto& state) { return state.by_time; })) {
    return Batches::each_interval;
  }
  const bool needed =
      graph.outputs.size() > 1 || !graph.states.empty() ||
      std::ranges::any_of(graph.outputs, [](const auto& output) { return !output.by_record; });
  return needed ? Batches::with_records : Batches::not_counted;
}

Result<void> leads_somewhere(const detail::Graph& graph) {
  if (!graph.outputs.empty()) return {};
  return fail(ErrorKind::fatal, Cause::configuration,
              "no stream leads to an output: end one with to()");
}

struct Pipeline::Impl : Content {
  Impl(Config with, Setup of) : config(std::move(with)), setup(std::move(of)) {}

  Stream<Message, detail::FromSource> source(TopicSet topics, std::string_view kind,
                                             std::string_view name) {
    if (ran) misused(ErrorKind::fatal, Cause::program, "a stream is made after run()");
    const auto number = sources->add(std::move(topics));
    return {graph, graph->add(kind, name, {}, true), detail::FromSource{number}};
  }
  Stream<Message, detail::FromSource> local(std::string_view kind, LocalStream stream) {
    check_name(stream.name);
    auto made = source({.names = {topic_of(stream)}}, kind, stream.name);
    locals.push_back(std::move(stream));
    return made;
  }

  Result<void> outputs_fit(const app::PipelineConfig& read) const;
  Result<std::unique_ptr<Sink>> make_outputs(const Config& whole, const Owner& owner) const;
  Result<void> open_state(const app::PipelineConfig& read);
  /// Whoever would have to refuse to go on after taking over takes over nothing.
  Result<void> state_is_here(const app::PipelineConfig& read) const;
  /// What is read, as the configuration has it.
  void set_topics(Config& whole) const;
  Result<AroundKafka> open_sources(const app::PipelineConfig& read);
  Result<void> create();

  Config config;
  Setup setup;
  std::vector<LocalStream> locals;
  std::vector<Receiving::One> receivers;
  std::shared_ptr<state::Store> state;  ///< nullptr: no stage remembers anything
  std::atomic<bool> ran{false};
  mutable std::mutex mutex;
  bool stop = false;                          ///< before there was a pipeline; guarded by mutex
  std::unique_ptr<semel::Pipeline> pipeline;  ///< guarded by mutex until it is there
};

Result<void> Pipeline::Impl::outputs_fit(const app::PipelineConfig& read) const {
  std::vector<std::string> there;
  for (const auto& sink : read.sinks) there.push_back(sink.output);
  for (const auto& output : setup.outputs) there.push_back(output.name);
  const auto wrong = [](std::string what) {
    return fail(ErrorKind::fatal, Cause::configuration, std::move(what));
  };
  for (const auto& wanted : graph->outputs) {
    if (std::ranges::find(there, wanted.output) == there.end()) {
      return wrong(
          fmt::format("a stream leads to output {}, and there is none of that name: there "
                      "is {}",
                      wanted.output, joined(there, ", ")));
    }
  }
  for (const auto& name : there) {
    if (std::ranges::none_of(graph->outputs, [&](const auto& o) { return o.output == name; })) {
      return wrong(
          fmt::format("no stream leads to output {}: end one with to(\"{}\"), or take its "
                      "section out of the configuration",
                      name, name));
    }
  }
  return {};
}

Result<std::unique_ptr<Sink>> Pipeline::Impl::make_outputs(const Config& whole,
                                                           const Owner& owner) const {
  std::vector<NamedSink> sinks;
  for (const auto& wanted : graph->outputs) {
    auto own = owner;
    own.output = wanted.output;
    const auto brought = std::ranges::find(setup.outputs, wanted.output, &OwnOutput::name);
    auto sink = brought != setup.outputs.end()
                    ? careful_sink(wanted.output, [&] { return brought->make_sink(own); })
                    : make_sink(whole, wanted.output, own, setup.log);
    if (!sink) return sink;
    sinks.push_back({wanted.output, *std::move(sink)});
  }
  return std::unique_ptr<Sink>(
      std::make_unique<Outputs>(Shared{.graph = graph,
                                       .sources = sources,
                                       .state = state,
                                       .empty_state = setup.begin_with_empty_state,
                                       .owner = owner.id,
                                       .log = Log(setup.log, LogLevel::info)},
                                std::move(sinks)));
}

Result<void> Pipeline::Impl::open_state(const app::PipelineConfig& read) {
  if (graph->states.empty()) return {};
  auto opened = state::Store::open(engine::state_directory(read.pipeline) + "/state");
  if (!opened) return tl::unexpected(opened.error());
  state = *std::move(opened);
  return check_stages(*graph, *state, setup.drop_state);
}

Result<void> Pipeline::Impl::state_is_here(const app::PipelineConfig& read) const {
  if (!state || setup.begin_with_empty_state) return {};
  std::vector<state::OutputVersion> versions;
  for (const auto& output : app::outputs_of(read)) {
    // What cannot be read now is told by the take-over.
    const auto ledger = output.open_ledger();
    if (!ledger) return {};
    const auto progress = (*ledger)->progress();
    if (!progress) return {};
    versions.push_back({output.name(), state::version_in(*progress)});
  }
  if (versions.size() < graph->outputs.size()) return {};
  const auto decision = state::decide(state->stored(), versions);
  if (decision.remedy != state::Remedy::refuse) return {};
  return fail(ErrorKind::fatal, Cause::state, decision.why);
}

void Pipeline::Impl::set_topics(Config& whole) const {
  const auto topics = sources->together();
  if (!topics.pattern.empty()) {
    whole.set("source.kafka.topic_pattern", topics.pattern);
  } else if (!topics.names.empty()) {
    whole.set("source.kafka.topics", topics.names);
  } else {
    // Nobody asks there: what is read is on this machine.
    whole.set("source.kafka.brokers", "127.0.0.1:9092");
    whole.set("source.kafka.topics", std::vector<std::string>{"none"});
    whole.set("source.kafka.commit_group_offsets", false);
  }
}

Result<AroundKafka> Pipeline::Impl::open_sources(const app::PipelineConfig& read) {
  auto opened = open_logs(locals, engine::state_directory(read.pipeline));
  if (!opened) return tl::unexpected(opened.error());
  receivers = std::move(opened->receivers);
  const auto topics = sources->together();
  const bool reads_kafka = !topics.pattern.empty() || !topics.names.empty();
  return AroundKafka(
      [topics, reads_kafka, logs = std::move(opened->logs)](std::shared_ptr<source::Source> kafka) {
        if (!topics.partitions.empty()) {
          kafka = source::only_partitions(std::move(kafka), topics.partitions);
        }
        if (logs.empty()) return kafka;
        return source::mixed_source(reads_kafka ? std::move(kafka) : nullptr, topics.names, logs);
      });
}

Result<void> Pipeline::Impl::create() {
  if (auto leads = leads_somewhere(*graph); !leads) return leads;
  auto whole = config;
  set_topics(whole);
  const auto batches = batches_of(*graph);
  if (batches != OwnOutput::Batches::not_counted) {
    whole.set("batch.commit", "batch");
    // A batch is one transaction of each output: more threads would only wait.
    whole.set("executors", 1);
  }
  std::vector<std::string> own;
  for (const auto& output : setup.outputs) own.push_back(output.name);
  own.emplace_back(together);
  const auto read = semel::read(whole.content(), own);
  if (!read) return tl::unexpected(read.error());
  if (auto fits = outputs_fit(*read); !fits) return fits;
  if (auto opened = open_state(*read); !opened) return opened;
  if (auto here = state_is_here(*read); !here) return here;

  auto around = open_sources(*read);
  if (!around) return tl::unexpected(around.error());
  PipelineSetup with;
  with.log = setup.log;
  with.listener = setup.listener;
  with.once = setup.once;
  with.accept_changed_target = setup.accept_changed_target;
  with.only_output = together;
  with.outputs.push_back(
      {.name = together,
       .make_sink = [this, whole](const Owner& owner) { return make_outputs(whole, owner); },
       .batches = batches});
  auto made = PipelineParts::create(whole, std::move(with), *std::move(around));
  if (!made) return tl::unexpected(made.error());
  const std::lock_guard lock(mutex);
  pipeline = std::make_unique<semel::Pipeline>(*std::move(made));
  if (stop) pipeline->request_stop();
  return {};
}

Pipeline::Pipeline(Config config, Setup setup)
    : impl_(std::make_unique<Impl>(std::move(config), std::move(setup))) {}
Pipeline::Pipeline(Pipeline&&) noexcept = default;
Pipeline& Pipeline::operator=(Pipeline&&) noexcept = default;
Pipeline::~Pipeline() = default;

Stream<Message, detail::FromSource> Pipeline::direct_stream(std::vector<std::string> topics,
                                                            std::string_view name) {
  if (topics.empty()) {
    misused(ErrorKind::fatal, Cause::program, "direct_stream() is given no topic");
  }
  return impl_->source({.names = std::move(topics)}, "direct_stream", name);
}

Stream<Message, detail::FromSource> Pipeline::direct_stream_matching(std::string pattern,
                                                                     std::string_view name) {
  return impl_->source({.pattern = std::move(pattern)}, "direct_stream", name);
}

Stream<Message, detail::FromSource> Pipeline::direct_stream_of(
    std::vector<TopicPartition> partitions, std::string_view name) {
  if (partitions.empty()) {
    misused(ErrorKind::fatal, Cause::program, "direct_stream_of() is given no partition");
  }
  return impl_->source({.partitions = {partitions.begin(), partitions.end()}}, "direct_stream",
                       name);
}

Stream<Message, detail::FromSource> Pipeline::receiver_stream(std::string_view name,
                                                              std::unique_ptr<Receiver> receiver,
                                                              ReceiverOptions options) {
  if (!receiver) {
    misused(ErrorKind::fatal, Cause::program, "receiver_stream() is given no receiver");
  }
  return impl_->local("receiver_stream",
                      {std::string(name), LocalStream::Receives{std::move(receiver), options}});
}

Stream<Message, detail::FromSource> Pipeline::file_stream(std::string_view name,
                                                          FileOptions files) {
  return impl_->local("file_stream", {std::string(name), std::move(files)});
}

Stream<Message, detail::FromSource> Pipeline::queue_stream(std::string_view name,
                                                           std::vector<Received> records) {
  return impl_->local("queue_stream", {std::string(name), std::move(records)});
}

Result<Snapshot> Pipeline::run() {
  if (impl_->ran.exchange(true)) {
    return fail(ErrorKind::fatal, Cause::program, "this pipeline has run: make another one");
  }
  if (auto created = impl_->create(); !created) return tl::unexpected(created.error());
  const Receiving receiving(std::move(impl_->receivers), Log(impl_->setup.log, LogLevel::info));
  return impl_->pipeline->run();
}

void Pipeline::request_stop() noexcept {
  const std::lock_guard lock(impl_->mutex);
  impl_->stop = true;
  if (impl_->pipeline) impl_->pipeline->request_stop();
}

void Pipeline::close() noexcept {
  const std::lock_guard lock(impl_->mutex);
  if (impl_->pipeline) impl_->pipeline->close();
}

bool Pipeline::started() const noexcept {
  const std::lock_guard lock(impl_->mutex);
  return impl_->pipeline && impl_->pipeline->started();
}

Snapshot Pipeline::snapshot() const {
  const std::lock_guard lock(impl_->mutex);
  return impl_->pipeline ? impl_->pipeline->snapshot() : Snapshot();
}

std::string Pipeline::metrics_text() const {
  const std::lock_guard lock(impl_->mutex);
  return impl_->pipeline ? impl_->pipeline->metrics_text() : std::string();
}

std::string Pipeline::describe(Drawing drawing) const {
  return stream::describe(*impl_->graph, drawing);
}

const Pipeline::Content& Pipeline::content() const {
  return *impl_;
}

}  // namespace semel::stream
