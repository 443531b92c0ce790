// The experiments by which bad rows are found (hunt.hpp), on a real table.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "postgres/client/connection.hpp"
#include "postgres/merge/staging.hpp"
#include "postgres/rows/hunt.hpp"
#include "postgres/rows/row_encoder.hpp"
#include "postgres/table/table.hpp"

namespace semel::postgres {

/// One encoded row: which record it came from, where its bytes are, which range of a transaction of
/// several it is of, and which table it is for, as IsolatingWriter::add() said.
struct PlacedRow {
  std::size_t record = 0;
  std::uint32_t column_set = 0;
  std::size_t begin = 0;
  std::size_t end = 0;
  std::size_t part = 0;
  std::size_t table = 0;
  bool first = true;  ///< of its record
};

/// A table that rows are for. `staging` as in RowStream::start().
struct RowsInto {
  const Table* table = nullptr;
  const RowEncoder* encoder = nullptr;
  const Staging* staging = nullptr;
  std::size_t rule = 0;  ///< tables of a lower one get their rows first
};

/// Puts the rows of one range into their tables, with a savepoint for each experiment. A record's
/// rows go in together, or none of them. Where rows are merged, their order decides what stays: bad
/// ones are found in a trial, and the others come in together, in order. Not thread safe.
class IsolatingWriter : private Experiments {
 public:
  /// Of the first row of a record. ServerError::into says which table refused.
  using OnRefused = std::function<void(const PlacedRow&, const ServerError&)>;

  IsolatingWriter(Connection& connection, std::chrono::milliseconds patience, bool last_resort);

  /// Its number: PlacedRow::table. What it points to must outlive the writer.
  std::size_t add(const RowsInto& table);
  const Table& table(std::size_t number) const { return *tables_[number].table; }

  /// `rows` in order, those of a record next to each other, their bytes in `bytes`. An answer is
  /// final for the transaction; its row is the first of a record. Deferred constraints stay
  /// deferred.
  std::optional<Unhunted> write(std::span<const PlacedRow> rows, std::string_view bytes,
                                const OnRefused& on_refused);
  /// The same for rows that are refused by constraints which are asked at the end only.
  std::optional<Unhunted> write_together(std::span<const PlacedRow> rows, std::string_view bytes,
                                         const OnRefused& on_refused);
  /// After the last row.
  std::optional<Unhunted> finish() { return hunt_.finish(*this); }

  /// Rows of this part that the server accepted, and did not store: a trigger returned NULL.
  std::uint64_t suppressed(std::size_t part = 0) const {
    return part < suppressed_.size() ? suppressed_[part] : 0;
  }

 private:
  /// The rows of a record: the first, and behind the last.
  struct Unit {
    std::size_t begin = 0;
    std::size_t end = 0;
  };

  // Experiments are with records, by their place among the units.
  Outcome rows(std::span<const std::size_t> units) override;
  std::optional<Outcome> among(std::span<const std::size_t> asked,
                               std::span<const std::size_t> others) override;
  Outcome nothing() override;
  Outcome defaults() override;
  Outcome sooner(std::span<const std::size_t> units) override;
  enum class Together : std::uint8_t { no, yes };
  std::optional<Unhunted> write_units(const OnRefused& on_refused, Together together);
  /// `bad`: of all units, as `refused` is told of them; they leave `left`.
  std::optional<Unhunted> write_in_order(std::vector<std::size_t>& left,
                                         const std::vector<bool>& bad, const Hunt::OnBad& refused,
                                         Together together);
  std::optional<Unhunted> in_log_order(std::span<const std::size_t> units);
  /// Nothing of it stays.
  std::optional<Unhunted> in_trial(const std::function<std::optional<Unhunted>()>& hunt);
  /// For the time of a call.
  void take(std::span<const PlacedRow> rows, std::string_view bytes);
  std::vector<std::size_t> all_units() const;
  bool merges() const;
  /// The rows of some units in the order in which they go in, and the place of the unit of each.
  struct Ordered {
    std::vector<std::size_t> rows;
    std::vector<std::size_t> units;
  };
  Ordered ordered(std::span<const std::size_t> units) const;
  /// copy(), and where rows are merged carries them over.
  Reply put(std::span<const std::size_t> rows, const RowsInto& into, std::uint32_t column_set,
            std::string_view before, std::string_view after);
  /// The rows of one COPY, or the INSERT that stands for it where they have no columns; `before`
  /// and `after` are statements of the same message.
  Reply copy(std::span<const std::size_t> rows, const RowsInto& into, std::uint32_t column_set,
             std::string_view before, std::string_view after);
  /// Every COPY that these units need; those behind the first table, set of columns, or part, are
  /// messages of their own. What each part has of rows that were not stored is added to
  /// `suppressed`.
  struct Copied {
    Reply reply;
    std::size_t table = 0;                 ///< of the last COPY
    std::optional<std::size_t> unit = {};  ///< the place of the one that the server names
  };
  Copied copies(std::span<const std::size_t> units, std::string_view before, std::string_view after,
                std::vector<std::uint64_t>& suppressed);
  /// Takes back what was tried, and says what came of it.
  Outcome undone(Reply reply);
  Reply back_to_savepoint();
  /// A table whose own deferred constraint fails for sure: who fails before it was asked before it.
  bool has_marker();

  Connection& connection_;
  std::vector<RowsInto> tables_;
  std::chrono::milliseconds patience_;
  Hunt hunt_;
  std::vector<std::uint64_t> suppressed_;  ///< by part
  bool last_resort_;
  // For the time of a call.
  std::span<const PlacedRow> placed_;
  std::vector<Unit> units_;
  std::string_view bytes_;
  bool asks_deferred_ = false;
  std::optional<bool> has_marker_;
};

}  // namespace semel::postgres
