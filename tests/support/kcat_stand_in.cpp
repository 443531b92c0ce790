// kcat as the documents use it, where it is not installed. `kcat -P -b BROKERS -t TOPIC [-K
// DELIMITER]
// [-k KEY] [-Z] [FILE]...` produces each file as a record, or else the lines of standard input, all
// into partition 0. With -Z an empty value is none.
#include <cstdio>
#include <fstream>
#include <iostream>
#include <iterator>
#include <map>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

#include "support/kafka_producer.hpp"

namespace {

struct CommandLine {
  std::map<char, std::string> options;
  bool empty_is_null = false;
  std::vector<std::string> files;
};

CommandLine parse(int argc, char** argv) {
  CommandLine line;
  for (int i = 1; i < argc; ++i) {
    const std::string word = argv[i];
    if (word.size() < 2 || word[0] != '-') {
      line.files.push_back(word);
    } else if (word == "-Z") {
      line.empty_is_null = true;
    } else if (word != "-P") {
      const bool attached = word.size() > 2;
      if (!attached && i + 1 == argc) throw std::runtime_error(word + " needs a value");
      line.options[word[1]] = attached ? word.substr(2) : argv[++i];
    }
  }
  return line;
}

}  // namespace

int main(int argc, char** argv) try {
  const auto line = parse(argc, argv);
  semel::test::KafkaProducer producer(line.options.at('b'));
  const auto produce = [&](const std::optional<std::string>& key, const std::string& value) {
    const bool is_null = value.empty() && line.empty_is_null;
    producer.produce(line.options.at('t'), 0, key,
                     is_null ? std::nullopt : std::optional<std::string_view>(value));
  };
  std::optional<std::string> key;
  if (const auto given = line.options.find('k'); given != line.options.end()) key = given->second;
  for (const auto& name : line.files) {
    std::ifstream file(name, std::ios::binary);
    if (!file) throw std::runtime_error("cannot read " + name);
    produce(key, std::string(std::istreambuf_iterator<char>(file), {}));
  }
  if (line.files.empty()) {
    for (std::string record; std::getline(std::cin, record);) {
      if (const auto delimiter = line.options.find('K'); delimiter != line.options.end()) {
        const auto at = record.find(delimiter->second);
        key = record.substr(0, at);
        record.erase(0, at + delimiter->second.size());
      }
      produce(key, record);
    }
  }
  producer.flush();
  return 0;
} catch (const std::exception& error) {
  std::fprintf(stderr, "kcat stand-in: %s\n", error.what());
  return 1;
}
