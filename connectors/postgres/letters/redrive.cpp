#include "postgres/letters/redrive.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <utility>

#include "postgres/client/quoting.hpp"
#include "postgres/rows/bad_record.hpp"
#include "postgres/rows/isolate.hpp"
#include "postgres/rows/row_stream.hpp"
#include "postgres/session/tables.hpp"
#include "postgres/table/catalog.hpp"
#include "postgres/table/defaults.hpp"
#include "postgres/table/guard.hpp"
#include "record/header_json.hpp"

namespace semel::postgres {

namespace {

/// A table that changes under each attempt is told to people.
constexpr int attempts_max = 3;

/// A table that is not there is no place for a letter's rows.
Options making_none(Options options) {
  options.create = false;
  options.evolve = Evolve::none;
  return options;
}

class Piece {
 public:
  Piece(Connection& connection, const Shared& shared, const std::vector<KeptLetter>& letters,
        DeadLetterBox::How how)
      : connection_(connection),
        shared_(shared),
        letters_(letters),
        tables_(making_none(shared.options)),
        how_(how) {}

  /// Absent: a table changed meanwhile, and nothing is done.
  Result<std::optional<Redriven>> run() {
    if (auto found = find_tables(); !found) return tl::unexpected(found.error());
    if (auto begun = begin(); !begun) return tl::unexpected(begun.error());
    if (auto encoded = encode(); !encoded) return tl::unexpected(encoded.error());
    if (auto stored = store(); !stored) return tl::unexpected(stored.error());
    std::vector<const Table*> used;
    for (const auto* open : used_) used.push_back(&open->table);
    auto same = connection_.run("SELECT true" + unchanged_sql(used), doing("looking at"));
    if (!same) return tl::unexpected(same.error());
    if (!same->table(0).flag(0, 0)) {
      connection_.roll_back();
      return std::nullopt;
    }
    if (auto taken = take_letters(); !taken) return tl::unexpected(taken.error());
    if (how_.preview) {
      connection_.roll_back();
      return std::move(result_);
    }
    const auto reply = connection_.exchange("COMMIT", row_patience(shared_.options));
    if (reply.lost) {
      return fail(
          ErrorKind::in_doubt, Cause::sink,
          "the reply to a commit was lost. Run it again: what came in has no letter any more");
    }
    if (!reply.ok()) return tl::unexpected(to_error(reply, doing("committing rows into")));
    return std::move(result_);
  }

 private:
  std::string doing(std::string_view what) const {
    return fmt::format("{} {}", what, tables_.name());
  }

  Record record_of(std::size_t i) {
    const auto& letter = letters_[i].letter;
    headers_ = record::headers_from_json(letter.headers);
    Record record{.offset = letter.offset, .timestamp_ms = letter.timestamp_ms};
    if (letter.key) record.key = *letter.key;
    if (letter.value) record.value = *letter.value;
    record.headers = record::source_of(headers_);
    return record;
  }

  Result<std::unique_ptr<OpenTable>> describe(const Tables::Wanted& wanted) {
    return open_table(connection_, shared_, wanted,
                      how_.overwrite ? Staging::Ties::record : Staging::Ties::row);
  }

  Result<Fate> choose(std::size_t i) {
    return tables_.choose(letters_[i].letter.tp, record_of(i),
                          [this](const Tables::Wanted& wanted) { return describe(wanted); });
  }

  /// All that the letters are for: described before the transaction.
  Result<void> find_tables() {
    // What is known of one table counts for the others' records.
    auto known = tables_.describe_known(
        {}, [this](const Tables::Wanted& wanted) { return describe(wanted); });
    if (!known) return known;
    for (std::size_t i = 0; i < letters_.size(); ++i) {
      const auto fate = choose(i);
      if (!fate) return tl::unexpected(fate.error());
      if (*fate != Fate::row) continue;
      for (auto* table : tables_.chosen()) {
        if (std::ranges::find(used_, table) == used_.end()) used_.push_back(table);
      }
    }
    return {};
  }

