// The directory that gets the files, and the one of the ledger in it.
#pragma once

#include <sys/types.h>

#include <memory>
#include <mutex>
#include <string>

#include <semel/error.hpp>

#include "file/system.hpp"

namespace semel::file {

/// Everything is reached from the directory as it was opened, and never by its path again. Thread
/// safe.
class Place {
 public:
  /// The directory has to exist; nothing is made. `output`: whose ledger it is.
  static Result<std::unique_ptr<Place>> open(const std::string& directory,
                                             const std::string& output);

  /// Makes what is below the directory. Before anything is written.
  Result<void> set_up();
  /// Whether the path still leads here, and what the protocol rests on holds here. Fatal else.
  Result<void> can_be_written();

  const std::string& path() const { return path_; }
  std::string shown(const std::string& name) const { return path_ + "/" + name; }
  int directory() const { return directory_.get(); }
  /// Some output's.
  bool has_ledgers() const;
  /// -1: there is none yet. Looks for it.
  int journals();
  std::string journals_shown() const;

 private:
  Place(std::string path, std::string output, Fd directory)
      : path_(std::move(path)), output_(std::move(output)), directory_(std::move(directory)) {}
  Result<void> still_there() const;
  Result<void> rehearse() const;

  std::string path_;
  std::string output_;
  Fd directory_;
  std::mutex mutex_;
  Fd journals_;             ///< guarded by mutex_
  bool rehearsed_ = false;  ///< guarded by mutex_
};

/// What is wrong with the file system that `fd` is on, as the end of a sentence; empty: nothing.
/// Exactly once needs one that is seen by this machine only, where a name is made once, and where
/// what was written is read by others at once. A device of this machine's gives that; what has none
/// is known to, or is refused.
std::string unfit_file_system(int fd);

}  // namespace semel::file
