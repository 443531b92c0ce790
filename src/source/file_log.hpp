// The lines of the files of a folder, in the order in which the files were first seen whole.
#pragma once

#include <sys/stat.h>

#include <chrono>
#include <cstdint>
#include <fstream>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <regex>
#include <string>
#include <string_view>
#include <vector>

#include "source/local_log.hpp"
#include "state/disk.hpp"

namespace semel::source {

/// A header of each record: the number of the line in its file, from 1 on. Its key has the file.
inline constexpr std::string_view line_header = "semel-line";

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
/// committed is data_loss, and its lines alone; the lines before are read first. One that has grown
/// after that is told as an error. Names that begin with a dot, and those that end in .tmp or
/// .done, are not looked at, nor are folders.
class FileLog final : public LocalLog {
 public:
  /// `disk` is this catalogue's alone. Fatal, Cause::configuration, where the pattern is none.
  static Result<std::shared_ptr<FileLog>> open(std::string topic, std::unique_ptr<state::Disk> disk,
                                               FileLogOptions options);

  const std::string& topic() const override { return topic_; }
  Result<Bounds> bounds() override;
  Result<void> read(Offset from, Offset until, std::size_t max, KeptRecords& into) override;
  std::string why_first() override;
  void passed(Offset until) override;
  void close() override { disk_.reset(); }

  /// Looks until all files that are there are whole, or `stopped` says true: for who looks once.
  Result<void> settle(const std::function<bool()>& stopped);

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
  /// When a file of the catalogue was changed, as far as it was looked into: it says only whether
  /// to look again.
  struct Looked {
    std::int64_t changed_s = 0;
    std::int64_t changed_ns = 0;
    bool operator==(const Looked&) const = default;
  };

  FileLog(std::string topic, std::unique_ptr<state::Disk> disk, FileLogOptions options,
          std::regex pattern);
  Result<void> recover();
  std::string path_of(const std::string& name) const;

  // `looking_` is held.
  Result<void> look();
  bool is_whole(const std::string& name, std::uint64_t size);
  /// Whether a file is one of the catalogue; an error where it has grown since it was committed.
  Result<bool> is_known(const std::string& name, const struct ::stat& found);
  Result<void> add(const std::string& name);
  /// What is there; nothing where it is gone. `head_of`: so many bytes are the first ones.
  Result<std::optional<File>> examine(const std::string& name, std::uint64_t head_of) const;
  /// Up to where lines can be read, and what is lost where nothing can.
  void find_bounds();

  // `mutex_` is held.
  /// Places the stream at a line of a file that is what it was.
  Result<void> open_at(Offset base, const File& file, Offset line);
  Result<void> unchanged(Offset base, const File& file);
  tl::unexpected<Error> lost(Offset base, const File& file, const std::string& why);

  std::string topic_;
  std::unique_ptr<state::Disk> disk_;
  FileLogOptions options_;
  std::regex pattern_;

  std::mutex looking_;  ///< is taken before mutex_, and held while files are read through
  std::map<std::string, Growing> growing_;
  std::map<std::string, Looked> looked_into_;
  Clock::time_point looked_{};

  std::mutex mutex_;
  std::map<Offset, File> files_;           ///< by the number of their first line
  std::map<std::string, Offset> by_name_;  ///< of the newest of that name
  Offset end_ = 0;                         ///< of all lines that have numbers
  std::optional<Offset> passed_;           ///< as far as it was told
  Bounds bounds_;
  std::string why_first_;
  std::ifstream reading_;
  Offset reading_base_ = -1;             ///< of the file that reading_ is in; -1: none
  Offset reading_next_ = 0;              ///< the number of the line that it gives next
  std::vector<std::streampos> index_{};  ///< of that file, where every so many lines begin
};

}  // namespace semel::source
