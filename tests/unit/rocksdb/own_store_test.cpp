// The store over a program's database, whose transaction is in memory until it ends. Expected: a
// sorted list.
#include "rocksdb/own_store.hpp"

#include <map>
#include <random>
#include <thread>

#include "rocksdb/text.hpp"
#include "support/catch.hpp"

using namespace semel;
using semel::rocksdb::Answer;
using semel::rocksdb::OwnStore;
using semel::rocksdb::ProgramDatabase;
using store::Row;

namespace {

/// Keys and values in memory.
class Memory final : public ProgramDatabase {
 public:
  explicit Memory(std::string identity = "one") : identity_(std::move(identity)) {}

  std::string directory() const override { return "memory"; }
  std::string identity() const override { return identity_; }
  std::string unfit() const override { return ""; }
  Answer get(const std::string& key, std::string& value) const override {
    const auto found = rows.find(key);
    if (found == rows.end()) return {Answer::Kind::not_found, "not there"};
    value = found->second;
    return {};
  }
  Answer each(const std::string& from, bool backwards, const See& see) const override {
    if (!backwards) {
      for (auto at = rows.lower_bound(from); at != rows.end(); ++at) {
        if (!see(at->first, at->second)) break;
      }
      return {};
    }
    for (auto at = rows.upper_bound(from); at != rows.begin();) {
      --at;
      if (!see(at->first, at->second)) break;
    }
    return {};
  }
  Answer write(const Changes& changes) const override {
    if (answer.kind != Answer::Kind::ok) return answer;
    for (const auto& [key, value] : changes) {
      if (value) {
        rows[key] = *value;
      } else {
        rows.erase(key);
      }
    }
    return {};
  }
  ::rocksdb::DB& db() const override { throw std::logic_error("there is none"); }
  ::rocksdb::ColumnFamilyHandle& family() const override { throw std::logic_error("none"); }

  mutable std::map<std::string, std::string> rows;
  Answer answer;  ///< to the next writes

 private:
  std::string identity_;
};

struct Opened {
  std::shared_ptr<Memory> memory = std::make_shared<Memory>();
  OwnStore store{memory, semel::rocksdb::turn_of(*memory),
                 std::make_shared<std::atomic<bool>>(false), std::chrono::milliseconds(50)};
};

/// Of the table of positions; what is no key is the same in all, but for the offset.
Row position(const std::string& topic, std::int64_t partition, std::int64_t until) {
  Row row;
  for (const auto& column : store::progress().columns) {
    row.push_back(column.may_be_null                    ? store::Cell()
                  : column.type == store::Type::integer ? store::Cell(std::int64_t{1})
                                                        : store::Cell(std::string("x")));
  }
  row[0] = std::string("shop");
  row[1] = std::string("default");
  row[2] = topic;
  row[3] = partition;
  row[4] = until;
  return row;
}

std::vector<Row> scanned(OwnStore& store, const store::Scan& which) {
  std::vector<Row> found;
  REQUIRE(store.scan(store::progress(), which, [&](const Row& row) {
    found.push_back(row);
    return true;
  }));
  return found;
}

}  // namespace

TEST_CASE("a transaction over a program's RocksDB sees what it has put and erased, in order") {
  Opened opened;
  std::map<std::pair<std::string, std::int64_t>, Row> expected;
  std::mt19937 random(20261126);
  const std::vector<std::string> topics{"a", "b", "c"};
  const auto all = [&](const std::string& topic, std::int64_t after, bool backwards) {
    std::vector<Row> rows;
    for (const auto& [key, row] : expected) {
      if ((topic.empty() || key.first == topic) && key.second > after) rows.push_back(row);
    }
    if (backwards) std::ranges::reverse(rows);
    return rows;
  };
  for (int transaction = 0; transaction < 60; ++transaction) {
    REQUIRE(opened.store.begin(store::Access::writing));
    const auto before = expected;
    for (int change = 0; change < 8; ++change) {
      const auto& topic = topics[random() % 3];
      const auto partition = static_cast<std::int64_t>(random() % 12);
      if (random() % 3 == 0) {
        REQUIRE(opened.store.erase(
            store::progress(), {std::string("shop"), std::string("default"), topic, partition}));
        expected.erase({topic, partition});
      } else {
        const auto row = position(topic, partition, static_cast<std::int64_t>(random() % 1'000));
        REQUIRE(opened.store.replace(store::progress(), row));
        expected[{topic, partition}] = row;
      }
      const Row shop{std::string("shop"), std::string("default")};
      const Row of_topic{std::string("shop"), std::string("default"), topic};
      const Row behind{std::string("shop"), std::string("default"), topic, std::int64_t{5}};
      for (const bool backwards : {false, true}) {
        REQUIRE(scanned(opened.store, {.prefix = shop, .backwards = backwards}) ==
                all("", -1, backwards));
        REQUIRE(scanned(opened.store, {.prefix = of_topic, .backwards = backwards}) ==
                all(topic, -1, backwards));
        REQUIRE(
            scanned(opened.store, {.prefix = of_topic, .after = behind, .backwards = backwards}) ==
            all(topic, 5, backwards));
      }
      CHECK(opened.store.count(store::progress(), shop).value() == expected.size());
    }
    if (random() % 4 == 0) {
      opened.store.roll_back();
      expected = before;
    } else {
      REQUIRE(opened.store.commit());
    }
    CHECK(opened.memory->rows.size() == expected.size());
  }
}

TEST_CASE("of two transactions over one database, whoever comes second waits, and says for what") {
  Opened first;
  Opened second;
  REQUIRE(first.store.begin(store::Access::writing));
  Result<void> begun;
  std::thread([&] { begun = second.store.begin(store::Access::reading); }).join();
  REQUIRE_FALSE(begun);
  CHECK(begun.error().kind == ErrorKind::unavailable);
  CHECK_THAT(begun.error().message, Catch::Contains("another one of this process"));
  first.store.roll_back();
  CHECK(second.store.begin(store::Access::reading));
}

TEST_CASE("a refused write of a program's RocksDB is tried again, a broken one is the last") {
  Opened opened;
  const auto write = [&] {
    REQUIRE(opened.store.begin(store::Access::writing));
    REQUIRE(opened.store.replace(store::progress(), position("a", 0, 1)));
    return opened.store.commit();
  };
  opened.memory->answer = {Answer::Kind::refused, "busy"};
  CHECK(write().error().kind == ErrorKind::retriable);
  opened.memory->answer = {};
  CHECK(write());
  opened.memory->answer = {Answer::Kind::broken, "the disk says no"};
  CHECK(write().error().kind == ErrorKind::fatal);
  opened.memory->answer = {};
  const auto begun = opened.store.begin(store::Access::reading);
  REQUIRE_FALSE(begun);
  CHECK(begun.error().kind == ErrorKind::fatal);
  CHECK_THAT(begun.error().message, Catch::Contains("the disk says no"));
}
