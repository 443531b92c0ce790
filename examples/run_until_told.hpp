// How the programs of streams run: until Ctrl-C or SIGTERM, or to the end of what there is.
#pragma once

#include <semel/stream.hpp>

#include <csignal>
#include <cstdio>
#include <thread>

/// The program's exit code: 5 where another process has taken over. To be called before there is
/// another thread.
inline int run_until_told(semel::stream::Pipeline& pipeline) {
  // Ctrl-C and SIGTERM finish the batch that is being read.
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGINT);
  sigaddset(&signals, SIGTERM);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  std::thread stopper([&pipeline, signals] {
    int signal = 0;
    sigwait(&signals, &signal);
    pipeline.request_stop();
  });

  const auto done = pipeline.run();
  pthread_kill(stopper.native_handle(), SIGTERM);  // where none has come
  stopper.join();
  if (!done) {
    std::fprintf(stderr, "%s\n", done.error().message.c_str());
    return done.error().cause == semel::Cause::fenced ? 5 : 1;
  }
  std::printf("%llu rows\n", static_cast<unsigned long long>(done->rows));
  return 0;
}
