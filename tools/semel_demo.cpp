// semel-demo: something to read from. A broker of its own with events in it, or events for yours.
#include <signal.h>

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include <fmt/core.h>
#include <CLI/CLI.hpp>

#include "base/standard_descriptors.hpp"
#include "bench/data/embedded_broker.hpp"
#include "event_producer.hpp"
#include "record_shapes.hpp"

namespace {

using semel::demo::Totals;

struct Options {
  std::string brokers;
  std::string topic = "events";
  std::string ready_file;
  std::string shape;
  std::int64_t events = 200'000;
  int partitions = 16;
  int used_partitions = 0;  ///< 0: all
};

int complain(const semel::Error& error) {
  fmt::print(stderr, "semel-demo: {}\n", error.message);
  return 1;
}

std::string describe(const Totals& totals) {
  return fmt::format("produced={}\nsum_id={}\nsum_user_id={}\nsum_amount={}.{:02}\nbytes={}\n",
                     totals.count, totals.sum_id, totals.sum_user_id, totals.sum_amount_cents / 100,
                     totals.sum_amount_cents % 100, totals.bytes);
}

/// The file appears whole or not at all: a reader waits for it to exist.
bool write_whole(const std::string& path, const std::string& content) {
  const std::string unfinished = path + ".new";
  std::ofstream file(unfinished, std::ios::trunc);
  file << content;
  file.close();
  std::error_code error;
  if (file) std::filesystem::rename(unfinished, path, error);
  if (file && !error) return true;
  fmt::print(stderr, "semel-demo: cannot write {}\n", path);
  return false;
}

int run_broker(const Options& options) {
  // Blocked before a thread starts, so that every thread inherits it and sigwait gets the signal.
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);

  auto broker = semel::kafka::EmbeddedBroker::start();
  if (!broker) return complain(broker.error());
  const std::string servers = (*broker)->bootstrap_servers();
  if (auto made = (*broker)->create_topic(options.topic, options.partitions); !made) {
    return complain(made.error());
  }
  const std::string address = fmt::format("brokers={}\n", servers);
  if (!write_whole(options.ready_file, address)) return 1;
  const auto totals =
      semel::demo::produce_events(servers, options.topic, options.partitions, options.events);
  if (!totals) return complain(totals.error());
  if (!write_whole(options.ready_file, address + describe(*totals))) return 1;

  int received = 0;
  sigwait(&signals, &received);
  return 0;
}

const semel::demo::RecordShape& shape_of(const std::string& name) {
  return *std::ranges::find(semel::demo::record_shapes(), name, &semel::demo::RecordShape::name);
}

int run_produce(const Options& options) {
  if (auto ready = semel::demo::ensure_topic(options.brokers, options.topic, options.partitions);
      !ready) {
    return complain(ready.error());
  }
  // Fewer than the topic has, for partitions that stay idle.
  const int used = options.used_partitions > 0 ? options.used_partitions : options.partitions;
  if (options.shape.empty()) {
    const auto totals =
        semel::demo::produce_events(options.brokers, options.topic, used, options.events);
    if (!totals) return complain(totals.error());
    fmt::print("{}", describe(*totals));
    return 0;
  }
  const auto& shape = shape_of(options.shape);
  std::uint64_t bytes = 0;
  const auto produced =
      semel::demo::produce_records(options.brokers, options.topic, used, options.events,
                                   [&](std::int64_t id, std::string& value) {
                                     shape.append(id, value);
                                     bytes += value.size();
                                   });
  if (!produced) return complain(produced.error());
  fmt::print("produced={}\nbytes={}\nwhat={}\ncolumns={}\nbare_columns={}\nsettings={}\n",
             options.events, bytes, shape.what, shape.columns, shape.bare_columns, shape.settings);
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  semel::hold_standard_descriptors();
  CLI::App app{"semel-demo: something for semel to read"};
  app.require_subcommand(1);
  Options options;

  const auto common = [&](CLI::App* command) {
    command->add_option("--topic", options.topic, "the topic to write to")->capture_default_str();
    command->add_option("--partitions", options.partitions, "how many partitions it has")
        ->check(CLI::Range(1, 10'000))
        ->capture_default_str();
    command->add_option("--events", options.events, "how many events to write, with ids from 0")
        ->check(CLI::NonNegativeNumber)
        ->capture_default_str();
  };
  CLI::App* broker = app.add_subcommand(
      "broker",
      "run a broker in memory with events in it, until SIGTERM. It keeps 5 MiB a partition");
  common(broker);
  broker
      ->add_option("--ready-file", options.ready_file,
                   "where to write brokers=… when it listens, and produced=… when all is written")
      ->required();
  CLI::App* produce = app.add_subcommand(
      "produce", "write events to a broker, making the topic where it is missing");
  common(produce);
  std::vector<std::string> names;
  for (const auto& shape : semel::demo::record_shapes()) names.emplace_back(shape.name);
  produce
      ->add_option("--shape", options.shape,
                   "records of another shape than the demo's events, for benchmarks; what it needs "
                   "of a table is printed")
      ->check(CLI::IsMember(names));
  produce
      ->add_option("--used-partitions", options.used_partitions,
                   "write to the first N partitions only; the others stay idle")
      ->check(CLI::PositiveNumber);
  produce->add_option("--brokers", options.brokers, "host:port[,host:port]")->required();

  CLI11_PARSE(app, argc, argv);
  return *broker ? run_broker(options) : run_produce(options);
}
