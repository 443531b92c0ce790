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
  // A sink that is the home of no state need not have these; who wraps one and forgets some is told
  // so before anything is committed: none can, or none of its transactions succeeds.
  const std::regex of_home(R"(change_state|become_home|read_state)");
  int members = 0;
  int of_home_found = 0;
  for (auto found = std::sregex_iterator(text.begin(), text.end(), member);
       found != std::sregex_iterator(); ++found) {
    if (found->str().find('~') != std::string::npos) continue;
    if (std::regex_search(found->str(), of_home)) {
      ++of_home_found;
      continue;
    }
    ++members;
    INFO(found->str());
    CHECK(found->str().find("= 0;") != std::string::npos);
  }
  CHECK(members > 10);
  CHECK(of_home_found == 3);
}
