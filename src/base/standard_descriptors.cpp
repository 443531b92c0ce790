#include "base/standard_descriptors.hpp"

#include <fcntl.h>
#include <unistd.h>

namespace semel {

void hold_standard_descriptors() noexcept {
  for (int number = STDIN_FILENO; number <= STDERR_FILENO; ++number) {
    if (fcntl(number, F_GETFD) >= 0) continue;
    // The lowest that is free, which is this one. Children inherit it, for the same reason.
    (void)open("/dev/null", number == STDIN_FILENO ? O_WRONLY : O_RDONLY);
  }
}

}  // namespace semel
