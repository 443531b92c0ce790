#include <semel/stream.hpp>

#include <fmt/format.h>
#include <algorithm>
#include <mutex>
#include <optional>
#include <span>
#include <utility>

#include "app/connectors.hpp"
#include "app/outputs.hpp"
#include "base/beside_kafka.hpp"
#include "base/joined.hpp"
#include "base/log.hpp"
#include "engine/state_directory.hpp"
#include "library/careful_sink.hpp"
#include "library/content.hpp"
#include "library/with_source.hpp"
#include "source/mixed_source.hpp"
#include "state/moving.hpp"
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

[[noreturn]] void misused(std::string what) {
  throw Failed({ErrorKind::fatal, Cause::program, std::move(what)});
}

/// Why a batch is one transaction in each output: rows that have no record's offset need a place of
/// their own in the ledger, and so do several outputs in which a batch is one fact. Empty: it need
/// not be.
std::string why_batches(const detail::Graph& graph) {
  if (!graph.states.empty()) {
    return fmt::format("stage {} remembers something",
                       graph.stages[graph.states.front().stage].name);
  }
  if (graph.outputs.size() > 1) return "there are several outputs, which have the same batches";
  for (const auto& output : graph.outputs) {
    if (output.by_record) continue;
    return fmt::format("rows behind stage {} are of whole batches, and not of a record each",
                       graph.stages[output.stage].name);
  }
  return {};
}

/// Where batches have to be transactions, and the output cannot.
std::optional<std::string> too_weak(const detail::Graph& graph, const std::string& output,
                                    Guarantee guarantee) {
  const auto why = why_batches(graph);
  if (why.empty() || guarantee == Guarantee::transactional) return std::nullopt;
  return fmt::format(
      "output {} cannot take this pipeline's streams: {}, so rows and offsets of a batch have to "
      "be one transaction, and there they are not. Lead to an output that is transactional, or "
      "lead here, alone, what map and filter make of each record",
      output, why);
}

}  // namespace

OwnOutput::Batches batches_of(const detail::Graph& graph) {
  using Batches = OwnOutput::Batches;
  if (std::ranges::any_of(graph.states, [](const auto& state) { return state.by_time; })) {
    return Batches::each_interval;
  }
  return why_batches(graph).empty() ? Batches::not_counted : Batches::with_records;
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
    if (graph->closed) misused("a stream is made after run()");
    const auto number = sources->add(std::move(topics));
    return {graph, graph->add(kind, name, {}, true), detail::FromSource{number}};
  }
  Stream<Message, detail::FromSource> local(std::string_view kind, LocalStream stream) {
    check_name(stream.name);
    const auto topic = topic_of(stream);
    if (std::ranges::find(locals, topic, topic_of) != locals.end()) {
      misused(
          fmt::format("{}() is given what another stream has already, {}: share() what comes of "
                      "it, or give each a name, or topic, of its own",
                      kind, topic));
    }
    auto made = source({.names = {topic}}, kind, stream.name);
    locals.push_back(std::move(stream));
    return made;
  }

  Result<void> outputs_fit(const app::PipelineConfig& read) const;
  /// What needs transactions has them.
  Result<void> outputs_suffice(const Config& whole, const std::vector<std::string>& own) const;
  Result<std::unique_ptr<Sink>> make_outputs(const Config& whole, const Owner& owner) const;
  /// Absent: nothing is remembered, or on this machine.
  Result<std::optional<std::size_t>> home_of(std::span<const NamedSink> sinks) const;
  Result<void> open_state(const app::PipelineConfig& read);
  /// Whoever would have to refuse to go on after taking over takes over nothing.
  Result<void> state_is_here(const app::PipelineConfig& read) const;
  /// What is read, as the configuration has it.
  void set_topics(Config& whole) const;
  /// Where a receiver's log is in Kafka.
  Result<void> settings_suit_topics(const kafka::Options& source) const;
  Result<AroundKafka> open_sources(const app::PipelineConfig& read);
  Result<void> create();

  Config config;
  Setup setup;
  std::vector<LocalStream> locals;
  std::vector<std::shared_ptr<source::LocalLog>> logs;
  std::vector<Receiving::One> receivers;
  std::shared_ptr<state::Store> state;  ///< nullptr: nothing is remembered; set under mutex
  app::StateIn state_in = app::StateIn::local;
  std::string state_home;  ///< the name of the output that is to be it; empty: any
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
          there.empty()
              ? fmt::format("a stream leads to output {}, and the configuration has no [sink.…]",
                            wanted.output)
              : fmt::format("a stream leads to output {}, and there is none of that name: there "
                            "is {}. A section's output is named by its setting `output`",
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

Result<void> Pipeline::Impl::outputs_suffice(const Config& whole,
                                             const std::vector<std::string>& own) const {
  const auto why = why_batches(*graph);
  if (why.empty()) return {};
  // Any sink may be written at least once: what is wrong besides is told where all is read.
  auto lenient = whole;
  lenient.set("delivery", "at_least_once");
  const auto sinks = semel::read(lenient.content(), own);
  if (!sinks) return {};
  for (const auto& sink : sinks->sinks) {
    const auto& connector = *std::ranges::find(app::connectors(), sink.connector, &Connector::name);
    if (auto weak = too_weak(*graph, sink.output, connector.guarantee)) {
      return fail(ErrorKind::fatal, Cause::configuration, *std::move(weak));
    }
  }
  const auto read = semel::read(whole.content(), own);
  if (!read || read->pipeline.delivery == Delivery::exactly_once) return {};
  return fail(
      ErrorKind::fatal, Cause::configuration,
      fmt::format("delivery is less than \"exactly_once\", and this pipeline needs that: {}, "
                  "so a batch is one transaction in each output. Leave delivery out",
                  why));
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
    if (auto weak = too_weak(*graph, wanted.output, (*sink)->guarantee())) {
      return fail(ErrorKind::fatal, Cause::configuration, *std::move(weak));
    }
    sinks.push_back({wanted.output, *std::move(sink)});
  }
  auto home = home_of(sinks);
  if (!home) return tl::unexpected(home.error());
  return std::unique_ptr<Sink>(
      std::make_unique<Outputs>(Shared{.graph = graph,
                                       .sources = sources,
                                       .state = state,
                                       .home = *home,
                                       .empty_state = setup.begin_with_empty_state,
                                       .drop_state = setup.drop_state,
                                       .owner = owner.id,
                                       .log = Log(setup.log, LogLevel::info)},
                                std::move(sinks)));
}

