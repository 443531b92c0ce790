// The exception of those calls that cannot return a Result.
#pragma once

#include <exception>
#include <memory>

#include <semel/api.hpp>
#include <semel/error.hpp>

namespace semel {

/// An Error, thrown. Only by functions that say so; a Result is returned wherever one can be.
class SEMEL_API Failed : public std::exception {
 public:
  explicit Failed(Error error);                         ///< says `error`
  Failed(const Failed&) noexcept = default;             ///< says the same
  Failed& operator=(const Failed&) noexcept = default;  ///< says the same
  ~Failed() override;

  /// Valid as long as this object or a copy of it.
  const Error& error() const noexcept { return *error_; }
  /// The error's message.
  const char* what() const noexcept override;

 private:
  std::shared_ptr<const Error> error_;
};

}  // namespace semel
