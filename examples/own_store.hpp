// The store of own_sink.hpp: a JSON document in a file. A transaction writes it anew beside the
// file and renames it into its place: all of it is there, or nothing, whenever the process dies.
#pragma once

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string>
#include <thread>
#include <vector>

#include <semel/ledger.hpp>
#include <semel/sink.hpp>

namespace own {

using namespace semel;
using namespace std::chrono_literals;
using nlohmann::json;

inline std::int64_t now_ms() {
  return std::chrono::system_clock::now().time_since_epoch() / 1ms;
}

inline std::string now_text() {  // ISO 8601, UTC
  const std::time_t now = std::time(nullptr);
  std::tm utc{};
  std::string text(20, ' ');
  std::strftime(text.data(), text.size() + 1, "%FT%TZ", gmtime_r(&now, &utc));
  return text;
}

struct Closed {
  const int file;
  ~Closed() { close(file); }
};

/// One output's part of the document. Each call may come from any thread and process.
struct Store {
  std::string file, output;

  json read(const json& all) const {  // renamed into place, so whole
    const json none = {{"owner", {{"epoch", 0}, {"id", ""}, {"who", ""}, {"state", 2}}},
                       {"progress", json::object()},
                       {"history", json::array()},
                       {"rows", json::object()},
                       {"dead", json::object()}};
    return all.value(output, none);
  }
  json read() const { return read(document()); }
  json document() const {
    std::ifstream in(file);
    return in ? json::parse(in) : json::object();
  }

  /// One writer at a time; what `action` changes is committed, if it changes anything.
  template <class T, class Action>
  Result<T> write(const std::atomic<bool>& stop, std::chrono::milliseconds wait,
                  Action action) const {
    const auto error = [](const char* what) {
      return fail(ErrorKind::unavailable, Cause::sink, what);
    };
    const Closed lock{open((file + ".lock").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644)};
    for (const auto end = now_ms() + wait / 1ms; flock(lock.file, LOCK_EX | LOCK_NB) != 0;) {
      if (stop || now_ms() > end) return error("another process keeps the store locked");
      std::this_thread::sleep_for(2ms);
    }
    if (stop) return error("interrupted");
    auto all = document();
    const json before = read(all);
    json after = before;
    T result = action(after);
    if (after == before) return result;
    all[output] = std::move(after);
    const auto text = all.dump();
    const Closed draft{
        open((file + ".new").c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644)};
    if (::write(draft.file, text.data(), text.size()) != ssize_t(text.size()) ||
        fsync(draft.file) != 0)
      return error("the store cannot be written: free space for it");
    const auto directory = std::filesystem::absolute(file).parent_path();
    const Closed place{open(directory.c_str(), O_RDONLY | O_CLOEXEC)};
    if (rename((file + ".new").c_str(), file.c_str()) != 0 || fsync(place.file) != 0)
      return fail(ErrorKind::in_doubt, Cause::sink, "the store cannot be renamed into its place");
    return result;
  }
};

inline std::string key_of(const TopicPartition& tp) {
  const auto number = std::to_string(tp.partition);
  return tp.topic + ":" + std::string(10 - number.size(), '0') + number;
}
inline Progress progress_of(const json& p) {
  Progress at{{p["topic"], p["partition"]}, p["until"], {p["time"]}, {}};
  if (const auto& m = p["mark"]; !m.is_null()) at.last = RecordMark{m[0], m[1], m[2]};
  return at;
}
inline std::vector<Progress> positions(const json& output) {
  std::vector<Progress> all;
  for (const auto& p : output["progress"]) all.push_back(progress_of(p));
  return all;
}
inline LedgerEntry entry_of(const json& output, const TopicPartition* tp = nullptr) {
  const auto& owner = output["owner"];
  LedgerEntry entry{{}, owner["epoch"], owner["id"], owner["who"], "", {}};
  if (tp == nullptr || !output["progress"].contains(key_of(*tp))) return entry;
  const auto at = progress_of(output["progress"][key_of(*tp)]);
  entry.until = at.until;
  entry.batch_time = at.batch_time;
  return entry;
}
/// The latest batch time of the history, or of a partition's.
inline BatchTime latest(const json& output, const TopicPartition* tp = nullptr) {
  BatchTime time;
  for (const auto& m : output["history"]) {
    if (tp == nullptr || (m[0] == tp->topic && m[1] == tp->partition))
      time = std::max(time, BatchTime{m[2]});
  }
  return time;
}
/// Moves a position, and writes why into the history.
inline void move(json& output, MoveKind kind, std::int64_t epoch, Offset from, const Progress& to,
                 const Committed& counts = {}) {
  auto& p = output["progress"][key_of(to.tp)];
  p = {{"topic", to.tp.topic},
       {"partition", to.tp.partition},
       {"until", to.until},
       {"time", to.batch_time.ms},
       {"mark", nullptr}};
  if (to.last) p["mark"] = {to.last->offset, to.last->timestamp_ms, to.last->checksum};
  output["history"].push_back({to.tp.topic, to.tp.partition, to.batch_time.ms, epoch, from,
                               to.until, int(kind), counts.rows, counts.dead_letters, now_text()});
}

}  // namespace own
