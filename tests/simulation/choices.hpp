// Where everything that is not determined comes from: one stream of small numbers, from a seed or
// from a recording. The same numbers give the same run, to the last step; fewer and smaller numbers
// give a shorter run, which is how a failing one is made readable.
#pragma once

#include <cstdint>
#include <random>
#include <utility>
#include <vector>

namespace semel::simulation {

class Choices {
 public:
  explicit Choices(std::uint64_t seed) : random_(seed) {}
  explicit Choices(std::vector<std::uint32_t> recorded)
      : replaying_(true), recorded_(std::move(recorded)) {}

  /// In [0, bound). 0 is always the harmless choice, and what a recording that is over gives.
  std::uint32_t below(std::uint32_t bound) {
    std::uint32_t value = 0;
    if (!replaying_) {
      value = static_cast<std::uint32_t>(random_() % bound);
    } else if (made_.size() < recorded_.size()) {
      value = recorded_[made_.size()] % bound;
    }
    made_.push_back(value);
    return value;
  }

  /// True once in `n` times.
  bool one_in(std::uint32_t n) { return below(n) == n - 1; }

  /// Every number given out so far.
  const std::vector<std::uint32_t>& made() const { return made_; }

 private:
  bool replaying_ = false;
  std::mt19937_64 random_;
  std::vector<std::uint32_t> recorded_;
  std::vector<std::uint32_t> made_;
};

}  // namespace semel::simulation
