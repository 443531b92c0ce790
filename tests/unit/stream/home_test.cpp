// state = "sink", in whole pipelines: what is remembered is in an output, and not on this machine.
#include <filesystem>

#include "support/catch.hpp"
#include "support/sqlite_file.hpp"
#include "unit/stream/world.hpp"

namespace semel::test {

namespace {

/// Counts into "out" and copies into "copies", with the state in one of them.
class HomeWorld : public World {
 public:
  Config config_of(const std::string& home = "") const {
    auto config = World::config();
    config.set("state", "sink");
    if (!home.empty()) config.set("state_home", home);
    return config;
  }
  Result<Snapshot> run(const Config& config, const std::vector<std::string>& outputs,
                       stream::Setup setup = {}) {
    for (const auto& output : outputs) setup.outputs.push_back(own(output));
    setup.once = true;
    setup.log = [this](LogLevel, std::string_view line) { told.emplace_back(line); };
    stream::Pipeline pipeline(config, std::move(setup));
    auto all = counted(pipeline).share();
    for (const auto& output : outputs) all.stream().to(output);
    return pipeline.run();
  }
  void must_run(const Config& config, const std::vector<std::string>& outputs) {
    const auto done = run(config, outputs);
    if (!done) FAIL(done.error().message);
  }
  bool was_told(const std::string& what) const {
    return std::ranges::any_of(
        told, [&](const auto& line) { return line.find(what) != std::string::npos; });
  }
  std::size_t state_rows(const std::string& output) {
    const auto of = store(output);
    const std::lock_guard lock(of->mutex);
    const auto found = of->tables.find("semel_state");
    return found == of->tables.end() ? 0 : found->second->size();
  }

  std::vector<std::string> told;
};

}  // namespace

TEST_CASE("a state at its home goes on after a restart, with its cache and without it") {
  HomeWorld world;
  world.produce("left", {"a", "b", "a"});
  world.must_run(world.config_of(), {"out"});
  world.produce("left", {"a"});
  world.must_run(world.config_of(), {"out"});
  CHECK_FALSE(world.was_told("is read from output out"));
  std::filesystem::remove_all(world.state_directory() / "streams");
  world.produce("left", {"a", "b"});
  world.must_run(world.config_of(), {"out"});
  CHECK(world.was_told("is read from output out: 3 rows, all that there are"));
  CHECK(world.rows("out") == Values{as_object("a2"), as_object("a3"), as_object("a4"),
                                    as_object("b1"), as_object("b2")});
}

TEST_CASE("home is the first output that can, or the one that is named") {
  HomeWorld world;
  world.produce("left", {"a"});
  world.must_run(world.config_of(), {"out", "copies"});
  CHECK(world.state_rows("out") > 0);
  CHECK(world.state_rows("copies") == 0);
  HomeWorld other;
  other.produce("left", {"a"});
  other.must_run(other.config_of("copies"), {"out", "copies"});
  CHECK(other.state_rows("out") == 0);
  CHECK(other.state_rows("copies") > 0);
  const auto nowhere = other.run(other.config_of("elsewhere"), {"out", "copies"});
  REQUIRE_FALSE(nowhere);
  CHECK(nowhere.error().cause == Cause::configuration);
  CHECK_THAT(nowhere.error().message, Catch::Contains("elsewhere"));
}

TEST_CASE("where no output can be home, that is said, with those that can") {
  HomeWorld world;
  const TempDir dir;
  auto config = world.config_of();
  config.set("sink.file.directory", dir.path().string());
  const auto told = [&](const Config& with) {
    stream::Setup setup;
    setup.once = true;
    stream::Pipeline pipeline(with, setup);
    counted(pipeline).to("file");
    const auto done = pipeline.run();
    REQUIRE_FALSE(done);
    CHECK(done.error().cause == Cause::configuration);
    return done.error().message;
  };
  CHECK_THAT(told(config), Catch::Contains("no output of this pipeline can keep the state") &&
                               Catch::Contains("PostgreSQL and SQLite"));
  config.set("state_home", "file");
  CHECK_THAT(told(config),
             Catch::Contains("state_home = \"file\"") && Catch::Contains("PostgreSQL and SQLite"));
  config.set("state", "local");
  CHECK_THAT(told(config), Catch::Contains("state_home"));
}

TEST_CASE("a state that its home does not have is not gone on without, unless it is to be empty") {
  HomeWorld world;
  world.produce("left", {"a", "a"});
  auto local = world.config();
  world.must_run(local, {"out"});
  world.produce("left", {"a"});
  const auto refused = world.run(world.config_of(), {"out"});
  REQUIRE_FALSE(refused);
  CHECK(refused.error().cause == Cause::state);
  CHECK_THAT(refused.error().message,
             Catch::Contains("output out is at batch") && Catch::Contains("at the beginning"));
  stream::Setup setup;
  setup.begin_with_empty_state = true;
  const auto done = world.run(world.config_of(), {"out"}, setup);
  if (!done) FAIL(done.error().message);
  CHECK(world.rows("out") == Values{as_object("a1"), as_object("a2")});
  world.produce("left", {"a"});
  std::filesystem::remove_all(world.state_directory() / "streams");
  world.must_run(world.config_of(), {"out"});
  CHECK(world.rows("out") == Values{as_object("a1"), as_object("a2"), as_object("a2")});
}

TEST_CASE("an output that is added later begins where the state at its home is") {
  HomeWorld world;
  world.produce("left", {"a"});
  world.must_run(world.config_of("out"), {"out"});
  world.produce("left", {"a"});
  world.must_run(world.config_of("out"), {"new", "out"});
  CHECK(world.rows("out") == Values{as_object("a1"), as_object("a2")});
  CHECK(world.rows("new") == Values{as_object("a2")});
}

TEST_CASE("a file of SQLite can be home") {
  HomeWorld world;
  const SqliteFile file("CREATE TABLE rows (v TEXT)");
  for (int run = 0; run < 3; ++run) {
    auto config = world.config_of();
    config.set("sink.sqlite.file", file.path()).set("sink.sqlite.table", "rows");
    world.produce("left", {"a"});
    std::filesystem::remove_all(world.state_directory() / "streams");
    stream::Setup setup;
    setup.once = true;
    stream::Pipeline pipeline(config, setup);
    counted(pipeline).to("sqlite");
    const auto done = pipeline.run();
    if (!done) FAIL(done.error().message);
  }
  CHECK(file.value("SELECT v FROM rows") == "a1\na2\na3");
  CHECK(file.value("SELECT count(*) FROM semel_state_versions") == "3");
}

}  // namespace semel::test
