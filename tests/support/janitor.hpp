// What a test leaves behind is cleaned up even when the test is killed: a guard process notices the
// test's death through a pipe. Thread safe.
#pragma once

#include <sys/types.h>

#include <string>

namespace semel::test {

/// Ends `pid` with `signal_name` ("KILL", "QUIT") when this process ends, whatever ended it.
void watch_process(pid_t pid, const std::string& signal_name);
/// `pid` has been waited for.
void forget_process(pid_t pid);
/// Removes `path` when this process ends.
void remove_at_end(const std::string& path);
/// `path` has been removed already.
void forget_path(const std::string& path);

}  // namespace semel::test
