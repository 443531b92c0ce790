// Stages of a stream beside a loop written by hand that does the same: run under callgrind by
// tests/instructions, which counts inside measured_loop() only.
//
//   fused-instructions stages | loop      map, filter, map
//   fused-instructions flat | flat-loop   flat_map, filter, map
#include <cstdio>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <semel/stream/keyed.hpp>
#include <semel/stream/stream.hpp>

namespace {

using semel::Record;
using semel::TopicPartition;
using semel::stream::Message;
using semel::stream::detail::FromSource;
using semel::stream::detail::Graph;
using semel::stream::detail::Run;

constexpr int records_count = 20'000;

/// A number at the beginning of a value.
std::uint64_t number(std::string_view text) {
  std::uint64_t number = 0;
  for (const char c : text) {
    if (c < '0' || c > '9') break;
    number = number * 10 + static_cast<std::uint64_t>(c - '0');
  }
  return number;
}

bool wanted(std::uint64_t n) {
  return n % 3 != 0;
}

std::uint64_t mixed(std::uint64_t n) {
  n ^= n >> 33;
  n *= 0xff51afd7ed558ccdULL;
  return n ^ n >> 33;
}

/// Each word of a value.
template <class Each>
void words(std::string_view text, const Each& each) {
  while (!text.empty()) {
    const auto end = std::min(text.find(' '), text.size());
    each(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
}

/// Where both end: a sum, so that nothing is left out.
std::uint64_t sum = 0;

struct Records {
  std::vector<std::string> values;
  std::vector<Record> records;
  TopicPartition tp{"t", 0};

  Records() {
    for (int i = 0; i < records_count; ++i) {
      values.push_back(std::to_string(i * 7919 % 100'003) + " a few words of one record");
    }
    for (int i = 0; i < records_count; ++i) {
      records.push_back({.offset = i, .value = values[static_cast<std::size_t>(i)]});
    }
  }
};

struct AddUp {
  template <class T>
  void operator()(T&& item, Run&) const {
    sum += item;
  }
};

/// What is measured: one call for all records.
std::function<void(const Records&)> measured;

std::function<void(const Records&)> stages(bool flat) {
  auto graph = std::make_shared<Graph>();
  auto run = std::make_shared<Run>();
  semel::stream::Stream<Message, FromSource> source(graph, graph->add("source", "s", {}, true), {});
  run->build(1);
  if (flat) {
    std::move(source)
        .flat_map<std::string_view>(
            [](const Message& m, const auto& emit) { words(m.value(), emit); })
        .filter([](std::string_view word) { return word.size() != 1; })
        .map([](std::string_view word) { return mixed(word.size()); })
        .end_in(*run, AddUp());
  } else {
    std::move(source)
        .map([](const Message& m) { return number(m.value()); })
        .filter([](std::uint64_t n) { return wanted(n); })
        .map([](std::uint64_t n) { return mixed(n); })
        .end_in(*run, AddUp());
  }
  return [run](const Records& records) {
    const std::size_t first = 0;
    run->records(std::span(&first, 1), records.tp, records.records);
  };
}

void loop(const Records& records) {
  for (const auto& record : records.records) {
    const auto n = number(record.value.value_or(std::string_view()));
    if (wanted(n)) sum += mixed(n);
  }
}

void flat_loop(const Records& records) {
  for (const auto& record : records.records) {
    words(record.value.value_or(std::string_view()), [](std::string_view word) {
      if (word.size() != 1) sum += mixed(word.size());
    });
  }
}

}  // namespace

/// By this name callgrind finds it.
extern "C" [[gnu::noinline]] void measured_loop(const Records& records) {
  measured(records);
}

int main(int argc, char** argv) {
  const std::string_view what = argc == 2 ? argv[1] : "";
  if (what == "stages" || what == "flat") {
    measured = stages(what == "flat");
  } else if (what == "loop") {
    measured = loop;
  } else if (what == "flat-loop") {
    measured = flat_loop;
  } else {
    std::fprintf(stderr, "usage: fused-instructions stages | loop | flat | flat-loop\n");
    return 2;
  }
  const Records records;
  measured(records);
  measured_loop(records);
  std::printf("%llu\n", static_cast<unsigned long long>(sum));
  return 0;
}
