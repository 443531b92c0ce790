// The dead letters of an output, as operators see and move them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <semel/error.hpp>
#include <semel/types.hpp>

namespace semel {

/// Which of an output's letters are meant: those for which all holds that is said.
struct LetterFilter {
  std::optional<std::string> topic;
  std::optional<std::int32_t> partition;
  std::optional<Offset> from;         ///< inclusive
  std::optional<Offset> until;        ///< exclusive
  std::optional<std::string> column;  ///< of the table; empty: letters that name none
  std::optional<std::string> code;    ///< as the sink has it: an SQLSTATE
  std::optional<std::string> reason;  ///< a part of it
  /// When it was set aside, at or after and before: what the sink reads as a time.
  std::optional<std::string> since;
  std::optional<std::string> before;
};

/// Letters of one kind.
struct LetterGroup {
  std::string topic;
  std::string column;
  std::string code;
  std::uint64_t count = 0;
  std::string first;   ///< when, ISO 8601
  std::string last;    ///< likewise
  std::string reason;  ///< of the newest one
};

/// A record that was set aside, as it was.
struct DeadLetter {
  TopicPartition tp;
  Offset offset = 0;
  std::int64_t timestamp_ms = -1;
  std::optional<std::string> key;    ///< bytes
  std::optional<std::string> value;  ///< bytes
  std::string headers;               ///< JSON as record/header_json.hpp has it; empty: none
  std::string column;
  std::string code;
  std::string reason;
  std::string failed_at;  ///< ISO 8601
};

/// Of one redrive.
struct Redriven {
  std::uint64_t rows = 0;        ///< letters whose rows are in the table now
  std::uint64_t suppressed = 0;  ///< of these, rows that the table accepted and did not store
  std::uint64_t ignored = 0;     ///< letters that are no row by today's configuration; they stay
  std::uint64_t bad = 0;         ///< letters that stay
  std::uint64_t unknown_fields = 0;  ///< members without a column, of letters that became rows
  std::string unknown_field{};       ///< the first of them
  /// The first of those that stay, with today's reasons; as many as are shown.
  std::vector<DeadLetter> still_bad;
  static constexpr std::size_t shown_max = 20;

  /// What the next piece of it did.
  void add(Redriven next) {
    rows += next.rows;
    suppressed += next.suppressed;
    ignored += next.ignored;
    bad += next.bad;
    unknown_fields += next.unknown_fields;
    if (unknown_field.empty()) unknown_field = std::move(next.unknown_field);
    for (auto& letter : next.still_bad) {
      if (still_bad.size() < shown_max) still_bad.push_back(std::move(letter));
    }
  }
};

/// Not thread safe. Each call connects, or uses the connection of the one before.
class DeadLetterBox {
 public:
  virtual ~DeadLetterBox() = default;

  virtual Result<std::vector<LetterGroup>> groups(const LetterFilter& filter) = 0;
  /// In the order of topic, partition and offset, `limit` at most.
  virtual Result<std::vector<DeadLetter>> letters(const LetterFilter& filter,
                                                  std::size_t limit) = 0;

  struct How {
    bool preview = false;  ///< every piece is rolled back
    bool overwrite =
        false;  ///< a letter may be older than its key's row: replace that all the same
  };
  /// Puts the records through the configuration as it is now, in pieces, each a transaction in
  /// which the rows come and their letters go. Killed at any moment, and begun again, it stores
  /// each once. What may pass by itself is tried again by the caller.
  virtual Result<Redriven> redrive(const LetterFilter& filter, How how) = 0;
  /// How many are gone.
  virtual Result<std::uint64_t> drop(const LetterFilter& filter) = 0;
};

}  // namespace semel
