// Facts of a test, a line each: whatever test framework there is has something like it.
#pragma once

#include <cstdio>

inline int failures = 0;

inline void check(bool holds, const char* fact) {
  std::printf("%s: %s\n", holds ? "ok" : "FAILED", fact);
  if (!holds) ++failures;
}
