// A Kafka of values: logs with transactions, markers, gaps, retention, compaction, partitions that
// lose their leader, vanish, or become another log of the same name. It remembers what it was given
// so that, at the end, what was stored can be compared with what should have been.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <vector>

#include <semel/types.hpp>

namespace semel::simulation {

struct Entry {
  enum class Kind : std::uint8_t {
    data,
    open,  ///< of a transaction that is not over
    aborted,
    marker,
    removed,  ///< compacted away
  };
  Kind kind = Kind::data;
  std::uint32_t id = 0;  ///< tells this record from every other, as its checksum does
};

struct Log {
  int generation = 0;          ///< rises when the topic is created anew
  std::vector<Entry> entries;  ///< by offset, from 0 on
  Offset earliest = 0;
  bool leader = true;
  bool exists = true;
  bool fills_up = false;  ///< made anew, while its producers never stopped
  int disturbances = 0;   ///< leader changes and the like: clients ask for metadata again

  Offset end() const { return static_cast<Offset>(entries.size()); }
  Offset last_stable() const;
  /// The data record at this offset, if it can be read.
  const Entry* visible(Offset offset) const;
};

class Kafka {
 public:
  std::map<TopicPartition, Log> logs;
  bool denied = false;           ///< the topic may not be seen or read
  bool another_cluster = false;  ///< answers at the address, with logs of the same names

  void produce(Log& log, int records);
  void begin_transaction(Log& log, int records);
  void end_transaction(Log& log, bool commit);
  /// A transaction without a record: its marker only.
  void produce_marker(Log& log);
  /// Removes every `nth` data record below the last stable offset, but not the last one.
  void compact(Log& log, int nth);
  void retain_from(Log& log, Offset earliest);
  /// The same name, another log: `records` new ones.
  void recreate(const TopicPartition& tp, int records);

  /// Logs of earlier generations, as they were when they were deleted.
  struct Buried {
    TopicPartition tp;
    Log log;
  };
  std::vector<Buried> buried;

 private:
  std::uint32_t next_id_ = 1;
};

}  // namespace semel::simulation
