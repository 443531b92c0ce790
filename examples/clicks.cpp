// What clicks on a web site tell, into three outputs: clicks.hpp has the streams.
//
//   clicks CONFIG.toml COUNTRIES.csv [--once]
//
// Lines of COUNTRIES.csv are USER,COUNTRY. The configuration has outputs "known" ({"user": …,
// "country": …, "page": …}), "visits" and "top" (see Visit and TopPage).
#include "clicks.hpp"

#include "run_until_told.hpp"

#include <cstdio>
#include <cstring>
#include <fstream>

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
  return run_until_told(pipeline);
}
