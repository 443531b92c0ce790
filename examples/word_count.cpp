// How often each word came, over all time and batch by batch, each record counted once through
// every crash: streams with a state, into two outputs.
//
//   word_count CONFIG.toml [--once]
//
// The configuration has two outputs, "totals" and "batches"; word_count.hpp says what they get.
#include "word_count.hpp"

#include "run_until_told.hpp"

#include <cstdio>
#include <cstring>

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
  return run_until_told(pipeline);
}
