#include "file/connection.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "file/letters.hpp"
#include "file/names.hpp"

namespace semel::file {

namespace {

constexpr std::size_t owner_id = 3;       // of owners()
constexpr std::size_t owner_seen_at = 6;  // likewise

bool has_prefix(const store::Row& row, const store::Row& prefix) {
  return row.size() >= prefix.size() && std::equal(prefix.begin(), prefix.end(), row.begin());
}

/// Rows in the order that is wanted, until `see` says false.
void walk(const Rows& rows, const store::Scan& which, const store::Store::See& see) {
  std::vector<const store::Row*> found;
  for (auto row = rows.lower_bound(which.prefix);
       row != rows.end() && has_prefix(row->first, which.prefix); ++row) {
    const auto cells = std::min(which.after.size(), row->first.size());
    const store::Row key(row->first.begin(),
                         row->first.begin() + static_cast<std::ptrdiff_t>(cells));
    if (which.after.empty() || key > which.after) found.push_back(&row->second);
  }
  if (which.backwards) std::ranges::reverse(found);
  for (const auto* row : found) {
    if (!see(*row)) return;
  }
}

record::Holds holds_of(Type type) {
  switch (type) {
    case Type::string:
      return record::Holds::text;
    case Type::int64:
    case Type::float64:
      return record::Holds::number;
    case Type::boolean:
      return record::Holds::other;
    case Type::timestamp:
      return record::Holds::instant;
    case Type::any:
      break;
  }
  return record::Holds::unknown;
}

/// The files of this pipeline: rows in them, and why not.
class FileTarget final : public store::Target {
 public:
  FileTarget(std::shared_ptr<Drafts> drafts, const std::vector<FileColumn>& columns)
      : drafts_(std::move(drafts)), file_columns_(columns) {
    for (const auto& [name, type] : file_columns_) {
      const auto typed = type == Type::any ? "" : std::string(type_name(type));
      columns_.push_back({.name = name,
                          .type_name = typed,
                          .holds = holds_of(type),
                          .keeps_times_as_text = type == Type::string});
    }
    if (columns_.empty()) columns_.push_back({whole_record, "", record::Holds::json});
  }

  const std::vector<record::Column>& columns() const override { return columns_; }
  Result<std::string> version() override { return std::string(); }
  Result<void> range(const OffsetRange& range) override { return drafts_->range(range); }

  Result<store::Put> put(std::span<const record::Value> values, bool tell) override {
    if (tell) return told(values);
    auto refusal = drafts_->row(values);
    if (!refusal) return tl::unexpected(refusal.error());
    return *refusal ? refused(**refusal) : store::Put{};
  }

  Result<store::Put> put_defaults() override { return store::Put{}; }

 private:
  store::Put refused(const Refusal& refusal) const {
    return {.fate = store::Put::Fate::refused,
            .bad = store::unfit(columns_[refusal.column], refusal.why)};
  }

  /// As a row would be; nothing is written.
  Result<store::Put> told(std::span<const record::Value> values) const {
    std::string line;
    const auto writer = row_writer(Form::jsonl, file_columns_);
    if (const auto refusal = writer->row(values, line)) return refused(*refusal);
    store::Put put;
    if (file_columns_.empty()) {
      line.pop_back();
      put.stored.emplace_back(line);
    }
    for (std::size_t i = 0; i < file_columns_.size(); ++i) {
      put.stored.push_back(shown(values[i], file_columns_[i].type));
    }
    return put;
  }

