// A sink that counts what it is given, and is otherwise the one that it wraps.
#pragma once

#include <memory>
#include <string>

#include <semel/sink.hpp>

namespace semel::bench {

/// `semel run --tally FILE`: records handed to the sink are counted in FILE (see Tally).
Result<std::unique_ptr<Sink>> count_records(std::unique_ptr<Sink> sink, const std::string& file);

}  // namespace semel::bench
