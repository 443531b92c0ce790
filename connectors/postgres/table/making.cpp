#include "postgres/table/making.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "postgres/client/quoting.hpp"
#include "record/time_format.hpp"

namespace semel::postgres {

namespace {

std::optional<std::string> type_of_kinds(const record::SeenKinds& seen) {
  if (!seen.any()) return std::nullopt;
  if (seen.nested) return "jsonb";
  if (seen.other) return seen.text || seen.number || seen.boolean ? "text" : "bytea";
  if (seen.boolean && !seen.number && !seen.text) return "boolean";
  if (seen.number && !seen.boolean && !seen.text) return "numeric";
  return "text";
}

/// What a rule makes of its values, whatever they are.
std::optional<std::string> type_of_rule(const record::ColumnRule& rule) {
  if (rule.parse_json) return "jsonb";
  if (rule.encoding != record::Encoding::none) return "bytea";
  if (rule.unit == record::Unit::days) return "date";
  if (rule.unit != record::Unit::none) return "timestamptz";
  if (!rule.format.empty()) {
    const auto format = record::TimeFormat::parse(rule.format);
    if (!format) return std::nullopt;
    if (format->has_zone()) return "timestamptz";
    if (format->has_date()) return format->has_time() ? "timestamp" : "date";
    return "time";
  }
  if (rule.constant) {
    if (rule.constant->kind == record::Kind::boolean) return "boolean";
    return rule.constant->kind == record::Kind::number ? "numeric" : "text";
  }
  return std::nullopt;
}

/// Of what is beside the value.
std::optional<std::string> type_of_part(const record::Mapping& mapping) {
  switch (mapping.part) {
    case record::Part::partition:
    case record::Part::index:
      return "integer";
    case record::Part::offset:
      return "bigint";
    case record::Part::timestamp:
      return "timestamptz";
    case record::Part::headers:
      return "jsonb";
    case record::Part::topic:
      return "text";
    case record::Part::path:
    case record::Part::value_path:
    case record::Part::key:
    case record::Part::key_path:
    case record::Part::header:
    case record::Part::value:
    case record::Part::constant:
      break;
  }
  return std::nullopt;
}

/// Why the server would not call a column so; empty: it would.
std::string why_no_name(const std::string& name, const TableNow& now, const Options& rule) {
  if (name.empty()) return "a column has a name";
  if (name.size() > identifier_bytes_max) return "a name has at most 63 bytes";
  if (name.find('\0') != std::string::npos) return "no name has a NUL character";
  if (std::ranges::find(now.reserved, name) != now.reserved.end()) {
    return "PostgreSQL has a column of this name in each table";
  }
  if (rule.merges() && name.starts_with("semel_")) {
    return "names that begin with semel_ are the temporary table's, by way of which rows are "
           "merged";
  }
  return "";
}

/// For people: any member's name, in one line.
std::string shown_name(const std::string& name) {
  constexpr std::size_t shown_max = 70;
  return record::shown({.text = std::string_view(name).substr(0, shown_max)});
}

/// Whether the table has a column that the member goes to.
bool has(const TableNow& now, const record::ShapeColumn& column, record::Names names) {
  const auto same = [&](const std::string& there) {
    return there == column.name ||
           (column.rule == nullptr &&
            record::folded(there, names) == record::folded(column.name, names));
  };
  return std::ranges::any_of(now.columns, same);
}

std::string list_of(const Making& making, std::string_view before) {
  std::string list;
  for (const auto& column : making.columns) {
    list += fmt::format("{}\n  {}{} {}", list.empty() ? "" : ",", before,
                        quote_identifier(column.name), column.type);
  }
  return list;
}

bool has_column(const Making& making, const std::string& name) {
  return std::ranges::find(making.columns, name, &NewColumn::name) != making.columns.end();
}

}  // namespace

std::optional<std::string> type_for(const record::ShapeColumn& column) {
  if (column.rule != nullptr) {
    if (auto type = type_of_rule(*column.rule)) return type;
    const bool one_place = column.rule->from.size() < 2;
    if (column.mapping && one_place) {
      if (auto type = type_of_part(*column.mapping)) return type;
    }
  }
  return type_of_kinds(column.seen);
}

namespace {

/// As the configuration spells a column that the member is to `names`; the member's name otherwise.
std::string spelled(const Options& rule, const std::string& member) {
  std::vector<std::string> said = rule.key;
  said.push_back(rule.version);
  for (const auto& [column, type] : rule.types) said.push_back(column);
  for (const auto& column : said) {
    if (record::folded(column, rule.policy.names) == member) return column;
  }
  return member;
}

}  // namespace

Making plan_making(const Options& rule, const TableNow& now,
                   std::span<const record::ShapeColumn> shape) {
  Making making;
  const auto given = [&](const std::string& name) -> std::optional<std::string> {
    const auto found = rule.types.find(name);
    return found == rule.types.end() ? std::nullopt : std::optional(found->second);
  };
  for (const auto& seen : shape) {
    auto column = seen;
    if (column.rule == nullptr) column.name = spelled(rule, column.name);
    if (has(now, column, rule.policy.names) ||
        (!column.name.empty() && column.name == rule.marks_removed)) {
      continue;
    }
    auto type = given(column.name);
    if (!type) type = type_for(column);
    // A rule's column has to be there; of a member that is only null nothing is lost.
    if (!type && column.rule != nullptr) type = "text";
    if (!type) continue;
    if (const auto why = why_no_name(column.name, now, rule); !why.empty()) {
      auto text = fmt::format("{}: {}", shown_name(column.name), why);
      if (column.rule != nullptr && making.mistake.empty()) making.mistake = text;
      making.left_out.push_back(std::move(text));
      continue;
    }
    making.columns.push_back({column.name, *std::move(type)});
  }
  // The key has to be there, and its type may be given without a record that has it.
  for (const auto& name : rule.write == Write::upsert ? rule.key : std::vector<std::string>()) {
    if (has_column(making, name)) continue;
    if (const auto type = given(name); type && !now.exists) making.columns.push_back({name, *type});
  }
  const auto& marks = rule.marks_removed;
  if (!marks.empty() && std::ranges::find(now.columns, marks) == now.columns.end()) {
    making.columns.push_back({marks, given(marks).value_or("timestamptz")});
  }
  return making;
}

std::string why_not_made(const Options& rule, const Making& making) {
  if (rule.write == Write::upsert) {
    if (rule.key.empty()) {
      return fmt::format("write = \"upsert\" needs a key: name its columns in {}",
                         rule.names("sink.postgres.key"));
    }
    for (const auto& name : rule.key) {
      if (!has_column(making, name)) {
        return fmt::format("no record has a value for column {} of {}", quote_identifier(name),
                           rule.names("sink.postgres.key"));
      }
    }
    if (!rule.version.empty() && !has_column(making, rule.version)) {
      return fmt::format("no record has a value for {} = \"{}\"",
                         rule.names("sink.postgres.version"), rule.version);
    }
  }
  return making.columns.empty() ? "no record has anything for a column" : "";
}

std::string create_statement(const Options& rule, const Making& making) {
  auto list = list_of(making, "");
  if (rule.write == Write::upsert && !list.empty()) {
    list += fmt::format(",\n  PRIMARY KEY ({})", quoted_list(rule.key));
  }
  return fmt::format("CREATE TABLE IF NOT EXISTS {} ({}\n)", split_name(rule.table).quoted(), list);
}

std::string widen_statement(const Options& rule, const Making& making) {
  return fmt::format("ALTER TABLE {}{}", split_name(rule.table).quoted(),
                     list_of(making, "ADD COLUMN IF NOT EXISTS "));
}

std::string told(const Making& making) {
  constexpr std::size_t told_max = 30;
  std::string list;
  for (std::size_t i = 0; i < std::min(told_max, making.columns.size()); ++i) {
    const auto& [name, type] = making.columns[i];
    list += fmt::format("{}{} {}", i == 0 ? "" : ", ", quote_identifier(name), type);
  }
  if (making.columns.size() > told_max) {
    list += fmt::format(" and {} others", making.columns.size() - told_max);
  }
  return list;
}

}  // namespace semel::postgres
