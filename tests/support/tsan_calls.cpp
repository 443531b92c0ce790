// What ThreadSanitizer (GCC 12) has to be helped with.
//
// It does not know C11's thrd_create(), with which librdkafka starts its threads, and crashes in
// them. In such a build they are started as POSIX threads, which it knows.
//
// It does not know pthread_mutex_clocklock() either, by which std::timed_mutex waits, and takes the
// unlock for one of a mutex that nobody locked. Its sister with the wall clock it knows.
#if defined(__SANITIZE_THREAD__)

#include <pthread.h>
#include <threads.h>

#include <cstdint>
#include <ctime>
#include <memory>

namespace {

struct Start {
  thrd_start_t function;
  void* argument;
};

void* run(void* opaque) {
  const std::unique_ptr<Start> start{static_cast<Start*>(opaque)};
  return reinterpret_cast<void*>(static_cast<std::intptr_t>(start->function(start->argument)));
}

}  // namespace

// In the place of the C library's: it must be seen.
#pragma GCC visibility push(default)
extern "C" {

int thrd_create(thrd_t* thread, thrd_start_t function, void* argument) {
  auto start = std::make_unique<Start>(Start{function, argument});
  if (pthread_create(thread, nullptr, &run, start.get()) != 0) return thrd_error;
  start.release();  // NOLINT(bugprone-unused-return-value): the thread owns it now
  return thrd_success;
}

int thrd_join(thrd_t thread, int* result) {
  void* value = nullptr;
  if (pthread_join(thread, &value) != 0) return thrd_error;
  if (result != nullptr) *result = static_cast<int>(reinterpret_cast<std::intptr_t>(value));
  return thrd_success;
}

int pthread_mutex_clocklock(pthread_mutex_t* mutex, clockid_t clock, const timespec* until) {
  timespec now{};
  timespec wall{};
  clock_gettime(clock, &now);
  clock_gettime(CLOCK_REALTIME, &wall);
  constexpr long second = 1'000'000'000;
  const auto wait = (until->tv_sec - now.tv_sec) * second + (until->tv_nsec - now.tv_nsec);
  const auto end = wall.tv_nsec + (wait > 0 ? wait : 0);
  wall.tv_sec += end / second;
  wall.tv_nsec = end % second;
  return pthread_mutex_timedlock(mutex, &wall);
}

}  // extern "C"
#pragma GCC visibility pop

#endif
