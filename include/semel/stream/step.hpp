// What functions between Kafka and an output are given, and what they may answer.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

#include <semel/record.hpp>
#include <semel/types.hpp>

namespace semel::stream {

/// "This record is bad": returned by a function, or thrown (a throw costs about a microsecond). The
/// record becomes a dead letter with the reason and the name of the stage; the batch goes on.
struct Bad {
  std::string reason;  ///< for people; no secret in it
};

/// What a function returns that may find a record bad.
template <class T>
using Step = std::variant<T, Bad>;

/// A record of Kafka as the first function sees it. A view: valid until that function returns.
/// Copy what must live longer.
class Message {
 public:
  /// Both live longer than this.
  Message(const Record& record, const TopicPartition& tp) : record_(&record), tp_(&tp) {}

  /// Empty for a tombstone, too: record().value tells them apart.
  std::string_view value() const { return record_->value.value_or(std::string_view()); }
  /// Empty where there is none, too: record().key tells them apart.
  std::string_view key() const { return record_->key.value_or(std::string_view()); }
  const std::string& topic() const { return tp_->topic; }              ///< its name
  std::int32_t partition() const { return tp_->partition; }            ///< its number, from 0
  Offset offset() const { return record_->offset; }                    ///< in its partition
  std::int64_t timestamp_ms() const { return record_->timestamp_ms; }  ///< Kafka's; -1: none
  const Record& record() const { return *record_; }                    ///< all of it

 private:
  const Record* record_;
  const TopicPartition* tp_;
};

/// Of which batch something is. Functions know the batch's time, never the clock: computed again
/// after a crash, a batch is what it was.
struct BatchInfo {
  BatchTime time;                       ///< of the batch
  std::span<const OffsetRange> inputs;  ///< what is read in it, by partition; none of ~batches
};

namespace detail {

template <class T>
struct Unstepped {
  using type = T;
  static constexpr bool may_be_bad = false;
};
template <class T>
struct Unstepped<std::variant<T, Bad>> {
  using type = T;
  static constexpr bool may_be_bad = true;
};
/// What comes of a function's result: T of T and of Step<T>.
template <class T>
using unstepped = typename Unstepped<std::remove_cvref_t<T>>::type;

}  // namespace detail

}  // namespace semel::stream
