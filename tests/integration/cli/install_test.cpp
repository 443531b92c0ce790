// `meson install` puts everything in place that the documents speak of.
#include <filesystem>
#include <set>

#include "integration/cli/setup.hpp"
#include "support/catch.hpp"

using namespace semel::test;

namespace {

namespace fs = std::filesystem;

const std::string install_root = SEMEL_SOURCE_ROOT;
const std::string prefix = SEMEL_PREFIX;

ProcessResult succeed(std::vector<std::string> argv, std::map<std::string, std::string> env = {}) {
  auto result = run({.argv = std::move(argv), .env = std::move(env)});
  INFO(result.out << result.err);
  REQUIRE(result.code == 0);
  return result;
}

bool has_program(const std::string& name) {
  return run({.argv = {"sh", "-c", "command -v " + name}}).code == 0;
}

}  // namespace

TEST_CASE("meson install puts program, library, man page, completions and unit in place") {
  const TempDir dir;
  const auto destination = dir.path().string();
  succeed({"meson", "install", "-C", SEMEL_BUILD_ROOT, "--no-rebuild", "--quiet"},
          {{"DESTDIR", destination}});

  std::set<std::string> installed;
  for (const auto& entry : fs::recursive_directory_iterator(destination)) {
    if (!entry.is_directory()) installed.insert(entry.path().string().substr(destination.size()));
  }
  const auto unit = prefix + "/lib/systemd/system/semel@.service";
  const std::map<std::string, std::string> copies{
      {prefix + "/share/man/man1/semel.1", "/docs/man/semel.1"},
      {prefix + "/share/bash-completion/completions/semel", "/packaging/completion/semel.bash"},
      {prefix + "/share/zsh/site-functions/_semel", "/packaging/completion/_semel"}};
  const std::string lib = prefix + "/" + SEMEL_LIBDIR;
  std::set<std::string> wanted{prefix + "/bin/semel",
                               unit,
                               lib + "/libsemel.so",
                               lib + "/libsemel.so.0.1",
                               lib + "/libsemel.so.0.1.0",
                               lib + "/libsemel-contract.so",
                               lib + "/libsemel-contract.so.0.1",
                               lib + "/libsemel-contract.so.0.1.0",
                               lib + "/pkgconfig/semel.pc",
                               lib + "/pkgconfig/semel-contract.pc",
                               lib + "/cmake/semel/semelConfig.cmake",
                               lib + "/cmake/semel/semelConfigVersion.cmake"};
  // All public headers, and no other.
  for (const auto& entry : fs::recursive_directory_iterator(install_root + "/include")) {
    if (entry.is_directory()) continue;
    wanted.insert(prefix + entry.path().string().substr(install_root.size()));
  }
  for (const auto& [to, from] : copies) {
    wanted.insert(to);
    CHECK(read_file(destination + to) == read_file(install_root + from));
  }
  CHECK(installed == wanted);
  CHECK(succeed({destination + prefix + "/bin/semel", "--version"}).out.starts_with("semel "));

  // The unit starts the program where it was put, and systemd has nothing against it.
  const auto text = read_file(destination + unit);
  CHECK(text.find("\nExecStart=" + prefix + "/bin/semel run /etc/semel/%i.toml ") !=
        std::string::npos);
  CHECK(text.find("\nStateDirectory=semel/%i\n") != std::string::npos);
  CHECK(text.find('@' + std::string("bindir")) == std::string::npos);
  if (!has_program("systemd-analyze")) return;
  fs::create_directories(dir.path() / "verify");
  auto here = text;
  const auto program = prefix + "/bin/semel";
  here.replace(here.find(program), program.size(), destination + program);
  const auto copy = dir / "verify/semel@.service";
  write_file(copy, here);
  CHECK(succeed({"systemd-analyze", "verify", "--man=no", copy}).err.empty());
  succeed({"systemd-analyze", "security", "--offline=true", "--threshold=20", copy});
}

TEST_CASE("the unit restarts after exactly the exit codes that the page says") {
  const auto unit = read_file(install_root + "/packaging/systemd/semel@.service.in");
  const auto page = read_file(install_root + "/docs/reference/exit-codes.md");
  const std::string key = "\nRestartPreventExitStatus=";
  const auto at = unit.find(key);
  REQUIRE(at != std::string::npos);
  const auto from = at + key.size();
  const auto never = " " + unit.substr(from, unit.find('\n', from) - from) + " ";
  for (const auto* code : {"1", "2", "3", "4", "5", "6", "7", "8"}) {
    CAPTURE(code);
    const auto row = page.find(std::string("\n| ") + code + " |");
    REQUIRE(row != std::string::npos);
    auto line = page.substr(row + 1, page.find('\n', row + 1) - row - 1);
    const auto last = line.substr(line.rfind('|', line.size() - 2) + 1);
    CHECK((last.find("no") != std::string::npos) ==
          (never.find(std::string(" ") + code + " ") != std::string::npos));
  }
  // Broker, database and disk may take hours to be mended.
  CHECK(unit.find("\nStartLimitIntervalSec=0\n") != std::string::npos);
}
