// JSON as text: the grammar of its scalars, escapes, quoting, and the elements of an array that is
// known to be valid. Allocates nothing but what it appends.
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "record/value.hpp"

namespace semel::record {

/// Whether `text` is one whole JSON value. For what comes from outside the record's JSON.
using JsonCheck = std::function<bool(std::string_view text)>;

bool is_json_number(std::string_view token);

/// Whether `text`, which is UTF-8, is one whole JSON value, at most 500 levels deep. For texts that
/// a record holds; records themselves are read by their format.
bool is_json(std::string_view text);

/// What unescaping found. `valid` is false where an escape is none of JSON's.
struct Unescaped {
  bool valid = true;
  Flaw flaw = Flaw::none;  ///< \u0000, or half of a surrogate pair (written as U+FFFD)
};

/// Appends a JSON string's content (between its quotes) without escapes. Never longer than it was.
Unescaped unescape(std::string_view content, std::string& out);

/// The same without the result: for strings that nobody reads.
bool escapes_are_valid(std::string_view content);

/// Whether jsonb could store the escapes of this valid JSON: what is wrong with them otherwise.
Flaw escape_flaw(std::string_view json);

/// `text` (UTF-8) as a JSON string with its quotes.
void append_json_string(std::string& out, std::string_view text);

/// Walks the elements of a JSON array that is known to be valid.
class ArrayElements {
 public:
  /// `json` begins with '[' and ends with ']'.
  explicit ArrayElements(std::string_view json) : rest_(json.substr(1)) {}

  /// The next element; false after the last one. Strings with escapes are appended to `scratch` and
  /// valid until it changes.
  bool next(Value& value, std::string& scratch);

 private:
  std::string_view rest_;
};

/// Walks the members of a JSON object that is known to be valid.
class ObjectMembers {
 public:
  /// `json` begins with '{' and ends with '}'.
  explicit ObjectMembers(std::string_view json) : rest_(json.substr(1)) {}

  /// The next member; false after the last one. `name` has no escapes and is valid until the next
  /// call; `value` as in ArrayElements.
  bool next(std::string& name, Value& value, std::string& scratch);

 private:
  std::string_view rest_;
};

/// The length of the JSON value that `json` begins with, by its brackets and quotes: of valid JSON
/// the right one. `json` is not empty and has no white space in front.
std::size_t value_length(std::string_view json);

/// `text` without the white space that JSON allows in front of a token.
std::string_view skip_json_space(std::string_view text);

/// The same without that behind it, too.
std::string_view trim_json_space(std::string_view text);

/// A valid JSON scalar or container as a value; `token` has no white space around it. A string with
/// escapes is appended to `scratch` and valid until that grows beyond its capacity.
Value value_of_token(std::string_view token, std::string& scratch);

}  // namespace semel::record
