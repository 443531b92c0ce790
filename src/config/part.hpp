// The options of one section, whatever struct a room keeps them in.
#pragma once

#include <any>
#include <utility>

namespace semel::config {

/// A value of the struct that the section's declaration gave. Copyable; not thread safe.
class Part {
 public:
  Part() = default;
  template <class Options>
  static Part of(Options options) {
    Part part;
    part.options_ = std::move(options);
    return part;
  }

  /// Of the type that it was made of, or none other: throws std::bad_any_cast.
  template <class Options>
  Options& as() {
    return std::any_cast<Options&>(options_);
  }
  template <class Options>
  const Options& as() const {
    return std::any_cast<const Options&>(options_);
  }

 private:
  std::any options_;
};

}  // namespace semel::config
