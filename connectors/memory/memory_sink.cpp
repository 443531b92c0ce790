#include "memory/memory_sink.hpp"

#include <algorithm>
#include <chrono>
#include <functional>
#include <limits>

#include "formats/formats.hpp"
#include "store/setup.hpp"

namespace semel::memory {

using store::Row;
using store::Table;

namespace {

bool begins_with(const Row& row, const Row& with) {
  return row.size() >= with.size() && std::equal(with.begin(), with.end(), row.begin());
}

/// Rows of the records: their offset and their value.
class MemoryTarget final : public store::Target {
 public:
  explicit MemoryTarget(std::vector<MemoryStore::Stored>& added) : added_(added) {}

  const std::vector<record::Column>& columns() const override {
    static const std::vector<record::Column> all{{"offset", "offset", record::Holds::number},
                                                 {"value", "bytes", record::Holds::bytes}};
    return all;
  }
  Result<std::string> version() override { return std::string(); }
  Result<store::Put> put(std::span<const record::Value> values, bool tell) override {
    const std::string value(values[1].text);
    if (!value.starts_with('{')) {
      return store::Put{.fate = store::Put::Fate::refused,
                        .bad = store::unfit(columns()[1], "it does not begin with {")};
    }
    added_.push_back({std::stoll(std::string(values[0].text)), value});
    store::Put put;
    if (tell) put.stored = {std::string(values[0].text), value};
    return put;
  }
  Result<store::Put> put_defaults() override { return store::Put{}; }

 private:
  std::vector<MemoryStore::Stored>& added_;
};

/// A transaction works on the tables as they were when it began: copies of those that it writes.
class MemoryConnection final : public store::Store {
 public:
  MemoryConnection(std::shared_ptr<MemoryStore> store, store::Interrupt stop)
      : store_(std::move(store)), stop_(std::move(stop)) {}

  Result<void> begin(store::Access access) override {
    if (access == store::Access::writing)
      writer_ = std::unique_lock(store_->writer, std::defer_lock);
    constexpr std::chrono::milliseconds look{10};
    while (!*stop_ && access == store::Access::writing && !writer_.try_lock_for(look)) {
    }
    if (*stop_) return fail(ErrorKind::unavailable, Cause::sink, "interrupted");
    const std::lock_guard lock(store_->mutex);
    tables_ = store_->tables;
    return {};
  }
  Result<void> commit() override {
    const std::lock_guard lock(store_->mutex);
    if (writer_) store_->tables = tables_;
    store_->rows.insert(store_->rows.end(), added_.begin(), added_.end());
    return {};
  }
  void roll_back() noexcept override {
    tables_.clear();
    changed_.clear();
    added_.clear();
    writer_ = {};
  }

  Result<std::vector<std::string>> columns_of(const Table& table) override {
    std::vector<std::string> names;
    if (!tables_.contains(table.name)) return names;
    for (const auto& column : table.columns) names.emplace_back(column.name);
    return names;
  }
  Result<void> make(const Table& table) override {
    tables_[table.name] = std::make_shared<MemoryStore::Rows>();
    return {};
  }
  Result<void> scan(const Table& table, const store::Scan& which, const See& see) override {
    auto found = rows_of(table, which.prefix);
    if (which.backwards) std::ranges::reverse(found);
    for (const auto* row : found) {
      const Row key(row->begin(), row->begin() + static_cast<std::ptrdiff_t>(which.after.size()));
      if (!which.after.empty() && key <= which.after) continue;
      if (!see(*row)) break;
    }
    return {};
  }
  Result<std::uint64_t> count(const Table& table, const Row& prefix) override {
    return rows_of(table, prefix).size();
  }
  Result<void> add(const Table& table, const Row& row) override {
    if (rows_of(table, key_of(table, row)).empty()) return replace(table, row);
    return fail(ErrorKind::fatal, Cause::internal, "a row of the ledger is there already");
  }
  Result<void> replace(const Table& table, const Row& row) override {
    change(table, [&](auto& rows) { rows.insert_or_assign(key_of(table, row), row); });
    return {};
  }
  Result<void> erase(const Table& table, const Row& prefix) override {
    change(table, [&](auto& rows) {
      std::erase_if(rows, [&](const auto& row) { return begins_with(row.first, prefix); });
    });
    return {};
  }

  Result<std::unique_ptr<store::Target>> target() override {
    return std::make_unique<MemoryTarget>(added_);
  }

 private:
  static Row key_of(const Table& table, const Row& row) {
    return {row.begin(), row.begin() + static_cast<std::ptrdiff_t>(table.key)};
  }
  std::vector<const Row*> rows_of(const Table& table, const Row& prefix) {
    std::vector<const Row*> found;
    if (!tables_.contains(table.name)) return found;
    const auto& rows = *tables_.at(table.name);
    for (auto row = rows.lower_bound(prefix); row != rows.end() && begins_with(row->first, prefix);
         ++row) {
      found.push_back(&row->second);
    }
    return found;
  }
  template <class Action>
  void change(const Table& table, Action action) {
    auto& rows = changed_[table.name];
    if (!rows)
      tables_[table.name] = rows = std::make_shared<MemoryStore::Rows>(*tables_[table.name]);
    action(*rows);
  }

  std::shared_ptr<MemoryStore> store_;
  store::Interrupt stop_;
  std::unique_lock<std::timed_mutex> writer_;
  MemoryStore::Tables tables_;                                              ///< of the transaction
  std::map<std::string_view, std::shared_ptr<MemoryStore::Rows>> changed_;  ///< by it
  std::vector<MemoryStore::Stored> added_;                                  ///< by the transaction
};

store::Setup setup(std::shared_ptr<MemoryStore> memory, const Owner& owner) {
  store::Setup setup{
      .section = "sink.memory",
      .kind = "memory",
      .place = "memory",
      .can_be_home = true,
      .patience_ms = memory->patience_ms,
      .open = [memory = std::move(memory)](const store::Interrupt& stop,
                                           auto) -> Result<std::unique_ptr<store::Store>> {
        return std::make_unique<MemoryConnection>(memory, stop);
      },
      .context = {.owner = owner, .format = formats::raw()}};
  setup.options.table = "rows";
  setup.options.columns = {{"offset", "@offset"}, {"value", "@value"}};
  setup.options.policy.tombstones = record::Tombstones::dead_letter;
  setup.options.policy.bad_share_min_records = std::numeric_limits<std::uint64_t>::max();
  return setup;
}

}  // namespace

std::unique_ptr<Sink> memory_sink(std::shared_ptr<MemoryStore> store, const Owner& owner) {
  return store::make_sink(setup(std::move(store), owner)).value();
}

std::unique_ptr<Ledger> memory_ledger(std::shared_ptr<MemoryStore> store,
                                      const std::string& pipeline, const std::string& output) {
  return store::open_ledger(setup(std::move(store), {.pipeline = pipeline, .output = output}))
      .value();
}

std::vector<Offset> dead_letters(MemoryStore& store) {
  constexpr std::size_t offset = 4;
  const std::lock_guard lock(store.mutex);
  std::vector<Offset> all;
  const auto found = store.tables.find(store::dead_letters().name);
  if (found == store.tables.end()) return all;
  for (const auto& [key, row] : *found->second) all.push_back(std::get<std::int64_t>(key[offset]));
  return all;
}

}  // namespace semel::memory
