// How often each word came, over all time, into an output "totals": what bench/run --work streams
// measures. The functions are those of the example.
//
// usage: bench-word-count CONFIG.toml
#include <cstdint>
#include <cstdio>
#include <functional>
#include <string>
#include <utility>

#include "../../examples/run_until_told.hpp"
#include "../../examples/word_count.hpp"

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fprintf(stderr, "usage: bench-word-count CONFIG.toml\n");
    return 2;
  }
  auto config = semel::Config::load(argv[1]);
  if (!config) {
    std::fprintf(stderr, "%s\n", config.error().message.c_str());
    return 1;
  }
  stream::Setup setup;
  setup.once = true;
  stream::Pipeline pipeline(*config, setup);
  pipeline.direct_stream({"lines"})
      .flat_map<std::string>([](const stream::Message& line, auto emit) { words_of(line, emit); },
                             "words")
      .key_by([](const std::string& word) { return word; })
      .map_values([](const std::string&) { return std::int64_t{1}; })
      .reduce_by_key(std::plus<>(), "counted")
      .update_state_by_key<std::int64_t>("totals", add)
      .map([](const std::string& word, std::int64_t total) {
        return stream::Row{word, std::to_string(total)};
      })
      .to("totals");
  return run_until_told(pipeline);
}
