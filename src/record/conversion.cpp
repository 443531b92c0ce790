#include "record/conversion.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>

#include "record/byte_text.hpp"
#include "record/calendar.hpp"
#include "record/decimal.hpp"
#include "record/json_text.hpp"
#include "record/parts.hpp"
#include "record/spell.hpp"

namespace semel::record {
namespace {

bool takes_times(const Column& column) {
  return column.holds == Holds::instant || column.holds == Holds::date ||
         column.holds == Holds::time || column.holds == Holds::unknown ||
         column.keeps_times_as_text;
}

std::optional<std::string> why_no_format(const ColumnRule& rule, const Column& column) {
  auto format = TimeFormat::parse(rule.format);
  if (!format) return std::nullopt;  // told by itself
  if (!takes_times(column)) return "a format is of dates and times";
  if (column.holds == Holds::time && format->has_date()) {
    return fmt::format("format = \"{}\" has a date, which a time of day cannot hold", rule.format);
  }
  if ((column.holds == Holds::date || column.holds == Holds::instant) && !format->has_date()) {
    return fmt::format("format = \"{}\" has no date", rule.format);
  }
  return std::nullopt;
}

/// Digits after the point that a unit's number lacks to be microseconds.
int digits_to_micros(Unit unit) {
  switch (unit) {
    case Unit::seconds:
      return 6;
    case Unit::milliseconds:
      return 3;
    case Unit::nanoseconds:
      return -3;
    case Unit::microseconds:
    case Unit::days:
    case Unit::none:
      break;
  }
  return 0;
}

bool is_whole(const Decimal& number) {
  // What stands before the first digit is zeros, however many.
  for (auto i = std::max<std::int64_t>(number.point, 0);
       i < static_cast<std::int64_t>(number.size()); ++i) {
    if (number.digit(i) != 0) return false;
  }
  return true;
}

std::int64_t day_of(std::int64_t micros) {
  return micros / kMicrosPerDay - (micros % kMicrosPerDay < 0 ? 1 : 0);
}

Value typed_value(Kind kind, std::int64_t integer) {
  Value value{.kind = kind};
  value.integer = integer;
  return value;
}

/// A text, wherever it comes from.
bool is_text(const Value& value) {
  return (value.kind == Kind::string || value.kind == Kind::bytes) && value.flaw == Flaw::none;
}

/// What its unit or its type has said already.
bool is_time(Kind kind) {
  return kind == Kind::instant || kind == Kind::days || kind == Kind::time ||
         kind == Kind::moment || kind == Kind::local_time;
}

/// Valid JSON, with `instead` for each \u0000.
void append_without_nul(std::string_view json, std::string_view instead, std::string& out) {
  constexpr std::string_view escape = "\\u0000";
  for (std::size_t i = 0; i < json.size();) {
    if (json[i] != '\\') {
      out += json[i++];
    } else if (json.substr(i).starts_with(escape)) {
      out += instead;
      i += escape.size();
    } else {
      // Both, so that the second one of two backslashes begins nothing.
      out.append(json.substr(i, 2));
      i += 2;
    }
  }
}

/// What is wrong with a string beside its NULs.
Flaw flaw_beside_nul(std::string_view json) {
  if (json.empty()) return Flaw::none;
  std::string rest;
  append_without_nul(json, " ", rest);
  return escape_flaw(rest);
}

}  // namespace

std::optional<std::string> why_not(const ColumnRule& rule, const Column& column) {
  if (rule.unit != Unit::none) {
    if (!takes_times(column)) return "a unit is of dates and times";
    if (rule.unit == Unit::days && column.holds == Holds::time) {
      return "days are of dates, not of a time of day";
    }
  }
  if (!rule.format.empty()) return why_no_format(rule, column);
  const bool bytes = column.holds == Holds::bytes || column.holds == Holds::unknown;
  if (rule.encoding != Encoding::none && !bytes) return "an encoding is of bytes";
  const bool nested = column.holds == Holds::json || column.holds == Holds::nested ||
                      column.holds == Holds::unknown;
  if (rule.parse_json && !nested) return "JSON in a text goes into JSON, arrays and composites";
  return std::nullopt;
}

Result<Conversion> Conversion::make(const ColumnRule& rule, Holds holds) {
  Conversion made;
  made.holds_ = holds;
  made.unit_ = rule.unit;
  made.encoding_ = rule.encoding;
  if (!rule.format.empty()) {
    auto format = TimeFormat::parse(rule.format);
    if (!format) return tl::unexpected(format.error());
    made.format_ = *std::move(format);
    made.told_ = fmt::format("format = \"{}\"", rule.format);
  } else if (rule.unit != Unit::none) {
    made.told_ = fmt::format("unit = \"{}\"", name_of(rule.unit));
  } else if (rule.encoding != Encoding::none) {
    made.told_ = fmt::format("encoding = \"{}\"", name_of(rule.encoding));
  } else {
    made.told_ = "parse = \"json\"";
  }
  return made;
}

bool Conversion::wrong(std::string_view why) {
  why_ = fmt::format("{} ({})", why, told_);
  return false;
}

bool Conversion::apply(Value& value, std::string& scratch) {
  scratch.clear();
  if (unit_ != Unit::none) return is_time(value.kind) || count(value, scratch);
  if (format_ && is_time(value.kind)) return true;
  return read_text(value, scratch);
}

bool Conversion::count(Value& value, std::string& scratch) {
  constexpr std::string_view no_number = "is no number";
  std::string_view digits = value.text;
  if (value.kind == Kind::integer || value.kind == Kind::real || value.kind == Kind::decimal) {
    const auto spelled = spell(value, scratch);
    if (spelled.kind != Kind::number) return wrong(no_number);
    digits = spelled.text;
  } else if (value.kind != Kind::number && !(is_text(value) && is_json_number(value.text))) {
    return wrong(no_number);
  }
  const auto number = parse_decimal(digits);
  if (!number) return wrong(no_number);
  const auto counted = to_integer(*number, digits_to_micros(unit_));
  if (!counted) return wrong("is out of range");
  if (unit_ == Unit::days) {
    if (!is_whole(*number)) return wrong("is no whole number of days");
    value = typed_value(Kind::days, *counted);
    if (holds_ != Holds::instant) return true;
    std::int64_t micros = 0;
    if (__builtin_mul_overflow(*counted, kMicrosPerDay, &micros)) return wrong("is out of range");
    value = typed_value(Kind::moment, micros);
  } else if (holds_ == Holds::date) {
    value = typed_value(Kind::days, day_of(*counted));
  } else if (holds_ == Holds::time) {
    if (*counted < 0 || *counted >= kMicrosPerDay) return wrong("is no time of a day");
    value = typed_value(Kind::time, *counted);
  } else {
    value = typed_value(Kind::moment, *counted);
  }
  return true;
}

bool Conversion::read_text(Value& value, std::string& scratch) {
  // What is JSON already need not be read again.
  const bool parses = !format_ && encoding_ == Encoding::none;
  if (parses && value.kind != Kind::string && value.kind != Kind::bytes) return true;
  if (!is_text(value)) return wrong("is no text");
  if (format_) {
    const auto read = format_->read(value.text);
    if (!read) return wrong("is not of the form that the rule has");
    value = *read;
    if (holds_ == Holds::date && value.kind != Kind::days) {
      value = typed_value(Kind::days, day_of(value.integer));
    } else if (holds_ == Holds::instant) {
      // A text without a zone is UTC.
      const bool day = value.kind == Kind::days;
      value = typed_value(Kind::moment, day ? value.integer * kMicrosPerDay : value.integer);
    }
    return true;
  }
  if (encoding_ == Encoding::base64) {
    if (!from_base64(value.text, scratch)) return wrong("is no base64");
    value = bytes_value(scratch, holds_ == Holds::bytes);
    return true;
  }
  if (encoding_ == Encoding::hex) {
    if (!from_hex(value.text, scratch)) return wrong("is no row of pairs of hexadecimal digits");
    value = bytes_value(scratch, holds_ == Holds::bytes);
    return true;
  }
  if (!is_json(value.text)) return wrong("holds no JSON");
  const auto token = trim_json_space(value.text);
  // So that a string without its escapes does not move.
  scratch.reserve(token.size());
  value = value_of_token(token, scratch);
  return true;
}

void strip_nul(Value& value, std::string& scratch) {
  scratch.clear();
  if (value.kind == Kind::nested) {
    if (value.json.find("\\u0000") == std::string_view::npos) return;
    append_without_nul(value.json, "", scratch);
    value.text = value.json = scratch;
  } else if (value.flaw == Flaw::nul) {
    std::ranges::copy_if(value.text, std::back_inserter(scratch), [](char c) { return c != '\0'; });
    value.text = scratch;
    value.flaw = flaw_beside_nul(value.json);
    value.json = {};
  }
}

}  // namespace semel::record
