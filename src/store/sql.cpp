#include "store/sql.hpp"

#include <fmt/format.h>

namespace semel::store {

namespace {

std::string quoted(const Dialect& dialect, std::string_view name) {
  std::string out(1, dialect.quote);
  for (const char c : name) out.append(c == dialect.quote ? 2 : 1, c);
  return out + dialect.quote;
}

void append(std::string& list, std::string_view one) {
  if (!list.empty()) list += ", ";
  list += one;
}

std::string names_between(const Dialect& dialect, const Table& table, std::size_t from,
                          std::size_t until) {
  std::string names;
  for (; from < until; ++from) append(names, quoted(dialect, table.columns[from].name));
  return names;
}

std::string marks(std::size_t count) {
  std::string text;
  while (count-- > 0) append(text, "?");
  return text;
}

/// A row's key begins with some cells.
std::string where(const Dialect& dialect, const Table& table, std::size_t cells) {
  if (cells == 0) return "";
  return fmt::format(" WHERE ({}) = ({})", names_between(dialect, table, 0, cells), marks(cells));
}

std::string_view type_of(const Dialect& dialect, Type type) {
  return type == Type::integer ? dialect.integer
         : type == Type::text  ? dialect.text
                               : dialect.bytes;
}

Sql select_rows(const Dialect& dialect, const Table& table, const Scan& which) {
  const auto& [prefix, after, backwards] = which;
  Sql sql{
      fmt::format("SELECT {} FROM {}{}{}", names_between(dialect, table, 0, table.columns.size()),
                  dialect.schema, table.name, where(dialect, table, prefix.size())),
      prefix};
  const auto known = prefix.size();
  if (after.size() > known) {
    // What both begin with is compared already; without it an index serves.
    sql.args.insert(sql.args.end(), after.begin() + static_cast<std::ptrdiff_t>(known),
                    after.end());
    sql.text += fmt::format("{} ({}) > ({})", known == 0 ? " WHERE" : " AND",
                            names_between(dialect, table, known, after.size()),
                            marks(after.size() - known));
  }
  std::string order;
  for (auto i = known; i < table.key; ++i) {
    append(order, quoted(dialect, table.columns[i].name) + (backwards ? " DESC" : ""));
  }
  if (!order.empty()) sql.text += " ORDER BY " + order;
  return sql;
}

}  // namespace

std::string create_table(const Dialect& dialect, const Table& table) {
  auto sql = fmt::format("CREATE TABLE IF NOT EXISTS {} (\n", table.name);
  for (const auto& [name, type, may_be_null, about] : table.columns) {
    sql += fmt::format("  {} {}{},{}{}\n", quoted(dialect, name), type_of(dialect, type),
                       may_be_null ? "" : " NOT NULL", about.empty() ? "" : "  -- ", about);
  }
  return sql + fmt::format("  PRIMARY KEY ({})\n) {};\n",
                           names_between(dialect, table, 0, table.key), dialect.of_table);
}

std::string names_of(const Dialect& dialect, std::span<const record::Column> columns) {
  std::string names;
  for (const auto& column : columns) append(names, quoted(dialect, column.name));
  return names;
}

std::string insert_row(const Dialect& dialect, std::string_view table,
                       std::span<const record::Column> columns) {
  const auto into = fmt::format("INSERT INTO {}{}", dialect.schema, quoted(dialect, table));
  if (columns.empty()) return into + " DEFAULT VALUES";
  return fmt::format("{} ({}) VALUES ({})", into, names_of(dialect, columns),
                     marks(columns.size()));
}

record::Plain plain_of(const Cell& cell) {
  if (const auto* number = std::get_if<std::int64_t>(&cell)) return *number;
  if (const auto* text = std::get_if<std::string>(&cell)) return std::string_view(*text);
  if (const auto* bytes = std::get_if<Bytes>(&cell)) return record::Bytes{bytes->bytes};
  return {};
}

Result<void> SqlStore::run(const Sql& sql) {
  return each(sql, [](const Row&) { return true; });
}

Result<std::string> SqlStore::ask(const Sql& sql) {
  std::string answer;
  auto done = each(sql, [&](const Row& row) {
    if (const auto* text = std::get_if<std::string>(&row[0])) answer = *text;
    if (const auto* number = std::get_if<std::int64_t>(&row[0])) answer = std::to_string(*number);
    return false;
  });
  return done ? Result<std::string>(answer) : tl::unexpected(done.error());
}

Result<Put> SqlStore::in_savepoint(const std::function<Result<Put>()>& put, bool stays) {
  auto done = run({"SAVEPOINT semel_row"});
  if (!done) return tl::unexpected(done.error());
  auto answer = put();
  if (!answer) return answer;
  if (!stays || answer->bad) done = run({"ROLLBACK TO SAVEPOINT semel_row"});
  if (done) done = run({"RELEASE SAVEPOINT semel_row"});
  return done ? answer : tl::unexpected(done.error());
}

Result<void> SqlStore::make(const Table& table) {
  return run({create_table(dialect_, table)});
}

Result<void> SqlStore::scan(const Table& table, const Scan& which, const See& see) {
  return each(select_rows(dialect_, table, which), see);
}

Result<std::uint64_t> SqlStore::count(const Table& table, const Row& prefix) {
  auto counted = ask({fmt::format("SELECT count(*) FROM {}{}{}", dialect_.schema, table.name,
                                  where(dialect_, table, prefix.size())),
                      prefix});
  return counted ? Result<std::uint64_t>(std::stoull(*counted)) : tl::unexpected(counted.error());
}

Result<void> SqlStore::add(const Table& table, const Row& row) {
  return write("INSERT", table, row);
}

Result<void> SqlStore::replace(const Table& table, const Row& row) {
  return write(dialect_.replace, table, row);
}

Result<void> SqlStore::erase(const Table& table, const Row& prefix) {
  return run({fmt::format("DELETE FROM {}{}{}", dialect_.schema, table.name,
                          where(dialect_, table, prefix.size())),
              prefix});
}

Result<void> SqlStore::write(std::string_view verb, const Table& table, const Row& row) {
  return run({fmt::format("{} INTO {}{} ({}) VALUES ({})", verb, dialect_.schema, table.name,
                          names_between(dialect_, table, 0, row.size()), marks(row.size())),
              row});
}

}  // namespace semel::store
