#include "base/crash_point.hpp"

#ifdef SEMEL_CRASH_POINTS

#include <atomic>
#include <csignal>
#include <cstdlib>
#include <string>

namespace semel {

namespace {

struct Wanted {
  std::string name;
  int passes = 1;

  Wanted() {
    const auto* text = std::getenv("SEMEL_CRASH_AT");
    if (text == nullptr) return;
    name = text;
    if (const auto colon = name.find(':'); colon != std::string::npos) {
      passes = std::atoi(name.c_str() + colon + 1);
      name.resize(colon);
    }
  }
};

}  // namespace

void crash_point(CrashPoint point) {
  crash_point(crash_point_names[static_cast<std::size_t>(point)]);
}

void crash_point(std::string_view name) {
  static const Wanted wanted;
  static std::atomic<int> passed{0};
  if (name != wanted.name) return;
  if (++passed == wanted.passes) std::raise(SIGKILL);
}

}  // namespace semel

#endif
