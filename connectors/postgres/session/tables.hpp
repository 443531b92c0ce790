// The tables that somebody writes into: found for each record, described when they are first
// needed, and kept.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include <semel/error.hpp>
#include <semel/record.hpp>

#include "postgres/merge/staging.hpp"
#include "postgres/options.hpp"
#include "postgres/rows/row_encoder.hpp"
#include "postgres/rows/row_stream.hpp"
#include "postgres/session/shared.hpp"
#include "postgres/table/making.hpp"
#include "postgres/table/table.hpp"
#include "postgres/table/target.hpp"
#include "record/route.hpp"
#include "record/shape.hpp"

namespace semel::postgres {

/// One of them. What else points to it stays valid: it is never moved.
struct OpenTable {
  OpenTable(std::size_t of_rule, Options with, Target target,
            Staging::Ties ties = Staging::Ties::record);
  OpenTable(const OpenTable&) = delete;
  OpenTable& operator=(const OpenTable&) = delete;

  std::size_t rule;
  Options options;  ///< of its rule, with the table's own name
  Table table;
  RowEncoder encoder;
  std::optional<Staging> staging;  ///< where rows are merged
  std::vector<DefaultValue> constants;
  std::vector<std::size_t> stable;  ///< columns whose default is asked for in each transaction
  std::uint64_t staged_transactions = 0;

  // Of a session, by the number of its task.
  std::uint64_t described_in = 0;
  std::uint64_t used_in = 0;  ///< the last one
  std::size_t number = 0;     ///< in that, among those of an IsolatingWriter
  RowStream rows;
  std::uint64_t firsts = 0;  ///< rows that are the first of their record
  std::uint64_t others = 0;

  /// Of records that had members without a column, where they are to get one.
  std::optional<record::Shape> shape;
};

/// A table that does not exist yet, or lacks columns of its rule, where semel makes them. Its
/// records make no rows: what they are is looked at, and the rows come with the next try.
struct UnmadeTable {
  std::size_t rule = 0;
  Options options;  ///< of its rule, with the table's own name
  record::Shape shape;
};

/// A row of a record, encoded.
struct EncodedRow {
  OpenTable* table = nullptr;
  std::uint32_t column_set = 0;
  std::size_t begin = 0;  ///< in the buffer that it went to
  std::size_t end = 0;
};

/// Not thread safe: each session has its own.
class Tables {
 public:
  /// A table that is not known yet.
  struct Wanted {
    std::size_t rule = 0;
    const Options& options;  ///< of its rule, with its own name
    /// A record names it: what keeps rows out of it is that record's fault, so it is asked before.
    bool by_record = false;
  };
  /// Null: it is to be made first.
  using Describe = std::function<Result<std::unique_ptr<OpenTable>>(const Wanted& wanted)>;

  explicit Tables(const Options& options);

  /// One, whose name is known.
  bool single() const { return rules_.size() == 1 && rules_.front().fixed; }
  /// For people: the table, or what the rules say.
  std::string name() const;

  /// A table that is to be made or widened, and the records that it is for.
  struct ToMake {
    const Options& options;
    const record::Shape& shape;
    bool exists = false;
  };
  /// After records were encoded: tables that cannot take all of their rows as they are now.
  std::vector<ToMake> to_make() const;
  /// It was made or widened by `columns`: what else it seemed to lack is not asked for again.
  void made(const ToMake& table, std::span<const NewColumn> columns);
  /// What was to be made, of records that may be others now: it is looked at anew.
  void forget_unmade();
  /// Those that are to be made, of what is described.
  std::span<const std::unique_ptr<UnmadeTable>> unmade() const { return unmade_; }

  /// Describes what is known without a record: all tables of these topics.
  Result<void> describe_known(std::span<const std::string> topics, const Describe& describe);
  /// One that a record named; that there is none is no failure.
  Result<void> describe_named(std::size_t rule, const std::string& table, const Describe& describe);
  /// The one that there is; null where it was not described, or forgotten.
  OpenTable* only() const;

  /// Which tables a record is for, before it is encoded: row (chosen() has them), ignored, bad, or
  /// unavailable. Fails where a table cannot be described.
  Result<Fate> choose(const TopicPartition& tp, const Record& record, const Describe& describe);
  std::span<OpenTable* const> chosen() const { return chosen_; }

