// Two pipelines in one program: each in a thread of its own, with its own log and its own listener,
// and both stopped in good order by Ctrl-C, by SIGTERM, or because all is done.
//
//   several_pipelines BROKERS DSN [--once]
//
// reads the topics `orders` and `clicks` into the tables of the same names. The tables:
//   CREATE TABLE orders (id bigint, amount numeric); CREATE TABLE clicks (id bigint, page text);
#include <semel/pipeline.hpp>

#include <csignal>
#include <cstdio>
#include <memory>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

namespace {

/// Counts what is committed. One pipeline calls it, never from two threads at once.
class Counter : public semel::PipelineListener {
 public:
  explicit Counter(std::string name) : name_(std::move(name)) {}

  void on_committed(std::string_view, semel::BatchTime,
                    std::span<const semel::CommittedRange> ranges) override {
    for (const auto& [range, counts] : ranges) {
      if (counts) rows_ += counts->rows;
    }
  }
  void on_ended(std::string_view, const semel::Error* error) override {
    std::printf("%s: %llu rows, %s\n", name_.c_str(), static_cast<unsigned long long>(rows_),
                error == nullptr ? "ended in good order" : error->message.c_str());
  }

 private:
  std::string name_;
  std::uint64_t rows_ = 0;
};

semel::Result<semel::Pipeline> pipeline(const std::string& topic, const std::string& brokers,
                                        const std::string& dsn, bool once) {
  semel::Config config;
  config.set("name", topic)
      .set("source.kafka.brokers", brokers)
      .set("source.kafka.topics", std::vector{topic})
      .set("sink.postgres.dsn", dsn)
      .set("sink.postgres.table", topic)
      .set("executors", 2);
  return semel::Pipeline::create(config, {.log =
                                              [topic](semel::LogLevel, std::string_view line) {
                                                std::fprintf(stderr, "[%s] %.*s\n", topic.c_str(),
                                                             static_cast<int>(line.size()),
                                                             line.data());
                                              },
                                          .listener = std::make_shared<Counter>(topic),
                                          .once = once});
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 3) return std::fprintf(stderr, "usage: several_pipelines BROKERS DSN [--once]\n"), 2;
  const bool once = argc > 3 && std::string_view(argv[3]) == "--once";

  // The library installs no handler. Blocked before any thread is made, the signals wait for
  // whoever takes them: a thread that asks both pipelines to stop.
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGINT);
  sigaddset(&signals, SIGTERM);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);

  auto orders = pipeline("orders", argv[1], argv[2], once);
  auto clicks = pipeline("clicks", argv[1], argv[2], once);
  for (const auto* made : {&orders, &clicks}) {
    if (!*made) return std::fprintf(stderr, "%s\n", made->error().message.c_str()), 1;
  }
  std::thread stopper([&] {
    int number = 0;
    sigwait(&signals, &number);
    orders->request_stop();
    clicks->request_stop();
  });

  // Where one fails the other stops, too: so whoever started the program hears of it at once.
  const auto run = [](semel::Pipeline& one, semel::Pipeline& other) {
    const bool well = one.run().has_value();
    if (!well) other.request_stop();
    return well;
  };
  bool clicks_done = false;
  std::thread other([&] { clicks_done = run(*clicks, *orders); });
  const bool orders_done = run(*orders, *clicks);
  other.join();
  pthread_kill(stopper.native_handle(), SIGTERM);  // where both ended by themselves
  stopper.join();
  return orders_done && clicks_done ? 0 : 1;
}
