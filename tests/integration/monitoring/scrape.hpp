// What a pipeline says of itself over HTTP.
#pragma once

#include <chrono>
#include <optional>
#include <sstream>
#include <string>

#include "http/client.hpp"

namespace semel::test {

/// Nothing: it does not answer.
inline std::optional<http::Page> ask(const http::Address& address, const std::string& path) {
  const auto page = http::get(address, path, std::chrono::seconds(10));
  return page ? std::optional(*page) : std::nullopt;
}

inline bool answers(const http::Address& address, const std::string& path, int status) {
  const auto page = ask(address, path);
  return page && page->status == status;
}

/// The sum over all samples of a metric; nothing: it has none.
inline std::optional<double> value_of(const std::string& page, const std::string& metric) {
  std::istringstream lines(page);
  std::optional<double> sum;
  for (std::string line; std::getline(lines, line);) {
    const auto end = line.find_first_of("{ ");
    if (line.starts_with('#') || line.substr(0, end) != metric) continue;
    sum = sum.value_or(0) + std::stod(line.substr(line.rfind(' ')));
  }
  return sum;
}

}  // namespace semel::test
