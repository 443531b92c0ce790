// Every metric, declared once: name, type, labels, meaning. The page and its documentation come
// from here.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace semel::metrics {

enum class Type : std::uint8_t { counter, gauge, histogram, summary };

struct Declaration {
  std::string_view name;
  Type type;
  std::string_view labels;  ///< beside `pipeline`: "topic, partition"; "-": not even that
  std::string_view help;    ///< one sentence without a full stop
};

/// In the order of the page.
std::span<const Declaration> declarations();

/// As Markdown, for the documentation.
std::string reference_page();

}  // namespace semel::metrics
