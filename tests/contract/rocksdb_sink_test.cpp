#include <semel/contract/catch2.hpp>

#include <algorithm>

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
  /// The word at `at` of all keys that begin so.
  std::vector<Offset> offsets(const std::string& family, const std::string& prefix, int at) const {
    std::vector<Offset> all;
    const auto opened = contract::must(database_->look());
    if (!opened || !opened->families.contains(family)) return all;
    const std::unique_ptr<::rocksdb::Iterator> row(
        opened->db->NewIterator({}, opened->families.at(family)));
    for (row->Seek(prefix); row->Valid() && row->key().starts_with(prefix); row->Next()) {
      std::istringstream words(row->key().ToString());
      std::string word;
      for (int i = 0; i <= at; ++i) words >> word;
      all.push_back(std::stoll(word));
    }
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
  contract::run_in_catch2([] { return std::make_unique<RocksSubject>(); },
                          Guarantee::transactional);
}