  /// The rows of the record for the tables that were chosen, each into `into`, or where there is
  /// none into the buffer of its table's stream: all of them, or nothing of it. ignored: there are
  /// none.
  Fate encode(const TopicPartition& tp, const Record& record, std::string* into);
  std::span<const EncodedRow> rows() const { return rows_; }

  // Of the last record.
  const BadRecord& bad() const { return bad_; }
  const Error& unavailable() const { return unavailable_; }
  bool removes() const { return removes_; }  ///< some of its rows say that one is to go
  std::uint32_t unknown_fields() const { return unknown_fields_; }
  std::string_view unknown_field() const { return unknown_field_; }

  /// Those that are described, by their rules; they are not known here any more.
  std::vector<std::unique_ptr<OpenTable>> take();
  /// They are described again when they are needed.
  void forget(std::span<OpenTable* const> tables);
  /// What could not be described is tried again.
  void forget_missing() { missing_.clear(); }

 private:
  struct Rule {
    Options options;
    bool fixed = false;
    std::optional<record::RouteReader> route;  ///< made when it is first needed
    std::vector<std::string> taken;  ///< members that a table which is made has no column for
  };
  /// What a rule says of a record: null where it does not take it.
  struct Found {
    Fate fate = Fate::row;
    OpenTable* table = nullptr;
    UnmadeTable* unmade = nullptr;
  };
  /// A table by its name: one of them, or neither.
  struct Opened {
    OpenTable* table = nullptr;
    UnmadeTable* unmade = nullptr;

    bool is_none() const { return table == nullptr && unmade == nullptr; }
    std::vector<std::string> known_members() const;
    std::vector<std::string> known_inside() const;
  };

  Result<Found> find(std::size_t rule, const TopicPartition& tp, const Record& record,
                     const Describe& describe);
  Result<Opened> open(std::size_t rule, const std::string& table, bool by_record,
                      const Describe& describe);
  Result<Opened> add_unmade(std::size_t rule, const std::string& name);
  Result<Opened> add(std::size_t rule, const std::string& name, std::unique_ptr<OpenTable> made);
  Result<Opened> open_for(std::size_t rule, const std::string& table, bool by_record,
                          const Describe& describe);
  Result<void> routes_are_right() const;
  Result<void> know_members(const Describe& describe);
  Fate refuse(std::string_view code, std::string reason);
  Fate give_back(Fate fate);
  Fate look_at_unknown(OpenTable& table, const TopicPartition& tp, const Record& record);
  Fate look_at_unmade(const TopicPartition& tp, const Record& record, bool& some);
  bool lacks_columns(const OpenTable& table) const;
  Fate look_at(record::Shape& shape, const TopicPartition& tp, const Record& record);
  Fate encode_for(OpenTable& table, const TopicPartition& tp, const Record& record,
                  std::string& out);

  std::vector<Rule> rules_;
  bool knows_members_ = false;    ///< each rule does those of the others
  bool asks_for_unknown_ = true;  ///< members that no table has a column for
  std::vector<std::unique_ptr<OpenTable>> open_;
  /// By rule and name: one table may have two names, and is open once.
  std::map<std::pair<std::size_t, std::string>, Opened> named_;
  /// By what records say, of each rule.
  std::vector<std::unordered_map<std::string, Opened>> by_said_;
  std::map<std::string, std::string> missing_;  ///< why a table that a record named is none
  std::vector<OpenTable*> chosen_;
  std::vector<std::unique_ptr<UnmadeTable>> unmade_;
  std::vector<UnmadeTable*> chosen_unmade_;
  std::set<std::pair<std::string, std::string>>
      given_up_;  ///< tables, and columns that they cannot have
  std::vector<EncodedRow> rows_;
  std::vector<std::pair<std::string*, std::size_t>> began_at_;
  BadRecord bad_;
  Error unavailable_;
  bool removes_ = false;
  std::uint32_t unknown_fields_ = 0;
  std::string_view unknown_field_;
  bool unknown_here_ = false;  ///< the last table has no column for a member
};

/// Describes on `connection`, outside a transaction, with the defaults that are evaluated once,
/// under the settings under which `shared`'s rows are read. One that a record names has to take
/// rows, too. Null: semel is to make it, or columns of its rule, first.
Result<std::unique_ptr<OpenTable>> open_table(Connection& connection, const Shared& shared,
                                              const Tables::Wanted& wanted,
                                              Staging::Ties ties = Staging::Ties::record);

}  // namespace semel::postgres
