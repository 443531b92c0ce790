// A directory of the bench's own, removed when this process ends, even by SIGKILL.
#pragma once

#include <sys/types.h>

#include <string>

#include <semel/error.hpp>

namespace semel::bench {

class WorkDirectory {
 public:
  /// Call it before any thread is started: it forks a process that waits for the end of this one.
  static Result<WorkDirectory> make();
  /// Returns when the directory is gone. End what uses it before.
  ~WorkDirectory();
  WorkDirectory(WorkDirectory&& other) noexcept;
  WorkDirectory& operator=(WorkDirectory&&) = delete;

  const std::string& path() const { return path_; }
  std::string operator/(const std::string& name) const { return path_ + "/" + name; }

 private:
  WorkDirectory() = default;

  std::string path_;
  pid_t janitor_ = -1;
  int alive_ = -1;  ///< a pipe's end, closed by the kernel when this process ends
};

}  // namespace semel::bench
