// A directory of the test's own, removed with the object, and by the janitor when the test is
// killed.
#pragma once

#include <filesystem>
#include <string>

namespace semel::test {

class TempDir {
 public:
  explicit TempDir(const std::string& prefix = "semel-test");
  ~TempDir();
  TempDir(const TempDir&) = delete;
  TempDir& operator=(const TempDir&) = delete;

  const std::filesystem::path& path() const { return path_; }
  std::string operator/(const std::string& name) const { return (path_ / name).string(); }

 private:
  std::filesystem::path path_;
};

/// Writes a file, replacing what was there.
void write_file(const std::filesystem::path& path, const std::string& content);
/// The file's content; empty where there is none.
std::string read_file(const std::filesystem::path& path);

/// `prefix` and something that no other call gave, on this machine: safe as the name of a topic, a
/// table, a database or a pipeline.
std::string unique_name(const std::string& prefix);

/// A TCP port on 127.0.0.1 that nobody listens on at the moment.
int free_port();

}  // namespace semel::test
