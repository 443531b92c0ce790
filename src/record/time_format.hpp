// Dates and times that are spelled in a way that the configuration tells: "%d/%m/%Y". Strict, the
// same in every locale. No I/O.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <semel/error.hpp>

#include "record/value.hpp"

namespace semel::record {

/// A text has to match whole, each character that is no directive as it is:
///
///   %Y  year, four digits             %H  hour, 0 to 23      %I  hour, 1 to 12, with %p
///   %m  month, 1 to 12                %M  minute             %p  AM or PM
///   %d  day of the month              %S  second, 0 to 59    %f  fraction: 1 to 9 digits
///   %b  Jan     %B  January           %z  Z, ±hh, ±hhmm or ±hh:mm
///   %a  Mon     %A  Monday            %%  a percent sign
///   %F  %Y-%m-%d    %T  %H:%M:%S    %R  %H:%M
///
/// Numbers have one or two digits, and two where the next directive follows at once. Names are
/// English, in capital or small letters. A day of the week has to be that of the date.
class TimeFormat {
 public:
  /// Fails (fatal, configuration) where a directive is none of these or comes twice, or where
  /// something is missing: a part of the date, the hour of a minute, the date of a zone.
  static Result<TimeFormat> parse(std::string_view format);

  /// days, time, local_time, or moment where the format has a zone. Absent where the text is not of
  /// this form, or of no day or time that there is. Fractions round to microseconds, halves to
  /// even.
  std::optional<Value> read(std::string_view text) const;

  bool has_date() const { return has('Y'); }
  bool has_time() const { return has('H') || has('I'); }
  bool has_zone() const { return has('z'); }

 private:
  struct Step {
    char directive = 0;  ///< 0: `literal`
    char literal = 0;
    bool two_digits = false;
  };

  bool has(char directive) const;
  Result<void> complete(std::string_view format) const;

  std::vector<Step> steps_;
};

}  // namespace semel::record
