// What a column's rule makes of a value: an instant of a number, bytes of base64. Pure.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include <semel/error.hpp>

#include "record/column.hpp"
#include "record/rule.hpp"
#include "record/time_format.hpp"
#include "record/value.hpp"

namespace semel::record {

/// Why a column cannot have this rule, as the end of a sentence; nothing where it can.
std::optional<std::string> why_not(const ColumnRule& rule, const Column& column);

/// unit, format, encoding or parse of one column.
class Conversion {
 public:
  /// Fails (fatal, configuration) where the format is none.
  static Result<Conversion> make(const ColumnRule& rule, Holds holds);

  /// Whether the value, which is neither absent nor null, is what the rule wants; then it is
  /// replaced by what it means, and borrows from `scratch`. Otherwise why() says what is wrong with
  /// it.
  bool apply(Value& value, std::string& scratch);
  /// As the end of a sentence that begins with the value.
  const std::string& why() const { return why_; }

 private:
  bool count(Value& value, std::string& scratch);
  bool read_text(Value& value, std::string& scratch);
  bool wrong(std::string_view why);

  Holds holds_ = Holds::unknown;
  Unit unit_ = Unit::none;
  std::optional<TimeFormat> format_;
  Encoding encoding_ = Encoding::none;
  std::string told_;  ///< the rule, for people
  std::string why_;
};

/// NUL characters are taken out of a text, or out of the texts in JSON. `scratch` as above.
void strip_nul(Value& value, std::string& scratch);

}  // namespace semel::record
