// Preloaded into a program: its wall clock is off by the seconds in the file SHIFTED_CLOCK, which
// may change while it runs. Nothing else is shifted. (libfaketime also shifts timespec_get(), from
// which librdkafka computes the deadlines of C11 waits, but not these waits: such a program hangs
// or spins, as no jump of a real clock makes it.)
#include <dlfcn.h>
#include <fcntl.h>
#include <unistd.h>
#include <cstdlib>
#include <ctime>

// In the place of the C library's: it must be seen.
extern "C" [[gnu::visibility("default")]] int clock_gettime(clockid_t id, timespec* now) noexcept {
  using Function = int (*)(clockid_t, timespec*);
  static const auto real = reinterpret_cast<Function>(dlsym(RTLD_NEXT, "clock_gettime"));
  const int result = real(id, now);
  static const char* const path = std::getenv("SHIFTED_CLOCK");
  if (result != 0 || id != CLOCK_REALTIME || path == nullptr) return result;
  char text[32] = {};
  const int file = open(path, O_RDONLY | O_CLOEXEC);
  if (file < 0) return result;
  if (read(file, text, sizeof text - 1) > 0) now->tv_sec += std::atoll(text);
  close(file);
  return result;
}