  Result<void> begin() {
    auto message = begin_message(shared_);
    for (auto* open : used_) {
      if (open->staging) message += ";" + open->staging->create();
      if (open->stable.empty()) continue;
      message += ";" + defaults_query(open->table, open->stable, open->encoder.format());
    }
    const auto reply = connection_.exchange(message, row_patience(shared_.options));
    if (!reply.ok()) return tl::unexpected(to_error(reply, doing("writing into")));
    std::size_t at = 0;
    for (auto* open : used_) {
      open->encoder.begin_rows();
      if (open->stable.empty()) continue;
      auto defaults = read_defaults(reply.table(++at), open->stable, open->encoder.format());
      defaults.insert(defaults.end(), open->constants.begin(), open->constants.end());
      open->encoder.set_defaults(defaults);
    }
    return {};
  }

  void stays(std::size_t i, const BadRecord& bad) {
    auto letter = letters_[i].letter;
    letter.column = bad.column;
    letter.code = bad.code;
    letter.reason = bad.reason;
    result_.still_bad.push_back(std::move(letter));
    ++result_.bad;
    moves_[i] = false;
  }

  /// Its rows, behind those that were placed before.
  void place(std::size_t i) {
    bool first = true;
    for (const auto& row : tables_.rows()) {
      placed_.push_back({.record = i,
                         .column_set = row.column_set,
                         .begin = row.begin,
                         .end = row.end,
                         .table = row.table->number,
                         .first = std::exchange(first, false)});
    }
    ++sent_;
  }

  Result<void> encode() {
    for (std::size_t i = 0; i < used_.size(); ++i) used_[i]->number = i;
    moves_.assign(letters_.size(), true);
    for (std::size_t i = 0; i < letters_.size(); ++i) {
      auto fate = choose(i);
      const auto began_at = bytes_.size();
      if (fate && *fate == Fate::row) {
        fate = tables_.encode(letters_[i].letter.tp, record_of(i), &bytes_);
      }
      if (!fate || *fate == Fate::unavailable) {
        auto error = fate ? tables_.unavailable() : fate.error();
        connection_.roll_back();
        return tl::unexpected(std::move(error));
      }
      if (*fate == Fate::bad) {
        stays(i, tables_.bad());
      } else if (*fate != Fate::row) {
        // It is no row today, and may be one tomorrow.
        ++result_.ignored;
        moves_[i] = false;
      } else if (tables_.removes() && !how_.overwrite) {
        bytes_.resize(began_at);
        stays(i,
              {.code = "0A000",
               .reason = "it removes a row, which may be newer than the letter: say --overwrite"});
      } else if (tables_.unknown_fields() > 0 && shared_.options.evolve == Evolve::add) {
        bytes_.resize(began_at);
        stays(i, {.code = "42703",
                  .reason = fmt::format("no table has a column for member {}, and a redrive makes "
                                        "none: add it, or set evolve = \"none\"",
                                        record::shown({.text = tables_.unknown_field()}))});
      } else {
        if (tables_.unknown_fields() > 0) count_unknown();
        place(i);
      }
    }
    return {};
  }

  void count_unknown() {
    result_.unknown_fields += tables_.unknown_fields();
    if (result_.unknown_field.empty()) result_.unknown_field = tables_.unknown_field();
  }

  Result<void> store() {
    // There is one attempt: the last resort.
    IsolatingWriter writer(connection_, row_patience(shared_.options), true);
    for (const auto* open : used_) {
      writer.add(
          {&open->table, &open->encoder, open->staging ? &*open->staging : nullptr, open->rule});
    }
    std::uint64_t refused = 0;
    auto found =
        writer.write_together(placed_, bytes_, [&](const PlacedRow& row, const ServerError& error) {
          stays(row.record, bad_record_of(error, writer.table(error.into)));
          ++refused;
        });
    if (!found) found = writer.finish();
    if (found) {
      Reply reply;
      reply.error = found->error;
      if (found->why == Unhunted::Why::lost) reply = connection_.receive(control_patience);
      auto error = to_error(reply, doing("writing into"));
      connection_.roll_back();
      return tl::unexpected(std::move(error));
    }
    result_.suppressed = writer.suppressed();
    result_.rows = sent_ - refused;
    return {};
  }

