#include <semel/failed.hpp>

#include <string>
#include <utility>

#include "support/catch.hpp"

namespace semel {

TEST_CASE("what was thrown says the error's message, and so does a copy that outlives it") {
  std::unique_ptr<Failed> copy;
  try {
    throw Failed({ErrorKind::fatal, Cause::fenced, "another owner has taken over"});
  } catch (const std::exception& error) {
    CHECK(std::string(error.what()) == "another owner has taken over");
    copy = std::make_unique<Failed>(dynamic_cast<const Failed&>(error));
  }
  CHECK(copy->error().kind == ErrorKind::fatal);
  CHECK(copy->error().cause == Cause::fenced);
  CHECK(std::string(copy->what()) == "another owner has taken over");
}

}  // namespace semel