Result<std::optional<std::size_t>> Pipeline::Impl::home_of(std::span<const NamedSink> sinks) const {
  if (!state || state_in == app::StateIn::local) return std::nullopt;
  auto home = choose_home(sinks, state_home);
  if (!home) return tl::unexpected(home.error());
  return *home;
}

Result<void> Pipeline::Impl::open_state(const app::PipelineConfig& read) {
  const auto directory = engine::directory_of_stages(read.pipeline);
  if (auto begun = state::nothing_begun(directory); !begun) return begun;
  if (graph->states.empty()) return {};
  state_in = read.state;
  state_home = read.state_home;
  if (state_in == app::StateIn::sink) {
    auto cache = state::Store::open_cache(engine::state_directory(read.pipeline) + "/state-cache");
    if (!cache) return tl::unexpected(cache.error());
    const std::lock_guard lock(mutex);
    state = *std::move(cache);
    return {};
  }
  auto opened = state::Store::open(directory);
  if (!opened) return tl::unexpected(opened.error());
  {
    const std::lock_guard lock(mutex);
    state = *std::move(opened);
  }
  return check_stages(*graph, *state, setup.drop_state);
}

Result<void> Pipeline::Impl::state_is_here(const app::PipelineConfig& read) const {
  if (!state || setup.begin_with_empty_state || state_in == app::StateIn::sink) return {};
  std::vector<state::OutputVersion> versions;
  std::vector<state::OutputVersion> new_ones;
  for (const auto& output : app::outputs_of(read)) {
    // What cannot be read now is told by the take-over.
    const auto ledger = output.open_ledger();
    if (!ledger) return {};
    const auto progress = (*ledger)->progress();
    if (!progress) return {};
    auto& all = progress->empty() ? new_ones : versions;
    all.push_back({output.name(), state::version_in(*progress)});
  }
  if (versions.size() + new_ones.size() < graph->outputs.size()) return {};
  // Who knows nothing yet begins where the others are.
  if (versions.empty()) versions = std::move(new_ones);
  const auto decision = state::decide(state->stored(), versions);
  if (decision.remedy != state::Remedy::refuse) return {};
  return state::refused(decision, state->path());
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

Result<void> Pipeline::Impl::settings_suit_topics(const kafka::Options& source) const {
  const auto in_kafka = [](const auto& local) { return !is_beside_kafka({topic_of(local), 0}); };
  if (std::ranges::none_of(locals, in_kafka)) return {};
  if (!std::holds_alternative<kafka::StartEarliest>(source.start)) {
    return fail(ErrorKind::fatal, Cause::configuration,
                "a receiver's topic is read from its first record on, or what was acknowledged "
                "before the first batch is never read: leave out source.kafka.start");
  }
  if (source.isolation == kafka::Isolation::read_committed) return {};
  return fail(ErrorKind::fatal, Cause::configuration,
              "a receiver's topic has records of transactions that failed, whose senders send them "
              "again: leave out source.kafka.isolation, or they are read twice");
}

Result<AroundKafka> Pipeline::Impl::open_sources(const app::PipelineConfig& read) {
  std::function<bool()> once;
  if (setup.once) {
    once = [this] {
      const std::lock_guard lock(mutex);
      return stop;
    };
  }
  if (auto suit = settings_suit_topics(read.pipeline.kafka); !suit) {
    return tl::unexpected(suit.error());
  }
  auto opened = open_logs(locals, read.pipeline, once);
  if (!opened) return tl::unexpected(opened.error());
  receivers = std::move(opened->receivers);
  logs = std::move(opened->logs);
  const auto topics = sources->together();
  const bool reads_kafka = !topics.pattern.empty() || !topics.names.empty();
  return AroundKafka([topics, reads_kafka, all = logs](std::shared_ptr<source::Source> kafka) {
    if (all.empty() && topics.partitions.empty()) return kafka;
    return source::mixed_source(reads_kafka ? std::move(kafka) : nullptr,
                                {topics.names, topics.partitions}, all);
  });
}

Result<void> Pipeline::Impl::create() {
  if (auto leads = leads_somewhere(*graph); !leads) return leads;
  auto whole = config;
  set_topics(whole);
  std::vector<std::string> own;
  for (const auto& output : setup.outputs) own.push_back(output.name);
  own.emplace_back(together);
  if (auto suffice = outputs_suffice(whole, own); !suffice) return suffice;
  const auto batches = batches_of(*graph);
  if (batches != OwnOutput::Batches::not_counted) {
    whole.set("batch.commit", "batch");
    // A batch is one transaction of each output: more threads would only wait.
    whole.set("executors", 1);
  }
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
    misused("direct_stream() is given no topic");
  }
  return impl_->source({.names = std::move(topics)}, "direct_stream", name);
}

