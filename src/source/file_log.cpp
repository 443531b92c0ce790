#include "source/file_log.hpp"

#include <fmt/format.h>
#include <sys/stat.h>
#include <zlib.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <limits>
#include <system_error>
#include <thread>
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
// Whoever begins again within a file reads through so many lines at most.
constexpr Offset lines_per_mark = 65'536;

bool is_left_out(const std::string& name) {
  return name.starts_with('.') || name.ends_with(".tmp") || name.ends_with(".done");
}

/// Nothing where so many bytes cannot be read.
std::optional<std::uint32_t> checksum(std::ifstream& file, std::uint64_t from, std::uint64_t size) {
  std::vector<char> bytes(size);
  file.seekg(static_cast<std::streamoff>(from));
  file.read(bytes.data(), static_cast<std::streamsize>(size));
  if (static_cast<std::uint64_t>(file.gcount()) != size) return std::nullopt;
  return static_cast<std::uint32_t>(
      ::crc32(0, reinterpret_cast<const Bytef*>(bytes.data()), static_cast<uInt>(bytes.size())));
}

/// Nothing is lost: it may be read later.
tl::unexpected<Error> not_now(const std::string& path, int reason) {
  return fail(ErrorKind::unavailable, Cause::source,
              fmt::format("{} cannot be read now: {}", path,
                          std::generic_category().message(reason == 0 ? EIO : reason)));
}

/// The last one counts without an end, too. Below 0 where it cannot be read.
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
  if (file.bad()) return -1;
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
          end_ = base + lines;
        } catch (const Failed&) {
          decoded = fail(ErrorKind::fatal, Cause::state,
                         fmt::format("the catalogue of files in {} is damaged", disk_->path()));
        }
        return decoded.has_value();
      });
  return scanned ? decoded : scanned;
}

Result<LocalLog::Bounds> FileLog::bounds() {
  const std::lock_guard looking(looking_);
  if (auto looked = look(); !looked) return tl::unexpected(looked.error());
  const std::lock_guard lock(mutex_);
  return bounds_;
}

void FileLog::passed(Offset until) {
  const std::lock_guard lock(mutex_);
  passed_ = std::max(passed_.value_or(0), until);
}

Result<void> FileLog::settle(const std::function<bool()>& stopped) {
  while (!stopped()) {
    {
      const std::lock_guard looking(looking_);
      if (auto looked = look(); !looked) return looked;
      if (growing_.empty()) break;
    }
    std::this_thread::sleep_for(looks_apart);
  }
  return {};
}

/// What is read ends before the first file that is not what it was; once all before it is
/// committed, its lines are what is lost.
void FileLog::find_bounds() {
  const std::lock_guard lock(mutex_);
  bounds_.end = end_;
  if (!passed_) return;
  auto at = files_.upper_bound(*passed_);
  if (at != files_.begin()) --at;
  for (; at != files_.end(); ++at) {
    const auto& [base, file] = *at;
    if (base + file.lines <= std::max(*passed_, bounds_.first)) continue;
    struct stat found {};
    const bool there = ::stat(path_of(file.name).c_str(), &found) == 0;
    // What cannot be looked at now is told by who reads it.
    if (there ? found.st_ino == file.inode && static_cast<std::uint64_t>(found.st_size) == file.size
              : errno != ENOENT && errno != ENOTDIR) {
      continue;
    }
    if (base > std::max(*passed_, bounds_.first)) {
      bounds_.end = base;
      return;
    }
    bounds_.first = base + file.lines;
    why_first_ = fmt::format("{} is gone or has changed", path_of(file.name));
  }
}

