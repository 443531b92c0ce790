// COPY's two formats, read back strictly: what a server would see of a row.
#pragma once

#include <cstring>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "fuzz.hpp"

namespace semel::fuzz {

using Fields = std::vector<std::optional<std::string>>;

class BigEndian {
 public:
  explicit BigEndian(std::string_view bytes) : rest_(bytes) {}

  std::int64_t integer(std::size_t size, const char* what) {
    hold(rest_.size() >= size, what);
    std::uint64_t bits = 0;
    for (const char c : rest_.substr(0, size)) bits = bits << 8 | static_cast<unsigned char>(c);
    rest_.remove_prefix(size);
    const auto shift = 64 - 8 * size;
    return static_cast<std::int64_t>(bits << shift) >> shift;
  }
  std::string_view bytes(std::int64_t size, const char* what) {
    hold(size >= 0 && rest_.size() >= static_cast<std::size_t>(size), what);
    const auto taken = rest_.substr(0, static_cast<std::size_t>(size));
    rest_.remove_prefix(static_cast<std::size_t>(size));
    return taken;
  }
  /// A length and so many bytes; -1: NULL.
  std::optional<std::string> field() {
    const auto size = integer(4, "a field has a length");
    if (size == -1) return std::nullopt;
    return std::string(bytes(size, "a field's length is within the row"));
  }
  bool done() const { return rest_.empty(); }

 private:
  std::string_view rest_;
};

/// One tuple and nothing else.
inline Fields read_binary_row(std::string_view row) {
  BigEndian reader(row);
  Fields fields(static_cast<std::size_t>(reader.integer(2, "a row has a count")));
  for (auto& field : fields) field = reader.field();
  hold(reader.done(), "a binary row ends after its last field");
  return fields;
}

/// One line and nothing else. A line of no columns and one of an empty text look the same.
inline Fields read_text_row(std::string_view row) {
  hold(row.ends_with('\n'), "a line ends with its end");
  row.remove_suffix(1);
  Fields fields;
  std::string field;
  bool null = false;
  const auto end_field = [&] {
    hold(!null || field.empty(), "\\N stands alone");
    fields.push_back(null ? std::nullopt : std::optional(field));
    field.clear();
    null = false;
  };
  for (std::size_t i = 0; i < row.size(); ++i) {
    const char c = row[i];
    hold(c != '\n' && c != '\r' && c != '\0', "a line holds no bare line end and no NUL", row);
    if (c == '\t') {
      end_field();
    } else if (c != '\\') {
      field += c;
    } else {
      hold(++i < row.size(), "a line does not end in an escape", row);
      static constexpr std::string_view letters = "bfnrtv\\";
      static constexpr std::string_view meanings = "\b\f\n\r\t\v\\";
      if (row[i] == 'N') {
        hold(field.empty(), "\\N stands alone", row);
        null = true;
      } else {
        hold(letters.find(row[i]) != std::string_view::npos, "an escape is one of COPY's", row);
        field += meanings[letters.find(row[i])];
      }
    }
  }
  end_field();
  return fields;
}

}  // namespace semel::fuzz
