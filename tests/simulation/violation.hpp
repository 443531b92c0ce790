// What a simulation throws when something happened that must not happen.
#pragma once

#include <stdexcept>
#include <string>

namespace semel::simulation {

/// `rule` names what was broken ("P7"); shortening a schedule keeps it.
class Violation : public std::runtime_error {
 public:
  Violation(std::string rule, const std::string& what)
      : std::runtime_error(rule + ": " + what), rule_(std::move(rule)) {}
  const std::string& rule() const { return rule_; }

 private:
  std::string rule_;
};

inline void demand(bool holds, const char* rule, const std::string& what) {
  if (!holds) throw Violation(rule, what);
}

}  // namespace semel::simulation
