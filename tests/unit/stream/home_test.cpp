// state = "sink", in whole pipelines: what is remembered is in an output, and not on this machine.
#include <filesystem>

#include <semel/forwarding.hpp>

#include "support/catch.hpp"
#include "support/sqlite_file.hpp"
#include "unit/stream/world.hpp"

namespace semel::test {

namespace {

/// A home that fails before it gets its first batch, behind the other outputs.
class DyingSink final : public ForwardingSink {
 public:
  using ForwardingSink::ForwardingSink;
  Result<std::unique_ptr<SinkSession>> open_session() override {
    struct Session final : ForwardingSession {
      using ForwardingSession::ForwardingSession;
      Result<void> change_state(const StateChange& /*change*/) override {
        return fail(ErrorKind::fatal, Cause::sink, "home dies");
      }
    };
    auto session = ForwardingSink::open_session();
    if (!session) return session;
    return std::unique_ptr<SinkSession>(std::make_unique<Session>(*std::move(session)));
  }
};

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
  /// As one of Setup::outputs.
  OwnOutput dying(const std::string& name) {
    return {.name = name,
            .make_sink = [sound = own(name)](const Owner& owner) -> Result<std::unique_ptr<Sink>> {
              auto sink = sound.make_sink(owner);
              if (!sink) return sink;
              return std::unique_ptr<Sink>(std::make_unique<DyingSink>(*std::move(sink)));
            }};
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

TEST_CASE("a state that begins empty goes on where it died between the outputs") {
  HomeWorld world;
  world.produce("left", {"a", "a"});
  world.must_run(world.config(), {"out", "copies"});
  world.produce("left", {"a"});
  const auto begin_empty = [&](bool dies) {
    stream::Setup setup;
    setup.begin_with_empty_state = true;
    setup.once = true;
    setup.outputs = {dies ? world.dying("out") : world.own("out"), world.own("copies")};
    stream::Pipeline pipeline(world.config_of("out"), std::move(setup));
    auto all = counted(pipeline).share();
    all.stream().to("out");
    all.stream().to("copies");
    return pipeline.run();
  };
  const auto died = begin_empty(true);
  REQUIRE_FALSE(died);
  CHECK_THAT(died.error().message, Catch::Contains("home dies"));
  CHECK(world.rows("copies") == Values{as_object("a1"), as_object("a2")});
  CHECK(world.rows("out") == Values{as_object("a2")});
  const auto done = begin_empty(false);
  if (!done) FAIL(done.error().message);
  CHECK(world.rows("out") == Values{as_object("a1"), as_object("a2")});
  world.produce("left", {"a"});
  std::filesystem::remove_all(world.state_directory() / "streams");
  world.must_run(world.config_of("out"), {"out", "copies"});
  const Values all{as_object("a1"), as_object("a2"), as_object("a2")};
  CHECK(world.rows("out") == all);
  CHECK(world.rows("copies") == all);
}

TEST_CASE("a state whose rows are gone, or of another moment, is not gone on with") {
  HomeWorld world;
  world.produce("left", {"a", "a", "b"});
  world.must_run(world.config_of(), {"out"});
  const auto rows = [&](const auto& work) {
    const auto of = world.store("out");
    const std::lock_guard lock(of->mutex);
    work(of->tables["semel_state"]);
  };
  std::shared_ptr<const memory::MemoryStore::Rows> before;
  rows([&](auto& table) { before = table; });
  world.produce("left", {"a"});
  world.must_run(world.config_of(), {"out"});
  std::shared_ptr<const memory::MemoryStore::Rows> now;
  rows([&](auto& table) { now = table; });
  const auto refused = [&] {
    world.produce("left", {"a"});
    const auto done = world.run(world.config_of(), {"out"});
    REQUIRE_FALSE(done);
    CHECK(done.error().cause == Cause::state);
    CHECK_THAT(done.error().message, Catch::Contains("Restore all of the output's tables"));
  };
  // With the cache, too: who comes without it would go on otherwise.
  for (const bool without_cache : {false, true}) {
    if (without_cache) std::filesystem::remove_all(world.state_directory() / "streams");
    rows([&](auto& table) { table = std::make_shared<memory::MemoryStore::Rows>(); });
    refused();
    rows([&](auto& table) { table = before; });
    refused();
  }
  rows([&](auto& table) { table = now; });
  world.must_run(world.config_of(), {"out"});
  CHECK(world.rows("out").size() > 3);
}

TEST_CASE("of a stage that keeps another type, what is told can be done with a state at its home") {
  HomeWorld world;
  world.produce("left", {"a"});
  world.must_run(world.config_of(), {"out"});
  stream::Setup setup;
  setup.once = true;
  setup.outputs = {world.own("out")};
  stream::Pipeline pipeline(world.config_of(), std::move(setup));
  pipeline.direct_stream({"left"})
      .map(text)
      .key_by([](const std::string& v) { return v; })
      .map_values([](const std::string& v) { return v; })
      .update_state_by_key<std::string>(
          "counts", [](const std::string&, std::span<const std::string> values,
                       const std::optional<std::string>&) { return std::optional(values.front()); })
      .map([](const std::string& k, const std::string& v) { return as_object(k + v); })
      .to("out");
  const auto done = pipeline.run();
  REQUIRE_FALSE(done);
  CHECK_THAT(done.error().message,
             Catch::Contains("Setup::drop_state") && !Catch::Contains("semel state"));
}

TEST_CASE("a cache of a state at its home is nothing to make a checkpoint of") {
  HomeWorld world;
  world.produce("left", {"a"});
  stream::Setup setup;
  setup.once = true;
  setup.outputs = {world.own("out")};
  stream::Pipeline pipeline(world.config_of(), std::move(setup));
  Result<void> made;
  counted(pipeline)
      .map([&](const std::string& row) {
        made = pipeline.checkpoint(world.path("copy"));
        return row;
      })
      .to("out");
  REQUIRE(pipeline.run());
  REQUIRE_FALSE(made);
  CHECK(made.error().cause == Cause::program);
  CHECK_THAT(made.error().message, Catch::Contains("backup"));
  CHECK_FALSE(std::filesystem::exists(world.path("copy")));
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
