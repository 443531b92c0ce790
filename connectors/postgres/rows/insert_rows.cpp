#include "postgres/rows/insert_rows.hpp"

#include <fmt/format.h>

#include <iterator>
#include <map>
#include <set>
#include <utility>

#include "postgres/client/quoting.hpp"

namespace semel::postgres {

namespace {

// The protocol counts parameters in 16 bits; a statement is parsed in the server's memory.
constexpr std::size_t parameters_max = 65'535;
constexpr std::size_t sql_max = std::size_t{4} * 1024 * 1024;

std::uint32_t take_number(std::string_view& bytes, std::size_t size) {
  std::uint32_t number = 0;
  for (std::size_t i = 0; i < size; ++i) {
    number = number << 8 | static_cast<unsigned char>(bytes[i]);
  }
  bytes.remove_prefix(size);
  return number;
}

/// Of all columns, which are there.
std::vector<bool> present(const std::vector<std::string>& all,
                          const std::vector<std::string>& some) {
  std::vector<bool> there;
  auto next = some.begin();
  for (const auto& name : all) {
    there.push_back(next != some.end() && *next == name);
    if (there.back()) ++next;
  }
  return there;
}

/// In the table's order, what any of the rows brings: as of a COPY, no right is asked for others.
std::vector<std::string> brought(const RowEncoder& encoder, std::span<const EncodedRows> rows) {
  std::set<std::uint32_t> sets;
  for (const auto& one : rows) sets.insert(one.column_set);
  std::set<std::string> names;
  for (const auto set : sets) {
    for (auto& name : encoder.columns_of(set)) names.insert(std::move(name));
  }
  auto columns = encoder.columns_of(0);
  std::erase_if(columns, [&](const std::string& name) { return !names.contains(name); });
  return columns;
}

}  // namespace

std::optional<InsertRows> insert_rows(const Table& table, const RowEncoder& encoder,
                                      std::span<const EncodedRows> rows) {
  if (encoder.format() != CopyFormat::binary) return std::nullopt;
  const auto columns = brought(encoder, rows);
  if (columns.empty()) return std::nullopt;
  InsertRows insert;
  for (const auto& column : columns) {
    insert.sql += insert.sql.empty() ? "" : ", ";
    insert.sql += quote_identifier(column);
  }
  insert.sql = fmt::format("INSERT INTO {} ({}) OVERRIDING SYSTEM VALUE VALUES ",
                           QualifiedName{table.schema, table.name}.quoted(), insert.sql);
  std::map<std::uint32_t, std::vector<bool>> sets;
  bool first = true;
  for (auto [column_set, bytes] : rows) {
    auto [set, added] = sets.try_emplace(column_set);
    if (added) set->second = present(columns, encoder.columns_of(column_set));
    while (!bytes.empty()) {
      take_number(bytes, 2);  // the count of fields
      char separator = '(';
      if (!std::exchange(first, false)) insert.sql += ',';
      for (const bool there : set->second) {
        insert.sql += std::exchange(separator, ',');
        if (!there) {
          insert.sql += "DEFAULT";
          continue;
        }
        const auto length = static_cast<std::int32_t>(take_number(bytes, 4));
        insert.values.push_back(length < 0 ? nullptr : bytes.data());
        insert.lengths.push_back(length);
        if (length > 0) bytes.remove_prefix(static_cast<std::size_t>(length));
        fmt::format_to(std::back_inserter(insert.sql), "${}", insert.values.size());
      }
      insert.sql += ')';
      if (insert.values.size() > parameters_max || insert.sql.size() > sql_max) {
        return std::nullopt;
      }
    }
  }
  return insert;
}

std::string takes_inserts_query(const Table& table) {
  return fmt::format(
      "SELECT NOT EXISTS (SELECT FROM pg_catalog.pg_rewrite WHERE ev_class = {} AND ev_type = '3')",
      table.oid);
}

}  // namespace semel::postgres
