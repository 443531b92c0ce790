#include <semel/failed.hpp>

#include <utility>

namespace semel {

// Not in the header: all that link to the library catch one type.
Failed::Failed(Error error) : error_(std::make_shared<const Error>(std::move(error))) {}
Failed::~Failed() = default;

const char* Failed::what() const noexcept {
  return error_->message.c_str();
}

}  // namespace semel
