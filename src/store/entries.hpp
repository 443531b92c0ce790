// The ledger's rows as what they mean. All of these are called in a transaction, and give its
// store's errors.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <semel/ledger.hpp>
#include <semel/sink.hpp>

#include "store/store.hpp"

namespace semel::store {

/// What it has lost is not begun anew; `remedy` may stand for restoring all of its tables.
tl::unexpected<Error> not_whole(std::string_view place, std::string_view what,
                                std::string_view remedy);
/// False: there is no ledger. Fatal where it is not whole (a table or column of it is missing), or
/// of a version that is newer than ledger_version.
Result<bool> find_ledger(Store& store, std::string_view place);
/// Where there is none.
Result<void> make_ledger(Store& store, std::string_view place);

/// Of semel_owners; moments as moment_text() has them.
struct OwnerRow {
  std::int64_t epoch = 0;
  std::string id;
  std::string description;
  std::string since;
  std::string seen_at;
  std::string cluster_id;
  std::string state;
  std::string reason;  ///< empty: none
  std::int64_t heartbeat_ms = 0;
  std::string topics;
  std::string target;
};
/// `owner` stands for its pipeline and output, here and below.
Result<std::optional<OwnerRow>> read_owner(Store& store, const Owner& owner);
Result<void> write_owner(Store& store, const Owner& owner, const OwnerRow& row);

/// Of semel_progress.
struct ProgressRow {
  Progress at;
  std::int64_t epoch = 0;
  std::string owner;
  std::string moved_at{};  ///< written by write_progress
};
/// In (topic, partition) order.
Result<std::vector<ProgressRow>> read_progress_rows(Store& store, const Owner& owner);
Result<std::vector<Progress>> read_progress(Store& store, const Owner& owner);
Result<std::optional<Progress>> find_progress(Store& store, const Owner& owner,
                                              const TopicPartition& tp);
Result<void> write_progress(Store& store, const Owner& owner, const ProgressRow& row);

/// Fatal where a transaction of `tp`, or of any partition, has begun, and was committed without the
/// advance. There may be no such table.
Result<void> none_begun(Store& store, const Owner& owner, const TopicPartition* tp,
                        std::string_view place);
/// Partitions of which one was, in order.
Result<std::vector<TopicPartition>> read_begun(Store& store, const Owner& owner);
/// Forgets those of `tp`, or of any partition.
Result<void> forget_begun(Store& store, const Owner& owner, const TopicPartition* tp);

/// What the guard compares. `tp` absent: of the owner only.
Result<LedgerEntry> read_entry(Store& store, const Owner& owner, const TopicPartition* tp);

/// `committed_at` is written as of now; `note` may be empty.
Result<void> add_move(Store& store, const Owner& owner, const Move& move,
                      const std::string& note = {});
/// In the order of keys: partition, then batch time, then epoch.
Result<void> read_history(Store& store, const Owner& owner,
                          const std::function<void(const Move&)>& see);
/// The newest of a partition.
Result<std::optional<Move>> last_move(Store& store, const Owner& owner, const TopicPartition& tp);
/// Of each partition that the history knows, in (topic, partition) order.
Result<std::vector<Move>> last_moves(Store& store, const Owner& owner);
/// Removes rows from before `moment`, at most so many; of a partition only the beginning goes, and
/// never its newest row. True: there are more.
Result<bool> trim_history(Store& store, const Owner& owner, const std::string& moment,
                          std::size_t at_most);

Result<void> add_dead_letter(Store& store, const Owner& owner, const Task& task,
                             const Record& record, const record::BadRecord& bad);

/// Borrows all of it.
struct DeadLetter {
  Offset offset = 0;
  std::int64_t timestamp_ms = -1;
  std::optional<std::string_view> key;
  std::optional<std::string_view> value;
  std::string headers;  ///< as JSON; empty: none
  std::string_view column;
  std::string_view code;
  std::string_view reason;
};

/// As they are written, at the moment `now`: rows of progress(), history() and dead_letters().
Row row_of(const Owner& owner, const ProgressRow& row, const std::string& now);
Row row_of(const Owner& owner, const Move& move, const std::string& note, const std::string& now);
Row row_of(const Owner& owner, const Task& task, const DeadLetter& letter, const std::string& now);

}  // namespace semel::store
