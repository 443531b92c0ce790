// A pipeline's state on this machine: the base, at most one prepared change, and the last that was
// applied, on a disk of their own (decision 15).
#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include <semel/error.hpp>

#include "state/decide.hpp"
#include "state/delta.hpp"
#include "state/disk.hpp"

namespace semel::state {

/// Of a cache that is not whole: no state is at it.
inline constexpr Version no_version{{-1}, 0};

/// One process at a time has a store: another one that opens it is refused, with who has it. Reads
/// from any thread; changes from one at a time.
class Store {
 public:
  /// `directory` is made where it is not there. Fatal, Cause::state, for all that people must mend.
  static Result<std::unique_ptr<Store>> open(const std::string& directory);
  static Result<std::unique_ptr<Store>> open(std::unique_ptr<Disk> disk);
  /// Of a cache: what cannot be read is thrown away, and where another process has it, it is made
  /// beside it.
  static Result<std::unique_ptr<Store>> open_cache(const std::string& directory);
  /// As it is now, also while a process has it: nothing of it may be changed.
  static Result<std::unique_ptr<const Store>> look(const std::string& directory);
  ~Store();
  Store(const Store&) = delete;
  Store& operator=(const Store&) = delete;

  /// Its directory, for people.
  const std::string& path() const;
  Stored stored() const;

  /// The value in the base; nothing where the key has none.
  Result<std::optional<std::string>> get(std::string_view key) const;
  /// Keys of the base from `from` on, in the order of their bytes, as long as `see` says true.
  Result<void> scan(std::string_view from, const Disk::See& see) const;

  /// Durable when it returns. Over one that is there already, if its parent is the base: that one
  /// was seen by nobody.
  Result<void> prepare(Prepared prepared, const Delta& delta);
  /// The change that is prepared becomes part of the base. Not synced: what is prepared is, and an
  /// output's ledger says that it counts.
  Result<void> apply();
  /// Forgets what is prepared.
  Result<void> drop();
  /// The last apply() is undone: its change is the prepared one again.
  Result<void> take_back();
  /// All is forgotten: an empty state of that version.
  Result<void> begin_empty(const Version& version);
  /// The state as it is belongs to that version: nothing is prepared, and nothing can be taken
  /// back.
  Result<void> call_it(const Version& version);
  /// Removes every key that begins so, for ever: also from what is prepared, and from what
  /// take_back() would bring again.
  Result<void> remove_all(std::string_view prefix);
  /// What is prepared.
  Result<Delta> prepared_delta() const;

  // -- where the state has its home in an output, and this is a cache of it: stored() has a base,
  // which is no version while it is loaded, and nothing else. Nothing is synced but a load: what
  // was here before it is not to come back by a loss of power.

  /// What is here is of no use any more.
  Result<void> begin_load();
  /// What was here goes: all of the state comes.
  Result<void> forget();
  /// Some rows of those that come.
  Result<void> load(std::span<const StateRow> rows);
  /// All came: the state is at that version.
  Result<void> end_load(const Version& version);
  /// Home has the change.
  Result<void> advance(const Version& version, const Delta& delta);

  /// A copy that can be opened, as it is now, in a directory that is not there yet.
  Result<void> checkpoint(const std::string& directory) const;

 private:
  struct Impl;
  explicit Store(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace semel::state
