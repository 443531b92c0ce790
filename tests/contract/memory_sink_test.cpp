#include "memory/memory_sink.hpp"

#include <algorithm>

#include <semel/contract/catch2.hpp>

#include "contract/letters.hpp"
#include "support/catch.hpp"

namespace {

class MemorySubject final : public semel::contract::Subject {
 public:
  std::unique_ptr<semel::Sink> open(const semel::Owner& owner) override {
    return semel::memory::memory_sink(store_, owner);
  }
  std::unique_ptr<semel::Ledger> ledger(const std::string& pipeline,
                                        const std::string& output) override {
    return semel::memory::memory_ledger(store_, pipeline, output);
  }
  std::string good_value(semel::Offset offset) override {
    return "{\"id\": " + std::to_string(offset) + "}";
  }
  std::optional<std::string> bad_value() override { return "not an object"; }
  std::vector<semel::Offset> stored() override {
    std::vector<semel::Offset> offsets;
    for (const auto& row : store_->rows) offsets.push_back(row.offset);
    std::ranges::sort(offsets);
    return offsets;
  }
  std::vector<semel::Offset> dead() override { return semel::memory::dead_letters(*store_); }
  std::optional<std::string> expected(const semel::Record& record) override {
    // Keys are not kept.
    const bool is_row = record.value && record.value->starts_with('{');
    return is_row ? std::optional(std::string(*record.value)) : std::nullopt;
  }
  std::map<semel::Offset, std::string> contents() override {
    std::map<semel::Offset, std::string> all;
    for (const auto& row : store_->rows) all[row.offset] = row.value;
    return all;
  }
  std::optional<std::string> expected_dead(const semel::Record& record) override {
    return semel::contract::letter_of(record);
  }
  std::map<semel::Offset, std::string> dead_contents() override {
    std::map<semel::Offset, std::string> all;
    for (const auto& row : letters()) all[row["offset"]] = semel::contract::letter_of(row);
    return all;
  }
  std::map<semel::Offset, std::string> dead_reasons() override {
    std::map<semel::Offset, std::string> all;
    for (const auto& row : letters()) all[row["offset"]] = row["reason"];
    return all;
  }
  bool lose_positions() override {
    const std::lock_guard lock(store_->mutex);
    store_->tables["semel_progress"] = std::make_shared<semel::memory::MemoryStore::Rows>();
    return true;
  }
  std::shared_ptr<void> hold_up() override {
    return std::make_shared<std::unique_lock<std::timed_mutex>>(store_->writer);
  }

 private:
  std::vector<nlohmann::json> letters() {
    const auto& table = semel::store::dead_letters();
    const std::lock_guard lock(store_->mutex);
    std::vector<nlohmann::json> all;
    for (const auto& [key, cells] : *store_->tables.at(table.name)) {
      auto& row = all.emplace_back();
      for (std::size_t i = 0; i < cells.size(); ++i) row[table.columns[i].name] = json_of(cells[i]);
    }
    return all;
  }
  static nlohmann::json json_of(const semel::store::Cell& cell) {
    if (const auto* number = std::get_if<std::int64_t>(&cell)) return *number;
    if (const auto* text = std::get_if<std::string>(&cell)) return *text;
    const auto* bytes = std::get_if<semel::store::Bytes>(&cell);
    if (bytes == nullptr) return nullptr;
    return {{"base64", semel::record::base64(bytes->bytes)}};
  }

  std::shared_ptr<semel::memory::MemoryStore> store_ =
      std::make_shared<semel::memory::MemoryStore>();
};

}  // namespace

TEST_CASE("the sink in memory keeps the contract of sinks") {
  semel::contract::run_in_catch2([] { return std::make_unique<MemorySubject>(); },
                                 semel::Guarantee::transactional,
                                 {.keeps_state = true, .forgets = true});
}
