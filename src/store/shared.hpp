// What a sink and its sessions share, and a connection that comes back.
#pragma once

#include <memory>
#include <utility>

#include "record/bad_tally.hpp"
#include "record/dead_letter_notice.hpp"
#include "store/setup.hpp"

namespace semel::store {

/// Thread safe.
struct Shared {
  Setup setup;
  Interrupt stop = std::make_shared<std::atomic<bool>>(false);
  record::BadStreaks streaks;
  record::DeadLetterNotice notice;

  const Owner& owner() const { return setup.context.owner; }
};

inline Error interrupted() {
  return {ErrorKind::unavailable, Cause::sink, "interrupted"};
}

/// The table, with its columns mapped.
struct Loader {
  std::unique_ptr<Target> target;
  record::Reader reader;
  std::string version;  ///< of the target

  /// Not in a transaction.
  static Result<Loader> make(Store& store, const Setup& setup);
  /// Whether the table still has these columns; in the transaction that writes.
  Result<bool> fits(Store& store);
};

}  // namespace semel::store
