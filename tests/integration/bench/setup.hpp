// semel bench by the real program, with directories of its own.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

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

}  // namespace semel::test
