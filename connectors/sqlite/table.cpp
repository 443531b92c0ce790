// The table that gets the rows.
#include <fmt/format.h>

#include <algorithm>

#include "sqlite/database.hpp"

namespace semel::sqlite {

using record::Fault;
using record::Prefer;
using store::Put;
using store::Row;

namespace {

/// By a column's affinity: https://www.sqlite.org/datatype3.html, "Determination Of Column
/// Affinity". SQLite itself converts what is bound.
std::pair<Prefer, record::Holds> affinity_of(std::string type, bool strict) {
  using record::Holds;
  std::ranges::transform(type, type.begin(), [](char c) { return std::toupper(c); });
  const auto has = [&](std::string_view part) { return type.find(part) != std::string::npos; };
  if (has("INT")) return {Prefer::any, Holds::number};
  if (has("CHAR") || has("CLOB") || has("TEXT")) return {Prefer::text, Holds::text};
  if (has("BLOB")) return {Prefer::bytes, Holds::bytes};
  if (type.empty() || (strict && type == "ANY")) return {Prefer::bytes, Holds::unknown};
  if (has("REAL") || has("FLOA") || has("DOUB")) return {Prefer::real, Holds::number};
  return {Prefer::any, Holds::unknown};
}

Fault fault_of(int code) {
  if (code == SQLITE_CONSTRAINT_NOTNULL) return Fault::missing;
  if (code == SQLITE_CONSTRAINT_DATATYPE || code == SQLITE_MISMATCH) return Fault::unfit;
  const bool twice = code == SQLITE_CONSTRAINT_UNIQUE || code == SQLITE_CONSTRAINT_PRIMARYKEY ||
                     code == SQLITE_CONSTRAINT_ROWID;
  return twice ? Fault::duplicate : Fault::refused;
}

class FileTable final : public store::Target {
 public:
  FileTable(Database& database, std::string name) : database_(database), name_(std::move(name)) {}

  Result<void> read() {
    auto read = database_.each(
        {"SELECT c.name, c.type, t.strict, t.type = 'view' FROM pragma_table_xinfo(?1, 'main') c, "
         "pragma_table_list(?1) t WHERE t.schema = 'main' AND hidden = 0",
         {name_}},
        [&](const Row& row) {
          const auto& type = std::get<std::string>(row[1]);
          const auto [prefer, holds] = affinity_of(type, row[2] == store::Cell(1));
          columns_.push_back({.name = std::get<std::string>(row[0]),
                              .type_name = type,
                              .holds = holds,
                              .keeps_times_as_text = holds == record::Holds::text});
          prefers_.push_back(prefer);
          is_view_ = row[3] == store::Cell(1);
          return true;
        });
    returning_ = fmt::format(" RETURNING {}", store::names_of(dialect, columns_));
    return read && !columns_.empty() ? takes_rows() : read;
  }

  const std::vector<record::Column>& columns() const override { return columns_; }
  Result<std::string> version() override { return database_.ask({"PRAGMA main.schema_version"}); }

  Result<Put> put(std::span<const record::Value> values, bool tell) override {
    // ON CONFLICT FAIL and RAISE(FAIL) leave what was done until then.
    return database_.put_row([&] { return insert(values, tell); });
  }
  Result<Put> put_defaults() override {
    const std::vector<record::Value> absent(columns_.size());
    return database_.put_and_undo([&] { return insert(absent, false); });
  }

 private:
  /// Also through triggers; that a view has none is told only where nothing is RETURNING.
  Result<void> takes_rows() {
    for (const auto& end : {std::string(), returning_}) {
      auto made = database_.prepare(store::insert_row(dialect, name_, columns_) + end);
      if (made) continue;
      made.error().message.insert(0, fmt::format("no row can go into table {}: ", name_));
      return tl::unexpected(made.error());
    }
    return {};
  }

  Result<Put> insert(std::span<const record::Value> values, bool tell) {
    // What a view's trigger keeps out is told only by what it RETURNS; of a table, changes are
    // counted.
    const bool returns = tell || is_view_;
    auto made = inserts_.of(dialect, name_, columns_, values, returns ? returning_ : "",
                            [&](const std::string& sql) { return database_.prepare(sql); });
    if (!made) return tl::unexpected(made.error());
    auto* statement = (*made)->get();
    const std::unique_ptr<sqlite3_stmt, int (*)(sqlite3_stmt*)> used(statement, sqlite3_reset);
    int at = 0;
    for (std::size_t i = 0; i < values.size(); ++i) {
      if (values[i].kind == record::Kind::absent) continue;
      const auto plain = record::as_plain(values[i], prefers_[i], scratch_);
      if (const auto* no = std::get_if<record::NotPlain>(&plain)) {
        return Put{.fate = Put::Fate::refused, .bad = store::unfit(columns_[i], no->why)};
      }
      const auto* text = std::get_if<std::string_view>(&plain);
      const bool own = text == nullptr || text->data() == values[i].text.data();
      bind_value(statement, ++at, plain, own ? SQLITE_STATIC : SQLITE_TRANSIENT);
    }
    const int code = sqlite3_step(statement);
    if (code != SQLITE_ROW && code != SQLITE_DONE) return refused(code);
    // Without a row, the table's own will kept it out: ON CONFLICT IGNORE, RAISE(IGNORE).
    const bool in = returns ? code == SQLITE_ROW : database_.changed_one();
    Put put{.fate = in ? Put::Fate::row : Put::Fate::suppressed};
    for (int i = 0; tell && code == SQLITE_ROW && i < sqlite3_column_count(statement); ++i) {
      put.stored.push_back(cell(statement, i));
    }
    return put;
  }

  /// A statement that failed may have ended all of the transaction.
  Result<Put> refused(int code) const {
    const int kind = code & 0xFF;
    const bool of_record = kind == SQLITE_CONSTRAINT || kind == SQLITE_MISMATCH ||
                           kind == SQLITE_TOOBIG || kind == SQLITE_ERROR;
    if (!of_record || !database_.in_transaction()) return tl::unexpected(database_.error());
    const auto fault = fault_of(database_.code());
    const auto message = database_.message();
    // "NOT NULL constraint failed: clicks.id", "… in INTEGER column clicks.id"
    const auto at = fault == Fault::refused ? std::string::npos : message.rfind(name_ + ".");
    return Put{.fate = Put::Fate::refused,
               .bad = record::BadRecord{
                   .fault = fault,
                   .column = at == std::string::npos ? "" : message.substr(at + name_.size() + 1),
                   .code = std::to_string(database_.code()),
                   .reason = message,
                   .told = message}};
  }

  Database& database_;
  std::string name_;
  std::vector<record::Column> columns_;
  std::vector<Prefer> prefers_;  ///< by column
  store::Inserts<Statement> inserts_;
  std::string returning_;  ///< ends those that tell
  bool is_view_ = false;
  std::string scratch_;
};

}  // namespace

Result<std::unique_ptr<store::Target>> Database::target() {
  auto table = std::make_unique<FileTable>(*this, options_.rows.table);
  if (auto read = table->read(); !read) return tl::unexpected(read.error());
  return table;
}

}  // namespace semel::sqlite
