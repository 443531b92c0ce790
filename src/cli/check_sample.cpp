#include "cli/check_sample.hpp"

#include <fmt/format.h>
#include <cstddef>
#include <optional>
#include <set>
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

/// What came of all of them, counted while each is printed.
class Sample {
 public:
  void print(const SampledRecord& record) {
    const bool same =
        before_ != nullptr && before_->tp == record.tp && before_->offset == record.offset;
    before_ = &record;
    if (!same) ++records_;
    if (!record.unknown_field.empty()) unknown_.insert(printable(record.unknown_field));
    const auto place = fmt::format("{} offset {}", to_string(record.tp), record.offset);
    const auto where =
        record.table.empty() ? place : fmt::format("{} into {}", place, printable(record.table));
    switch (record.fate) {
      case SampledRecord::Fate::refused:
        // Of a record with several rows, once.
        if (same) return;
        ++refused_;
        return fmt::print("  ✗ {}: {}\n", place, printable(record.reason));
      case SampledRecord::Fate::ignored:
        ++ignored_;
        return fmt::print("  - {}: {}\n", where,
                          record.reason.empty() ? "no value (tombstone), ignored" : record.reason);
      case SampledRecord::Fate::unmade:
        ++unmade_;
        return fmt::print("  - {}: a row of a table that is made first\n", where);
      case SampledRecord::Fate::suppressed:
        ++suppressed_;
        return fmt::print("  - {}: suppressed, a trigger returned NULL\n", where);
      case SampledRecord::Fate::removal: {
        ++removals_;
        std::string key;
        for (const auto& [name, value] : record.values) {
          key += fmt::format(" {}={}", printable(name), shown(value));
        }
        return fmt::print("  ✓ {}: removes the row with{}\n", where, key);
      }
      case SampledRecord::Fate::row:
        break;
    }
    fmt::print("  ✓ {}:{}\n", where, row_of(record));
  }

  void print_sums() const {
    for (const auto& [name, counts] : columns_) {
      fmt::print(
          "  column {}: filled in {} of {} rows{}\n", printable(name), counts.filled, counts.rows,
          counts.by_default == 0 ? ""
                                 : fmt::format(", left to its default in {}", counts.by_default));
    }
    if (!unknown_.empty()) {
      constexpr std::size_t names_max = 20;
      std::string names;
      std::size_t count = 0;
      for (const auto& name : unknown_) {
        if (++count > names_max) break;
        names += (names.empty() ? "" : ", ") + name;
      }
      fmt::print("  members without a column, which are left out: {}{}\n", names,
                 unknown_.size() > names_max ? " and others" : "");
    }
    fmt::print("  {}: {}, {} refused, {} ignored{}{}{}; nothing was written\n",
               counted(records_, "record"), counted(rows_, "row"), refused_, ignored_,
               removals_ == 0 ? "" : fmt::format(", {}", counted(removals_, "removal")),
               suppressed_ == 0 ? "" : fmt::format(", {} suppressed by triggers", suppressed_),
               unmade_ == 0
                   ? ""
                   : fmt::format(", {} of tables that are made first", counted(unmade_, "row")));
  }

 private:
  std::string row_of(const SampledRecord& record) {
    ++rows_;
    const auto in = record.table.empty() ? std::string() : record.table + ".";
    std::string row;
    for (const auto& [name, value] : record.values) {
      row += fmt::format(" {}={}", printable(name), shown(value));
      auto& counts = filling(in + name);
      ++counts.rows;
      counts.filled += value ? 1 : 0;
    }
    for (const auto& name : record.defaults) {
      row += fmt::format(" {}=(default)", printable(name));
      auto& counts = filling(in + name);
      ++counts.rows;
      ++counts.by_default;
    }
    return row;
  }

  Filling& filling(const std::string& name) {
    for (auto& [column, counts] : columns_) {
      if (column == name) return counts;
    }
    return columns_.emplace_back(name, Filling{}).second;
  }

  std::vector<std::pair<std::string, Filling>> columns_;
  const SampledRecord* before_ = nullptr;
  std::set<std::string> unknown_;  ///< the first of each record
  std::size_t records_ = 0;
  std::size_t rows_ = 0;
  std::size_t refused_ = 0;
  std::size_t ignored_ = 0;
  std::size_t removals_ = 0;
  std::size_t suppressed_ = 0;
  std::size_t unmade_ = 0;
};

}  // namespace

void print_sample(const std::vector<SampledRecord>& sampled) {
  Sample sample;
  for (const auto& record : sampled) sample.print(record);
  sample.print_sums();
}

}  // namespace semel::cli
