// The lines of the files of a folder, in the order in which the files were first seen whole.
#pragma once

#include <chrono>
#include <cstdint>
#include <fstream>
#include <map>
#include <memory>
#include <mutex>
#include <regex>
#include <string>

#include "source/local_log.hpp"
#include "state/disk.hpp"

namespace semel::source {

struct FileLogOptions {
  std::string directory;
  std::string pattern = ".*";  ///< regular expression (ECMAScript) for the whole name
  /// A file counts once its size has been the same for so long, or once there is NAME.done; 0:
  /// files are moved into the folder when they are whole.
  std::int64_t settled_after_ms = 10'000;
};

/// A record is a line, its key the file's name. A catalogue on disk says which lines have which
/// numbers: never a time of the file's. A file in it is known by its name, inode, size and the
/// checksums of its first and last bytes: one that has changed or is gone before its lines are
/// committed is data_loss. Names that begin with a dot, and those that end in .tmp or .done, are
/// not looked at, nor are folders.
class FileLog final : public LocalLog {
 public:
  /// `disk` is this catalogue's alone. Fatal, Cause::configuration, where the pattern is none.
  static Result<std::shared_ptr<FileLog>> open(std::string topic, std::unique_ptr<state::Disk> disk,
                                               FileLogOptions options);

  const std::string& topic() const override { return topic_; }
  Result<Bounds> bounds() override;
  Result<void> read(Offset from, Offset until, std::size_t max, KeptRecords& into) override;
  void passed(Offset until) override;

 private:
  using Clock = std::chrono::steady_clock;

  /// As the catalogue has it.
  struct File {
    std::string name;
    std::uint64_t inode = 0;
    std::uint64_t size = 0;
    std::int64_t lines = 0;
    std::uint32_t head = 0;  ///< CRC-32 (zlib) of the first bytes
    std::uint32_t tail = 0;  ///< and of the last
  };
  /// A file that is not in the catalogue yet.
  struct Growing {
    std::uint64_t size = 0;
    Clock::time_point since;
  };

  FileLog(std::string topic, std::unique_ptr<state::Disk> disk, FileLogOptions options,
          std::regex pattern);
  Result<void> recover();
  // mutex_ is held by whoever calls the rest.
  Result<void> look();
  bool is_whole(const std::string& name, std::uint64_t size);
  Result<void> add(const std::string& name);
  /// Fills all but the name.
  Result<File> examine(const std::string& name, bool count_lines) const;
  /// Places the stream at a line of a file that is what it was.
  Result<void> open_at(Offset base, const File& file, Offset line);
  Result<void> lost(Offset base, const File& file, const std::string& why);
  std::string path_of(const std::string& name) const;

  std::string topic_;
  std::unique_ptr<state::Disk> disk_;
  FileLogOptions options_;
  std::regex pattern_;

  std::mutex mutex_;
  std::map<Offset, File> files_;           ///< by the number of their first line
  std::map<std::string, Offset> by_name_;  ///< of the newest of that name
  std::map<std::string, Growing> growing_;
  Bounds bounds_;
  Clock::time_point looked_{};
  std::ifstream reading_;
  Offset reading_base_ = -1;  ///< of the file that reading_ is in; -1: none
  Offset reading_next_ = 0;   ///< the number of the line that it gives next
};

}  // namespace semel::source
