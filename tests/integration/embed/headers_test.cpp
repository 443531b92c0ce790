// The library's border: what its headers ask of a program, and what its symbols give away.
#include <regex>
#include <sstream>

#include "integration/embed/installed.hpp"
#include "support/catch.hpp"

using namespace semel::test;

namespace {

namespace fs = std::filesystem;

std::vector<fs::path> public_headers() {
  std::vector<fs::path> headers;
  for (const auto& entry :
       fs::recursive_directory_iterator(Installed::shared().prefix() / "include")) {
    if (entry.path().extension() == ".hpp") headers.push_back(entry.path());
  }
  REQUIRE(headers.size() >= 10);
  return headers;
}

/// Between the contract and a test framework that the program has.
bool is_glue(const fs::path& header) {
  return header.parent_path().filename() == "contract";
}

std::string name_of(const fs::path& header) {
  return fs::relative(header, Installed::shared().prefix() / "include").string();
}

std::vector<std::string> compilers() {
  std::vector<std::string> found{Installed::shared().environment().at("CXX")};
  for (const auto* name : {"clang++-16", "clang++"}) {
    if (run({.argv = {"sh", "-c", std::string("command -v ") + name}}).code != 0) continue;
    found.emplace_back(name);
    break;
  }
  return found;
}

/// Ours, the standard library's (no dot, no slash), or tl::expected.
bool may_be_included(const std::string& name) {
  return name.starts_with("semel/") || name == "tl/expected.hpp" ||
         name.find_first_of("./") == std::string::npos;
}

/// Names of public classes and functions, as the headers mark them.
std::set<std::string> marked_public() {
  static const std::regex marked(
      R"re((?:class|struct)\s+SEMEL_API\s+(\w+)|SEMEL_API\s+[^;{(]*?\b(operator[^\s(]+|\w+)\s*\()re");
  std::set<std::string> names;
  for (const auto& header : public_headers()) {
    if (header.filename() == "api.hpp") continue;  // where the mark is made
    const auto text = read_file(header);
    for (std::sregex_iterator at(text.begin(), text.end(), marked), end; at != end; ++at) {
      names.insert((*at)[1].matched ? (*at)[1] : (*at)[2]);
    }
  }
  return names;
}

}  // namespace

TEST_CASE("each public header compiles alone, with every warning an error") {
  for (const auto& compiler : compilers()) {
    for (const auto& header : public_headers()) {
      if (is_glue(header)) continue;
      INFO(compiler << " " << header);
      succeed({.argv = {compiler, "-std=c++20", "-Wall", "-Wextra", "-Wpedantic", "-Wshadow",
                        "-Werror", "-I" + (Installed::shared().prefix() / "include").string(), "-x",
                        "c++", "-fsyntax-only", "-"},
               .input = "#include <" + name_of(header) + ">\nint main() {}\n"});
    }
  }
}

TEST_CASE("no public header brings a library but the standard one and tl::expected") {
  static const std::regex include(R"re(^\s*#\s*include\s*[<"]([^>"]+)[>"].*)re");
  for (const auto& header : public_headers()) {
    if (is_glue(header)) continue;
    std::istringstream lines(read_file(header));
    for (std::string line; std::getline(lines, line);) {
      std::smatch match;
      if (!std::regex_match(line, match, include)) continue;
      INFO(header << " includes " << match[1]);
      CHECK(may_be_included(match[1]));
    }
  }
  // The check sees what it forbids.
  CHECK_FALSE(may_be_included("librdkafka/rdkafka.h"));
  CHECK_FALSE(may_be_included("libpq-fe.h"));
  CHECK_FALSE(may_be_included("pqxx/pqxx"));
}

TEST_CASE(
    "no public symbol is without documentation, and the reference is made without a warning") {
  const TempDir dir;
  CHECK_THAT(succeed({.argv = {SEMEL_SOURCE_ROOT "/scripts/doc", dir / "doc"}}),
             Catch::Contains("html/index.html"));
}

