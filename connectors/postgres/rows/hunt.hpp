// Which rows are bad: found by experiment, whatever an error calls itself. Types, triggers and
// functions choose codes of their own, so codes only say how much proof is asked for. No I/O: how
// an experiment is made, its caller knows.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "postgres/client/sqlstate.hpp"

namespace semel::postgres {

/// What came of trying some rows together: they are in, or none of them is.
struct Outcome {
  enum class Fate : std::uint8_t { accepted, refused, lost };
  Fate fate = Fate::accepted;
  ServerError error{};                ///< refused
  std::optional<std::size_t> line{};  ///< refused: the row that the server names, from 1

  bool accepted() const { return fate == Fate::accepted; }
};

/// A table, or what a test puts in its place. An experiment that is refused leaves nothing behind.
class Experiments {
 public:
  virtual ~Experiments() = default;
  /// Rows by their index, in order. What is accepted stays.
  virtual Outcome rows(std::span<const std::size_t> rows) = 0;
  /// All of them, in presence of each other, `asked` first, and only constraints of the `asked`
  /// ones that are asked at the end. Nothing stays. Absent: something else was met, nobody knows.
  virtual std::optional<Outcome> among(std::span<const std::size_t> asked,
                                       std::span<const std::size_t> others) = 0;
  /// No row at all: what it meets is the table's own (rights, triggers of a statement). Nothing
  /// stays.
  virtual Outcome nothing() = 0;
  /// A row of the table's own defaults: what it meets is no record's fault. Nothing stays.
  virtual Outcome defaults() = 0;
  /// Rows whose statement takes too long, once more, with locks given up sooner than the statement
  /// is: so its error tells whether they wait for one. Nothing stays.
  virtual Outcome sooner(std::span<const std::size_t> rows) = 0;
};

/// Why a hunt ended without an answer; nothing of the range can be stored now.
struct Unhunted {
  enum class Why : std::uint8_t {
    lost,     ///< the session is gone
    passing,  ///< one row alone met what may pass by itself
    table,    ///< it is not the rows; the error is one that came without any
  };
  Why why = Why::lost;
  ServerError error{};
  std::optional<std::size_t> row{};  ///< passing: which
};

/// The rows of one range, in as many calls as they come. The rule: bad is what is refused alone,
/// and again (once is enough where its code speaks of data), while others go in. Where none went
/// in, the table is asked without a row, and with a row of its own defaults. A code of what may
/// pass by itself convicts a row only at the last resort, and only where others went in after it;
/// and never where the server speaks of its circumstances (a deadlock, a full disk), except for a
/// statement_timeout that no lock explains.
/// n rows cost at most about 2 n experiments; where they are hunted together, as many for each of a
/// bounded number of rounds.
/// Not thread safe.
class Hunt {
 public:
  using OnBad = std::function<void(std::size_t row, const ServerError&)>;

  explicit Hunt(bool last_resort) : last_resort_(last_resort) {}

  /// Rows that depend on no later ones, in chunks that shrink where rows are bad.
  std::optional<Unhunted> in_order(std::span<const std::size_t> rows, Experiments& table,
                                   const OnBad& on_bad);
  /// Rows that may need each other, in any order: an experiment asks deferred constraints at its
  /// end. Who is bad in presence of all others is looked for first; where too many are, in parts,
  /// and those that are refused are tried again with whatever has gone in meanwhile.
  std::optional<Unhunted> together(std::span<const std::size_t> rows, Experiments& table,
                                   const OnBad& on_bad);
  /// After the last row: were none accepted, and was it perhaps the table?
  std::optional<Unhunted> finish(Experiments& table);

 private:
  struct Refused {
    std::size_t row = 0;
    ServerError error;
    std::size_t before = 0;  ///< how many rows had gone in
  };

  /// Splits what is refused, at the line that the server names or in halves, down to single rows.
  std::optional<Unhunted> split(std::span<const std::size_t> rows, bool later_first,
                                Experiments& table, std::vector<Refused>& refused);
  /// Moves rows that are bad in presence of all others from `rows` to `bad`, within `effort` (rows
  /// that experiments put in). Empty `rows`: those left are in.
  std::optional<Unhunted> among(std::vector<std::size_t>& rows, std::size_t effort,
                                Experiments& table, std::vector<Refused>& bad);
  std::optional<Unhunted> judge(std::vector<Refused> refused, Experiments& table,
                                const OnBad& on_bad);
  /// Why a row that met what may pass is not to blame; nothing where it is bad after all.
  std::optional<Unhunted> excuse(const Refused& refused, Experiments& table) const;
  std::optional<Unhunted> without_a_row(Experiments& table);
  void suspect(const ServerError& error);

  static constexpr std::size_t chunk_max = 1'024;

  bool last_resort_;
  std::size_t chunk_ = chunk_max;
  std::size_t accepted_ = 0;
  bool asked_without_a_row_ = false;
  std::optional<ServerError> suspicion_;  ///< the first such error
  std::set<std::string> cleared_;         ///< codes that a row of defaults does not meet
};

}  // namespace semel::postgres
