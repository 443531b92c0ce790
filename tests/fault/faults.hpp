// What the tests of these folders have in common: load while a fault is made, ways through a proxy,
// and how a run has to end.
#pragma once

#include <atomic>
#include <cstdint>
#include <initializer_list>
#include <memory>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "support/pipeline_rig.hpp"

struct pg_conn;

namespace semel::test {

/// How the message begins that ends every transaction with rows.
inline const std::string final_message = "RELEASE SAVEPOINT semel;SET CONSTRAINTS";
/// The beginning of the first CopyData of a range: binary COPY's signature.
inline const std::string copy_data = "PGCOPY\n";

/// Small ranges and short waits, so that many faults fit into a test.
inline constexpr std::string_view quick =
    "[batch]\nmax_records_per_partition = 500\ninterval = \"20ms\"\n"
    "[retry]\nbackoff_min = \"10ms\"\nbackoff_max = \"50ms\"\n"
    "[timeouts]\nheartbeat = \"200ms\"\n";

/// The same where each range is a transaction of its own, whatever SEMEL_TEST_COMMIT says.
std::string quick_by_range();

/// For `semel run`: it says each time that it failed, not only that an outage has begun.
inline const std::vector<std::string> every_failure{"--log-level", "debug"};

/// Records keep coming until it is told to finish. Nobody else may use the rig's produce meanwhile.
class Load {
 public:
  explicit Load(Rig& rig);
  ~Load();
  Load(const Load&) = delete;
  Load& operator=(const Load&) = delete;
  void finish();

 private:
  std::atomic<bool> done_{false};
  std::thread thread_;
};

/// A session of the test's own that stays open: a lock holder, or one that fills connections.
class Psql {
 public:
  /// Throws std::runtime_error where it cannot connect.
  explicit Psql(const std::string& dsn);
  ~Psql();
  Psql(const Psql&) = delete;
  Psql& operator=(const Psql&) = delete;
  /// Runs SQL; false if the server refused it.
  bool run(const std::string& sql);

 private:
  std::unique_ptr<pg_conn, void (*)(pg_conn*)> connection_;
};

/// Waits until the program has said that; false once it has ended without.
bool says(Process& semel, std::string_view text,
          std::chrono::milliseconds at_most = std::chrono::seconds(60));

/// A run stores the first `count` records and is killed when it has.
void store_then_kill(Rig& rig, std::int64_t count);
/// Everything produced arrives, the program stops with 0 when asked, and each record is there once;
/// nothing was set aside (P9).
void finish_well(const Rig& rig, Process& semel);
void expect_no_dead_letters(const Rig& rig);
/// The program ends by itself, with this exit code, having said all of this.
void expect_end(Process& semel, int code, std::initializer_list<std::string_view> said);

}  // namespace semel::test
