// What the guide to own transactions says, typed as it stands there.
#include <cstdlib>
#include <filesystem>
#include <regex>

#include "bench/data/embedded_broker.hpp"
#include "integration/embed/installed.hpp"
#include "support/catch.hpp"
#include "support/servers.hpp"

using namespace semel;
using namespace semel::test;

TEST_CASE("the guide to own transactions builds, feeds and runs its program with what it says") {
  const auto broker = kafka::EmbeddedBroker::start().value();
  broker->create_topic("payments", 1).value();
  PostgresServer::execute(PostgresServer::shared().dsn(), "DROP DATABASE IF EXISTS shop");
  const TempDir dir;
  std::filesystem::create_directory(dir.path() / "bin");
  std::filesystem::create_symlink(SEMEL_KCAT, dir.path() / "bin/kcat");
  std::filesystem::create_directory_symlink(SEMEL_SOURCE_ROOT "/examples", dir.path() / "examples");
  auto env = Installed::shared().environment();
  env.insert({{"PATH", (dir / "bin") + ":" + std::getenv("PATH")},
              {"LD_LIBRARY_PATH", Installed::shared().library().parent_path().string()},
              {"PGHOST", "127.0.0.1"},
              {"PGPORT", std::to_string(PostgresServer::shared().port())},
              {"PGUSER", "postgres"}});
  const auto page = read_file(SEMEL_SOURCE_ROOT "/docs/guides/own-transaction.md");
  const std::regex block("```sh\n([^`]*)```");
  std::vector<std::string> typed;
  std::string out;
  for (auto at = std::sregex_iterator(page.begin(), page.end(), block);
       at != std::sregex_iterator(); ++at) {
    typed.push_back(std::regex_replace((*at)[1].str(), std::regex("localhost:9092"),
                                       broker->bootstrap_servers()));
    const auto result = run({.argv = {"bash", "-euo", "pipefail", "-c", typed.back()},
                             .env = env,
                             .directory = dir.path().string()});
    INFO(typed.back() << result.out << result.err);
    REQUIRE(result.code == 0);
    out = result.out;
  }
  REQUIRE(typed.size() == 4);
  // As the sentence behind it says.
  CHECK_THAT(out, Catch::Contains("anna     |     17") && Catch::Contains("ben      |      5") &&
                      Catch::Contains("a lot"));
  const auto again = run({.argv = {"bash", "-euo", "pipefail", "-c", typed.back()},
                          .env = env,
                          .directory = dir.path().string()});
  CHECK(again.code == 0);
  CHECK(again.out == out);
}
