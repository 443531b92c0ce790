#include "postgres/table/defaults.hpp"

#include <fmt/format.h>

namespace semel::postgres {

namespace {

std::string unhex(std::string_view digits) {
  const auto value = [](char c) { return c <= '9' ? c - '0' : c - 'a' + 10; };
  std::string bytes;
  bytes.reserve(digits.size() / 2);
  for (std::size_t i = 0; i + 1 < digits.size(); i += 2) {
    bytes += static_cast<char>(value(digits[i]) * 16 + value(digits[i + 1]));
  }
  return bytes;
}

bool ours(const Column& column) {
  return column.default_kind == DefaultKind::constant || column.default_kind == DefaultKind::stable;
}

}  // namespace

std::string defaults_query(const Table& table, const std::vector<std::size_t>& columns,
                           CopyFormat format) {
  std::string sql;
  for (const auto index : columns) {
    const auto& column = table.columns[index];
    sql += sql.empty() ? "SELECT " : ", ";
    sql += format == CopyFormat::binary ? fmt::format("encode({}({}), 'hex')", column.send_function,
                                                      column.default_expression)
                                        : column.default_expression;
  }
  return sql;
}

std::vector<DefaultValue> read_defaults(const Rows& rows, const std::vector<std::size_t>& columns,
                                        CopyFormat format) {
  std::vector<DefaultValue> values;
  for (std::size_t i = 0; i < columns.size(); ++i) {
    DefaultValue value{.column = columns[i], .value = std::nullopt};
    const int at = static_cast<int>(i);
    if (!rows.is_null(0, at)) {
      value.value = format == CopyFormat::binary ? unhex(rows.view(0, at)) : rows.text(0, at);
    }
    values.push_back(std::move(value));
  }
  return values;
}

Result<void> leave_failing_defaults_to_server(Connection& connection, Table& table) {
  const auto evaluates = [&](const std::vector<std::size_t>& columns) -> Result<bool> {
    const auto reply = connection.exchange(defaults_query(table, columns, CopyFormat::binary));
    if (reply.ok()) return true;
    if (reply.lost) return tl::unexpected(to_error(reply, "evaluating column defaults"));
    return false;
  };
  std::vector<std::size_t> all;
  for (std::size_t i = 0; i < table.columns.size(); ++i) {
    auto& column = table.columns[i];
    if (!ours(column)) continue;
    if (column.send_function.empty()) {
      column.default_kind = DefaultKind::changing;
    } else {
      all.push_back(i);
    }
  }
  if (all.empty()) return {};
  const auto together = evaluates(all);
  if (!together) return tl::unexpected(together.error());
  if (*together) return {};
  for (const auto index : all) {
    const auto alone = evaluates({index});
    if (!alone) return tl::unexpected(alone.error());
    if (!*alone) table.columns[index].default_kind = DefaultKind::changing;
  }
  return {};
}

}  // namespace semel::postgres
