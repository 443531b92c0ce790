#include "bench/semel/baselines/baseline.hpp"

#include <algorithm>
#include <atomic>
#include <csignal>
#include <mutex>
#include <optional>
#include <thread>

#include "bench/semel/setup.hpp"
#include "http/server.hpp"
#include "metrics/file.hpp"
#include "metrics/pipeline.hpp"

namespace semel::bench {

namespace {

std::atomic<bool> stopping{false};
static_assert(std::atomic<bool>::is_always_lock_free);

}  // namespace

bool Worker::finished(const std::map<std::int32_t, Offset>& next) const {
  return stopping || std::all_of(next.begin(), next.end(), [this](const auto& position) {
           return position.second >= records_in(position.first, spec.partitions, spec.records);
         });
}

Result<void> be_baseline(const std::string& spec_file, int start, const std::string& listen,
                         const std::string& metrics_file) {
  const auto spec = read_spec(spec_file);
  if (!spec) return tl::unexpected(spec.error());
  const auto address = http::parse_address(listen);
  if (!address) return tl::unexpected(address.error());
  metrics::PipelineMetrics counted("baseline", {"default"});
  const auto page = [&counted] {
    metrics::Page all;
    counted.collect(all, 0);
    return all.text();
  };
  const auto server =
      http::Server::start({.listen = *address, .names = {}},
                          {{"/metrics", [&] { return http::Page{.text = page()}; }}});
  if (!server) return tl::unexpected(server.error());

  for (const int asked : {SIGTERM, SIGINT}) {
    std::signal(asked, [](int) { stopping = true; });
  }
  std::mutex mutex;
  std::optional<Error> first_error;
  std::vector<std::thread> threads;
  const int workers = std::min(spec->workers, spec->partitions);
  for (int number = 0; number < workers; ++number) {
    Worker worker{*spec, counted.output("default"), start, number, {}};
    for (int partition = number; partition < spec->partitions; partition += workers) {
      worker.partitions.push_back(partition);
    }
    threads.emplace_back([&, worker] {
      auto outcome = [&] {
        switch (spec->kind) {
          case Kind::receiver:
            return receive_and_process(worker);
          case Kind::at_most_once:
            return commit_then_process(worker);
          default:
            return process_then_commit(worker);
        }
      }();
      if (outcome) return;
      const std::lock_guard lock(mutex);
      if (!first_error) first_error = outcome.error();
    });
  }
  for (auto& thread : threads) thread.join();
  if (auto written = metrics::write_file(metrics_file, page()); !written) return written;
  if (first_error) return tl::unexpected(*std::move(first_error));
  return {};
}

}  // namespace semel::bench