std::string FileLog::why_first() {
  const std::lock_guard lock(mutex_);
  return why_first_;
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
    const auto known = is_known(name, found);
    if (!known) return tl::unexpected(known.error());
    if (*known) continue;
    if (is_whole(name, static_cast<std::uint64_t>(found.st_size))) {
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
  find_bounds();
  return {};
}

Result<bool> FileLog::is_known(const std::string& name, const struct ::stat& found) {
  File before;
  {
    const std::lock_guard lock(mutex_);
    const auto known = by_name_.find(name);
    if (known == by_name_.end()) return false;
    before = files_.at(known->second);
    if (before.inode != found.st_ino) return false;
    // Whoever reads its lines tells what has become of it.
    if (known->second + before.lines > passed_.value_or(0)) return true;
  }
  const Looked changed{found.st_ctim.tv_sec, found.st_ctim.tv_nsec};
  if (looked_into_[name] == changed) return true;
  const auto now = examine(name, before.size);
  if (!now) return tl::unexpected(now.error());
  if (!*now) return false;
  if ((*now)->head != before.head || (*now)->size < before.size) return false;
  if ((*now)->size == before.size && (*now)->tail == before.tail) {
    looked_into_[name] = changed;
    return true;
  }
  return fail(ErrorKind::fatal, Cause::source,
              fmt::format("{} has changed behind its beginning after its {} lines were committed: "
                          "what is new needs a file of its own",
                          path_of(name), before.lines));
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

Result<std::optional<FileLog::File>> FileLog::examine(const std::string& name,
                                                      std::uint64_t head_of) const {
  File file;
  file.name = name;
  const auto path = path_of(name);
  struct stat found {};
  if (::stat(path.c_str(), &found) != 0) {
    if (errno == ENOENT || errno == ENOTDIR) return std::optional<File>();
    return not_now(path, errno);
  }
  errno = 0;
  std::ifstream in(path, std::ios::binary);
  if (!in) return not_now(path, errno);
  file.inode = found.st_ino;
  file.size = static_cast<std::uint64_t>(found.st_size);
  const auto first = std::min<std::uint64_t>({file.size, head_of, compared_bytes});
  const auto last = std::min<std::uint64_t>(file.size, compared_bytes);
  const auto head = checksum(in, 0, first);
  const auto tail = checksum(in, file.size - last, last);
  if (!head || !tail) return not_now(path, errno);
  file.head = *head;
  file.tail = *tail;
  return std::optional(std::move(file));
}

/// Durable before a number of it is told to anybody.
Result<void> FileLog::add(const std::string& name) {
  auto examined = examine(name, std::numeric_limits<std::uint64_t>::max());
  if (!examined) return tl::unexpected(examined.error());
  if (!*examined) return {};
  auto file = **std::move(examined);
  std::ifstream in(path_of(name), std::ios::binary);
  file.lines = count_lines_of(in);
  if (file.lines < 0) return not_now(path_of(name), errno);
  // Without lines it needs no number, and its name may come again.
  if (file.lines == 0) return {};
  Offset base = 0;
  {
    const std::lock_guard lock(mutex_);
    base = end_;
  }
  std::string key(prefix_of_file);
  codec::put_sorted(key, base);
  const auto written = disk_->write({{state::Disk::Family::state, std::move(key),
                                      codec::encoded(KeptFile(file.name, file.inode, file.size,
                                                              file.lines, file.head, file.tail))}},
                                    true);
  if (!written) return written;
  const std::lock_guard lock(mutex_);
  by_name_[name] = base;
  end_ = base + file.lines;
  files_[base] = std::move(file);
  return {};
}

/// What cannot be read is given up as a whole file.
tl::unexpected<Error> FileLog::lost(Offset base, const File& file, const std::string& why) {
  bounds_.first = std::max(bounds_.first, base + file.lines);
  why_first_ = fmt::format("{}: {}", path_of(file.name), why);
  reading_base_ = -1;
  return fail(ErrorKind::data_loss, Cause::data_loss,
              fmt::format("{}: {}, and its {} lines are not all committed", path_of(file.name), why,
                          file.lines));
}

Result<void> FileLog::unchanged(Offset base, const File& file) {
  const auto now = examine(file.name, std::numeric_limits<std::uint64_t>::max());
  if (!now) return tl::unexpected(now.error());
  if (!*now) return lost(base, file, "it is gone");
  if (std::tie((*now)->inode, (*now)->size, (*now)->head, (*now)->tail) !=
      std::tie(file.inode, file.size, file.head, file.tail)) {
    return lost(base, file, "it has changed");
  }
  return {};
}

Result<void> FileLog::open_at(Offset base, const File& file, Offset line) {
  if (reading_base_ == base && reading_next_ == line) return {};
  if (auto same = unchanged(base, file); !same) return same;
  if (reading_base_ != base) {
    errno = 0;
    reading_ = std::ifstream(path_of(file.name), std::ios::binary);
    if (!reading_) return not_now(path_of(file.name), errno);
    index_.assign(1, std::streampos(0));
    reading_base_ = base;
  }
  const auto mark = std::min<std::size_t>(static_cast<std::size_t>((line - base) / lines_per_mark),
                                          index_.size() - 1);
  reading_.clear();
  reading_.seekg(index_[mark]);
  reading_next_ = base + static_cast<Offset>(mark) * lines_per_mark;
  std::string passed_over;
  while (reading_next_ < line && std::getline(reading_, passed_over)) ++reading_next_;
  if (reading_next_ == line) return {};
  reading_base_ = -1;
  return reading_.bad() ? Result<void>(not_now(path_of(file.name), errno))
                        : Result<void>(lost(base, file, "it has become shorter"));
}

Result<void> FileLog::read(Offset from, Offset until, std::size_t max, KeptRecords& into) {
  const std::lock_guard lock(mutex_);
  const auto after = files_.upper_bound(from);
  if (after == files_.begin() || from >= end_) {
    return fail(ErrorKind::data_loss, Cause::data_loss,
                fmt::format("line {} of {} is in no file", from, topic_));
  }
  const auto& [base, file] = *std::prev(after);
  if (auto opened = open_at(base, file, from); !opened) return opened;
  const auto end = std::min(until, base + file.lines);
  std::string line;
  for (; reading_next_ < end && into.size() < max; ++reading_next_) {
    const auto in_file = reading_next_ - base;
    if (in_file == static_cast<Offset>(index_.size()) * lines_per_mark) {
      index_.push_back(reading_.tellg());
    }
    if (!std::getline(reading_, line)) {
      reading_base_ = -1;
      if (reading_.bad()) return not_now(path_of(file.name), errno);
      return lost(base, file, "it has become shorter");
    }
    if (line.ends_with('\r')) line.pop_back();
    const auto number = std::to_string(in_file + 1);
    into.add(
        {.offset = reading_next_,
         .key = file.name,
         .value = line,
         .headers = {&number, [](const void* message, std::vector<Header>& headers) {
                       headers.push_back({line_header, *static_cast<const std::string*>(message)});
                     }}});
  }
  // Before its last lines are given out it is compared once more: it may have changed meanwhile.
  return reading_next_ == base + file.lines ? unchanged(base, file) : Result<void>();
}

}  // namespace semel::source
