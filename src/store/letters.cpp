// The dead letters of a store, as operators look at them and bring them back.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <map>
#include <utility>

#include "record/header_json.hpp"
#include "store/entries.hpp"
#include "store/moment.hpp"
#include "store/shared.hpp"

namespace semel::store {

namespace {

/// How many letters one transaction takes, and how many bytes of their values; one in any case.
constexpr std::size_t letters_per_piece = 1'000;
constexpr std::size_t piece_bytes_max = std::size_t{32} << 20;
/// A table that changes under each attempt is told to people.
constexpr int attempts_max = 3;

/// As dead_letters() has its columns.
semel::DeadLetter letter_of(const Row& row) {
  return {.tp = {text_in(row[2]), static_cast<std::int32_t>(number_in(row[3]))},
          .offset = number_in(row[4]),
          .timestamp_ms = number_in(row[6], -1),
          .key = bytes_in(row[7]),
          .value = bytes_in(row[8]),
          .headers = text_in(row[9]),
          .column = text_in(row[10]),
          .code = text_in(row[11]),
          .reason = text_in(row[12]),
          .failed_at = text_in(row[13])};
}

Row key_of(const Row& row) {
  return {row.begin(), row.begin() + static_cast<std::ptrdiff_t>(dead_letters().key)};
}

/// A day, or a moment, in UTC; as the table has it.
Result<std::string> time_of(const char* option, const std::string& written) {
  constexpr std::size_t day_length = sizeof "2026-01-31" - 1;
  auto text = written;
  if (text.size() == day_length) text += "T00:00:00Z";
  const bool plain =
      text.ends_with('Z') && text.find_first_not_of("0123456789-:.T") == text.size() - 1;
  if (const auto moment = plain ? moment_of(text) : std::nullopt) return moment_text(*moment);
  return fail(ErrorKind::fatal, Cause::configuration,
              fmt::format("{} takes a day or a time in UTC (2026-11-01, 2026-11-01T12:00:00Z), not "
                          "\"{}\"",
                          option, written));
}

/// A filter with its times as the table has them.
Result<LetterFilter> with_times(LetterFilter filter) {
  for (auto [option, time] :
       {std::pair("--since", &filter.since), std::pair("--before", &filter.before)}) {
    if (!*time) continue;
    auto read = time_of(option, **time);
    if (!read) return tl::unexpected(read.error());
    *time = *std::move(read);
  }
  return filter;
}

bool takes(const LetterFilter& filter, const Row& row) {
  const auto offset = number_in(row[4]);
  const auto& failed_at = text_in(row[13]);
  return (!filter.topic || text_in(row[2]) == *filter.topic) &&
         (!filter.partition || number_in(row[3]) == *filter.partition) &&
         (!filter.from || offset >= *filter.from) && (!filter.until || offset < *filter.until) &&
         (!filter.column || text_in(row[10]) == *filter.column) &&
         (!filter.code || text_in(row[11]) == *filter.code) &&
         (!filter.reason || text_in(row[12]).find(*filter.reason) != std::string::npos) &&
         (!filter.since || failed_at >= *filter.since) &&
         (!filter.before || failed_at < *filter.before);
}

class StoreLetters final : public DeadLetterBox {
 public:
  StoreLetters(std::unique_ptr<Store> store, Setup setup, std::optional<Error> elsewhere)
      : setup_(std::move(setup)), store_(std::move(store)), elsewhere_(std::move(elsewhere)) {}

  Result<std::vector<LetterGroup>> groups(const LetterFilter& filter) override;
  Result<std::vector<semel::DeadLetter>> letters(const LetterFilter& filter,
                                                 std::size_t limit) override;
  Result<Redriven> redrive(const LetterFilter& filter, How how) override;
  Result<std::uint64_t> drop(const LetterFilter& filter) override;

 private:
  struct Kept {
    Row key;
    semel::DeadLetter letter;
  };
  /// What one transaction did, and where the next one begins; an empty key: nowhere.
  struct Piece {
    Redriven done;
    Row until;
  };

  /// Rows behind `after`, until `see` says false. In a transaction.
  Result<void> scan(const LetterFilter& filter, const Row& after, const Store::See& see);
  Result<Redriven> redrive_all(const LetterFilter& filter, How how);
  Result<Piece> piece(const LetterFilter& filter, const Row& after, How how);
  Result<Piece> in_one(const LetterFilter& filter, const Row& after);
  Result<void> bring_back(const Kept& kept, Redriven& done);

