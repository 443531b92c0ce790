// The configurations that the documents show are configurations, and the links between documents
// lead somewhere.
#include <filesystem>
#include <fstream>
#include <regex>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include "app/pipeline_config.hpp"
#include "support/catch.hpp"

namespace {

const std::filesystem::path root = SEMEL_SOURCE_ROOT;

std::vector<std::filesystem::path> documents() {
  std::vector<std::filesystem::path> found{root / "README.md", root / "CONTRIBUTING.md",
                                           root / "CHANGELOG.md"};
  for (const auto& entry : std::filesystem::recursive_directory_iterator(root / "docs")) {
    if (entry.path().extension() == ".md") found.push_back(entry.path());
  }
  return found;
}

std::string read(const std::filesystem::path& path) {
  std::ostringstream text;
  text << std::ifstream(path).rdbuf();
  return text.str();
}

std::vector<std::string> blocks(const std::string& text, const std::string& language) {
  std::vector<std::string> found;
  const auto opening = "```" + language + "\n";
  for (auto at = text.find(opening); at != std::string::npos; at = text.find(opening, at)) {
    at += opening.size();
    found.push_back(text.substr(at, text.find("```", at) - at));
  }
  return found;
}

}  // namespace

TEST_CASE("every whole configuration in the documents is accepted") {
  int checked = 0;
  for (const auto& path : documents()) {
    for (const auto& block : blocks(read(path), "toml")) {
      if (block.find("[source.kafka]") == std::string::npos ||
          block.find("name") == std::string::npos)
        continue;
      CAPTURE(path.string(), block);
      // A program names its topics itself.
      const auto what =
          path.filename() == "streams.md" ? semel::app::For::looking : semel::app::For::running;
      const auto config = semel::app::parse(block, path.filename().string(), {}, what);
      INFO((config ? "" : config.error().message));
      CHECK(config.has_value());
      ++checked;
    }
  }
  CHECK(checked >= 2);
}

TEST_CASE("every link to a file in the documents leads to one") {
  const std::regex link(R"(\]\(([^)#:]+)(#[^)]*)?\))");
  const std::regex code("```[^`]*```");
  int checked = 0;
  for (const auto& path : documents()) {
    // A lambda of C++ looks like one.
    const auto text = std::regex_replace(read(path), code, "");
    for (std::sregex_iterator it(text.begin(), text.end(), link), end; it != end; ++it) {
      CAPTURE(path.string(), (*it)[1].str());
      CHECK(std::filesystem::exists(path.parent_path() / (*it)[1].str()));
      ++checked;
    }
  }
  CHECK(checked >= 10);
}

TEST_CASE("every test that the guarantees name exists") {
  const std::string root = SEMEL_SOURCE_ROOT;
  const std::regex named(R"re(TEST_CASE\(\s*((?:"(?:[^"\\]|\\.)*"\s*)+))re");
  const std::regex piece(R"re("((?:[^"\\]|\\.)*)")re");
  std::set<std::string> tests;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(root + "/tests")) {
    if (entry.path().extension() != ".cpp") continue;
    const auto text = read(entry.path());
    for (std::sregex_iterator it(text.begin(), text.end(), named), end; it != end; ++it) {
      const auto pieces = (*it)[1].str();
      std::string name;
      for (std::sregex_iterator p(pieces.begin(), pieces.end(), piece); p != end; ++p) {
        name += (*p)[1].str();
      }
      tests.insert(name);
    }
  }
  // Shorter ones are settings and what semel says.
  constexpr std::size_t shortest_name = 25;
  const auto page = read(root + "/docs/guarantees.md");
  int checked = 0;
  for (std::sregex_iterator it(page.begin(), page.end(), piece), end; it != end; ++it) {
    const auto name = (*it)[1].str();
    if (name.size() < shortest_name) continue;
    CAPTURE(name);
    CHECK(tests.contains(name));
    ++checked;
  }
  CHECK(checked >= 40);
}
