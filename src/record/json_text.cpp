#include "record/json_text.hpp"

#include <cstdint>
#include <cstring>

namespace semel::record {
namespace {

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

int hex_digit(char c) {
  if (is_digit(c)) return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

/// Four hexadecimal digits, or -1.
std::int32_t hex4(std::string_view text) {
  if (text.size() < 4) return -1;
  std::int32_t code = 0;
  for (int i = 0; i < 4; ++i) {
    const int digit = hex_digit(text[static_cast<std::size_t>(i)]);
    if (digit < 0) return -1;
    code = code * 16 + digit;
  }
  return code;
}

void append_utf8(std::string& out, std::uint32_t code) {
  if (code < 0x80) {
    out += static_cast<char>(code);
  } else if (code < 0x800) {
    out += static_cast<char>(0xC0 | code >> 6);
    out += static_cast<char>(0x80 | (code & 0x3F));
  } else if (code < 0x10000) {
    out += static_cast<char>(0xE0 | code >> 12);
    out += static_cast<char>(0x80 | (code >> 6 & 0x3F));
    out += static_cast<char>(0x80 | (code & 0x3F));
  } else {
    out += static_cast<char>(0xF0 | code >> 18);
    out += static_cast<char>(0x80 | (code >> 12 & 0x3F));
    out += static_cast<char>(0x80 | (code >> 6 & 0x3F));
    out += static_cast<char>(0x80 | (code & 0x3F));
  }
}

/// The character of a one-letter escape, or 0.
char simple_escape(char c) {
  switch (c) {
    case '"':
      return '"';
    case '\\':
      return '\\';
    case '/':
      return '/';
    case 'b':
      return '\b';
    case 'f':
      return '\f';
    case 'n':
      return '\n';
    case 'r':
      return '\r';
    case 't':
      return '\t';
    default:
      return 0;
  }
}

/// Walks escapes: on_text(view), on_char(code) for each escape. False at an escape that is none.
template <class OnText, class OnChar>
bool walk_escapes(std::string_view content, Flaw& flaw, OnText on_text, OnChar on_char) {
  while (!content.empty()) {
    const std::size_t backslash = content.find('\\');
    on_text(content.substr(0, backslash));
    if (backslash == std::string_view::npos) return true;
    content.remove_prefix(backslash + 1);
    if (content.empty()) return false;
    const char letter = content.front();
    content.remove_prefix(1);
    if (const char simple = simple_escape(letter)) {
      on_char(static_cast<std::uint32_t>(simple));
      continue;
    }
    if (letter != 'u') return false;
    const std::int32_t first = hex4(content);
    if (first < 0) return false;
    content.remove_prefix(4);
    auto code = static_cast<std::uint32_t>(first);
    if (code == 0 && flaw == Flaw::none) flaw = Flaw::nul;
    if (code >= 0xD800 && code < 0xE000) {
      std::int32_t second = -1;
      if (code < 0xDC00 && content.starts_with("\\u")) second = hex4(content.substr(2));
      if (second >= 0xDC00 && second < 0xE000) {
        code = 0x10000 + ((code - 0xD800) << 10) + (static_cast<std::uint32_t>(second) - 0xDC00);
        content.remove_prefix(6);
      } else {
        if (flaw == Flaw::none) flaw = Flaw::lone_surrogate;
        code = 0xFFFD;
      }
    }
    on_char(code);
  }
  return true;
}

/// A JSON value is taken from the front of a text, or it is none.
class JsonTaker {
 public:
  explicit JsonTaker(std::string_view text) : rest_(text) {}

  bool value(int depth) {
    skip_space();
    if (rest_.empty()) return false;
    switch (rest_.front()) {
      case '{':
        return group('}', depth, true);
      case '[':
        return group(']', depth, false);
      case '"':
        return string();
      default:
        return scalar();
    }
  }

  bool at_end() {
    skip_space();
    return rest_.empty();
  }

 private:
  void skip_space() { rest_ = skip_json_space(rest_); }

  bool take(char c) {
    skip_space();
    if (!rest_.starts_with(c)) return false;
    rest_.remove_prefix(1);
    return true;
  }

  bool group(char close, int depth, bool has_names) {
    constexpr int depth_max = 500;
    if (depth > depth_max) return false;
    rest_.remove_prefix(1);
    if (take(close)) return true;
    do {
      skip_space();
      if (has_names && !(string() && take(':'))) return false;
      if (!value(depth + 1)) return false;
    } while (take(','));
    return take(close);
  }

  bool string() {
    if (!rest_.starts_with('"')) return false;
    std::size_t end = 1;
    for (; end < rest_.size() && rest_[end] != '"'; ++end) {
      if (static_cast<unsigned char>(rest_[end]) < 0x20) return false;
      if (rest_[end] == '\\') ++end;
    }
    if (end >= rest_.size()) return false;
    const auto content = rest_.substr(1, end - 1);
    rest_.remove_prefix(end + 1);
    return escapes_are_valid(content);
  }

  bool scalar() {
    const auto token = rest_.substr(0, rest_.find_first_of(",]} \t\n\r"));
    rest_.remove_prefix(token.size());
    return token == "true" || token == "false" || token == "null" || is_json_number(token);
  }

  std::string_view rest_;
};

}  // namespace

bool is_json(std::string_view text) {
  JsonTaker taker(text);
  return taker.value(1) && taker.at_end();
}

std::size_t value_length(std::string_view json) {
  const char first = json.front();
  if (first != '"' && first != '[' && first != '{') {
    const std::size_t end = json.find_first_of(",]} \t\n\r");
    return end == std::string_view::npos ? json.size() : end;
  }
  int depth = 0;
  bool in_string = false;
  for (std::size_t i = 0; i < json.size(); ++i) {
    const char c = json[i];
    if (in_string) {
      if (c == '\\') ++i;
      if (c == '"') in_string = false;
    } else if (c == '"') {
      in_string = true;
    } else if (c == '[' || c == '{') {
      ++depth;
    } else if (c == ']' || c == '}') {
      --depth;
    }
    if (depth == 0 && !in_string) return i + 1;
  }
  return json.size();
}

std::string_view skip_json_space(std::string_view text) {
  const std::size_t at = text.find_first_not_of(" \t\n\r");
  return at == std::string_view::npos ? std::string_view{} : text.substr(at);
}

std::string_view trim_json_space(std::string_view text) {
  text = skip_json_space(text);
  return text.substr(0, text.find_last_not_of(" \t\n\r") + 1);
}

bool is_json_number(std::string_view token) {
  const char* p = token.data();
  const char* const end = p + token.size();
  if (p != end && *p == '-') ++p;
  if (p == end || !is_digit(*p)) return false;
  if (*p == '0') {
    ++p;
  } else {
    while (p != end && is_digit(*p)) ++p;
  }
  if (p != end && *p == '.') {
    ++p;
    if (p == end || !is_digit(*p)) return false;
    while (p != end && is_digit(*p)) ++p;
  }
  if (p != end && (*p == 'e' || *p == 'E')) {
    ++p;
    if (p != end && (*p == '+' || *p == '-')) ++p;
    if (p == end || !is_digit(*p)) return false;
    while (p != end && is_digit(*p)) ++p;
  }
  return p == end;
}

Unescaped unescape(std::string_view content, std::string& out) {
  Unescaped result;
  result.valid = walk_escapes(
      content, result.flaw, [&](std::string_view text) { out.append(text); },
      [&](std::uint32_t code) { append_utf8(out, code); });
  return result;
}

bool escapes_are_valid(std::string_view content) {
  Flaw flaw = Flaw::none;
  return walk_escapes(
      content, flaw, [](std::string_view) {}, [](std::uint32_t) {});
}

Flaw escape_flaw(std::string_view json) {
  Flaw flaw = Flaw::none;
  // Backslashes stand in strings only, so that all of the JSON can be read as one string.
  if (std::memchr(json.data(), '\\', json.size()) != nullptr) {
    walk_escapes(
        json, flaw, [](std::string_view) {}, [](std::uint32_t) {});
  }
  return flaw;
}

void append_json_string(std::string& out, std::string_view text) {
  static constexpr char digits[] = "0123456789abcdef";
  out += '"';
  for (const char c : text) {
    switch (c) {
      case '"':
        out += "\\\"";
        break;
      case '\\':
        out += "\\\\";
        break;
      case '\b':
        out += "\\b";
        break;
      case '\f':
        out += "\\f";
        break;
      case '\n':
        out += "\\n";
        break;
      case '\r':
        out += "\\r";
        break;
      case '\t':
        out += "\\t";
        break;
      default:
        if (static_cast<unsigned char>(c) < 0x20) {
          out += "\\u00";
          out += digits[c >> 4];
          out += digits[c & 15];
        } else {
          out += c;
        }
    }
  }
  out += '"';
}

Value value_of_token(std::string_view token, std::string& scratch) {
  Value value{.text = token, .json = token};
  switch (token.front()) {
    case '"': {
      value.kind = Kind::string;
      value.text = token.substr(1, token.size() - 2);
      if (std::memchr(value.text.data(), '\\', value.text.size()) != nullptr) {
        const std::size_t start = scratch.size();
        value.flaw = unescape(value.text, scratch).flaw;
        value.text = std::string_view(scratch).substr(start);
      }
      break;
    }
    case '{':
    case '[':
      value.kind = Kind::nested;
      break;
    case 't':
    case 'f':
      value.kind = Kind::boolean;
      break;
    case 'n':
      value.kind = Kind::null;
      break;
    default:
      value.kind = Kind::number;
  }
  return value;
}

bool ArrayElements::next(Value& value, std::string& scratch) {
  rest_ = skip_json_space(rest_);
  if (!rest_.empty() && rest_.front() == ',') rest_ = skip_json_space(rest_.substr(1));
  if (rest_.empty() || rest_.front() == ']') return false;
  const std::size_t length = value_length(rest_);
  value = value_of_token(rest_.substr(0, length), scratch);
  rest_.remove_prefix(length);
  return true;
}

bool ObjectMembers::next(std::string& name, Value& value, std::string& scratch) {
  rest_ = skip_json_space(rest_);
  if (!rest_.empty() && rest_.front() == ',') rest_ = skip_json_space(rest_.substr(1));
  if (rest_.empty() || rest_.front() == '}') return false;
  const std::size_t key = value_length(rest_);
  name.clear();
  unescape(rest_.substr(1, key - 2), name);
  rest_ = skip_json_space(skip_json_space(rest_.substr(key)).substr(1));
  const std::size_t length = value_length(rest_);
  value = value_of_token(rest_.substr(0, length), scratch);
  rest_.remove_prefix(length);
  return true;
}

}  // namespace semel::record
