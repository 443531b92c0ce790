#include "file/journal.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <iterator>
#include <utility>

#include "base/crash_point.hpp"
#include "file/names.hpp"
#include "store/moment.hpp"

namespace semel::file {

namespace {

constexpr std::size_t partition_cells = 4;  // of a key of history(): whose, topic, partition
constexpr std::size_t seen_at = 6;          // of owners()
/// As long as a journal gets, but where its base alone is long.
constexpr std::uint64_t journal_bytes_max = std::uint64_t{1} << 20;

store::Row beginning_of(const store::Row& row, std::size_t cells) {
  return {row.begin(), row.begin() + static_cast<std::ptrdiff_t>(cells)};
}
bool begins_so(const store::Row& row, const store::Row& with) {
  return row.size() >= with.size() && std::equal(with.begin(), with.end(), row.begin());
}

void change(Rows& rows, const Change& change) {
  if (change.erases) {
    std::erase_if(rows, [&](const auto& one) { return begins_so(one.first, change.row); });
  } else {
    rows.insert_or_assign(beginning_of(change.row, change.table->key), change.row);
  }
}

const std::string& committed_at(const store::Row& move) {
  return std::get<std::string>(move.back());
}

/// What comes after a commit does not undo it: only what nobody can wait for is told.
Result<void> committed(const Result<void>& published) {
  const bool ends = !published && published.error().kind == ErrorKind::fatal;
  return ends ? published : Result<void>{};
}

tl::unexpected<Error> another_was_faster(const std::string& where) {
  return fail(ErrorKind::retriable, Cause::sink,
              fmt::format("another process has written the ledger in {} meanwhile", where));
}

/// The first entry of a journal that comes after `now`.
Entry base_of(const State& now) {
  Entry base{.base = Base{now.number, now.length}, .changes = {}, .files = {}};
  for (const auto& [table, rows] :
       {std::pair{&store::owners(), &now.owners}, std::pair{&store::progress(), &now.progress},
        std::pair{&store::history(), &now.newest}}) {
    for (const auto& [key, row] : *rows) base.changes.push_back({table, row});
  }
  return base;
}

tl::unexpected<Error> damaged(const std::string& file) {
  return fail(ErrorKind::fatal, Cause::sink,
              fmt::format("the ledger's file {} is damaged: what is behind the damage would be "
                          "forgotten. Restore the directory from a backup; or move the file away, "
                          "and say where to go on with `semel offsets FILE set`",
                          file));
}

}  // namespace

void State::apply(const Entry& entry) {
  exists = true;
  for (const auto& one : entry.changes) {
    if (one.table == &store::owners()) change(owners, one);
    if (one.table == &store::progress()) change(progress, one);
    if (one.table != &store::history() || one.erases) continue;
    auto& newest_move = newest[beginning_of(one.row, partition_cells)];
    const auto key = store::history().key;
    if (newest_move.empty() || beginning_of(newest_move, key) <= beginning_of(one.row, key)) {
      newest_move = one.row;
    }
  }
  files.insert(files.end(), entry.files.begin(), entry.files.end());
}

bool Journals::exists(const std::string& name) {
  // Whatever else is wrong is no proof that it is not there.
  return faccessat(place_->journals(), name.c_str(), F_OK, 0) == 0 || errno != ENOENT;
}

/// In this order: see the header.
bool Journals::overtaken(std::uint64_t number) {
  return exists(journal_name(number + 1)) || !exists(journal_name(number));
}

Result<std::set<std::uint64_t>> Journals::numbers() {
  std::vector<std::string> names;
  if (!names_in(place_->journals(), names)) {
    return system_error(place_->journals_shown() + " cannot be read", errno);
  }
  std::set<std::uint64_t> all;
  for (const auto& name : names) {
    if (const auto number = journal_number(name)) all.insert(*number);
  }
  return all;
}

/// Absent: it was removed.
Result<std::optional<std::string>> Journals::text_of(std::uint64_t number) {
  const auto name = journal_name(number);
  const Fd fd(openat(place_->journals(), name.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
  if (!fd && errno == ENOENT) return std::nullopt;
  std::string text;
  if (!fd || !read_all(fd.get(), text)) {
    return system_error(place_->journals_shown() + "/" + name + " cannot be read", errno);
  }
  return text;
}

/// Of its first `until` bytes. Absent: it was removed, or says nothing yet. What is cut off at its
/// end was never committed; what is broken in the middle is damage.
Result<std::optional<Journals::Contents>> Journals::read(
    std::uint64_t number, std::uint64_t until, const std::function<void(const Entry&)>& see) {
  auto text = text_of(number);
  if (!text) return tl::unexpected(text.error());
  if (!*text) return std::nullopt;
  const auto shown = place_->journals_shown() + "/" + journal_name(number);
  const auto whole = std::string_view(**text).substr(0, until);
  if (until != std::string::npos && whole.size() < until) return damaged(shown);
  Contents contents;
  contents.state.number = number;
  bool broken = false;
  for (std::size_t at = 0, end = 0; (end = whole.find('\n', at)) != std::string_view::npos;
       at = end + 1) {
    const auto entry = entry_of(whole.substr(at, end - at));
    if (entry && (broken || entry->base.has_value() != (at == 0))) return damaged(shown);
    broken = broken || !entry;
    if (!entry) continue;
    if (entry->base) contents.base = entry->base;
    contents.state.apply(*entry);
    contents.state.length = end + 1;
    for (const auto& one : entry->changes) {
      if (one.table != &store::history() || one.erases) continue;
      const bool is_new = !entry->base && contents.oldest_move.empty();
      if (is_new) contents.oldest_move = committed_at(one.row);
      contents.newest_move = std::max(contents.newest_move, committed_at(one.row));
    }
    if (see) see(*entry);
  }
  return contents.base ? std::optional(std::move(contents)) : std::nullopt;
}

/// Of those journals that say something; absent: there is none.
Result<std::optional<Journals::Contents>> Journals::newest(const std::set<std::uint64_t>& numbers) {
  for (auto number = numbers.rbegin(); number != numbers.rend(); ++number) {
    auto contents = read(*number, std::string::npos, {});
    if (!contents || *contents) {
      if (!contents || (*contents)->state.owners.empty()) return contents;
      // Each write, and a sign of life, is its last change.
      struct stat seen {};
      if (fstatat(place_->journals(), journal_name(*number).c_str(), &seen, 0) != 0) {
        return contents;
      }
      constexpr std::int64_t thousand = 1'000;
      const auto moment = store::moment_text(std::int64_t{seen.st_mtim.tv_sec} * thousand +
                                             seen.st_mtim.tv_nsec / (thousand * thousand));
      auto& cell = (*contents)->state.owners.begin()->second[seen_at];
      cell = std::max(cell, store::Cell(moment));
      return contents;
    }
  }
  return std::nullopt;
}

Result<StatePtr> Journals::look() {
  const std::lock_guard lock(mutex_);
  if (place_->journals() < 0) return std::make_shared<State>();
  if (has_base_ && !is_closed_) {
    if (!overtaken(mine_)) return state_;
    is_closed_ = true;
  }
  constexpr int tries = 10;  // a journal may be removed while it is read: then there is a newer one
  for (int i = 0; i < tries; ++i) {
    auto all = numbers();
    if (!all) return tl::unexpected(all.error());
    auto contents = newest(*all);
    if (!contents) return tl::unexpected(contents.error());
    if (*contents) {
      state_ = std::make_shared<State>(std::move((*contents)->state));
      first_move_ = (*contents)->oldest_move;
      return state_;
    }
    if (all->size() <= 1) break;
  }
  return state_ = std::make_shared<State>();
}

Result<void> Journals::ready() {
  const std::lock_guard lock(mutex_);
  return unpublished_.empty() ? Result<void>{} : publish(std::exchange(unpublished_, {}), true);
}

Result<void> Journals::commit(Base seen, Entry entry) {
  const std::lock_guard lock(mutex_);
  if (entry.changes.empty() && entry.files.empty()) return {};
  for (const auto& [draft, name] : entry.files) {
    if (exists(draft)) continue;
    return fail(ErrorKind::retriable, Cause::sink,
                fmt::format("{}/{}, which was going to be {}, is gone", place_->journals_shown(),
                            draft, name));
  }
  const bool goes_on = has_base_ && !is_closed_ && seen.number == mine_ &&
                       seen.length == state_->length &&
                       seen.length < std::max<std::uint64_t>(journal_bytes_max, 4 * base_bytes_);
  return goes_on ? append(entry) : begin_next(seen, std::move(entry));
}

Result<void> Journals::append(const Entry& entry) {
  const auto line = line_of(entry);
  const auto at = state_->length;
  const auto shown = place_->journals_shown() + "/" + journal_name(mine_);
  if (!write_all(journal_.get(), line, at)) {
    const int code = errno;
    // Half a line says nothing, but who reads meanwhile should not meet it in the middle.
    (void)!ftruncate(journal_.get(), static_cast<off_t>(at));
    return system_error(shown + " cannot be written", code);
  }
  crash_point("file_wrote_entry");
  if (auto durable = make_durable(shown); !durable) return durable;
  crash_point("file_committed_entry");
  // Whoever looks at it keeps it: else it need not be copied.
  if (state_.use_count() > 1) state_ = std::make_shared<State>(*state_);
  state_->apply(entry);
  state_->length = at + line.size();
  state_->files.clear();
  for (const auto& one : entry.changes) {
    if (one.table == &store::history() && first_move_.empty()) first_move_ = committed_at(one.row);
  }
  return committed(publish(entry.files, false));
}

/// What was written is on the disk, and nobody has begun the next journal meanwhile.
Result<void> Journals::make_durable(const std::string& shown) {
  const bool synced =
      fdatasync(journal_.get()) == 0 && (has_base_ || fsync(place_->journals()) == 0);
  const int code = errno;
  if (synced && !overtaken(mine_)) {
    has_base_ = true;
    return {};
  }
  // Others may see it already, and it may never come to the disk: nothing goes behind it.
  is_closed_ = true;
  has_base_ = false;
  mine_ = 0;
  auto error = synced ? fail(ErrorKind::in_doubt, Cause::sink,
                             shown + " is not the newest file of the ledger any more")
                      : system_error(shown + " cannot be made durable", code);
  if (error.value().kind != ErrorKind::fatal) error.value().kind = ErrorKind::in_doubt;
  return error;
}

/// What is committed, and as far as is seen not in its place.
std::vector<Publication> Journals::pending_of(const State& now) {
  std::vector<Publication> pending;
  for (const auto* list : {&now.files, &std::as_const(unpublished_)}) {
    for (const auto& one : *list) {
      const bool known =
          std::ranges::find(pending, one.draft, &Publication::draft) != pending.end();
      if (!known && exists(one.draft)) pending.push_back(one);
    }
  }
  return pending;
}

Result<void> Journals::begin_next(Base seen, Entry entry) {
  auto all = numbers();
  if (!all) return tl::unexpected(all.error());
  const auto top = all->empty() ? 0 : *all->rbegin();
  const bool has_empty_one = mine_ > 0 && !has_base_ && mine_ == top;
  if (!has_empty_one) {
    const auto name = journal_name(top + 1);
    constexpr mode_t all_may = 0666;  // less what the umask takes
    Fd fd(openat(place_->journals(), name.c_str(), O_CREAT | O_EXCL | O_RDWR | O_CLOEXEC, all_may));
    if (!fd && errno == EEXIST) return another_was_faster(place_->path());
    if (!fd) return system_error(place_->journals_shown() + "/" + name + " cannot be made", errno);
    journal_ = std::move(fd);
    mine_ = top + 1;
    crash_point("file_named_journal");
  }
  has_base_ = is_closed_ = false;
  // Only now that its name is there: whoever appends from here on sees it. Which there are is asked
  // again, too: of names that are made while a directory is read, one may be missed.
  all = numbers();
  if (!all) return tl::unexpected(all.error());
  all->erase(all->lower_bound(mine_), all->end());
  auto before = newest(*all);
  if (!before) return tl::unexpected(before.error());
  State now;
  if (*before) now = std::move((*before)->state);
  if (now.number != seen.number || now.length != seen.length) {
    return another_was_faster(place_->path());
  }
  auto pending = pending_of(now);
  if (auto durable = names_are_durable(); !durable) return durable;
  if (now.number > 0) {
    const Fd old(openat(place_->journals(), journal_name(now.number).c_str(), O_RDWR | O_CLOEXEC));
    if (old && fdatasync(old.get()) != 0) {
      return system_error(place_->journals_shown() + " cannot be made durable", errno);
    }
  }
  Entry base = base_of(now);
  base.files = pending;
  std::ranges::move(entry.changes, std::back_inserter(base.changes));
  base.files.insert(base.files.end(), entry.files.begin(), entry.files.end());
  const auto line = line_of(base);
  const auto shown = place_->journals_shown() + "/" + journal_name(mine_);
  if (!write_all(journal_.get(), line, 0)) {
    const int code = errno;
    (void)!ftruncate(journal_.get(), 0);
    return system_error(shown + " cannot be written", code);
  }
  auto next = std::make_shared<State>();
  next->apply(base);
  next->number = mine_;
  next->length = line.size();
  next->files.clear();
  crash_point("file_wrote_base");
  if (auto durable = make_durable(shown); !durable) return durable;
  crash_point("file_committed_base");
  base_bytes_ = line.size();
  first_move_.clear();
  state_ = std::move(next);
  unpublished_.clear();
  auto published = publish(std::move(pending), true);
  auto own = publish(std::move(entry.files), false);
  return committed(published ? own : published);
}

/// That files came to their places: else a power loss takes it back, and nobody knows of them.
Result<void> Journals::names_are_durable() {
  const Fd letters(openat(place_->directory(), std::string(dead_letters_directory).c_str(),
                          O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  for (const int fd : {place_->directory(), place_->journals(), letters.get()}) {
    if (fd >= 0 && fsync(fd) != 0) {
      return system_error(place_->path() + " cannot be made durable", errno);
    }
  }
  return {};
}

/// What is committed comes to its place, once: a draft that is gone is there already, if others may
/// have moved it. What there is no room for now is tried again by ready().
Result<void> Journals::publish(std::vector<Publication> files, bool by_others) {
  Result<void> result;
  for (auto& [draft, name] : files) {
    const auto dot = name.rfind('.');
    int taken = 1;
    auto to = name;
    while (renameat2(place_->journals(), draft.c_str(), place_->directory(), to.c_str(),
                     RENAME_NOREPLACE) != 0) {
      if (errno == EEXIST) {
        // The same range a second time, as an operator wanted; or another topic's.
        to = fmt::format("{}~{}{}", name.substr(0, dot), ++taken, name.substr(dot));
        continue;
      }
      const int code = errno;
      if (code == ENOENT && (by_others || overtaken(mine_))) break;
      result = system_error(place_->shown(to) + " cannot come to its place", code);
      unpublished_.push_back({draft, name});
      break;
    }
    crash_point("file_renamed");
  }
  return result;
}

Result<void> Journals::touch() {
  const std::lock_guard lock(mutex_);
  const auto name = journal_name(state_->number);
  if (utimensat(place_->journals(), name.c_str(), nullptr, 0) != 0) {
    return system_error(place_->journals_shown() + "/" + name + " cannot be written", errno);
  }
  return {};
}

Result<Rows> Journals::history(const State& at, const store::Row& prefix) {
  const std::lock_guard lock(mutex_);
  Rows rows;
  Base next{at.number, at.length};
  while (next.number > 0) {
    auto contents = read(next.number, next.length, [&](const Entry& entry) {
      for (const auto& one : entry.changes) {
        if (one.table != &store::history() || one.erases || !begins_so(one.row, prefix)) continue;
        rows.insert_or_assign(beginning_of(one.row, store::history().key), one.row);
      }
    });
    if (!contents) return tl::unexpected(contents.error());
    if (!*contents) break;  // removed, because of its age
    next = *(*contents)->base;
  }
  return rows;
}

Result<bool> Journals::trim(const std::string& moment, std::size_t at_most) {
  const std::lock_guard lock(mutex_);
  if (!first_move_.empty() && first_move_ < moment) is_closed_ = true;
  auto all = numbers();
  if (!all) return tl::unexpected(all.error());
  std::size_t removed = 0;
  for (const auto number : *all) {
    if (number >= state_->number) return false;
    if (removed == at_most) return true;
    auto contents = read(number, std::string::npos, {});
    if (!contents) return tl::unexpected(contents.error());
    if (*contents && (*contents)->newest_move >= moment) return false;
    if (unlinkat(place_->journals(), journal_name(number).c_str(), 0) != 0 && errno != ENOENT) {
      return system_error(place_->journals_shown() + " cannot be written", errno);
    }
    ++removed;
  }
  return false;
}

void Journals::remove_drafts_of_others() {
  const std::lock_guard lock(mutex_);
  std::vector<std::string> names;
  if (!names_in(place_->journals(), names)) return;
  for (const auto& name : names) {
    if (!name.starts_with(drafts_prefix) || name.substr(drafts_prefix.size()) == owner_) continue;
    auto drafts = directory_in(place_->journals(), name, name, false);
    std::vector<std::string> files;
    if (!drafts || !names_in(drafts->get(), files)) continue;
    for (const auto& file : files) {
      const bool waits = std::ranges::any_of(
          unpublished_, [&](const auto& one) { return one.draft == name + "/" + file; });
      if (!waits) unlinkat(drafts->get(), file.c_str(), 0);
    }
    unlinkat(place_->journals(), name.c_str(), AT_REMOVEDIR);
  }
}

}  // namespace semel::file