  Setup setup_;
  std::unique_ptr<Store> store_;
  std::optional<Loader> loader_;    ///< goes before the store
  std::optional<Error> elsewhere_;  ///< the pipeline has written into another table
};

Result<void> StoreLetters::scan(const LetterFilter& filter, const Row& after,
                                const Store::See& see) {
  const auto& owner = setup_.context.owner;
  Scan which{.prefix = {owner.pipeline, owner.output}, .after = after};
  if (filter.topic) {
    which.prefix.emplace_back(*filter.topic);
    if (filter.partition) which.prefix.emplace_back(std::int64_t{*filter.partition});
  }
  return store_->scan(dead_letters(), which,
                      [&](const Row& row) { return !takes(filter, row) || see(row); });
}

Result<std::vector<LetterGroup>> StoreLetters::groups(const LetterFilter& written) {
  const auto filter = with_times(written);
  if (!filter) return tl::unexpected(filter.error());
  std::map<std::array<std::string, 3>, LetterGroup> found;
  auto read = in_transaction(*store_, Access::reading, [&] {
    found.clear();
    return scan(*filter, {}, [&](const Row& row) {
      auto& group = found[{text_in(row[2]), text_in(row[10]), text_in(row[11])}];
      const auto& failed_at = text_in(row[13]);
      if (group.count++ == 0 || failed_at < group.first) group.first = failed_at;
      if (failed_at >= group.last) {
        group.last = failed_at;
        group.reason = text_in(row[12]);
      }
      return true;
    });
  });
  if (!read) return tl::unexpected(read.error());
  std::vector<LetterGroup> groups;
  for (auto& [kind, group] : found) {
    group.topic = kind[0];
    group.column = kind[1];
    group.code = kind[2];
    groups.push_back(std::move(group));
  }
  std::ranges::stable_sort(groups, std::greater{}, &LetterGroup::count);
  return groups;
}

Result<std::vector<semel::DeadLetter>> StoreLetters::letters(const LetterFilter& written,
                                                             std::size_t limit) {
  const auto filter = with_times(written);
  if (!filter) return tl::unexpected(filter.error());
  std::vector<semel::DeadLetter> letters;
  auto read = in_transaction(*store_, Access::reading, [&] {
    letters.clear();
    return scan(*filter, {}, [&](const Row& row) {
      letters.push_back(letter_of(row));
      return letters.size() < limit;
    });
  });
  if (!read) return tl::unexpected(read.error());
  return letters;
}

Result<Redriven> StoreLetters::redrive(const LetterFilter& written, How how) {
  if (elsewhere_) return tl::unexpected(*elsewhere_);
  if (setup_.options.table.empty()) {
    return fail(
        ErrorKind::fatal, Cause::configuration,
        fmt::format("{}: a program's own transactions put the rows there, and only it knows "
                    "what a letter's would be",
                    setup_.place));
  }
  if (setup_.replaces && !how.overwrite) {
    return fail(
        ErrorKind::fatal, Cause::configuration,
        fmt::format("{}: a record takes the place of the one that has its key, and a letter "
                    "may be older than that. Say --overwrite if that is meant",
                    target_of(setup_)));
  }
  auto filter = with_times(written);
  if (!filter) return tl::unexpected(filter.error());
  return redrive_all(*filter, how);
}

Result<Redriven> StoreLetters::redrive_all(const LetterFilter& filter, How how) {
  Redriven all;
  Row after;
  while (true) {
    auto next = piece(filter, after, how);
    if (!next) return tl::unexpected(next.error());
    all.add(std::move(next->done));
    if (next->until.empty()) return all;
    after = std::move(next->until);
  }
}

Result<StoreLetters::Piece> StoreLetters::piece(const LetterFilter& filter, const Row& after,
                                                How how) {
  for (int attempt = 1;; ++attempt) {
    if (!loader_) {
      auto loader = Loader::make(*store_, setup_);
      if (!loader) return tl::unexpected(loader.error());
      loader_ = *std::move(loader);
    }
    Result<Piece> done;
    if (how.preview) {
      if (auto begun = store_->begin(Access::writing); begun) {
        done = in_one(filter, after);
      } else {
        done = tl::unexpected(begun.error());
      }
      store_->roll_back();
    } else {
      done = in_transaction(*store_, Access::writing, [&] { return in_one(filter, after); });
    }
    // bad_data: the store saw that it has to put each row in another way.
    const bool again =
        !done && attempt < attempts_max &&
        (done.error().kind == ErrorKind::retriable || done.error().kind == ErrorKind::bad_data);
    if (!again) return done;
    loader_.reset();
  }
}

/// In a transaction for writing: that the letters are still there is read in it.
Result<StoreLetters::Piece> StoreLetters::in_one(const LetterFilter& filter, const Row& after) {
  auto fits = loader_->fits(*store_);
  if (!fits) return tl::unexpected(fits.error());
  if (!*fits) {
    return fail(
        ErrorKind::retriable, Cause::sink,
        fmt::format("{} changes while rows are written into it. Run it again", target_of(setup_)));
  }
  std::vector<Kept> kept;
  std::size_t bytes = 0;
  Piece piece;
  auto read = scan(filter, after, [&](const Row& row) {
    if (kept.size() == letters_per_piece || bytes >= piece_bytes_max) {
      piece.until = kept.back().key;
      return false;
    }
    kept.push_back({key_of(row), letter_of(row)});
    const auto& value = kept.back().letter.value;
    bytes += value ? value->size() : 0;
    return true;
  });
  if (!read) return tl::unexpected(read.error());
  for (const auto& one : kept) {
    if (auto done = bring_back(one, piece.done); !done) return tl::unexpected(done.error());
  }
  return piece;
}

/// The record's row, and its letter goes; or that stays, with today's reason.
Result<void> StoreLetters::bring_back(const Kept& kept, Redriven& done) {
  const auto& letter = kept.letter;
  const auto headers = record::headers_from_json(letter.headers);
  Record record{.offset = letter.offset, .timestamp_ms = letter.timestamp_ms};
  if (letter.key) record.key = *letter.key;
  if (letter.value) record.value = *letter.value;
  record.headers = record::source_of(headers);
  const auto stays = [&](const record::BadRecord& bad) -> Result<void> {
    ++done.bad;
    if (done.still_bad.size() == Redriven::shown_max) return {};
    auto told = letter;
    told.column = bad.column;
    told.code = bad.code;
    told.reason = bad.reason;
    done.still_bad.push_back(std::move(told));
    return {};
  };
  auto& reader = loader_->reader;
  const auto made = reader.read(letter.tp, record);
  switch (made.fate) {
    case record::Fate::unavailable:
      return tl::unexpected(reader.unavailable());
    case record::Fate::bad:
      return stays(reader.bad());
    case record::Fate::removal:
      return fail(ErrorKind::fatal, Cause::internal, "a removal, which this sink cannot do");
    case record::Fate::ignored:
      // It is no row today, and may be one tomorrow.
      ++done.ignored;
      return {};
    case record::Fate::row:
      break;
  }
  const auto put = loader_->target->put(reader.values(), false);
  if (!put) return tl::unexpected(put.error());
  if (put->fate == Put::Fate::refused) return stays(*put->bad);
  ++done.rows;
  if (put->fate == Put::Fate::suppressed) ++done.suppressed;
  done.unknown_fields += made.unknown_fields;
  if (made.unknown_fields > 0 && done.unknown_field.empty()) {
    done.unknown_field = reader.unknown_field();
  }
  return store_->erase(dead_letters(), kept.key);
}

Result<std::uint64_t> StoreLetters::drop(const LetterFilter& written) {
  const auto filter = with_times(written);
  if (!filter) return tl::unexpected(filter.error());
  return in_transaction(*store_, Access::writing, [&]() -> Result<std::uint64_t> {
    std::vector<Row> keys;
    auto read = scan(*filter, {}, [&](const Row& row) {
      keys.push_back(key_of(row));
      return true;
    });
    if (!read) return tl::unexpected(read.error());
    for (const auto& key : keys) {
      if (auto gone = store_->erase(dead_letters(), key); !gone)
        return tl::unexpected(gone.error());
    }
    return keys.size();
  });
}

}  // namespace

Result<std::unique_ptr<DeadLetterBox>> open_dead_letters(const Setup& setup) {
  auto store = setup.open(std::make_shared<std::atomic<bool>>(false), std::nullopt);
  if (!store) return tl::unexpected(store.error());
  auto owner = in_transaction(**store, Access::reading, [&]() -> Result<std::optional<OwnerRow>> {
    const auto there = find_ledger(**store, setup.place);
    if (!there) return tl::unexpected(there.error());
    return *there ? read_owner(**store, setup.context.owner) : std::optional<OwnerRow>();
  });
  if (!owner) return tl::unexpected(owner.error());
  if (!*owner) {
    return fail(ErrorKind::fatal, Cause::sink,
                fmt::format("{} knows nothing of pipeline {}: was it ever started?", setup.place,
                            setup.context.owner.pipeline));
  }
  // Letters can be looked at wherever the rows went; what they become goes into the same table.
  std::optional<Error> elsewhere;
  if ((*owner)->target != setup.options.table) {
    elsewhere = Error{ErrorKind::fatal, Cause::configuration,
                      fmt::format("pipeline {} has written into table {} so far, and its letters "
                                  "would go into table {}. Correct {}.table",
                                  setup.context.owner.pipeline, (*owner)->target,
                                  setup.options.table, setup.section)};
  }
  return std::make_unique<StoreLetters>(*std::move(store), setup, std::move(elsewhere));
}

}  // namespace semel::store
