#include "file/entry.hpp"

#include <fmt/format.h>
#include <zlib.h>

#include <algorithm>
#include <charconv>
#include <iterator>

#include "record/json_text.hpp"

namespace semel::file {

namespace {

using record::Kind;

constexpr std::string_view base_word = "base";
constexpr std::string_view file_word = "file";
constexpr std::size_t checksum_digits = 8;

std::uint32_t checksum_of(std::string_view text) {
  return static_cast<std::uint32_t>(
      crc32_z(0, reinterpret_cast<const unsigned char*>(text.data()), text.size()));
}

void append_cell(std::string& to, const store::Cell& cell) {
  to += ',';
  if (const auto* number = std::get_if<std::int64_t>(&cell)) {
    to += std::to_string(*number);
  } else if (const auto* text = std::get_if<std::string>(&cell)) {
    record::append_json_string(to, *text);
  } else {
    to += "null";
  }
}

/// The elements of an array as cells.
store::Row cells_of(std::string_view array) {
  store::Row cells;
  record::ArrayElements elements(array);
  record::Value value;
  std::string scratch;
  scratch.reserve(array.size());
  while (elements.next(value, scratch)) {
    if (value.kind == Kind::number) {
      std::int64_t number = 0;
      std::from_chars(value.text.data(), value.text.data() + value.text.size(), number);
      cells.emplace_back(number);
    } else if (value.kind == Kind::string) {
      cells.emplace_back(std::string(value.text));
    } else {
      cells.emplace_back();
    }
    scratch.clear();
  }
  return cells;
}

std::string text_at(const store::Row& cells, std::size_t i) {
  const auto* text = i < cells.size() ? std::get_if<std::string>(&cells[i]) : nullptr;
  return text != nullptr ? *text : "";
}
std::uint64_t number_at(const store::Row& cells, std::size_t i) {
  const auto* number = i < cells.size() ? std::get_if<std::int64_t>(&cells[i]) : nullptr;
  return number != nullptr ? static_cast<std::uint64_t>(*number) : 0;
}

/// One of the arrays in a line; false where nobody knows what it means.
bool take(const store::Row& cells, Entry& entry) {
  const auto word = text_at(cells, 0);
  if (word == base_word) {
    entry.base = Base{number_at(cells, 1), number_at(cells, 2)};
    return cells.size() == 3;
  }
  if (word == file_word) {
    entry.files.push_back({text_at(cells, 1), text_at(cells, 2)});
    return cells.size() == 3;
  }
  const bool erases = word.starts_with('-');
  const auto name = std::string_view(word).substr(erases ? 1 : 0);
  const auto known = store::tables();
  const auto table = std::ranges::find(known, name, [](const auto* one) { return one->name; });
  if (table == known.end()) return false;
  const store::Row row(cells.begin() + 1, cells.end());
  if (!erases && row.size() != (*table)->columns.size()) return false;
  entry.changes.push_back({*table, row, erases});
  return true;
}

}  // namespace

std::string line_of(const Entry& entry) {
  std::string json;
  const auto begin = [&](std::string_view word) {
    json += json.empty() ? "[[" : ",[";
    record::append_json_string(json, word);
  };
  if (entry.base) {
    begin(base_word);
    fmt::format_to(std::back_inserter(json), ",{},{}]", entry.base->number, entry.base->length);
  }
  for (const auto& [table, row, erases] : entry.changes) {
    begin(fmt::format("{}{}", erases ? "-" : "", table->name));
    for (const auto& cell : row) append_cell(json, cell);
    json += ']';
  }
  for (const auto& [draft, name] : entry.files) {
    begin(file_word);
    append_cell(json, draft);
    append_cell(json, name);
    json += ']';
  }
  json += json.empty() ? "[]" : "]";
  return fmt::format("{:08x} {}\n", checksum_of(json), json);
}

std::optional<Entry> entry_of(std::string_view line) {
  if (line.size() <= checksum_digits || line[checksum_digits] != ' ') return std::nullopt;
  const auto json = line.substr(checksum_digits + 1);
  std::uint32_t checksum = 0;
  constexpr int hexadecimal = 16;
  const auto* end = line.data() + checksum_digits;
  const auto read = std::from_chars(line.data(), end, checksum, hexadecimal);
  if (read.ptr != end || checksum != checksum_of(json)) return std::nullopt;
  Entry entry;
  record::ArrayElements elements(json);
  record::Value value;
  std::string scratch;
  while (elements.next(value, scratch)) {
    if (value.kind != Kind::nested || !take(cells_of(value.text), entry)) return std::nullopt;
  }
  return entry;
}

}  // namespace semel::file
