// What wraps a sink, or is one, has to have every member of the contract.
#include <fstream>
#include <regex>
#include <sstream>
#include <string>

#include "support/catch.hpp"

namespace {

std::string read_file(const std::string& path) {
  std::ifstream file(path);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

}  // namespace

TEST_CASE("the contract of a sink has no member that an implementation can forget") {
  const auto text = read_file(SEMEL_SOURCE_ROOT "/include/semel/sink.hpp");
  const std::regex member(R"(virtual [^;{]*[;{])");
  int members = 0;
  for (auto found = std::sregex_iterator(text.begin(), text.end(), member);
       found != std::sregex_iterator(); ++found) {
    if (found->str().find('~') != std::string::npos) continue;
    ++members;
    INFO(found->str());
    CHECK(found->str().find("= 0;") != std::string::npos);
  }
  CHECK(members > 10);
}
