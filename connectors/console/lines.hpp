// Records as lines for people and for programs behind a pipe.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include <semel/record.hpp>
#include <semel/types.hpp>

#include "console/options.hpp"
#include "formats/formats.hpp"

namespace semel::console {

/// Not thread safe: each session has its own.
class Lines {
 public:
  Lines(Form form, const formats::FormatPtr& format);

  /// Appends one line. Any record is one: a member that it lacks is left out, and what is no text
  /// is {"base64": "..."}. A value that the format reads as JSON is that JSON; else it is a string.
  void append(std::string& out, const TopicPartition& tp, const Record& record);

 private:
  void append_value(std::string& out, std::string_view value);
  /// How each line of this partition begins.
  const std::string& head_of(const TopicPartition& tp);

  Form form_;
  bool is_json_ = false;
  std::unique_ptr<record::Decoder> decoder_;
  std::vector<record::Value> slot_;
  TopicPartition of_;
  std::string head_;  ///< of `of_`; empty: of none yet
};

}  // namespace semel::console
