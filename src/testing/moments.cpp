#include "testing/moments.hpp"

#include <utility>

namespace semel::testing {

void Moments::pass(Place place) {
  ++passes_[place];
  if (!wanted_ || wanted_->place != place || --wanted_->pass > 0) return;
  wanted_.reset();
  in_commit_ = false;
  throw Died{};
}

int Moments::passes(Place place) const {
  const auto found = passes_.find(place);
  return found == passes_.end() ? 0 : found->second;
}

std::optional<Trouble> Moments::commit() {
  ++commits_;
  if (!failing_ || --failing_->commit > 0) return std::nullopt;
  return std::exchange(failing_, std::nullopt)->trouble;
}

void Moments::begin_commit() {
  in_commit_ = true;
  in_this_commit_.clear();
}

void Moments::once(Place place) {
  if (in_commit_ && in_this_commit_.insert(place).second) pass(place);
}

}  // namespace semel::testing
