#include "file/drafts.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>

#include "base/crash_point.hpp"
#include "file/names.hpp"

namespace semel::file {

namespace {

/// Of this process; its UUID is in the directory's name.
std::string next_draft_name() {
  static std::atomic<std::uint64_t> last{0};
  return std::to_string(++last);
}

std::string drafts_of(const std::string& owner) {
  return std::string(drafts_prefix) + owner;
}

}  // namespace

Draft::Draft(Journals& journals, std::string name) : journals_(journals), name_(std::move(name)) {}

Draft::Draft(Draft&& other) noexcept
    : journals_(other.journals_),
      name_(std::move(other.name_)),
      draft_(std::exchange(other.draft_, {})),
      fd_(std::move(other.fd_)),
      bytes_(std::move(other.bytes_)),
      at_(other.at_) {}

Draft::~Draft() {
  if (!draft_.empty()) unlinkat(journals_.place().journals(), draft_.c_str(), 0);
}

Result<void> Draft::make() {
  const auto directory = drafts_of(journals_.owner());
  const auto shown = journals_.place().journals_shown() + "/" + directory;
  constexpr int flags = O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC | O_NOFOLLOW;
  constexpr mode_t all_may = 0666;  // less what the umask takes
  constexpr int tries = 3;          // a new owner may be removing ours
  for (int i = 0; i < tries; ++i) {
    auto made = directory_in(journals_.place().journals(), directory, shown, true);
    if (!made) return tl::unexpected(made.error());
    const auto name = next_draft_name();
    fd_ = Fd(openat(made->get(), name.c_str(), flags, all_may));
    if (fd_) {
      draft_ = directory + "/" + name;
      return {};
    }
    if (errno != ENOENT && errno != EEXIST) break;
  }
  return system_error("no file can be made in " + shown, errno);
}

Result<void> Draft::write() {
  if (!fd_) {
    if (auto made = make(); !made) return made;
  }
  if (!write_all(fd_.get(), bytes_, at_)) {
    return system_error(
        fmt::format("{}/{} cannot be written", journals_.place().journals_shown(), draft_), errno);
  }
  // The disk begins at once: so there is little to wait for at the end.
  sync_file_range(fd_.get(), static_cast<off_t>(at_), static_cast<off_t>(bytes_.size()),
                  SYNC_FILE_RANGE_WRITE);
  at_ += bytes_.size();
  bytes_.clear();
  return {};
}

Result<void> Draft::finish() {
  auto done = bytes_.empty() ? Result<void>{} : write();
  if (!done) return done;
  if (fsync(fd_.get()) != 0) {
    return system_error(
        fmt::format("{}/{} cannot be made durable", journals_.place().journals_shown(), draft_),
        errno);
  }
  fd_ = Fd();
  bytes_.shrink_to_fit();  // empty by now
  return {};
}

Publication Draft::give() {
  return {std::exchange(draft_, {}), name_};
}

/// It is made durable before it is closed: what goes wrong behind that, no later call tells.
Result<void> Drafts::finish_range() {
  if (!writing_) return {};
  auto now = *std::exchange(writing_, std::nullopt);
  if (now.rows) {
    auto ended = now.writer->end(now.rows->bytes());
    if (ended) ended = now.rows->finish();
    if (!ended) return ended;
    finished_.push_back(*std::move(now.rows));
  }
  if (now.letters) {
    if (auto ended = now.letters->finish(); !ended) return ended;
    finished_.push_back(*std::move(now.letters));
  }
  return {};
}

Result<void> Drafts::range(const OffsetRange& range) {
  auto finished = finish_range();
  if (finished) writing_.emplace(Writing{.stem = file_stem(range)});
  return finished;
}

Result<std::optional<Refusal>> Drafts::row(std::span<const record::Value> values) {
  auto& now = *writing_;
  if (!now.rows) {
    now.writer = row_writer(form_, columns_);
    now.rows.emplace(journals_, now.stem + std::string(ending_of(form_)));
    now.writer->begin(now.rows->bytes());
  }
  auto refusal = now.writer->row(values, now.rows->bytes());
  if (auto written = now.rows->written(); !written) return tl::unexpected(written.error());
  return refusal;
}

Result<void> Drafts::dead_letter(std::string_view line) {
  auto& now = *writing_;
  if (!now.letters) {
    now.letters.emplace(journals_, fmt::format("{}/{}.jsonl", dead_letters_directory, now.stem));
  }
  now.letters->bytes().append(line);
  return now.letters->written();
}

Result<void> Drafts::finish() {
  if (auto finished = finish_range(); !finished) return finished;
  if (finished_.empty()) return {};
  crash_point("file_wrote_rows");
  // Their names, too.
  const auto directory = drafts_of(journals_.owner());
  const int journals = journals_.place().journals();
  constexpr int flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
  const Fd drafts(openat(journals, directory.c_str(), flags));
  // A new owner has removed it, with all that is in it: the commit will find that out, and says
  // who.
  if (!drafts && errno == ENOENT) return {};
  if (!drafts || fsync(drafts.get()) != 0 || fsync(journals) != 0) {
    return system_error(directory + " cannot be made durable", errno);
  }
  return {};
}

std::vector<Publication> Drafts::give() {
  std::vector<Publication> all;
  for (auto& draft : finished_) all.push_back(draft.give());
  drop();
  return all;
}

void Drafts::drop() {
  writing_.reset();
  finished_.clear();
}

}  // namespace semel::file
