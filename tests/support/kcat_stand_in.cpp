// kcat as the documents use it, where it is not installed. `kcat -P -b BROKERS -t TOPIC [-K
// DELIMITER]
// [-k KEY] [-Z] [FILE]...` produces each file as a record, or else the lines of standard input, all
// into partition 0. With -Z an empty value is none. `kcat -C -e -b BROKERS -t TOPIC [-X NAME=VALUE]
// [-f FORMAT]` prints what is in the topic: its values, or FORMAT with %h (headers), %k and %s.
#include <librdkafka/rdkafka.h>

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
  bool consumes = false;
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
    } else if (word == "-C") {
      line.consumes = true;
    } else if (word != "-P" && word != "-e" && word != "-q") {
      const bool attached = word.size() > 2;
      if (!attached && i + 1 == argc) throw std::runtime_error(word + " needs a value");
      line.options[word[1]] = attached ? word.substr(2) : argv[++i];
    }
  }
  return line;
}

std::string headers_of(rd_kafka_message_t* message) {
  std::string text;
  rd_kafka_headers_t* headers = nullptr;
  if (rd_kafka_message_headers(message, &headers) != RD_KAFKA_RESP_ERR_NO_ERROR) return text;
  const char* name = nullptr;
  const void* value = nullptr;
  std::size_t size = 0;
  for (std::size_t i = 0;
       rd_kafka_header_get_all(headers, i, &name, &value, &size) == RD_KAFKA_RESP_ERR_NO_ERROR;
       ++i) {
    text += (text.empty() ? "" : ",") + std::string(name) + "=";
    text.append(static_cast<const char*>(value), size);
  }
  return text;
}

std::string shown(rd_kafka_message_t* message, const std::string& format) {
  const std::string key(static_cast<const char*>(message->key), message->key_len);
  const std::string value(static_cast<const char*>(message->payload), message->len);
  std::string text;
  for (std::size_t i = 0; i < format.size(); ++i) {
    const bool named = (format[i] == '%' || format[i] == '\\') && i + 1 < format.size();
    switch (named ? format[++i] : '\0') {
      case '\0':
        text += format[i];
        break;
      case 'h':
        text += headers_of(message);
        break;
      case 'k':
        text += key;
        break;
      case 's':
        text += value;
        break;
      case 'n':
        text += '\n';
        break;
      default:
        throw std::runtime_error("-f " + format);
    }
  }
  return text;
}

/// To the end of partition 0.
void consume(const CommandLine& line) {
  auto* conf = rd_kafka_conf_new();
  char reason[512];
  const auto set = [&](const std::string& name, const std::string& value) {
    if (rd_kafka_conf_set(conf, name.c_str(), value.c_str(), reason, sizeof reason) !=
        RD_KAFKA_CONF_OK) {
      throw std::runtime_error(reason);
    }
  };
  set("bootstrap.servers", line.options.at('b'));
  set("group.id", "kcat");
  set("enable.partition.eof", "true");
  if (const auto given = line.options.find('X'); given != line.options.end()) {
    const auto at = given->second.find('=');
    set(given->second.substr(0, at), given->second.substr(at + 1));
  }
  auto* client = rd_kafka_new(RD_KAFKA_CONSUMER, conf, reason, sizeof reason);
  if (client == nullptr) throw std::runtime_error(reason);
  rd_kafka_poll_set_consumer(client);
  auto* all = rd_kafka_topic_partition_list_new(1);
  rd_kafka_topic_partition_list_add(all, line.options.at('t').c_str(), 0)->offset =
      RD_KAFKA_OFFSET_BEGINNING;
  rd_kafka_assign(client, all);
  rd_kafka_topic_partition_list_destroy(all);
  const auto format = line.options.find('f');
  for (bool end = false; !end;) {
    auto* message = rd_kafka_consumer_poll(client, 10'000);
    if (message == nullptr) throw std::runtime_error("nothing comes");
    end = message->err == RD_KAFKA_RESP_ERR__PARTITION_EOF;
    if (message->err == RD_KAFKA_RESP_ERR_NO_ERROR) {
      std::cout << shown(message, format == line.options.end() ? "%s\\n" : format->second);
    } else if (!end) {
      throw std::runtime_error(rd_kafka_message_errstr(message));
    }
    rd_kafka_message_destroy(message);
  }
  rd_kafka_consumer_close(client);
  rd_kafka_destroy(client);
}

}  // namespace

int main(int argc, char** argv) try {
  const auto line = parse(argc, argv);
  if (line.consumes) {
    consume(line);
    return 0;
  }
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
