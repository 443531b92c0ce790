// The parts of a record that mappings name with '@', as values.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <semel/record.hpp>
#include <semel/types.hpp>

#include "record/mapping.hpp"
#include "record/value.hpp"

namespace semel::record {

/// Values are valid until the next start(). Headers are read once, and only if somebody asks.
class RecordParts {
 public:
  void start(const TopicPartition& tp, const Record& record);

  /// `raw`: the column stores any bytes, so that nothing is checked; otherwise bytes that are not
  /// text carry their flaw.
  Value get(const Mapping& mapping, bool raw);

 private:
  struct Digits {
    std::array<char, 20> characters;
  };
  Value number(std::int64_t number, Digits& digits) const;
  Value all_headers();
  const std::vector<Header>& headers();

  const TopicPartition* tp_ = nullptr;
  const Record* record_ = nullptr;
  bool headers_read_ = false;
  std::vector<Header> headers_;
  std::string headers_json_;
  Digits partition_;
  Digits offset_;
  Digits timestamp_;
};

/// Bytes as a value; `raw` as above.
Value bytes_value(std::string_view bytes, bool raw);

}  // namespace semel::record