TEST_CASE("an older C++ is told by one line which one is needed") {
  const auto result = run({.argv = {Installed::shared().environment().at("CXX"), "-std=c++17",
                                    "-I" + (Installed::shared().prefix() / "include").string(),
                                    "-x", "c++", "-fsyntax-only", "-"},
                           .input = "#include <semel/api.hpp>\n"});
  CHECK(result.code != 0);
  CHECK_THAT(result.err, Catch::Contains("semel needs C++20"));
}

TEST_CASE("what the library exports is what the headers mark, and all of that") {
  std::string text;
  for (const auto* name : {"semel", "semel-contract"}) {
    text += succeed({.argv = {"nm", "-DC", "--defined-only", "--format=posix",
                              Installed::shared().library(name).string()}});
  }
  const auto wanted = marked_public();
  REQUIRE(wanted.size() >= 10);
  std::set<std::string> found;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    INFO(line);
    // Each scope of the name, or the name itself, is marked.
    bool public_one = false;
    static const std::regex word(R"re(operator[^\s(]+|\w+)re");
    const auto name = line.substr(0, line.find('('));
    for (std::sregex_iterator at(name.begin(), name.end(), word), end; at != end; ++at) {
      if (!wanted.contains(at->str())) continue;
      found.insert(at->str());
      public_one = true;
    }
    CHECK((line.find("semel::") != std::string::npos && public_one));
  }
  std::set<std::string> missing;
  for (const auto& name : wanted) {
    if (!found.contains(name)) missing.insert(name);
  }
  CHECK(missing == std::set<std::string>{});
}

TEST_CASE("the library neither ends the process nor changes its signals, locale or environment") {
  const auto text = succeed({.argv = {"nm", "-D", "--undefined-only", "--format=posix",
                                      Installed::shared().library().string()}});
  const std::set<std::string> never{
      "exit",      "_exit",  "_Exit",           "quick_exit", "abort",  "signal", "sigaction",
      "fork",      "vfork",  "pthread_sigmask", "system",     "execve", "atexit", "at_quick_exit",
      "setlocale", "setenv", "putenv",          "unsetenv",   "chdir",  "umask"};
  std::istringstream lines(text);
  std::size_t seen = 0;
  for (std::string line; std::getline(lines, line); ++seen) {
    const auto name = line.substr(0, line.find_first_of("@ "));
    INFO(name);
    CHECK_FALSE(never.contains(name));
  }
  CHECK(seen > 100);
}

TEST_CASE("as a Meson subproject it is found by its name, and brings none of its tests") {
  const TempDir dir;
  fs::create_directory(dir.path() / "subprojects");
  fs::create_directory_symlink(SEMEL_SOURCE_ROOT, dir.path() / "subprojects" / "semel");
  write_file(dir.path() / "app.cpp", "int main() {}\n");
  write_file(
      dir.path() / "meson.build",
      "project('app', 'cpp', default_options: ['cpp_std=c++20'])\n"
      "executable('app', 'app.cpp', dependencies: dependency('semel', fallback: 'semel'))\n");
  succeed({.argv = {"meson", "setup", dir / "build", dir.path().string()},
           .env = {{"CXX", Installed::shared().environment().at("CXX")}}});
  const auto targets = succeed({.argv = {"meson", "introspect", dir / "build", "--targets"}});
  CHECK_THAT(targets, Catch::Contains("libsemel.so") && Catch::Contains("\"app\""));
  CHECK_THAT(targets, !Catch::Contains("unit-core"));
}

TEST_CASE("the library is versioned, and needs nothing of ours beside it") {
  const auto dynamic = succeed({.argv = {"readelf", "-d", Installed::shared().library().string()}});
  CHECK_THAT(dynamic, Catch::Contains("Library soname: [libsemel.so.0.1]"));
  CHECK(dynamic.find("libsemel_") == std::string::npos);
}
