// A record as a sink sees it: views into memory that the reader owns.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include <semel/api.hpp>
#include <semel/types.hpp>

namespace semel {

/// One header of a record: views, as the record's.
struct Header {
  std::string_view name;                  ///< need not be unique
  std::optional<std::string_view> value;  ///< Kafka allows a header without a value
};

/// Reads a record's headers only when somebody asks: most pipelines never do.
struct HeaderSource {
  const void* message = nullptr;  ///< for read(); of the reader's own
  /// Appends the headers, in order; views, valid as long as the record's.
  void (*read)(const void* message, std::vector<Header>& into) = nullptr;

  /// `headers` instead of what was in it: one vector for many records allocates nothing.
  void read_into(std::vector<Header>& headers) const {
    headers.clear();
    if (read != nullptr) read(message, headers);
  }
  /// A new vector of the headers, in order.
  std::vector<Header> operator()() const {
    std::vector<Header> headers;
    read_into(headers);
    return headers;
  }
};

/// One record of the partition that the task names. All views are borrowed: they are valid until
/// the call that received the record returns. Copy what must live longer.
struct Record {
  Offset offset = 0;                      ///< in its partition
  std::int64_t timestamp_ms = -1;         ///< Kafka's timestamp; -1 where the record has none
  std::optional<std::string_view> key;    ///< absent and empty differ
  std::optional<std::string_view> value;  ///< absent: a tombstone
  HeaderSource headers;                   ///< read where they are wanted
};

/// The mark by which `record` is recognised when its partition is read again.
SEMEL_API RecordMark mark_of(const Record& record);

}  // namespace semel
