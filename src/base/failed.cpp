#include <semel/failed.hpp>

#include <utility>

namespace semel {

// Not in the header: all that link to the library catch one type.
Failed::Failed(Error error) : error_(std::make_shared<const Error>(std::move(error))) {}
Failed::~Failed() = default;

void throw_failed(Error error) {
  throw Failed(std::move(error));
}

const char* Failed::what() const noexcept {
  return error_->message.c_str();
}

}  // namespace semel
