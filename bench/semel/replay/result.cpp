#include "bench/semel/replay/result.hpp"

#include <algorithm>

namespace semel::bench {

double rows_per_second(const Run& run, std::int64_t records) {
  return run.seconds > 0 ? static_cast<double>(records) / run.seconds : 0;
}

std::vector<double> first_commits_ms(const Run& run) {
  std::vector<double> all;
  for (const auto& kill : run.kills) {
    if (kill.first_commit_ms) all.push_back(*kill.first_commit_ms);
  }
  return all;
}

std::int64_t read_again(const Run& run, std::int64_t records) {
  return static_cast<std::int64_t>(run.read) - records;
}

bool Report::exactly_once() const {
  return std::all_of(contenders.begin(), contenders.end(), [](const Contender& contender) {
    return contender.kind != Kind::semel ||
           (contender.calm.comparison.exactly_once() &&
            (!contender.stormy || contender.stormy->comparison.exactly_once()));
  });
}

}  // namespace semel::bench
