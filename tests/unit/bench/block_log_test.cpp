// The receiver's write-ahead log is a decent one: what is stored is there, what is torn is not.
#include "bench/semel/baselines/block_log.hpp"

#include <filesystem>

#include "support/catch.hpp"
#include "support/temp_dir.hpp"

using namespace semel;
using namespace semel::bench;

namespace {

Block block_of(std::uint64_t id, const std::vector<std::string>& values) {
  Block block;
  block.id = id;
  Offset offset = 0;
  for (const auto& value : values) {
    kafka::GroupRecord record{.partition = 3, .record = {}};
    record.record.offset = offset++;
    record.record.value = value;
    block.add(record);
  }
  return block;
}

}  // namespace

TEST_CASE("blocks that were not marked come back, in order") {
  const test::TempDir dir;
  {
    auto log = BlockLog::create(dir.path(), 0, 1);
    REQUIRE(log);
    REQUIRE(log->store(block_of(1, {"a", ""})));
    REQUIRE(log->store(block_of(2, {"b"})));
    REQUIRE(log->store(block_of(3, {"c"})));
    REQUIRE(log->mark_processed(2));
  }
  const auto found = read_logs(dir.path(), 0);
  REQUIRE(found);
  REQUIRE(found->blocks.size() == 2);
  CHECK(found->files.size() == 1);
  const auto records = found->blocks[0].read();
  REQUIRE(records.size() == 2);
  CHECK(records[0].first == 3);
  CHECK(records[0].second == "a");
  CHECK(records[1].second.empty());
  CHECK(found->blocks[1].read().front().second == "c");
  CHECK(read_logs(dir.path(), 1)->blocks.empty());
}

TEST_CASE("a mark may be in a later file than its block") {
  const test::TempDir dir;
  {
    auto first = BlockLog::create(dir.path(), 0, 1);
    REQUIRE(first->store(block_of(1, {"a"})));
    REQUIRE(first->store(block_of(2, {"b"})));
    auto second = BlockLog::create(dir.path(), 0, 2);
    REQUIRE(second->mark_processed(1));
  }
  const auto found = read_logs(dir.path(), 0);
  REQUIRE(found->blocks.size() == 1);
  CHECK(found->blocks.front().id == 2);
  CHECK(found->files.size() == 2);
}

TEST_CASE("a torn last entry is no entry") {
  const test::TempDir dir;
  {
    auto log = BlockLog::create(dir.path(), 0, 1);
    REQUIRE(log->store(block_of(1, {"a"})));
    REQUIRE(log->store(block_of(2, {"something longer"})));
  }
  const auto file = read_logs(dir.path(), 0)->files.front();
  std::filesystem::resize_file(file, std::filesystem::file_size(file) - 3);
  const auto found = read_logs(dir.path(), 0);
  REQUIRE(found->blocks.size() == 1);
  CHECK(found->blocks.front().id == 1);
}
