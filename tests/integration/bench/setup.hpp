// semel bench by the real program, with directories of its own.
#pragma once

#include <algorithm>
#include <chrono>
#include <csignal>
#include <filesystem>
#include <string>
#include <vector>

#include "support/catch.hpp"
#include "support/process.hpp"
#include "support/temp_dir.hpp"

namespace semel::test {

/// `semel bench ARGS...`; directories of its own are made in `tmp`.
inline ProcessOptions bench(const TempDir& tmp, std::vector<std::string> args) {
  args.insert(args.begin(), {SEMEL_BINARY, "bench"});
  return {.argv = std::move(args), .env = {{"TMPDIR", tmp.path().string()}}};
}

inline bool empty(const TempDir& dir) {
  return std::filesystem::is_empty(dir.path());
}

/// A temporary directory that a server of another user may enter.
inline void open_to_all(const TempDir& dir) {
  using std::filesystem::perms;
  std::filesystem::permissions(dir.path(), perms::all);
}

/// Starts `semel bench ARGS...` on servers of its own, ends it by SIGINT and by SIGKILL once its
/// work directory holds `file`, and looks for what is left: files, and processes, each of which had
/// the directory in its command line.
inline void leaves_nothing_behind(const std::vector<std::string>& args, const std::string& file) {
  using namespace std::chrono_literals;
  const TempDir tmp;
  open_to_all(tmp);
  for (const int signal : {SIGINT, SIGKILL}) {
    CAPTURE(signal);
    Process process(bench(tmp, args));
    const auto working = [&] {
      const std::filesystem::directory_iterator entries(tmp.path());
      return std::any_of(begin(entries), end(entries), [&](const auto& entry) {
        return std::filesystem::exists(entry.path() / file);
      });
    };
    REQUIRE(eventually(working, 120s));
    process.signal(signal);
    const auto ended = process.wait(60s);
    REQUIRE(ended);
    if (signal == SIGINT) {
      CHECK(ended->code == 130);
      CHECK(empty(tmp));
    }
    CHECK(eventually([&] { return empty(tmp); }, 30s));
    CHECK(run({.argv = {"pgrep", "-f", tmp.path().string()}}).out.empty());
  }
}

}  // namespace semel::test
