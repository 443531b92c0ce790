#include "file/encode.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <iterator>
#include <utility>

#include "record/json_text.hpp"
#include "record/plain.hpp"
#include "record/spell.hpp"
#include "store/moment.hpp"

namespace semel::file {

namespace {

using record::Kind;
using record::Value;

constexpr std::array<std::pair<std::string_view, Type>, 6> types{{{"any", Type::any},
                                                                  {"string", Type::string},
                                                                  {"int64", Type::int64},
                                                                  {"double", Type::float64},
                                                                  {"boolean", Type::boolean},
                                                                  {"timestamp", Type::timestamp}}};

Cell refused(std::string_view why) {
  return {.kind = Cell::Kind::refused, .text = why};
}

/// What can be a number, without what only some languages take for one.
bool is_numeric(const Value& value) {
  return value.kind == Kind::number || value.kind == Kind::instant || value.kind == Kind::integer ||
         value.kind == Kind::real || value.kind == Kind::decimal;
}

Cell number_cell(const Value& value, record::Prefer prefer, std::string& scratch) {
  auto plain = record::as_plain(value, prefer, scratch);
  if (auto* integer = std::get_if<std::int64_t>(&plain)) {
    return {.kind = Cell::Kind::integer, .integer = *integer};
  }
  if (auto* real = std::get_if<double>(&plain)) return {.kind = Cell::Kind::real, .real = *real};
  if (auto* why = std::get_if<record::NotPlain>(&plain)) {
    scratch = std::move(why->why);
    return refused(scratch);
  }
  return refused("it is no number");
}

Cell text_cell(const Value& value, std::string& scratch) {
  auto plain = record::as_plain(value, record::Prefer::text, scratch);
  if (auto* text = std::get_if<std::string_view>(&plain)) {
    return {.kind = Cell::Kind::text, .text = *text};
  }
  if (auto* integer = std::get_if<std::int64_t>(&plain)) {
    scratch = std::to_string(*integer);
    return {.kind = Cell::Kind::text, .text = scratch};
  }
  if (auto* why = std::get_if<record::NotPlain>(&plain)) {
    scratch = std::move(why->why);
    return refused(scratch);
  }
  return refused("it is no text");
}

Cell moment_cell(const Value& value) {
  constexpr std::int64_t thousand = 1'000;
  if (value.kind == Kind::instant) {
    return {.kind = Cell::Kind::moment, .integer = value.integer * thousand};
  }
  if (value.kind == Kind::moment) return {.kind = Cell::Kind::moment, .integer = value.integer};
  if (value.kind == Kind::string) {
    if (const auto ms = store::moment_of(value.text)) {
      return {.kind = Cell::Kind::moment, .integer = *ms * thousand};
    }
  }
  return refused("it is no moment like 2026-01-31T10:20:30.500Z");
}

}  // namespace

std::string_view type_name(Type type) {
  return std::ranges::find(types, type, [](const auto& one) { return one.second; })->first;
}

Result<std::vector<FileColumn>> columns_of(const std::vector<std::string>& schema) {
  std::vector<FileColumn> columns;
  for (const auto& written : schema) {
    const auto space = written.rfind(' ');
    FileColumn column{written.substr(0, space), Type::any};
    if (space != std::string::npos) {
      const auto* type = std::ranges::find(types, written.substr(space + 1),
                                           [](const auto& one) { return one.first; });
      if (type == types.end()) {
        return fail(ErrorKind::fatal, Cause::configuration,
                    fmt::format("sink.file.schema: \"{}\" ends with no type: write NAME, or NAME "
                                "and one of string, int64, double, boolean, timestamp, any",
                                written));
      }
      column.type = type->second;
    }
    const bool twice = std::ranges::find(columns, column.name, &FileColumn::name) != columns.end();
    if (column.name.empty() || twice) {
      return fail(ErrorKind::fatal, Cause::configuration,
                  fmt::format("sink.file.schema: column \"{}\" {}", column.name,
                              twice ? "is named twice" : "has no name"));
    }
    columns.push_back(std::move(column));
  }
  return columns;
}

std::string_view moment_text(std::int64_t micros, std::string& scratch) {
  Value moment{.kind = Kind::moment};
  moment.integer = micros;
  return record::spell(moment, scratch).text;
}

Cell cell_of(const Value& value, Type type, std::string& scratch) {
  if (value.kind == Kind::absent || value.kind == Kind::null) return {};
  switch (type) {
    case Type::any:
    case Type::string:
      return text_cell(value, scratch);
    case Type::int64: {
      if (!is_numeric(value)) return refused("it is no number");
      const auto cell = number_cell(value, record::Prefer::any, scratch);
      return cell.kind == Cell::Kind::real ? refused("the number is not whole") : cell;
    }
    case Type::float64: {
      if (!is_numeric(value)) return refused("it is no number");
      auto cell = number_cell(value, record::Prefer::real, scratch);
      if (cell.kind == Cell::Kind::integer) {
        cell = {.kind = Cell::Kind::real, .real = static_cast<double>(cell.integer)};
      }
      return cell;
    }
    case Type::boolean:
      if (value.kind != Kind::boolean) return refused("it is neither true nor false");
      return {.kind = Cell::Kind::boolean, .integer = value.text == "true" ? 1 : 0};
    case Type::timestamp:
      return moment_cell(value);
  }
  return {};
}

std::optional<std::string> shown(const Value& value, Type type) {
  std::string scratch;
  const auto cell = cell_of(value, type, scratch);
  std::string other;
  switch (cell.kind) {
    case Cell::Kind::null:
      return std::nullopt;
    case Cell::Kind::integer:
      return std::to_string(cell.integer);
    case Cell::Kind::real:
      return fmt::format("{}", cell.real);
    case Cell::Kind::boolean:
      return cell.integer != 0 ? "true" : "false";
    case Cell::Kind::moment:
      return std::string(moment_text(cell.integer, other));
    case Cell::Kind::text:
    case Cell::Kind::refused:
      break;
  }
  return std::string(cell.text);
}

std::string_view ending_of(Form form) {
  switch (form) {
    case Form::csv:
      return ".csv";
    case Form::parquet:
      return ".parquet";
    case Form::jsonl:
      break;
  }
  return ".jsonl";
}

std::unique_ptr<RowWriter> row_writer(Form form, const std::vector<FileColumn>& columns) {
  if (form == Form::parquet) return parquet_rows(columns);
  return form == Form::csv ? csv(columns) : json_lines(columns);
}

}  // namespace semel::file
