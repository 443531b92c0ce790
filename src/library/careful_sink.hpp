// A sink that others wrote: what it throws is an error of its output, and not the end of the
// process.
#pragma once

#include <memory>
#include <string>

#include <semel/failed.hpp>
#include <semel/sink.hpp>

namespace semel {

/// `make` makes a sink of the program's own for the output of that name. What it or the sink throws
/// becomes an error that says whose it is; so does a sink that is not there. A commit that throws
/// is in doubt.
template <class Make>
Result<std::unique_ptr<Sink>> careful_sink(const std::string& output, Make make);

/// What was thrown, by the sink of the output in that call. To be called where it is caught.
Error thrown_by(const std::string& output, const char* call);

Result<std::unique_ptr<Sink>> careful(const std::string& output, std::unique_ptr<Sink> sink);

template <class Make>
Result<std::unique_ptr<Sink>> careful_sink(const std::string& output, Make make) {
  try {
    Result<std::unique_ptr<Sink>> made = make();
    if (!made) return made;
    return careful(output, *std::move(made));
  } catch (...) {
    return tl::unexpected(thrown_by(output, "its factory"));
  }
}

}  // namespace semel
