// kcat as the documents use it, where it is not installed: `kcat -P -b BROKERS -t TOPIC [-K
// DELIMITER]` produces the lines of standard input, all into partition 0.
#include <cstdio>
#include <iostream>
#include <map>
#include <optional>
#include <stdexcept>
#include <string>

#include "support/kafka_producer.hpp"

int main(int argc, char** argv) try {
  std::map<char, std::string> options;
  for (int i = 1; i < argc; ++i) {
    const std::string option = argv[i];
    if (option.size() < 2 || option[0] != '-') throw std::runtime_error("unexpected " + option);
    if (option == "-P") continue;
    const bool attached = option.size() > 2;
    if (!attached && i + 1 == argc) throw std::runtime_error(option + " needs a value");
    options[option[1]] = attached ? option.substr(2) : argv[++i];
  }
  semel::test::KafkaProducer producer(options.at('b'));
  for (std::string line; std::getline(std::cin, line);) {
    std::optional<std::string> key;
    if (const auto delimiter = options.find('K'); delimiter != options.end()) {
      const auto at = line.find(delimiter->second);
      key = line.substr(0, at);
      line.erase(0, at + delimiter->second.size());
    }
    producer.produce(options.at('t'), 0, key, line);
  }
  producer.flush();
  return 0;
} catch (const std::exception& error) {
  std::fprintf(stderr, "kcat stand-in: %s\n", error.what());
  return 1;
}
