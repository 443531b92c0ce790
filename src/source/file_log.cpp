#include "source/file_log.hpp"

#include <fmt/format.h>
#include <sys/stat.h>
#include <zlib.h>

#include <algorithm>
#include <filesystem>
#include <tuple>
#include <utility>
#include <vector>

#include <semel/failed.hpp>
#include <semel/stream/codec.hpp>

namespace semel::source {

namespace {

namespace codec = stream::detail;
namespace fs = std::filesystem;

// With the number of the first line as eight bytes behind it. Stored: do not change.
constexpr std::string_view prefix_of_file = "file/";
using KeptFile = std::tuple<std::string, std::uint64_t, std::uint64_t, std::int64_t, std::uint32_t,
                            std::uint32_t>;

// So many bytes at each end of a file are compared.
constexpr std::size_t compared_bytes = 64 << 10;
// A folder is not looked at more often.
constexpr auto looks_apart = std::chrono::milliseconds(100);

bool is_left_out(const std::string& name) {
  return name.starts_with('.') || name.ends_with(".tmp") || name.ends_with(".done");
}

std::uint32_t checksum(std::ifstream& file, std::uint64_t from, std::uint64_t size) {
  std::vector<char> bytes(size);
  file.seekg(static_cast<std::streamoff>(from));
  file.read(bytes.data(), static_cast<std::streamsize>(size));
  return static_cast<std::uint32_t>(
      ::crc32(0, reinterpret_cast<const Bytef*>(bytes.data()),
              static_cast<uInt>(std::max<std::streamsize>(file.gcount(), 0))));
}

/// The last one counts without an end, too.
std::int64_t count_lines_of(std::ifstream& file) {
  file.seekg(0);
  std::vector<char> bytes(1 << 20);
  std::int64_t lines = 0;
  char last = '\n';
  while (file.read(bytes.data(), static_cast<std::streamsize>(bytes.size())), file.gcount() > 0) {
    const auto end = bytes.begin() + file.gcount();
    lines += std::count(bytes.begin(), end, '\n');
    last = *(end - 1);
  }
  file.clear();
  return lines + (last == '\n' ? 0 : 1);
}

}  // namespace

Result<std::shared_ptr<FileLog>> FileLog::open(std::string topic, std::unique_ptr<state::Disk> disk,
                                               FileLogOptions options) {
  std::regex pattern;
  try {
    pattern.assign(options.pattern, std::regex::ECMAScript | std::regex::optimize);
  } catch (const std::regex_error& error) {
    return fail(ErrorKind::fatal, Cause::configuration,
                fmt::format("the files' pattern {} is no regular expression: {}", options.pattern,
                            error.what()));
  }
  std::shared_ptr<FileLog> log(
      new FileLog(std::move(topic), std::move(disk), std::move(options), std::move(pattern)));
  if (auto recovered = log->recover(); !recovered) return tl::unexpected(recovered.error());
  return log;
}

FileLog::FileLog(std::string topic, std::unique_ptr<state::Disk> disk, FileLogOptions options,
                 std::regex pattern)
    : topic_(std::move(topic)),
      disk_(std::move(disk)),
      options_(std::move(options)),
      pattern_(std::move(pattern)) {}

std::string FileLog::path_of(const std::string& name) const {
  return (fs::path(options_.directory) / name).string();
}

Result<void> FileLog::recover() {
  Result<void> decoded;
  const auto scanned =
      disk_->scan(prefix_of_file, [&](std::string_view key, std::string_view value) {
        if (!key.starts_with(prefix_of_file)) return false;
        try {
          codec::Decoder number(key.substr(prefix_of_file.size()));
          const auto base = codec::take_sorted(number);
          const auto kept = codec::decoded<KeptFile>(value);
          const auto& [name, inode, size, lines, head, tail] = kept;
          files_[base] = {name, inode, size, lines, head, tail};
          by_name_[name] = base;
          bounds_.end = base + lines;
        } catch (const Failed&) {
          decoded = fail(ErrorKind::fatal, Cause::state,
                         fmt::format("the catalogue of files in {} is damaged", disk_->path()));
        }
        return decoded.has_value();
      });
  return scanned ? decoded : scanned;
}

Result<LocalLog::Bounds> FileLog::bounds() {
  const std::lock_guard lock(mutex_);
  if (auto looked = look(); !looked) return tl::unexpected(looked.error());
  return bounds_;
}

/// Files that have become whole, in the order of their names.
Result<void> FileLog::look() {
  const auto now = Clock::now();
  if (looked_ != Clock::time_point() && now - looked_ < looks_apart) return {};
  looked_ = now;
  std::error_code error;
  std::vector<std::string> whole;
  std::map<std::string, Growing> still_there;
  for (fs::directory_iterator at(options_.directory, error), end; !error && at != end;
       at.increment(error)) {
    const auto name = at->path().filename().string();
    struct stat found {};
    if (is_left_out(name) || !std::regex_match(name, pattern_) ||
        ::stat(at->path().c_str(), &found) != 0 || !S_ISREG(found.st_mode)) {
      continue;
    }
    const auto known = by_name_.find(name);
    if (known != by_name_.end() && files_.at(known->second).inode == found.st_ino) continue;
    const auto size = static_cast<std::uint64_t>(found.st_size);
    if (is_whole(name, size)) {
      whole.push_back(name);
    } else {
      still_there[name] = growing_[name];
    }
  }
  if (error) {
    return fail(ErrorKind::fatal, Cause::source,
                fmt::format("folder {} cannot be read: {}", options_.directory, error.message()));
  }
  growing_ = std::move(still_there);
  std::ranges::sort(whole);
  for (const auto& name : whole) {
    if (auto added = add(name); !added) return added;
  }
  return {};
}

bool FileLog::is_whole(const std::string& name, std::uint64_t size) {
  if (options_.settled_after_ms <= 0) return true;
  struct stat done {};
  if (::stat(path_of(name + ".done").c_str(), &done) == 0) return true;
  auto [known, is_new] = growing_.try_emplace(name, Growing{size, looked_});
  if (known->second.size != size) known->second = {size, looked_};
  return !is_new &&
         looked_ - known->second.since >= std::chrono::milliseconds(options_.settled_after_ms);
}

Result<FileLog::File> FileLog::examine(const std::string& name, bool count_lines) const {
  File file;
  file.name = name;
  const auto path = path_of(name);
  struct stat found {};
  std::ifstream in(path, std::ios::binary);
  if (!in || ::stat(path.c_str(), &found) != 0) {
    return fail(ErrorKind::unavailable, Cause::source,
                fmt::format("{}: it cannot be opened", path));
  }
  file.inode = found.st_ino;
  file.size = static_cast<std::uint64_t>(found.st_size);
  const auto compared = std::min<std::uint64_t>(file.size, compared_bytes);
  file.head = checksum(in, 0, compared);
  file.tail = checksum(in, file.size - compared, compared);
  if (count_lines) file.lines = count_lines_of(in);
  return file;
}

/// Durable before a number of it is told to anybody.
Result<void> FileLog::add(const std::string& name) {
  auto file = examine(name, true);
  if (!file) {
    // Gone again, or not ours to read: the first is nothing to us, the second people must mend.
    return fs::exists(path_of(name))
               ? tl::unexpected(Error{ErrorKind::fatal, Cause::source, file.error().message})
               : Result<void>();
  }
  std::string key(prefix_of_file);
  codec::put_sorted(key, bounds_.end);
  // Without lines it needs no number, and its name may come again.
  if (file->lines == 0) return {};
  const auto written =
      disk_->write({{state::Disk::Family::state, std::move(key),
                     codec::encoded(KeptFile(file->name, file->inode, file->size, file->lines,
                                             file->head, file->tail))}},
                   true);
  if (!written) return written;
  by_name_[name] = bounds_.end;
  files_[bounds_.end] = *file;
  bounds_.end += file->lines;
  return {};
}

/// What cannot be read is given up as a whole file.
Result<void> FileLog::lost(Offset base, const File& file, const std::string& why) {
  bounds_.first = std::max(bounds_.first, base + file.lines);
  reading_base_ = -1;
  return fail(ErrorKind::data_loss, Cause::data_loss,
              fmt::format("{}: {}, and its {} lines are not all committed", path_of(file.name), why,
                          file.lines));
}

Result<void> FileLog::open_at(Offset base, const File& file, Offset line) {
  if (reading_base_ == base && reading_next_ == line) return {};
  const auto now = examine(file.name, false);
  if (!now) return lost(base, file, "it is gone, or cannot be read");
  if (std::tie(now->inode, now->size, now->head, now->tail) !=
      std::tie(file.inode, file.size, file.head, file.tail)) {
    return lost(base, file, "it has changed");
  }
  reading_ = std::ifstream(path_of(file.name), std::ios::binary);
  reading_base_ = base;
  reading_next_ = base;
  std::string passed_over;
  while (reading_next_ < line && std::getline(reading_, passed_over)) ++reading_next_;
  return reading_next_ == line ? Result<void>() : lost(base, file, "it has become shorter");
}

Result<void> FileLog::read(Offset from, Offset until, std::size_t max, KeptRecords& into) {
  const std::lock_guard lock(mutex_);
  const auto after = files_.upper_bound(from);
  if (after == files_.begin()) {
    return fail(ErrorKind::data_loss, Cause::data_loss,
                fmt::format("line {} of {} is in no file", from, topic_));
  }
  const auto& [base, file] = *std::prev(after);
  if (auto opened = open_at(base, file, from); !opened) return opened;
  const auto end = std::min(until, base + file.lines);
  std::string line;
  for (; reading_next_ < end && into.size() < max; ++reading_next_) {
    if (!std::getline(reading_, line)) return lost(base, file, "it has become shorter");
    if (line.ends_with('\r')) line.pop_back();
    into.add({.offset = reading_next_, .key = file.name, .value = line});
  }
  return {};
}

void FileLog::passed(Offset) {}

}  // namespace semel::source
