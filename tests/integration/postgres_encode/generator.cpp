#include "generator.hpp"

#include <fmt/format.h>

#include <cstdlib>

namespace semel::postgres::test {

std::vector<std::uint64_t> seeds(std::vector<std::uint64_t> fixed) {
  if (const char* asked = std::getenv("SEMEL_SEED")) return {std::stoull(asked)};
  return fixed;
}

std::int64_t Generator::between(std::int64_t low, std::int64_t high) {
  return std::uniform_int_distribution<std::int64_t>(low, high)(random_);
}

std::string Generator::digits(std::int64_t count) {
  std::string result;
  const bool few_values = one_in(3);
  while (count-- > 0) {
    result += few_values ? pick<char>({'0', '9', '5'}) : static_cast<char>('0' + between(0, 9));
  }
  return result;
}

std::string Generator::json_number() {
  std::string number = one_in(3) ? "-" : "";
  if (one_in(4)) {
    number += "0";
  } else {
    number += static_cast<char>('0' + between(1, 9));
    number += digits(one_in(8) ? between(0, 60) : between(0, 18));
  }
  if (one_in(2)) number += "." + digits(one_in(8) ? between(1, 60) : between(1, 9));
  if (one_in(4)) {
    number += pick<std::string>({"e", "E", "e+", "e-", "E-"});
    number += one_in(10) ? digits(between(1, 6)) : std::to_string(between(0, 40));
  }
  return number;
}

std::string Generator::json_string(const std::string& text) {
  std::string result = "\"";
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      result += '\\';
      result += c;
    } else if (byte < 0x20 || (byte < 0x80 && one_in(40))) {
      result += fmt::format("\\u{:04x}", byte);
    } else {
      result += c;
    }
  }
  return result + "\"";
}

std::string Generator::text() {
  std::string result;
  for (auto count = between(0, 12); count > 0; --count) {
    result += pick<std::string>({"a",  "Z",    " ",    " ", "ä", "€", "😀",    "\"", "\\", "\t",
                                 "\n", "\x7f", "\x01", "{", "}", ",", "NULL", "0",  "-",  ":"});
  }
  return result;
}

std::string Generator::json_value(int depth) {
  const auto kind = between(0, depth > 0 ? 8 : 5);
  std::string result;
  switch (kind) {
    case 0:
      return pick<std::string>({"true", "false", "null"});
    case 1:
    case 2:
      return json_number();
    case 3:
    case 4:
    case 5:
      return json_string(text());
    case 6:
      for (auto count = between(0, 3); count > 0; --count) {
        result += (result.empty() ? "" : pick<std::string>({",", " , "})) + json_value(depth - 1);
      }
      return "[" + result + "]";
    default:
      for (auto count = between(0, 3); count > 0; --count) {
        result += (result.empty() ? "" : ", ") + json_string(text()) + ":" + json_value(depth - 1);
      }
      return "{" + result + pick<std::string>({"}", " }"});
  }
}

std::string Generator::number_text() {
  std::string result = one_in(3) ? json_number() : digits(between(0, 8));
  if (one_in(6)) result = "." + digits(between(0, 4));
  if (one_in(6)) result += ".";
  if (one_in(10))
    result = pick<std::string>({"NaN", "nan", "inf", "Infinity", "-INFINITY", "+inf"});
  if (one_in(6)) result = "+" + result;
  if (one_in(6)) result = " " + result;
  if (one_in(6)) result += pick<std::string>({" ", "\n", "\t\v\f\r"});
  return result;
}

std::string Generator::iso_date() {
  const std::int64_t year = one_in(6) ? between(1, 300'000) : between(1900, 2100);
  std::string result = fmt::format("{:04}-{:02}-{:02}", year, one_in(30) ? 13 : between(1, 12),
                                   one_in(4) ? between(28, 32) : between(1, 28));
  return result;
}

std::string Generator::iso_time() {
  std::string result = fmt::format("{:02}:{:02}", one_in(10) ? between(22, 26) : between(0, 23),
                                   one_in(20) ? 60 : between(0, 59));
  if (one_in(5)) return result;
  result += fmt::format(":{:02}", one_in(10) ? between(58, 62) : between(0, 59));
  if (one_in(2)) result += "." + digits(between(1, one_in(4) ? 15 : 7));
  return result;
}

std::string Generator::iso_offset() {
  const std::string space = one_in(5) ? " " : "";
  switch (between(0, 6)) {
    case 0:
      return "";
    case 1:
      return space + pick<std::string>({"Z", "z", "UTC"});
    case 2:
      return fmt::format("{}{:+03}", space, between(-17, 17));
    case 3:
      return fmt::format("{}{:+03}{:02}", space, between(-14, 14), between(0, 61));
    case 4:
      return fmt::format("{}{:+03}:{:02}:{:02}", space, between(-14, 14), between(0, 59),
                         between(0, 59));
    default:
      return fmt::format("{}{:+03}:{:02}", space, between(-14, 14), between(0, 61));
  }
}

std::string Generator::uuid() {
  const std::string hex = "0123456789abcdefABCDEF";
  const bool usual = one_in(2);
  std::string result;
  for (int i = 0; i < 32; ++i) {
    result += hex[static_cast<std::size_t>(between(0, 21))];
    const bool hyphen = usual ? i == 7 || i == 11 || i == 15 || i == 19 : i % 4 == 3 && one_in(3);
    if (hyphen && i != 31) result += '-';
  }
  return one_in(5) ? "{" + result + "}" : result;
}

std::string Generator::bytea() {
  std::string result;
  if (one_in(2)) {
    for (auto count = between(0, 20); count > 0; --count) {
      result += pick<std::string>({"00", "ff", "A0", "5c", " ", "27", "0a"});
    }
    return "\\x" + result;
  }
  for (auto count = between(0, 10); count > 0; --count) {
    result += pick<std::string>({"a", "\\\\", "\\000", "\\377", "'", "\\101"});
  }
  return result;
}

std::string Generator::array_literal() {
  std::string result;
  for (auto count = between(0, 4); count > 0; --count) {
    if (!result.empty()) result += pick<std::string>({",", ", ", " ,"});
    result += pick<std::string>({"1", "-2", "NULL", "null", "\"3\"", "\"a,b\"", "\"\\\"\"", "a b",
                                 "\\n", "2024-01-01", "true", "\"\"", "\"NULL\"", "1.5"});
  }
  return "{" + result + "}";
}

std::string Generator::mutate(std::string text, const std::string& alphabet) {
  const auto any = [&] {
    return alphabet[static_cast<std::size_t>(
        between(0, static_cast<std::int64_t>(alphabet.size()) - 1))];
  };
  const auto at = static_cast<std::size_t>(between(0, static_cast<std::int64_t>(text.size())));
  switch (between(0, 2)) {
    case 0:
      text.insert(at, 1, any());
      break;
    case 1:
      text.erase(at, 1);
      break;
    default:
      if (at < text.size()) text[at] = any();
  }
  return text;
}

}  // namespace semel::postgres::test
