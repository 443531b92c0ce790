// The receiver's write-ahead log: blocks of records, each on disk before it is processed, and marks
// that say which of them were.
//
// A file per start of the process: entries are appended, each with its length and a checksum, and a
// torn last entry is no entry. What an earlier file still holds is processed first; then that file
// is removed.
#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <semel/error.hpp>

#include "bench/semel/baselines/group_consumer.hpp"

namespace semel::bench {

struct Block {
  std::uint64_t id = 0;  ///< of all starts: a mark may be in a later file than its block
  std::string bytes;     ///< for each record: partition, length, value
  std::uint64_t records = 0;
  std::map<std::int32_t, Offset> next;  ///< where the group goes on after it

  void add(const kafka::GroupRecord& record);
  /// The records in order.
  std::vector<std::pair<std::int32_t, std::string_view>> read() const;
};

/// Blocks that earlier starts stored and did not mark, in order, from a directory; with the files
/// to be removed when they are processed.
struct Unprocessed {
  std::vector<Block> blocks;
  std::vector<std::string> files;
};
Result<Unprocessed> read_logs(const std::string& directory, int worker);

/// Two threads use it: one stores, one marks; each entry is one write.
class BlockLog {
 public:
  static Result<BlockLog> create(const std::string& directory, int worker, int start);
  ~BlockLog();
  BlockLog(BlockLog&& other) noexcept;
  BlockLog& operator=(BlockLog&&) = delete;

  /// Returns when it is on disk.
  Result<void> store(const Block& block);
  Result<void> mark_processed(std::uint64_t id);

 private:
  explicit BlockLog(int file) : file_(file) {}
  Result<void> append(std::uint32_t type, std::uint64_t id, std::string_view payload);
  int file_ = -1;
};

}  // namespace semel::bench
