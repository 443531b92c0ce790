// The ledger of an output: journals, one after the other, that are appended to by who made them.
//
// What makes a commit a fact, without a lock that somebody who is stopped could keep:
// - A journal has a number. Its name is made once (O_EXCL); nobody else than who made it writes
//   it, and only at its end. Its first entry (base) holds all rows, and says which journal came
//   before it and how much of that one counts.
// - To append: write, make durable, and then see that no journal of a higher number was begun.
// - To begin one: make its name, and only then read the journal before it. Whoever appended before
//   that is read; whoever appends after it sees the new name, and counts as not committed.
// - Journals are removed from the lowest number upwards: so the one behind mine is absent only
//   where it was never begun, as long as mine is there.
// - Where an append may or may not be on the disk, nothing is appended behind it: a new journal is
//   begun, and what that reads is the answer.
// docs/decisions/0011-files-are-ranges.md has the schedules that break simpler ways.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include <semel/error.hpp>

#include "file/entry.hpp"
#include "file/place.hpp"

namespace semel::file {

using Rows = std::map<store::Row, store::Row>;

/// What a ledger says at one moment.
struct State {
  bool exists = false;
  std::uint64_t number = 0;  ///< of the journal that says so, and how much of it does
  std::uint64_t length = 0;
  Rows owners;    ///< by their keys
  Rows progress;  ///< likewise
  Rows newest;    ///< of the history, by partition
  /// That the journal made visible, as far as it says.
  std::vector<Publication> files;

  void apply(const Entry& entry);
};
using StatePtr = std::shared_ptr<const State>;

/// Of one process; all its connections share it. Thread safe.
class Journals {
 public:
  /// `owner`: the UUID of this process, empty: it owns nothing.
  Journals(std::unique_ptr<Place> place, std::string owner)
      : place_(std::move(place)), owner_(std::move(owner)) {}

  Place& place() { return *place_; }
  const std::string& owner() const { return owner_; }

  /// As it stands now.
  Result<StatePtr> look();
  /// Whoever changes something holds this from look() to commit().
  std::mutex& writer() { return writer_; }
  /// What has to be true before that: files of earlier commits are in their places.
  Result<void> ready();
  /// `seen` is the journal that look() gave, and its length. Retriable where another process has
  /// changed it since, and nothing of this is there; in_doubt where it may be.
  Result<void> commit(Base seen, Entry entry);
  /// Nothing but a sign of life: who reads the owner's row finds it as seen_at.
  Result<void> touch();

  /// Rows of the history at that moment, by their keys, which begin with `prefix`.
  Result<Rows> history(const State& at, const store::Row& prefix);
  /// Begins a new journal with the next commit, where the one there is holds moves from before
  /// `moment`; and removes those whose moves all are, at most so many. True: there may be more.
  Result<bool> trim(const std::string& moment, std::size_t at_most);

  /// Removes unfinished files of all owners but this one. After a take-over.
  void remove_drafts_of_others();

 private:
  struct Contents {
    State state;
    std::optional<Base> base;
    std::string oldest_move;  ///< when the first move behind the base was committed
    std::string newest_move;  ///< and the last of all
  };
  Result<std::set<std::uint64_t>> numbers();
  Result<std::optional<std::string>> text_of(std::uint64_t number);
  Result<std::optional<Contents>> read(std::uint64_t number, std::uint64_t until,
                                       const std::function<void(const Entry&)>& see);
  Result<std::optional<Contents>> newest(const std::set<std::uint64_t>& numbers);
  bool overtaken(std::uint64_t number);
  bool exists(const std::string& name);
  Result<void> append(const Entry& entry);
  Result<void> begin_next(Base seen, Entry entry);
  Result<void> make_durable(const std::string& shown);
  std::vector<Publication> pending_of(const State& now);
  Result<void> publish(std::vector<Publication> files, bool by_others);
  Result<void> names_are_durable();

  std::unique_ptr<Place> place_;
  std::string owner_;
  std::mutex writer_;
  std::mutex mutex_;  ///< of all below
  std::shared_ptr<State> state_ = std::make_shared<State>();
  Fd journal_;              ///< the one that this process has begun
  std::uint64_t mine_ = 0;  ///< its number; 0: none
  bool has_base_ = false;   ///< and it says something
  bool is_closed_ = false;  ///< nothing may be appended any more
  std::size_t base_bytes_ = 0;
  std::string first_move_;  ///< when the first move behind its base was committed
  std::vector<Publication> unpublished_;
};

}  // namespace semel::file