Stream<Message, detail::FromSource> Pipeline::direct_stream_matching(std::string pattern,
                                                                     std::string_view name) {
  if (pattern.empty()) misused("direct_stream_matching() is given no pattern");
  return impl_->source({.pattern = std::move(pattern)}, "direct_stream", name);
}

Stream<Message, detail::FromSource> Pipeline::direct_stream_of(
    std::vector<TopicPartition> partitions, std::string_view name) {
  if (partitions.empty()) {
    misused("direct_stream_of() is given no partition");
  }
  return impl_->source({.partitions = {partitions.begin(), partitions.end()}}, "direct_stream",
                       name);
}

Stream<Message, detail::FromSource> Pipeline::receiver_stream(std::string_view name,
                                                              std::unique_ptr<Receiver> receiver,
                                                              ReceiverOptions options) {
  if (!receiver) {
    misused("receiver_stream() is given no receiver");
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
  if (impl_->graph->closed.exchange(true)) {
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
  // Its sessions are gone, and with the store goes the lock of its folder.
  impl_->state.reset();
  for (const auto& log : impl_->logs) log->close();
  impl_->logs.clear();
}

Result<void> Pipeline::checkpoint(const std::string& directory) const {
  std::shared_ptr<state::Store> state;
  {
    const std::lock_guard lock(impl_->mutex);
    state = impl_->state;
    if (state && impl_->state_in == app::StateIn::sink) {
      return fail(
          ErrorKind::fatal, Cause::program,
          "state = \"sink\": the state is in the database of an output, and here is a cache "
          "of it: that database's backups are the copies");
    }
  }
  if (state) return state->checkpoint(directory);
  return fail(ErrorKind::fatal, Cause::program,
              "there is no state to make a checkpoint of: the pipeline does not run, or none of "
              "its stages remembers anything");
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
