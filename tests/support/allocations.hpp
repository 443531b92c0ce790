// Counts what C++ code takes from the heap: linking allocations.cpp replaces operator new of the
// whole test executable, its libraries included. C libraries (librdkafka, libpq) use malloc and are
// not counted.
#pragma once

#include <cstdint>

namespace semel::test {

/// How often operator new was called so far, by all threads. Thread safe.
std::uint64_t allocations() noexcept;

}  // namespace semel::test