  std::shared_ptr<Drafts> drafts_;
  std::vector<FileColumn> file_columns_;
  std::vector<record::Column> columns_;
};

}  // namespace

Result<void> Connection::begin(store::Access access) {
  if (*stop_) return fail(ErrorKind::unavailable, Cause::sink, "interrupted");
  if (access == store::Access::writing) {
    writer_ = std::unique_lock(journals_->writer());
    auto ready = journals_->place().can_be_written();
    if (ready) ready = journals_->ready();
    if (!ready) return ready;
  }
  auto seen = journals_->look();
  if (!seen) return tl::unexpected(seen.error());
  seen_ = *std::move(seen);
  return {};
}

/// Nothing else of the owner's row is new: that is no entry.
bool Connection::is_sign_of_life() const {
  if (changes_.size() != 1 || changes_[0].table != &store::owners() || changes_[0].erases) {
    return false;
  }
  const auto& row = changes_[0].row;
  const auto before = seen_->owners.find({row[0], row[1]});
  if (before == seen_->owners.end() || before->second == row) return false;
  auto same = before->second;
  same[owner_seen_at] = row[owner_seen_at];
  return same == row;
}

Result<void> Connection::commit() {
  if (!writer_) return {};
  const bool has_files = drafts_ != nullptr && drafts_->has_range();
  if (!has_files && is_sign_of_life()) return journals_->touch();
  const bool new_owner = std::ranges::any_of(changes_, [&](const Change& one) {
    if (one.table != &store::owners() || one.erases) return false;
    const auto before = seen_->owners.find({one.row[0], one.row[1]});
    const auto& id = one.row[owner_id];
    return id == store::Cell(journals_->owner()) &&
           (before == seen_->owners.end() || before->second[owner_id] != id);
  });
  Entry entry{.base = {}, .changes = std::move(changes_), .files = {}};
  changes_.clear();
  // Whatever becomes of this, they are the ledger's from now on, unless it says that nothing was.
  if (has_files) entry.files = drafts_->give();
  const Base seen{seen_->number, seen_->length};
  seen_.reset();  // nobody needs it any more: it need not be copied
  now_.reset();
  auto done = journals_->commit(seen, entry);
  if (!done && done.error().kind != ErrorKind::in_doubt && done.error().kind != ErrorKind::fatal) {
    for (const auto& [draft, name] : entry.files) {
      unlinkat(journals_->place().journals(), draft.c_str(), 0);
    }
  }
  if (done && new_owner) journals_->remove_drafts_of_others();
  return done;
}

void Connection::roll_back() noexcept {
  changes_.clear();
  now_.reset();
  seen_.reset();
  // Before a transaction begins there may be rows already, which are dropped with it.
  if (drafts_) drafts_->drop();
  writer_ = {};
}

Result<std::vector<std::string>> Connection::columns_of(const store::Table& table) {
  std::vector<std::string> names;
  if (!seen_->exists && !journals_->place().has_ledgers()) return names;
  for (const auto& column : table.columns) names.emplace_back(column.name);
  return names;
}

Result<void> Connection::make(const store::Table&) {
  return {};
}

/// Made when it is asked for: what only writes, as a task does, needs no copy.
const State& Connection::state() {
  if (changes_.empty()) return *seen_;
  if (!now_) {
    now_ = *seen_;
    now_->apply({.base = {}, .changes = changes_, .files = {}});
  }
  return *now_;
}

Result<void> Connection::scan_history(const store::Scan& which, const See& see) {
  constexpr std::size_t partition_cells = 4;
  if (which.backwards && which.prefix.size() == partition_cells && which.after.empty()) {
    const auto& all = state().newest;
    const auto newest = all.find(which.prefix);
    if (newest == all.end() || !see(newest->second)) return {};
  }
  auto rows = journals_->history(*seen_, which.prefix);
  if (!rows) return tl::unexpected(rows.error());
  for (const auto& one : changes_) {
    if (one.table == &store::history() && !one.erases && has_prefix(one.row, which.prefix)) {
      rows->insert_or_assign({one.row.begin(), one.row.begin() + store::history().key}, one.row);
    }
  }
  walk(*rows, which, see);
  return {};
}

Result<void> Connection::scan(const store::Table& table, const store::Scan& which, const See& see) {
  if (&table == &store::history()) return scan_history(which, see);
  walk(&table == &store::owners() ? state().owners : state().progress, which, see);
  return {};
}

Result<void> Connection::newest_moves(const store::Row& prefix, const See& see) {
  walk(state().newest, {.prefix = prefix}, see);
  return {};
}

Result<bool> Connection::trim_history(const store::Row&, const std::string& moment,
                                      std::size_t at_most) {
  return journals_->trim(moment, at_most);
}

Result<std::uint64_t> Connection::count(const store::Table& table, const store::Row& prefix) {
  if (&table == &store::dead_letters()) return count_letters(journals_->place(), prefix);
  std::uint64_t rows = 0;
  auto counted = scan(table, {.prefix = prefix}, [&](const store::Row&) {
    ++rows;
    return true;
  });
  return counted ? Result<std::uint64_t>(rows) : tl::unexpected(counted.error());
}

void Connection::change(Change change) {
  if (now_) now_->apply({.base = {}, .changes = {change}, .files = {}});
  changes_.push_back(std::move(change));
}

Result<void> Connection::add(const store::Table& table, const store::Row& row) {
  if (&table == &store::dead_letters()) {
    // In a rehearsal there is nothing that it could be written to.
    return drafts_ && drafts_->has_range() ? drafts_->dead_letter(letter_line(row))
                                           : Result<void>{};
  }
  change({&table, row, false});
  return {};
}

Result<void> Connection::replace(const store::Table& table, const store::Row& row) {
  change({&table, row, false});
  return {};
}

Result<void> Connection::erase(const store::Table& table, const store::Row& prefix) {
  change({&table, prefix, true});
  return {};
}

Result<std::unique_ptr<store::Target>> Connection::target() {
  auto columns = file::columns_of(options_.schema);
  if (!columns) return tl::unexpected(columns.error());
  const bool whole = is_whole(options_) && options_.form == Form::jsonl && format_->is_json();
  if (columns->empty() && !whole) {
    return fail(ErrorKind::fatal, Cause::configuration,
                "sink.file.schema is missing: only of JSON, into format = \"jsonl\", records are "
                "written as they are. Name the columns: schema = [\"id\", \"page\"]");
  }
  if (row_writer(options_.form, *columns) == nullptr) {
    return fail(ErrorKind::fatal, Cause::configuration,
                "sink.file.format = \"parquet\": this build of semel has no Apache Arrow, and "
                "writes jsonl and csv");
  }
  drafts_ = std::make_shared<Drafts>(*journals_, options_.form, *columns);
  return std::make_unique<FileTarget>(drafts_, *columns);
}

}  // namespace semel::file
