// A disk that is full: never a record's fault, and waited for.
#include <fcntl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <iostream>
#include <stdexcept>

#include "fault/faults.hpp"
#include "support/catch.hpp"
#include "support/servers.hpp"
#include "support/temp_dir.hpp"

using namespace semel::test;
using namespace std::chrono_literals;

namespace {

/// A file system of so many MiB, for as long as the object lives.
class SmallDisk {
 public:
  explicit SmallDisk(int mib) : mounted_(do_mount(mib, 0)) {}
  ~SmallDisk() {
    if (mounted_) umount2(path().c_str(), MNT_DETACH);
  }
  SmallDisk(const SmallDisk&) = delete;
  SmallDisk& operator=(const SmallDisk&) = delete;

  bool mounted() const { return mounted_; }
  std::string path() const { return dir_.path().string(); }
  void grow(int mib) { REQUIRE(do_mount(mib, MS_REMOUNT)); }
  /// Takes everything that is left.
  void fill() const {
    const int file = open((path() + "/ballast").c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600);
    REQUIRE(file >= 0);
    const std::string zeros(65'536, '\0');
    while (write(file, zeros.data(), zeros.size()) > 0) {
    }
    close(file);
  }
  void make_room() const { REQUIRE(unlink((path() + "/ballast").c_str()) == 0); }

 private:
  bool do_mount(int mib, unsigned long flags) const {
    const auto size = "size=" + std::to_string(mib) + "m,mode=0777";
    return mount("semel-test", path().c_str(), "tmpfs", flags, size.c_str()) == 0;
  }

  TempDir dir_{"semel-disk"};
  bool mounted_;
};

/// Without the right to mount there is the error by a trigger only: retries_test.cpp.
bool skip(const SmallDisk& disk) {
  if (disk.mounted()) return false;
  std::cout << "skipped: no file system can be mounted here: " << std::strerror(errno) << std::endl;
  return true;
}

}  // namespace

TEST_CASE("a full tablespace is waited for, and no record is set aside") {
  if (!kafka_available()) return;
  const SmallDisk probe(1);
  if (skip(probe)) return;
  SmallDisk disk(6);
  Rig rig(2);
  rig.configure(std::string(quick));
  rig.produce(100);
  rig.drain();
  struct stat owner {};
  REQUIRE(stat(rig.value("SHOW data_directory").c_str(), &owner) == 0);
  REQUIRE(chown(disk.path().c_str(), owner.st_uid, owner.st_gid) == 0);
  const auto space = unique_name("small");
  rig.sql("CREATE TABLESPACE " + space + " LOCATION '" + disk.path() + "'");
  rig.sql("ALTER TABLE events SET TABLESPACE " + space);

  Load load(rig);
  auto semel = rig.start("run", every_failure);
  REQUIRE(rig.grows(100));
  disk.fill();
  REQUIRE(says(semel, "53100"));
  // Many more times than a range may fail.
  REQUIRE(says(semel, "(failure 16)"));
  REQUIRE(semel.running());
  expect_no_dead_letters(rig);
  disk.make_room();
  disk.grow(300);
  REQUIRE(rig.grows(rig.rows()));
  load.finish();
  finish_well(rig, semel);
  rig.sql("ALTER TABLE events SET TABLESPACE pg_default");
  rig.sql("DROP TABLESPACE " + space);
}

TEST_CASE("a server that panics because its log cannot grow is waited for") {
  if (!kafka_available()) return;
  SmallDisk disk(400);
  if (skip(disk)) return;
  // Where the server is made.
  const char* before = std::getenv("TMPDIR");
  const std::string kept = before == nullptr ? "" : before;
  setenv("TMPDIR", disk.path().c_str(), 1);
  PostgresServer server;
  before == nullptr ? unsetenv("TMPDIR") : setenv("TMPDIR", kept.c_str(), 1);

  Rig rig(2, RigServers{.brokers = {}, .topic = {}, .dsn = server.create_database()});
  rig.configure(std::string(quick));
  Load load(rig);
  auto semel = rig.start("run", every_failure);
  REQUIRE(rig.grows(0));
  disk.fill();
  // The log's next segment; or the table before it, which is the disk's end as well.
  try {
    rig.sql(
        "SELECT pg_switch_wal(); SELECT pg_logical_emit_message(false, 'x', repeat('x', 1000)), "
        "pg_switch_wal() FROM generate_series(1, 20)");
  } catch (const std::runtime_error&) {
    // That was the panic.
  }
  REQUIRE(eventually([&] {
    try {
      Psql late(rig.dsn());
      return false;
    } catch (const std::runtime_error&) {
      return true;
    }
  }));
  REQUIRE(says(semel, "(failure 8)"));
  REQUIRE(semel.running());
  disk.make_room();
  server.stop();
  server.start();
  REQUIRE(rig.grows(rig.rows()));
  load.finish();
  finish_well(rig, semel);
}
