#include "stream/local_logs.hpp"

#include <fmt/format.h>
#include <utility>

#include <semel/failed.hpp>

#include "base/pipeline_names.hpp"
#include "base/wall_clock.hpp"
#include "engine/state_directory.hpp"
#include "source/file_log.hpp"
#include "source/queue_log.hpp"
#include "source/received_topic.hpp"
#include "source/write_ahead_log.hpp"

namespace semel::stream {

namespace {

/// Opens one stream's log after the other.
struct Opening {
  const LocalStream& stream;
  const engine::PipelineOptions& pipeline;
  const std::function<bool()>& once;
  LocalLogs& all;

  Result<std::unique_ptr<state::Disk>> disk() const {
    return state::open_disk(fmt::format("{}/sources/{}", engine::state_directory(pipeline),
                                        topic_of(stream).substr(1)));
  }

  Result<void> operator()(const LocalStream::Receives& receives) const {
    if (!receives.options.topic.empty()) {
      auto topic = source::ReceivedTopic::open(pipeline.kafka, pipeline.name, receives.options);
      if (!topic) return tl::unexpected(topic.error());
      all.receivers.push_back({stream.name, receives.receiver, *std::move(topic)});
      return {};
    }
    auto opened = disk();
    if (!opened) return tl::unexpected(opened.error());
    auto log = source::WriteAheadLog::open(topic_of(stream), *std::move(opened), receives.options,
                                           wall_clock_ms());
    if (!log) return tl::unexpected(log.error());
    all.logs.push_back(*log);
    all.receivers.push_back({stream.name, receives.receiver, *std::move(log)});
    return {};
  }

  Result<void> operator()(const FileOptions& files) const {
    auto opened = disk();
    if (!opened) return tl::unexpected(opened.error());
    auto log = source::FileLog::open(topic_of(stream), *std::move(opened),
                                     {.directory = files.directory,
                                      .pattern = files.pattern,
                                      .settled_after_ms = files.settled_after_ms});
    if (!log) return tl::unexpected(log.error());
    all.logs.push_back(*log);
    return once ? (*log)->settle(once) : Result<void>();
  }

  Result<void> operator()(const std::vector<Received>& records) const {
    all.logs.push_back(std::make_shared<source::QueueLog>(topic_of(stream), records));
    return {};
  }
};

}  // namespace

std::string topic_of(const LocalStream& stream) {
  const auto* receives = std::get_if<LocalStream::Receives>(&stream.what);
  if (receives != nullptr && !receives->options.topic.empty()) return receives->options.topic;
  constexpr std::string_view kinds[] = {"received", "files", "queue"};
  return fmt::format("+{}.{}", kinds[stream.what.index()], stream.name);
}

void check_name(const std::string& name) {
  const auto mistake = source_name_mistake(name);
  if (!mistake) return;
  throw Failed({ErrorKind::fatal, Cause::program,
                fmt::format("the name of a source, \"{}\", {}", name, *mistake)});
}

Result<LocalLogs> open_logs(const std::vector<LocalStream>& streams,
                            const engine::PipelineOptions& pipeline,
                            const std::function<bool()>& once) {
  LocalLogs all;
  for (const auto& stream : streams) {
    const auto opened = std::visit(Opening{stream, pipeline, once, all}, stream.what);
    if (!opened) return tl::unexpected(opened.error());
  }
  return all;
}

}  // namespace semel::stream
