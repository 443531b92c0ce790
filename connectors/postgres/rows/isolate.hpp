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

/// One encoded row: which record it came from, where its bytes are, and which range of a
/// transaction of several it is of.
struct PlacedRow {
  std::size_t record = 0;
  std::uint32_t column_set = 0;
  std::size_t begin = 0;
  std::size_t end = 0;
  std::size_t part = 0;
};

/// Puts the rows of one range into the table, with a savepoint for each experiment. Where rows are
/// merged, their order decides what stays: bad ones are found in a trial, and the others come in
/// together, in order. Not thread safe.
class IsolatingWriter : private Experiments {
 public:
  using OnRefused = std::function<void(const PlacedRow&, const ServerError&)>;

  /// All must outlive it; `staging` as in RowStream::start().
  IsolatingWriter(Connection& connection, const Table& table, const RowEncoder& encoder,
                  const Staging* staging, std::chrono::milliseconds patience, bool last_resort);

  /// `rows` in order, their bytes in `bytes`. An answer is final for the transaction. Deferred
  /// constraints stay deferred.
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
  Outcome rows(std::span<const std::size_t> rows) override;
  std::optional<Outcome> among(std::span<const std::size_t> asked,
                               std::span<const std::size_t> others) override;
  Outcome nothing() override;
  Outcome defaults() override;
  Outcome sooner(std::span<const std::size_t> rows) override;
  enum class Together : std::uint8_t { no, yes };
  std::optional<Unhunted> write_in_order(std::span<const PlacedRow> rows, std::string_view bytes,
                                         const OnRefused& on_refused, Together together);
  std::optional<Unhunted> in_log_order(std::span<const std::size_t> rows);
  /// Nothing of it stays.
  std::optional<Unhunted> in_trial(const std::function<std::optional<Unhunted>()>& hunt);
  /// For the time of a call; the numbers of all rows.
  std::vector<std::size_t> take(std::span<const PlacedRow> rows, std::string_view bytes);
  /// copy(), and where rows are merged carries them over.
  Reply put(std::span<const std::size_t> rows, std::uint32_t column_set, std::string_view before,
            std::string_view after);
  /// The rows of one COPY, or the INSERT that stands for it where they have no columns; `before`
  /// and `after` are statements of the same message.
  Reply copy(std::span<const std::size_t> rows, std::uint32_t column_set, std::string_view before,
             std::string_view after);
  /// Every COPY that these rows need; those behind the first set of columns, or part, are messages
  /// of their own. What each part has of rows that were not stored is added to `suppressed`.
  Reply copies(std::span<const std::size_t> rows, std::string_view before, std::string_view after,
               std::vector<std::uint64_t>& suppressed, std::size_t& refused_from);
  Reply back_to_savepoint();
  /// A table whose own deferred constraint fails for sure: who fails before it was asked before it.
  bool has_marker();

  Connection& connection_;
  const Table& table_;
  const RowEncoder& encoder_;
  const Staging* staging_;
  std::chrono::milliseconds patience_;
  Hunt hunt_;
  std::vector<std::uint64_t> suppressed_;  ///< by part
  bool last_resort_;
  // For the time of a call.
  std::span<const PlacedRow> placed_;
  std::string_view bytes_;
  bool asks_deferred_ = false;
  std::optional<bool> has_marker_;
};

}  // namespace semel::postgres
