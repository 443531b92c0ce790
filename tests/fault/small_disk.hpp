// A disk of the test's own, to fill.
#pragma once

#include <fcntl.h>
#include <sys/mount.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <iostream>
#include <string>

#include "support/catch.hpp"
#include "support/temp_dir.hpp"

namespace semel::test {

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

/// Without the right to mount: true, and said.
inline bool skip(const SmallDisk& disk) {
  if (disk.mounted()) return false;
  std::cout << "skipped: no file system can be mounted here: " << std::strerror(errno) << std::endl;
  return true;
}

}  // namespace semel::test
