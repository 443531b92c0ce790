// A configured value before its setting has given it a type.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <variant>
#include <vector>

namespace semel::config {

/// Where something was written: "clicks.toml:4:9" or "--set batch.interval".
struct Place {
  std::string source;
  std::uint32_t line = 0;  ///< 0: `source` says it all
  std::uint32_t column = 0;
};

std::string to_string(const Place& place);

/// Something wrong, for people. Never holds the value of a secret.
struct Problem {
  Place place;
  std::string text;
};

/// A date or time without quotes.
struct Moment {
  std::string text;
};

struct Value {
  using List = std::vector<Value>;
  using Table = std::map<std::string, Value>;

  std::variant<std::string, std::int64_t, double, bool, Moment, List, Table> data;
  Place place;
  /// The text came from the environment or the command line, where nobody writes quotes: it may be
  /// read as any type. `text` is what was written.
  bool loose = false;
  std::string text;

  template <class T>
  const T* as() const {
    return std::get_if<T>(&data);
  }
};

/// "a string", "an integer" ...
std::string kind_of(const Value& value);

/// "a string" or, where TOML gives the text another meaning, what it is then: "8" → 8. The value
/// itself unless it is loose text.
Value reread(const Value& value);

/// A TOML string with its quotes; a key, quoted where it has to be.
std::string quoted(const std::string& text);
std::string key_text(const std::string& key);
/// For messages that quote somebody's keys or text: line ends and other controls as TOML escapes.
std::string one_line(const std::string& text);
/// A TOML string that means `text` to load(): "${" is written "$${".
std::string quoted_setting(const std::string& text);

}  // namespace semel::config
