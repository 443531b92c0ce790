// Records between write() and commit(), so that a store's lock is taken when all of them are there.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>

#include <semel/error.hpp>
#include <semel/record.hpp>

#include "record/bad_record.hpp"

namespace semel::store {

/// Copies, in the order in which they were added: in memory up to `memory_max` bytes, then in a
/// file without a name. Of the file, a record and some KiB are in memory at once. Not thread safe.
class Spool {
 public:
  static constexpr std::size_t memory_max_default = std::size_t{4} << 20;

  /// `bad`: why the record is set aside; null: it is not. Both are valid during the call.
  using See = std::function<Result<void>(std::size_t task, const Record& record,
                                         const record::BadRecord* bad)>;

  /// `directory`: of the file; empty: where temporary files are (TMPDIR).
  explicit Spool(std::size_t memory_max = memory_max_default, std::string directory = {})
      : memory_max_(memory_max), directory_(std::move(directory)) {}
  ~Spool();
  Spool(const Spool&) = delete;
  Spool& operator=(const Spool&) = delete;

  /// `task` and `bad` come back with it. Errors: unavailable where there is no room for the file,
  /// retriable where it cannot be made or written for another reason.
  Result<void> add(std::size_t task, const Record& record, const record::BadRecord* bad = nullptr);
  /// All of them, as often as wanted. Ends with the first error of `see`.
  Result<void> each(const See& see);
  void clear() noexcept;
  bool empty() const { return memory_.empty() && in_file_ == 0; }

 private:
  Result<void> to_file();
  Result<void> fail_with(const char* what) const;

  std::size_t memory_max_;
  std::string directory_;
  std::string memory_;  ///< what came last
  int file_ = -1;
  std::uint64_t in_file_ = 0;  ///< bytes
};

}  // namespace semel::store
