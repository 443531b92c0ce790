// A sink of files in a directory of its own, and records for it, without Kafka.
#pragma once

#include <algorithm>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "contract/process.hpp"
#include "file/file.hpp"
#include "file/options.hpp"
#include "formats/formats.hpp"
#include "support/catch.hpp"
#include "support/process.hpp"
#include "support/temp_dir.hpp"

namespace semel::test {

struct FileRig {
  TempDir dir;
  file::Options options{.directory = dir.path().string()};
  SinkContext context{.owner = contract::owner_named("a"), .format = formats::json()};
  std::unique_ptr<Sink> sink{};
  std::unique_ptr<SinkSession> session{};
  std::int64_t epoch = -1;
  Offset at = 0;
  std::string topic = "clicks";

  config::Part part() const { return config::Part::of(options); }
  Result<std::unique_ptr<Sink>> open() const {
    return file::connector().make_sink(part(), context);
  }
  void start() {
    session.reset();
    sink = contract::must(open());
    epoch = contract::must(sink->take_over("cluster")).epoch;
    contract::must(sink->enter(std::vector{Progress{.tp = {topic, 3}, .until = at}}));
    session = contract::must(sink->open_session());
  }
  /// One transaction of these values, with key "k".
  Result<CommitResult> store(const std::vector<std::string>& values) {
    if (!sink) start();
    const auto until = at + static_cast<Offset>(values.size());
    const Task task{.time = {1'000 + at}, .range = {{topic, 3}, at, until}, .epoch = epoch};
    auto begun = session->begin({&task, 1});
    if (!begun) return tl::unexpected(begun.error());
    REQUIRE_FALSE(*begun);
    std::vector<Record> records;
    for (const auto& value : values) {
      records.push_back({.offset = at + static_cast<Offset>(records.size()),
                         .timestamp_ms = 1'706'696'430'500,
                         .key = "k",
                         .value = value});
    }
    if (auto written = session->write(0, records); !written) {
      return tl::unexpected(written.error());
    }
    const RangeEnd end{RecordMark{until - 1, 0, 0}};
    auto done = session->commit({&end, 1});
    if (done) at = until;
    return done;
  }

  /// Names of the files in a directory below, in order.
  std::vector<std::string> names(const std::string& below = ".") const {
    std::vector<std::string> all;
    if (!std::filesystem::exists(dir / below)) return all;
    for (const auto& one : std::filesystem::directory_iterator(dir / below)) {
      if (one.is_regular_file()) all.push_back(one.path().filename().string());
    }
    std::ranges::sort(all);
    return all;
  }
  /// What all of them hold, in the order of their names.
  std::string text(const std::string& below = ".") const {
    std::string all;
    for (const auto& name : names(below)) all += read_file(dir / (below + "/" + name));
    return all;
  }
};

/// What a program of others prints; it has to succeed.
inline std::string answer_of(const std::vector<std::string>& argv) {
  const auto result = run({.argv = argv});
  INFO(result.err);
  REQUIRE(result.code == 0);
  return result.out;
}

}  // namespace semel::test
