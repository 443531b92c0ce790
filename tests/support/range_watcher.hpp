// A reader that looks for parts of ranges while a pipeline writes.
#pragma once

#include <atomic>
#include <pqxx/pqxx>
#include <string>
#include <thread>

namespace semel::test {

/// Looks, a hundred times a second and in one snapshot each, for a range that is there in part:
/// committed by the history but with other rows than it says. Expects a rig's table `events`, with
/// an index on p and o, and its ledger.
class RangeWatcher {
 public:
  explicit RangeWatcher(std::string dsn);
  ~RangeWatcher();
  RangeWatcher(const RangeWatcher&) = delete;
  RangeWatcher& operator=(const RangeWatcher&) = delete;

  /// Ends the reading.
  void finish();
  /// How often it looked.
  int looks() const { return looks_; }
  /// The first offence seen, if any. After finish().
  const std::string& offence() const { return offence_; }

 private:
  void run(const std::string& dsn);
  /// At those lines of the history. Throws where a range is there in part.
  static void look(pqxx::connection& connection, const std::string& which);

  std::atomic<bool> done_{false};
  std::atomic<int> looks_{0};
  std::string offence_;
  std::thread thread_;
};

}  // namespace semel::test
