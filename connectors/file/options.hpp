// What [sink.file] is read into.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "store/setup.hpp"

namespace semel::file {

enum class Form : std::uint8_t { jsonl, csv, parquet };

struct Options {
  std::string directory;
  Form form = Form::jsonl;
  std::vector<std::string> schema;         ///< "NAME" or "NAME TYPE"; none: each record as it is
  std::int64_t roll_interval_ms = 60'000;  ///< a file for each of these, while it has caught up
  store::Options rows;                     ///< all but the table
};

/// Of each record all of it, as it was: one column of this name.
inline constexpr auto whole_record = "record";
inline bool is_whole(const Options& options) {
  return options.schema.empty() && options.rows.columns.empty();
}

}  // namespace semel::file
