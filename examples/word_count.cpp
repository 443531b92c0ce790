// How often each word came, over all time and batch by batch, each record counted once through
// every crash: streams with a state, into two outputs.
//
//   word_count CONFIG.toml [--once]
//
// The configuration has two outputs: "totals" gets a row for each word whose total has changed
// ({"word": …, "total": …}), "batches" one for each word of each batch ({"word": …, "came": …}).
#include <semel/stream.hpp>

#include <cctype>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <functional>
#include <numeric>
#include <optional>
#include <string>
#include <thread>

namespace stream = semel::stream;

namespace {

struct Total {
  std::string word;
  std::int64_t total;
};

struct Came {
  std::string word;
  std::int64_t came;
};

void words_of(const stream::Message& line, const auto& emit) {
  std::string word;
  for (const char c : line.value()) {
    if (std::isspace(static_cast<unsigned char>(c)) == 0) {
      word += c;
    } else if (!word.empty()) {
      emit(std::exchange(word, {}));
    }
  }
  if (!word.empty()) emit(word);
}

std::optional<std::int64_t> add(const std::string&, std::span<const std::int64_t> came,
                                std::optional<std::int64_t> total) {
  return std::accumulate(came.begin(), came.end(), total.value_or(0));
}

}  // namespace

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

  auto counted =
      pipeline.direct_stream({"lines"})
          .flat_map<std::string>(
              [](const stream::Message& line, auto emit) { words_of(line, emit); }, "words")
          .key_by([](const std::string& word) { return word; })
          .map_values([](const std::string&) { return std::int64_t{1}; })
          .reduce_by_key(std::plus<>(), "counted")
          .share();
  using Counted = std::pair<std::string, std::int64_t>;
  counted.stream().map([](const Counted& c) { return Came{c.first, c.second}; }).to("batches");
  counted.stream()
      .key_by([](const Counted& c) { return c.first; })
      .map_values([](const Counted& c) { return c.second; })
      .update_state_by_key<std::int64_t>("totals", add)
      .map([](const std::string& word, std::int64_t total) {
        return Total{word, total};
      })
      .to("totals");

  // Ctrl-C and SIGTERM finish the batch that is being read.
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGINT);
  sigaddset(&signals, SIGTERM);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  std::thread([&pipeline, signals] {
    int signal = 0;
    sigwait(&signals, &signal);
    pipeline.request_stop();
  }).detach();

  const auto done = pipeline.run();
  if (!done) {
    std::fprintf(stderr, "%s\n", done.error().message.c_str());
    return done.error().cause == semel::Cause::fenced ? 5 : 1;
  }
  std::printf("%llu rows\n", static_cast<unsigned long long>(done->rows));
  return 0;
}
