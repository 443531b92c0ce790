// Man page, completions and the page of commands name everything that the program has.
#include <regex>
#include <sstream>

#include "integration/cli/setup.hpp"
#include "support/catch.hpp"

using namespace semel::test;

namespace {

const std::string source_root = SEMEL_SOURCE_ROOT;

/// "run", "run --once" ... as the program says.
std::vector<std::string> commands() {
  const auto result = run_semel({"reference", "commands"});
  REQUIRE(result.code == 0);
  std::vector<std::string> lines;
  std::istringstream out(result.out);
  for (std::string line; std::getline(out, line);) lines.push_back(line);
  REQUIRE(lines.size() > 20);
  return lines;
}

std::string without(std::string text, const std::string& what) {
  for (auto at = text.find(what); at != std::string::npos; at = text.find(what, at)) {
    text.erase(at, what.size());
  }
  return text;
}

/// What `text` says between a line that begins with `from` and the next one that begins with `to`,
/// of every such line.
std::string sections(const std::string& text, const std::string& from, const std::string& to) {
  std::string all;
  for (auto at = text.find(from); at != std::string::npos; at = text.find(from, at + 1)) {
    const auto end = text.find(to, at + from.size());
    all += text.substr(at, end == std::string::npos ? end : end - at) + "\n";
  }
  return all;
}

/// What bash offers where `words` are typed and the last one is to be completed.
std::string completed(const std::string& words) {
  const auto result =
      run({.argv = {"bash", "-c",
                    "source \"$1\"; read -ra COMP_WORDS <<<\"$2\"; "
                    "COMP_CWORD=$((${#COMP_WORDS[@]} - 1)); _semel; echo \"${COMPREPLY[*]}\"",
                    "bash", source_root + "/packaging/completion/semel.bash", words}});
  INFO(result.err);
  REQUIRE(result.code == 0);
  return result.out;
}

bool has_word(const std::string& text, const std::string& word) {
  return std::regex_search(text, std::regex("(^|[^-a-z])" + word + "($|[^-a-z])"));
}

}  // namespace

TEST_CASE("every command and option is in the man page, the completions and the page of commands") {
  const auto man = without(read_file(source_root + "/docs/man/semel.1"), "\\");
  const auto page = read_file(source_root + "/docs/reference/cli.md");
  const auto bash = read_file(source_root + "/packaging/completion/semel.bash");
  const auto zsh = read_file(source_root + "/packaging/completion/_semel");
  for (const auto& line : commands()) {
    CAPTURE(line);
    const auto space = line.find(' ');
    if (space == std::string::npos) {
      CHECK(man.find("\n.B " + line + "\n") != std::string::npos);
      CHECK(page.find("\n## semel " + line) != std::string::npos);
      CHECK(std::regex_search(bash, std::regex("compgen -W '[^']*\\b" + line + "\\b")));
      CHECK(
          std::regex_search(bash, std::regex("\n    ([a-z]+ \\| )*" + line + "( \\| [a-z]+)*\\)")));
      CHECK(zsh.find("'" + line + ":") != std::string::npos);
      continue;
    }
    const auto command = line.substr(0, space);
    const auto option = line.substr(space + 1);
    // What all commands take is written once.
    const bool common = std::regex_match(option, std::regex("--(help|set|output|log-level|version)"));
    CHECK(has_word(common ? man : sections(man, "\n.B " + command + "\n", "\n.TP\n"), option));
    CHECK(has_word(common ? page : sections(page, "\n## semel " + command, "\n## "), option));
    CHECK(has_word(completed("semel " + command + " clicks.toml --"), option));
    if (command == "version") continue;
    CHECK(has_word(common ? zsh : sections(zsh, "\n    " + command + ")", ";;"), option));
  }
}

TEST_CASE("bash completes commands, options and actions") {
  CHECK(completed("semel ve") == "verify version\n");
  CHECK(completed("semel run x.toml --on") == "--once\n");
  CHECK(completed("semel offsets x.toml re") == "reset\n");
  CHECK(completed("semel run x.toml --log-level d") == "debug\n");
}

TEST_CASE("help says what it is, and where to go on") {
  const auto help = run_semel({"--help"});
  CHECK(help.code == 0);
  for (const auto* part : {"exactly once", "Commands:", "brokers = \"localhost:9092\"",
                           "Exit codes:", "5 fenced", "man semel"}) {
    CAPTURE(part);
    CHECK(help.out.find(part) != std::string::npos);
  }
  CHECK(help.out.find("reference ") == std::string::npos);
  // No wider than a terminal.
  std::istringstream lines(help.out);
  for (std::string line; std::getline(lines, line);) {
    CAPTURE(line);
    CHECK(line.size() <= 100);
  }
}

TEST_CASE("an answer that cannot be written is an error") {
  for (const std::string command : {"version", "reference configuration"}) {
    const auto full =
        run({.argv = {"sh", "-c", std::string(SEMEL_BINARY) + " " + command + " >/dev/full"}});
    CHECK(full.code == 1);
    CHECK(full.err == "semel: standard output cannot be written: No space left on device\n");
    // A reader that has had enough is none.
    const auto left =
        run({.argv = {"sh", "-c", std::string(SEMEL_BINARY) + " " + command + " | head -n 1"}});
    CHECK(left.err.empty());
  }
}

TEST_CASE("the example in the help is a configuration") {
  const auto help = run_semel({"--help"}).out;
  const auto from = help.find("  name = \"clicks\"");
  const auto until = help.find("\n\n", from);
  REQUIRE(from != std::string::npos);
  const TempDir dir;
  write_file(dir.path() / "clicks.toml", help.substr(from, until - from) + "\n");
  const auto result = run_semel({"sql", dir / "clicks.toml"});
  CHECK(result.code == 0);
  CHECK(result.out.find("CREATE TABLE") != std::string::npos);
}

TEST_CASE("every exit code is explained where people look for it") {
  const auto page = read_file(source_root + "/docs/reference/exit-codes.md");
  const auto man = read_file(source_root + "/docs/man/semel.1");
  for (const auto* code : {"0", "1", "2", "3", "4", "5", "6", "7", "8", "9", "130"}) {
    CAPTURE(code);
    CHECK(page.find(std::string("\n| ") + code + " |") != std::string::npos);
    CHECK(man.find(std::string("\n") + code + "\t") != std::string::npos);
  }
}
