// Is this JSON? RFC 8259, read slowly and literally: the judge over JsonReader. Libraries do not
// do: they refuse 1e999 and half surrogate pairs, which semel refuses only where they would be
// stored.
#pragma once

#include <string_view>

#include "fuzz.hpp"

namespace semel::fuzz {

class ReferenceJson {
 public:
  /// Whether `text` is one JSON value in UTF-8, nested in at most `max_depth` levels; an object
  /// where `only_object`.
  static bool accepts(std::string_view text, int max_depth, bool only_object) {
    ReferenceJson reader(text, max_depth);
    reader.space();
    if (only_object && !reader.at('{')) return false;
    return is_utf8(text) && reader.value(0) && (reader.space(), reader.rest_.empty());
  }

 private:
  ReferenceJson(std::string_view text, int max_depth) : rest_(text), max_depth_(max_depth) {}

  bool at(char c) const { return !rest_.empty() && rest_.front() == c; }
  bool take(char c) {
    if (!at(c)) return false;
    rest_.remove_prefix(1);
    return true;
  }
  bool take_word(std::string_view word) {
    if (!rest_.starts_with(word)) return false;
    rest_.remove_prefix(word.size());
    return true;
  }
  void space() {
    while (at(' ') || at('\t') || at('\n') || at('\r')) rest_.remove_prefix(1);
  }
  bool digits() {
    std::size_t count = 0;
    for (; !rest_.empty() && rest_.front() >= '0' && rest_.front() <= '9'; ++count) {
      rest_.remove_prefix(1);
    }
    return count > 0;
  }
  bool number() {
    take('-');
    if (!take('0') && !digits()) return false;
    if (take('.') && !digits()) return false;
    if (take('e') || take('E')) {
      if (!take('+')) take('-');
      return digits();
    }
    return true;
  }
  bool string() {
    if (!take('"')) return false;
    while (!rest_.empty()) {
      const char c = rest_.front();
      rest_.remove_prefix(1);
      if (c == '"') return true;
      if (static_cast<unsigned char>(c) < 0x20) return false;
      if (c != '\\') continue;
      if (rest_.empty()) return false;
      const char escape = rest_.front();
      rest_.remove_prefix(1);
      if (escape != 'u') {
        if (std::string_view("\"\\/bfnrt").find(escape) == std::string_view::npos) return false;
        continue;
      }
      const auto hex = rest_.substr(0, 4);
      if (hex.size() < 4 ||
          hex.find_first_not_of("0123456789abcdefABCDEF") != std::string_view::npos) {
        return false;
      }
      rest_.remove_prefix(4);
    }
    return false;
  }
  bool container(int depth) {
    const bool object = at('{');
    const char close = object ? '}' : ']';
    if (depth > max_depth_) return false;
    rest_.remove_prefix(1);
    space();
    if (take(close)) return true;
    do {
      space();
      if (object && !(string() && (space(), take(':')) && (space(), true))) return false;
      if (!value(depth)) return false;
      space();
    } while (take(','));
    return take(close);
  }
  bool value(int depth) {
    if (rest_.empty()) return false;
    switch (rest_.front()) {
      case '{':
      case '[':
        return container(depth + 1);
      case '"':
        return string();
      case 't':
        return take_word("true");
      case 'f':
        return take_word("false");
      case 'n':
        return take_word("null");
      default:
        return number();
    }
  }

  std::string_view rest_;
  int max_depth_;
};

}  // namespace semel::fuzz
