#include "cli/check_sample.hpp"

#include <fmt/format.h>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "cli/text.hpp"

namespace semel::cli {

namespace {

constexpr std::size_t shown_bytes_max = 200;

/// What a terminal would obey instead of showing it, and what is too long.
std::string printable(std::string_view text) {
  std::string shown;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (shown.size() >= shown_bytes_max && (text[i] & 0xC0) != 0x80) {
      return shown + fmt::format("... ({} bytes)", text.size());
    }
    const auto byte = static_cast<unsigned char>(text[i]);
    const bool c1 =
        byte == 0xC2 && i + 1 < text.size() && static_cast<unsigned char>(text[i + 1]) < 0xA0;
    if (byte < 0x20 || byte == 0x7F) {
      shown += fmt::format("\\x{:02x}", byte);
    } else if (c1) {
      shown += fmt::format("\\x{:02x}", static_cast<unsigned char>(text[++i]));
    } else {
      shown += text[i];
    }
  }
  return shown;
}

/// In quotes where it could be taken for something else.
std::string shown(const std::optional<std::string>& value) {
  if (!value) return "NULL";
  const bool plain =
      !value->empty() && *value != "NULL" && value->find_first_of(" \"=()") == std::string::npos;
  if (plain) return printable(*value);
  std::string quoted;
  for (const char c : *value) {
    if (c == '"') quoted += '\\';
    quoted += c;
  }
  return fmt::format("\"{}\"", printable(quoted));
}

/// How often a column had what.
struct Filling {
  std::size_t filled = 0;
  std::size_t by_default = 0;
  std::size_t rows = 0;
};

}  // namespace

void print_sample(const std::vector<SampledRecord>& sampled) {
  std::vector<std::pair<std::string, Filling>> columns;
  const auto filling = [&](const std::string& name) -> Filling& {
    for (auto& [column, counts] : columns) {
      if (column == name) return counts;
    }
    return columns.emplace_back(name, Filling{}).second;
  };
  std::size_t rows = 0;
  std::size_t refused = 0;
  std::size_t suppressed = 0;
  for (const auto& record : sampled) {
    const auto where = fmt::format("{} offset {}", to_string(record.tp), record.offset);
    if (record.fate == SampledRecord::Fate::refused) {
      ++refused;
      fmt::print("  ✗ {}: {}\n", where, printable(record.reason));
      continue;
    }
    if (record.fate == SampledRecord::Fate::ignored) {
      fmt::print("  - {}: no value (tombstone), ignored\n", where);
      continue;
    }
    if (record.fate == SampledRecord::Fate::suppressed) {
      ++suppressed;
      fmt::print("  - {}: suppressed, a trigger returned NULL\n", where);
      continue;
    }
    if (record.fate == SampledRecord::Fate::removal) {
      std::string key;
      for (const auto& [name, value] : record.values) {
        key += fmt::format(" {}={}", printable(name), shown(value));
      }
      fmt::print("  ✓ {}: removes the row with{}\n", where, key);
      continue;
    }
    ++rows;
    std::string row;
    for (const auto& [name, value] : record.values) {
      row += fmt::format(" {}={}", printable(name), shown(value));
      auto& counts = filling(name);
      ++counts.rows;
      counts.filled += value ? 1 : 0;
    }
    for (const auto& name : record.defaults) {
      row += fmt::format(" {}=(default)", printable(name));
      auto& counts = filling(name);
      ++counts.rows;
      ++counts.by_default;
    }
    fmt::print("  ✓ {}:{}\n", where, row);
  }
  for (const auto& [name, counts] : columns) {
    fmt::print(
        "  column {}: filled in {} of {} rows{}\n", printable(name), counts.filled, counts.rows,
        counts.by_default == 0 ? ""
                               : fmt::format(", left to its default in {}", counts.by_default));
  }
  fmt::print("  {}: {}, {} refused, {} ignored{}; nothing was written\n",
             counted(sampled.size(), "record"), counted(rows, "row"), refused,
             sampled.size() - rows - refused - suppressed,
             suppressed == 0 ? "" : fmt::format(", {} suppressed by triggers", suppressed));
}

}  // namespace semel::cli
