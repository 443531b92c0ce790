// The smallest program with a pipeline in it: what `semel run clicks.toml` does.
#include <semel/pipeline.hpp>

#include <cstdio>

int main(int argc, char** argv) {
  if (argc != 2) return std::fprintf(stderr, "usage: first_pipeline FILE.toml\n"), 2;
  const auto config = semel::Config::load(argv[1]);
  if (!config) return std::fprintf(stderr, "%s\n", config.error().message.c_str()), 1;
  auto pipeline = semel::Pipeline::create(*config, {.once = true});
  if (!pipeline) return std::fprintf(stderr, "%s\n", pipeline.error().message.c_str()), 1;
  const auto done = pipeline->run();
  if (!done) return std::fprintf(stderr, "%s\n", done.error().message.c_str()), 1;
  std::printf("%llu rows\n", static_cast<unsigned long long>(done->rows));
  return 0;
}
