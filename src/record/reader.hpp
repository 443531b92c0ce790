// From a record to one value for each column, or to the reason why not: what every sink does before
// it does what only it can.
//
// A sink that is new here needs, in this order:
//   1. map_columns() (column.hpp): its columns' names, what they can hold, and the user's rules →
//   MappedColumn
//   2. Reader::make(): those, the policy and the format → a Reader for each session
//   3. Reader::read() for each record: values() to store, or `ignored`, or `bad` with bad(), or
//      `unavailable`: then the task fails with unavailable() and is tried again. `removal` comes
//      only where the policy asks for it, which a sink's settings need not let people do
//   4. BadTally (bad_tally.hpp): good() and bad() for each record that is not ignored; before the
//      commit, stops() says whether the range may be committed
//   5. SinkSession::set_aside() of a record that somebody else has read: RecordOrder
//      (record_order.hpp) says whether it is its turn, bad_record_of() makes a BadRecord of the
//      objection, and it goes the way of `bad`
//   6. for_log() (bad_record.hpp) and DeadLetterNotice: what people are told, without what is in
//      the record
// A value that its column cannot hold is the sink's to find out: it makes a BadRecord with
// Fault::unfit itself. No I/O.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <semel/error.hpp>
#include <semel/record.hpp>
#include <semel/types.hpp>

#include "record/bad_record.hpp"
#include "record/column.hpp"
#include "record/conversion.hpp"
#include "record/decoder.hpp"
#include "record/mapping.hpp"
#include "record/parts.hpp"
#include "record/policy.hpp"
#include "record/value.hpp"

namespace semel::record {

/// What becomes of a record.
enum class Fate : std::uint8_t {
  row,          ///< it has values
  removal,      ///< it has values, of which those of a key say which row is to go
  ignored,      ///< a tombstone, and the policy says so
  bad,          ///< it cannot be stored
  unavailable,  ///< not known: what is needed to read it cannot be had now
};

struct ReadRecord {
  Fate fate = Fate::row;
  std::uint32_t unknown_fields = 0;  ///< members that no column comes from
};

/// Not thread safe: each session has its own. Movable.
class Reader {
 public:
  /// Fails (fatal, configuration) where the format has nothing at a mapping's path. `setting` as
  /// above; `keys`: the format of records' keys, of which there is none to be asked where it is
  /// absent. `also_known`: members at the top of the value that others want, so that they are not
  /// unknown.
  static Result<Reader> make(std::vector<MappedColumn> columns, const Policy& policy,
                             const Format& format, std::string setting,
                             const Format* keys = nullptr,
                             std::span<const std::string> also_known = {});

  ReadRecord read(const TopicPartition& tp, const Record& record);

  /// After `row` and `removal`: by column. They borrow from the record and from this reader, until
  /// the next one.
  std::span<const Value> values() const { return std::span(values_).first(count_); }
  /// After `bad`.
  const BadRecord& bad() const { return bad_; }
  /// After any with unknown_fields: the first of them, until the next record.
  std::string_view unknown_field() const { return decoder_->unknown_field(); }
  /// After `unavailable`: what the task fails with.
  Error unavailable() const { return (key_failed_ ? key_decoder_ : decoder_)->why_unavailable(); }

  std::span<const MappedColumn> columns() const { return std::span(columns_).first(count_); }

 private:
  Reader() = default;
  /// What becomes of a record whose decoding was not plain.
  ReadRecord judge(std::string_view value, const Decoded& decoded);
  /// Where columns_[slot] comes from.
  Result<void> bind(std::uint32_t slot, const Format& format, const Format* keys);
  /// False: `result` says what becomes of the record.
  bool read_key(std::string_view key, ReadRecord& result);
  bool removes() const;
  /// What a column's rule says, and the policy of all columns.
  Result<void> add_rule(std::uint32_t slot, const Format& format, const Format* keys);
  Result<void> bind_like(std::uint32_t slot);
  /// False: a value is not what its column's rule wants, and bad() says so.
  bool follow_rules(bool removal);
  void take_parts(std::string_view value);
  void take_part(std::size_t slot, std::string_view value);
  bool nothing_found() const;
  Fate refuse(Fault fault, std::string reason);

  /// Members that others want are none that nobody knows.
  Result<void> know(std::span<const std::string> members);

  /// More is made of a column's value than what is found at one place.
  struct Ruled {
    std::uint32_t slot = 0;
    std::vector<std::uint32_t> others;    ///< slots to look into where there is no value
    std::optional<std::uint32_t> like{};  ///< that of a member that is called nearly so
    bool strips_nul = false;
    std::optional<Conversion> conversion{};
    std::string stripped{};  ///< where the value is, once it is another one
    std::string converted{};
    std::string again{};
  };
  bool follow(Ruled& ruled);
  void choose(Ruled& ruled);

  /// Behind the sink's: what says that a row is to go, and other places for the sink's.
  std::vector<MappedColumn> columns_;
  std::size_t count_ = 0;                    ///< the sink's
  std::optional<std::size_t> removal_slot_;  ///< of what says that a row is to go
  std::optional<std::size_t> removal_part_;  ///< where that one is a part of the record
  Policy policy_;
  std::string setting_;
  std::unique_ptr<Decoder> decoder_;
  RecordParts parts_;
  std::unique_ptr<Decoder> key_decoder_;   ///< where a column comes from inside the key
  std::vector<Value> values_;              ///< by column
  std::vector<std::size_t> part_columns_;  ///< those that are mapped to a part of the record
  std::vector<std::size_t> path_columns_;  ///< the others: from a place in its value
  std::vector<Ruled> ruled_;               ///< columns with a rule beyond a path
  std::vector<std::string> own_names_;     ///< of columns that come from a member of their name
  bool stores_whole_value_ = false;        ///< a column does: nothing of a record can be lost
  bool proves_json_ = false;               ///< what was decoded is one JSON document
  bool key_failed_ = false;                ///< to be decoded, of the last record
  BadRecord bad_;
};

/// The beginning of a value for people: as JSON has it, bytes that are no text in hexadecimal.
std::string shown(const Value& value);

}  // namespace semel::record