  /// Whoever redrives the same letters at once makes one of both fail here, with its rows.
  Result<void> take_letters() {
    std::string values;
    std::uint64_t wanted = 0;
    for (std::size_t i = 0; i < letters_.size(); ++i) {
      if (!moves_[i]) continue;
      const auto& [letter, place] = letters_[i];
      values += fmt::format("{}({}::tid, {}, {}, {}::bigint)", values.empty() ? "" : ", ",
                            quote_literal(place), quote_literal(letter.tp.topic),
                            letter.tp.partition, letter.offset);
      ++wanted;
    }
    if (wanted == 0) return {};
    const auto reply = connection_.run(
        fmt::format(
            "DELETE FROM {} d USING (VALUES {}) AS v (place, topic, \"partition\", \"offset\") "
            "WHERE d.ctid = v.place AND d.topic = v.topic AND d.\"partition\" = "
            "v.\"partition\" AND d.\"offset\" = v.\"offset\" AND {}",
            shared_.tables.dead_letters, values, mine(shared_, "d.")),
        "removing dead letters", row_patience(shared_.options));
    if (!reply) {
      auto error = reply.error();
      connection_.roll_back();
      return tl::unexpected(std::move(error));
    }
    if (reply->rows_changed() == wanted) return {};
    connection_.roll_back();
    return fail(ErrorKind::retriable, Cause::sink,
                "somebody else has taken dead letters away meanwhile. Run it again");
  }

  Connection& connection_;
  const Shared& shared_;
  const std::vector<KeptLetter>& letters_;
  Tables tables_;
  DeadLetterBox::How how_;
  std::vector<OpenTable*> used_;
  record::KeptHeaders headers_;
  std::uint64_t sent_ = 0;   ///< letters with rows
  std::vector<bool> moves_;  ///< letters that go
  std::vector<PlacedRow> placed_;
  std::string bytes_;
  Redriven result_;
};

}  // namespace

std::string iso_time(std::string_view time) {
  return fmt::format("to_char({} AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"')", time);
}

Result<std::vector<KeptLetter>> read_letters(Connection& connection, const std::string& table,
                                             const std::string& where, std::size_t limit) {
  // Only what is taken is made text of, and no more of that than fits into some memory; the first
  // in any case.
  constexpr std::size_t bytes_max = std::size_t{32} * 1024 * 1024;
  constexpr auto order = "topic, \"partition\", \"offset\", place";
  const auto reply = connection.run(
      fmt::format("SELECT place, topic, \"partition\", \"offset\", coalesce(timestamp_ms, -1), "
                  "encode(key, 'hex'), encode(value, 'hex'), encode(headers, 'hex'), "
                  "coalesce(column_name, ''), sqlstate, reason, {failed_at} FROM "
                  "(SELECT *, sum(length) OVER (ORDER BY {order}) - length AS before FROM "
                  "(SELECT *, ctid AS place, coalesce(octet_length(value), 0)::bigint AS length "
                  "FROM {table} "
                  "WHERE {where} ORDER BY {order} LIMIT {limit}) l) l WHERE before < {bytes} ORDER "
                  "BY {order}",
                  fmt::arg("failed_at", iso_time("failed_at")), fmt::arg("order", order),
                  fmt::arg("table", table), fmt::arg("where", where), fmt::arg("limit", limit),
                  fmt::arg("bytes", bytes_max)),
      "reading dead letters", std::chrono::minutes(10));
  if (!reply) return tl::unexpected(reply.error());
  std::vector<KeptLetter> letters;
  const auto& rows = reply->table(0);
  for (int row = 0; row < rows.size(); ++row) {
    letters.push_back(
        {.letter = {.tp = {rows.text(row, 1), static_cast<std::int32_t>(rows.number(row, 2))},
                    .offset = rows.number(row, 3),
                    .timestamp_ms = rows.number(row, 4),
                    .key = rows.bytes(row, 5),
                    .value = rows.bytes(row, 6),
                    .headers = rows.bytes(row, 7).value_or(""),
                    .column = rows.text(row, 8),
                    .code = rows.text(row, 9),
                    .reason = rows.text(row, 10),
                    .failed_at = rows.text(row, 11)},
         .place = rows.text(row, 0)});
  }
  return letters;
}

Result<Redriven> redrive_piece(Connection& connection, const Shared& shared,
                               const std::vector<KeptLetter>& letters, DeadLetterBox::How how) {
  for (int attempt = 0; attempt < attempts_max; ++attempt) {
    auto done = Piece(connection, shared, letters, how).run();
    if (!done) {
      connection.roll_back();
      return tl::unexpected(done.error());
    }
    if (*done) return **std::move(done);
  }
  return fail(ErrorKind::retriable, Cause::sink,
              fmt::format("{} changes while rows are written into it. Run it again",
                          Tables(shared.options).name()));
}

}  // namespace semel::postgres
