#include "stream/local_logs.hpp"

#include <fmt/format.h>
#include <algorithm>
#include <chrono>
#include <utility>

#include <semel/failed.hpp>

#include "source/file_log.hpp"
#include "source/queue_log.hpp"

namespace semel::stream {

namespace {

constexpr std::size_t name_bytes_max = 100;

std::int64_t ms_since_1970() {
  return std::chrono::duration_cast<std::chrono::milliseconds>(
             std::chrono::system_clock::now().time_since_epoch())
      .count();
}

/// Opens one stream's log after the other.
struct Opening {
  const LocalStream& stream;
  const std::string& directory;
  const std::function<bool()>& once;
  LocalLogs& all;

  Result<std::unique_ptr<state::Disk>> disk() const {
    return state::open_disk(fmt::format("{}/sources/{}", directory, topic_of(stream).substr(1)));
  }

  Result<void> operator()(const LocalStream::Receives& receives) const {
    auto opened = disk();
    if (!opened) return tl::unexpected(opened.error());
    auto log = source::WriteAheadLog::open(topic_of(stream), *std::move(opened), receives.options,
                                           ms_since_1970());
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
  constexpr std::string_view kinds[] = {"received", "files", "queue"};
  return fmt::format("+{}.{}", kinds[stream.what.index()], stream.name);
}

void check_name(std::string_view name) {
  const bool fits =
      !name.empty() && name.size() <= name_bytes_max && std::ranges::all_of(name, [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
               c == '.' || c == '_' || c == '-';
      });
  if (fits) return;
  throw Failed(
      {ErrorKind::fatal, Cause::program,
       fmt::format("a source is called \"{}\": its name has letters, digits, dot, _ and -, "
                   "and 1 to {} of them",
                   name, name_bytes_max)});
}

Result<LocalLogs> open_logs(const std::vector<LocalStream>& streams, const std::string& directory,
                            const std::function<bool()>& once) {
  LocalLogs all;
  for (const auto& stream : streams) {
    const auto opened = std::visit(Opening{stream, directory, once, all}, stream.what);
    if (!opened) return tl::unexpected(opened.error());
  }
  return all;
}

}  // namespace semel::stream
