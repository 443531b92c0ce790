#include <semel/contract/catch2.hpp>

#include <algorithm>
#include <functional>

#include "contract/letters.hpp"
#include "contract/process.hpp"
#include "formats/formats.hpp"
#include "rocksdb/connection.hpp"
#include "support/catch.hpp"
#include "support/temp_dir.hpp"

using namespace semel;

namespace {

/// RocksDB lets a process open a database once: its sinks share it, as those of one program do.
class RocksSubject final : public contract::Subject {
 public:
  std::unique_ptr<Sink> open(const Owner& owner) override {
    return contract::must(store::make_sink(setup(owner)));
  }
  std::unique_ptr<Ledger> ledger(const std::string& pipeline, const std::string& output) override {
    return contract::must(store::open_ledger(setup({.pipeline = pipeline, .output = output})));
  }
  std::string good_value(Offset offset) override {
    return "{\"id\": " + std::to_string(offset) + "}";
  }
  std::optional<std::string> bad_value() override { return "{\"id\": "; }
  std::vector<Offset> stored() override { return offsets("clicks", "", 2); }
  std::vector<Offset> dead() override { return offsets("semel", "semel_dead_letters ", 5); }
  std::optional<std::string> expected(const Record& record) override {
    // Keys are not kept.
    const bool is_row = record.value && record.value->starts_with('{');
    return is_row ? std::optional(std::string(*record.value)) : std::nullopt;
  }
  std::map<Offset, std::string> contents() override {
    std::map<Offset, std::string> all;
    each("clicks", "", [&](const std::string& key, const std::string& value) {
      all[std::stoll(word_of(key, 2))] = value;
    });
    return all;
  }
  std::optional<std::string> expected_dead(const Record& record) override {
    return contract::letter_of(record);
  }
  std::map<Offset, std::string> dead_contents() override {
    std::map<Offset, std::string> all;
    each("semel", "semel_dead_letters ", [&](const std::string& key, const std::string& value) {
      all[std::stoll(word_of(key, 5))] = contract::letter_of(nlohmann::json::parse(value));
    });
    return all;
  }
  std::map<Offset, std::string> dead_reasons() override {
    std::map<Offset, std::string> all;
    each("semel", "semel_dead_letters ", [&](const std::string& key, const std::string& value) {
      all[std::stoll(word_of(key, 5))] = nlohmann::json::parse(value)["reason"];
    });
    return all;
  }
  bool lose_positions() override {
    const auto opened = contract::must(database_->open());
    auto* const ledger = opened->families.at("semel");
    return opened->db
        ->DeleteRange({}, ledger, ::rocksdb::Slice("semel_progress "),
                      ::rocksdb::Slice("semel_progress!"))
        .ok();
  }
  std::shared_ptr<void> hold_up() override {
    return std::make_shared<std::unique_lock<std::timed_mutex>>(database_->writer);
  }

 private:
  store::Setup setup(const Owner& owner) const {
    auto made = semel::rocksdb::setup_of(options_, database_);
    made.context = {.owner = owner, .format = formats::json()};
    return made;
  }
  /// Keys of a family that begin so, with their values.
  void each(const std::string& family, const std::string& prefix,
            const std::function<void(const std::string&, const std::string&)>& see) const {
    const auto opened = contract::must(database_->look());
    if (!opened || !opened->families.contains(family)) return;
    const std::unique_ptr<::rocksdb::Iterator> row(
        opened->db->NewIterator({}, opened->families.at(family)));
    for (row->Seek(prefix); row->Valid() && row->key().starts_with(prefix); row->Next()) {
      see(row->key().ToString(), row->value().ToString());
    }
  }
  static std::string word_of(const std::string& key, int at) {
    std::istringstream words(key);
    std::string word;
    for (int i = 0; i <= at; ++i) words >> word;
    return word;
  }
  /// The word at `at` of all keys that begin so.
  std::vector<Offset> offsets(const std::string& family, const std::string& prefix, int at) const {
    std::vector<Offset> all;
    each(family, prefix, [&](const std::string& key, const std::string& /*value*/) {
      all.push_back(std::stoll(word_of(key, at)));
    });
    std::ranges::sort(all);
    return all;
  }

  test::TempDir dir_;
  semel::rocksdb::Options options_{.directory = dir_ / "clicks.rocks",
                                   .keep = semel::rocksdb::Rows::by_position,
                                   .rows = {.table = "clicks", .columns = {{"value", "$"}}}};
  std::shared_ptr<semel::rocksdb::Database> database_ =
      std::make_shared<semel::rocksdb::Database>(options_.directory, "clicks");
};

}  // namespace

TEST_CASE("the RocksDB sink keeps the contract of sinks") {
  contract::run_in_catch2([] { return std::make_unique<RocksSubject>(); }, Guarantee::transactional,
                          {.forgets = true});
}
