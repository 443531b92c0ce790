// How often each word came, over all time and batch by batch, each record counted once through
// every crash: streams with a state, into two outputs.
//
//   word_count CONFIG.toml [--once]
//
// The configuration has two outputs, "totals" and "batches"; word_count.hpp says what they get.
#include "word_count.hpp"

#include <csignal>
#include <cstdio>
#include <cstring>
#include <thread>

int main(int argc, char** argv) {
  if (argc < 2) {
    std::fprintf(stderr, "usage: word_count CONFIG.toml [--once]\n");
    return 2;
  }
  auto config = semel::Config::load(argv[1]);
  if (!config) {
    std::fprintf(stderr, "%s\n", config.error().message.c_str());
    return 1;
  }
  stream::Setup setup;
  setup.once = argc > 2 && std::strcmp(argv[2], "--once") == 0;
  stream::Pipeline pipeline(*config, setup);

  word_count(pipeline);

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
