// What a sink and its sessions share, and a connection that comes back.
#pragma once

#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>

#include "record/bad_tally.hpp"
#include "record/dead_letter_notice.hpp"
#include "store/setup.hpp"

namespace semel::store {

/// Whether rows go into the table at all, as it is now: its version is compared. Thread safe.
class RowsGoIn {
 public:
  void seen(const std::string& version) {
    const std::lock_guard lock(mutex_);
    version_ = version;
  }
  bool is_known(const std::string& version) const {
    const std::lock_guard lock(mutex_);
    return version_ == version;
  }

 private:
  mutable std::mutex mutex_;
  std::optional<std::string> version_;  ///< with which the last row went in
};

/// Thread safe.
struct Shared {
  Setup setup;
  Interrupt stop = std::make_shared<std::atomic<bool>>(false);
  record::BadStreaks streaks;
  record::DeadLetterNotice notice;
  RowsGoIn rows_go_in;
  bool is_home = false;  ///< of a stream's state; set before there is a session

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
