// A state that has its home elsewhere: what is here is a cache.
#include <filesystem>
#include <map>

#include "state/store.hpp"
#include "support/catch.hpp"
#include "support/temp_dir.hpp"

namespace semel::test {

using namespace state;

namespace {

const Version cached_first{{10}, 1};
const Version cached_second{{20}, 2};

using CacheContent = std::map<std::string, std::string>;

CacheContent content_of(const Store& store) {
  CacheContent all;
  const auto seen = store.scan("", [&](std::string_view key, std::string_view value) {
    all[std::string(key)] = value;
    return true;
  });
  REQUIRE(seen);
  return all;
}

std::unique_ptr<Store> cache_in(const TempDir& dir) {
  return Store::open_cache((dir.path() / "cache").string()).value();
}

}  // namespace

TEST_CASE("a cache is at a version once all of its rows are loaded") {
  const TempDir dir;
  {
    auto cache = cache_in(dir);
    CHECK(cache->stored().base == Version());
    REQUIRE(cache->begin_load());
    const std::vector<StateRow> rows{{"x", "1"}, {"y", "2"}, {"gone", std::nullopt}};
    REQUIRE(cache->load(rows));
    CHECK(cache->stored().base == no_version);
  }
  auto cache = cache_in(dir);
  CHECK(cache->stored().base == no_version);
  REQUIRE(cache->forget());
  CHECK(content_of(*cache).empty());
  const std::vector<StateRow> rows{{"x", "3"}};
  REQUIRE(cache->load(rows));
  REQUIRE(cache->end_load(cached_first));
  CHECK(cache->stored().base == cached_first);
  CHECK(content_of(*cache) == CacheContent{{"x", "3"}});
}

TEST_CASE("a cache follows its home batch by batch, and is there again after a restart") {
  const TempDir dir;
  {
    auto cache = cache_in(dir);
    REQUIRE(cache->advance(cached_first, {{"x", "1"}, {"y", "1"}}));
    REQUIRE(cache->advance(cached_second, {{"x", std::nullopt}, {"z", "2"}}));
  }
  auto cache = cache_in(dir);
  CHECK(cache->stored().base == cached_second);
  CHECK(content_of(*cache) == CacheContent{{"y", "1"}, {"z", "2"}});
}

TEST_CASE("a cache of many rows is forgotten whole") {
  const TempDir dir;
  auto cache = cache_in(dir);
  Delta rows;
  for (int i = 0; i < 25'000; ++i) rows["key " + std::to_string(i)] = "v";
  REQUIRE(cache->advance(cached_first, rows));
  REQUIRE(cache->forget());
  CHECK(content_of(*cache).empty());
}

TEST_CASE("a cache that another process has is made beside it") {
  const TempDir dir;
  auto first = cache_in(dir);
  REQUIRE(first->advance(cached_first, {{"x", "1"}}));
  auto second = cache_in(dir);
  CHECK(content_of(*second).empty());
  CHECK(std::filesystem::exists(dir.path() / "cache-2"));
}

TEST_CASE("a cache that is damaged is made anew") {
  const TempDir dir;
  REQUIRE(cache_in(dir)->advance(cached_first, {{"x", "1"}}));
  for (const auto& file : std::filesystem::directory_iterator(dir.path() / "cache")) {
    if (file.path().filename() == "CURRENT") {
      std::filesystem::resize_file(file.path(), 3);
    }
  }
  auto cache = cache_in(dir);
  CHECK(cache->stored().base == Version());
  CHECK(content_of(*cache).empty());
}

}  // namespace semel::test
