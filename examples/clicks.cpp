// What clicks on a web site tell, into three outputs: clicks.hpp has the streams.
//
//   clicks CONFIG.toml COUNTRIES.csv [--once]
//
// Lines of COUNTRIES.csv are USER,COUNTRY. The configuration has outputs "known" ({"user": …,
// "country": …, "page": …}), "visits" and "top" (see Visit and TopPage).
#include "clicks.hpp"

#include <csignal>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <thread>

int main(int argc, char** argv) {
  if (argc < 3) {
    std::fprintf(stderr, "usage: clicks CONFIG.toml COUNTRIES.csv [--once]\n");
    return 2;
  }
  auto config = semel::Config::load(argv[1]);
  if (!config) {
    std::fprintf(stderr, "%s\n", config.error().message.c_str());
    return 1;
  }
  Countries countries;
  std::ifstream table(argv[2]);
  for (std::string line; std::getline(table, line);) {
    const auto comma = line.find(',');
    if (comma != std::string::npos) countries[line.substr(0, comma)] = line.substr(comma + 1);
  }
  if (countries.empty()) {
    std::fprintf(stderr, "%s has no line USER,COUNTRY\n", argv[2]);
    return 1;
  }
  stream::Setup setup;
  setup.once = argc > 3 && std::strcmp(argv[3], "--once") == 0;
  stream::Pipeline pipeline(*config, setup);
  clicks(pipeline, countries);

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
