#include "postgres/rows/isolate.hpp"

#include <algorithm>
#include <numeric>
#include <utility>

#include "postgres/client/quoting.hpp"
#include "postgres/rows/bad_record.hpp"
#include "postgres/rows/row_stream.hpp"

namespace semel::postgres {

namespace {

constexpr std::string_view savepoint = "SAVEPOINT semel_chunk;";

Outcome outcome_of(Reply reply) {
  if (reply.lost) return {.fate = Outcome::Fate::lost};
  if (!reply.error) return {};
  return {.fate = Outcome::Fate::refused, .error = *std::move(reply.error)};
}

/// Those of `units` that were not refused stay.
void erase_refused(std::vector<std::size_t>& units, const std::vector<bool>& refused) {
  std::erase_if(units, [&](std::size_t unit) { return refused[unit]; });
}

}  // namespace

IsolatingWriter::IsolatingWriter(Connection& connection, std::chrono::milliseconds patience,
                                 bool last_resort)
    : connection_(connection), patience_(patience), hunt_(last_resort), last_resort_(last_resort) {}

std::size_t IsolatingWriter::add(const RowsInto& table) {
  tables_.push_back(table);
  return tables_.size() - 1;
}

bool IsolatingWriter::merges() const {
  return std::ranges::any_of(tables_, [](const auto& into) { return into.staging != nullptr; });
}

std::optional<Unhunted> IsolatingWriter::in_trial(
    const std::function<std::optional<Unhunted>()>& hunt) {
  const auto suppressed = suppressed_;
  if (!connection_.exchange("SAVEPOINT semel_trial", patience_).ok()) return Unhunted{};
  if (auto stop = hunt()) return stop;
  if (!connection_
           .exchange("ROLLBACK TO SAVEPOINT semel_trial;RELEASE SAVEPOINT semel_trial", patience_)
           .ok()) {
    return Unhunted{};
  }
  suppressed_ = suppressed;
  return std::nullopt;
}

void IsolatingWriter::take(std::span<const PlacedRow> rows, std::string_view bytes) {
  placed_ = rows;
  bytes_ = bytes;
  asks_deferred_ = false;
  units_.clear();
  for (std::size_t i = 0; i < rows.size(); ++i) {
    if (units_.empty() || rows[units_.back().begin].record != rows[i].record) {
      units_.push_back({i, i});
    }
    units_.back().end = i + 1;
  }
}

std::vector<std::size_t> IsolatingWriter::all_units() const {
  std::vector<std::size_t> all(units_.size());
  std::iota(all.begin(), all.end(), std::size_t{0});
  // As they come where none is bad: what others refer to first.
  std::ranges::stable_sort(
      all, {}, [&](std::size_t unit) { return tables_[placed_[units_[unit].begin].table].rule; });
  return all;
}

std::optional<Unhunted> IsolatingWriter::write(std::span<const PlacedRow> rows,
                                               std::string_view bytes,
                                               const OnRefused& on_refused) {
  take(rows, bytes);
  return write_units(on_refused, Together::no);
}

std::optional<Unhunted> IsolatingWriter::write_together(std::span<const PlacedRow> rows,
                                                        std::string_view bytes,
                                                        const OnRefused& on_refused) {
  take(rows, bytes);
  return write_units(on_refused, Together::yes);
}

std::optional<Unhunted> IsolatingWriter::write_units(const OnRefused& on_refused,
                                                     Together together) {
  auto left = all_units();
  std::vector<bool> bad(units_.size(), false);
  const Hunt::OnBad refused = [&](std::size_t unit, const ServerError& error) {
    bad[unit] = true;
    on_refused(placed_[units_[unit].begin], error);
  };
  auto stop = [&]() -> std::optional<Unhunted> {
    if (merges()) return write_in_order(left, bad, refused, together);
    if (together == Together::no) return hunt_.in_order(left, *this, refused);
    // What is refused at once is refused in the log's order: of two rows with one key the first
    // stays. This is for the answer only; the rows come in below.
    Hunt alone(last_resort_);
    auto stopped = in_trial([&] {
      auto first = alone.in_order(left, *this, refused);
      return first ? std::move(first) : alone.finish(*this);
    });
    if (stopped) return stopped;
    asks_deferred_ = true;
    erase_refused(left, bad);
    return hunt_.together(left, *this, refused);
  }();
  if (stop && stop->row) stop->row = units_[*stop->row].begin;
  return stop;
}

std::optional<Unhunted> IsolatingWriter::write_in_order(std::vector<std::size_t>& left,
                                                        const std::vector<bool>& bad,
                                                        const Hunt::OnBad& refused,
                                                        Together together) {
  if (auto stop = in_trial([&] { return hunt_.in_order(left, *this, refused); })) return stop;
  erase_refused(left, bad);
  if (together == Together::yes) {
    asks_deferred_ = true;
    if (auto stop = in_trial([&] { return hunt_.together(left, *this, refused); })) return stop;
    erase_refused(left, bad);
  }
  return in_log_order(left);
}

/// What went in one by one need not go in together: a key's value may be free only once another row
/// has changed. Halves, then, in the order of the log: none goes in behind a later one.
std::optional<Unhunted> IsolatingWriter::in_log_order(std::span<const std::size_t> units) {
  if (units.empty()) return std::nullopt;
  auto outcome = this->rows(units);
  if (outcome.accepted()) return std::nullopt;
  if (outcome.fate == Outcome::Fate::lost) return Unhunted{};
  if (units.size() == 1) {
    return Unhunted{Unhunted::Why::passing, std::move(outcome.error), units.front()};
  }
  if (auto stop = in_log_order(units.first(units.size() / 2))) return stop;
  return in_log_order(units.subspan(units.size() / 2));
}

IsolatingWriter::Ordered IsolatingWriter::ordered(std::span<const std::size_t> units) const {
  Ordered all;
  for (std::size_t place = 0; place < units.size(); ++place) {
    const auto& unit = units_[units[place]];
    for (auto row = unit.begin; row < unit.end; ++row) {
      all.rows.push_back(row);
      all.units.push_back(place);
    }
  }
  if (tables_.size() < 2) return all;
  // Table by table, as their rules stand: rows that others refer to are there before those.
  std::vector<std::size_t> order(all.rows.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  const auto rank = [&](std::size_t i) {
    const auto table = placed_[all.rows[i]].table;
    return std::pair(tables_[table].rule, table);
  };
  std::ranges::stable_sort(order, {}, rank);
  Ordered sorted;
  for (const auto i : order) {
    sorted.rows.push_back(all.rows[i]);
    sorted.units.push_back(all.units[i]);
  }
  return sorted;
}

IsolatingWriter::Copied IsolatingWriter::copies(std::span<const std::size_t> units,
                                                std::string_view before, std::string_view after,
                                                std::vector<std::uint64_t>& suppressed) {
  Copied copied;
  const auto [rows, unit_of] = ordered(units);
  const auto alike = [&](const PlacedRow& one, const PlacedRow& other) {
    return one.table == other.table && one.column_set == other.column_set && one.part == other.part;
  };
  for (std::size_t at = 0; at < rows.size();) {
    // One COPY has one list of columns, and says only of all its rows how many were stored: it ends
    // where another table, set or part begins.
    const auto& first = placed_[rows[at]];
    auto end = at;
    bool firsts = true;
    for (; end < rows.size() && alike(placed_[rows[end]], first); ++end) {
      firsts = firsts && placed_[rows[end]].first;
    }
    const auto& into = tables_[first.table];
    copied.table = first.table;
    copied.reply = put(std::span(rows).subspan(at, end - at), into, first.column_set,
                       at == 0 ? before : "", end < rows.size() ? "" : after);
    if (!copied.reply.ok()) {
      if (!copied.reply.error) break;
      const auto line = copy_line(copied.reply.error->context, into.table->copied_as());
      if (line && *line > 0 && *line <= end - at) copied.unit = unit_of[at + *line - 1];
      break;
    }
    // Of rows that are not the first of their record nobody asks: records are counted.
    const auto stored =
        into.staging == nullptr ? copied.reply.rows_stored() : copied.reply.rows_changed();
    if (suppressed.size() <= first.part) suppressed.resize(first.part + 1);
    if (firsts) suppressed[first.part] += end - at - std::min<std::uint64_t>(stored, end - at);
    at = end;
  }
  return copied;
}

Outcome IsolatingWriter::undone(Reply reply) {
  if (reply.lost) return outcome_of(std::move(reply));
  auto back = back_to_savepoint();
  return outcome_of(back.ok() ? std::move(reply) : std::move(back));
}

Outcome IsolatingWriter::rows(std::span<const std::size_t> units) {
  const std::string asks =
      asks_deferred_ ? ";SET CONSTRAINTS ALL IMMEDIATE;SET CONSTRAINTS ALL DEFERRED" : "";
  auto suppressed = suppressed_;
  auto copied = copies(units, savepoint, asks + ";RELEASE SAVEPOINT semel_chunk", suppressed);
  if (copied.reply.ok()) {
    suppressed_ = std::move(suppressed);
    return {};
  }
  if (copied.reply.error) {
    copied.reply.error->of_value =
        copy_column(copied.reply.error->context, table(copied.table)).has_value();
    copied.reply.error->into = copied.table;
  }
  auto outcome = undone(std::move(copied.reply));
  if (copied.unit) outcome.line = *copied.unit + 1;
  return outcome;
}

bool IsolatingWriter::has_marker() {
  if (has_marker_) return *has_marker_;
  const auto reply =
      connection_.exchange(std::string(savepoint) +
                               "CREATE TEMPORARY TABLE semel_marker (n integer UNIQUE DEFERRABLE "
                               "INITIALLY DEFERRED) ON COMMIT DROP;RELEASE SAVEPOINT semel_chunk",
                           patience_);
  has_marker_ = reply.ok();
  if (!*has_marker_) back_to_savepoint();
  return *has_marker_;
}

std::optional<Outcome> IsolatingWriter::among(std::span<const std::size_t> asked,
                                              std::span<const std::size_t> others) {
  // Deferred constraints are asked in the order in which their rows came. So the marker's failure
  // says that all before it passed, in presence of all that came.
  if (!has_marker()) return std::nullopt;
  constexpr std::string_view marker = "INSERT INTO pg_temp.semel_marker VALUES (1), (1)";
  std::vector<std::uint64_t> of_a_trial;
  auto reply = copies(asked, savepoint, "", of_a_trial).reply;
  if (reply.ok()) reply = connection_.exchange(std::string(marker), patience_);
  if (reply.ok()) reply = copies(others, "", "", of_a_trial).reply;
  const bool all_in = reply.ok();
  if (all_in) reply = connection_.exchange("SET CONSTRAINTS ALL IMMEDIATE", patience_);
  if (reply.lost) return outcome_of(std::move(reply));
  if (auto back = back_to_savepoint(); !back.ok()) return outcome_of(std::move(back));
  if (!all_in || !reply.error) return std::nullopt;
  if (reply.error->table == "semel_marker") return Outcome{};
  return outcome_of(std::move(reply));
}

Outcome IsolatingWriter::nothing() {
  Outcome outcome;
  for (const auto& into : tables_) {
    outcome = undone(put({}, into, 0, savepoint, ""));
    if (!outcome.accepted()) break;
  }
  return outcome;
}

Outcome IsolatingWriter::defaults() {
  Outcome outcome;
  for (const auto& into : tables_) {
    outcome = undone(connection_.exchange(
        std::string(savepoint) + "INSERT INTO " +
            QualifiedName{into.table->schema, into.table->name}.quoted() + " DEFAULT VALUES",
        patience_));
    if (!outcome.accepted()) break;
  }
  return outcome;
}

Outcome IsolatingWriter::sooner(std::span<const std::size_t> units) {
  auto reply = connection_.exchange(
      std::string(savepoint) +
          "SELECT set_config('lock_timeout', greatest(setting::integer / 2, 1)::text, true) FROM "
          "pg_settings WHERE name = 'statement_timeout' AND setting <> '0'",
      patience_);
  if (!reply.ok()) return outcome_of(std::move(reply));
  // Without a statement_timeout it was somebody who ended the statement.
  const bool asked = reply.table(0).size() == 1;
  std::vector<std::uint64_t> of_a_trial;
  if (asked) reply = copies(units, "", "", of_a_trial).reply;
  return undone(std::move(reply));
}

Reply IsolatingWriter::back_to_savepoint() {
  return connection_.exchange("ROLLBACK TO SAVEPOINT semel_chunk;RELEASE SAVEPOINT semel_chunk",
                              patience_);
}

Reply IsolatingWriter::put(std::span<const std::size_t> rows, const RowsInto& into,
                           std::uint32_t column_set, std::string_view before,
                           std::string_view after) {
  if (into.staging == nullptr) return copy(rows, into, column_set, before, after);
  auto reply = copy(rows, into, column_set, before, "");
  if (!reply.ok()) return reply;
  // Whatever was there was carried over, and taken away, or was rolled back.
  auto statements = into.staging->merge(into.encoder->staged(), 0) + ";" + into.staging->empty();
  statements += after;
  return connection_.exchange(statements, patience_);
}

Reply IsolatingWriter::copy(std::span<const std::size_t> rows, const RowsInto& into,
                            std::uint32_t column_set, std::string_view before,
                            std::string_view after) {
  const auto& [table, encoder, staging, rule] = into;
  std::string stream(encoder->copy_begin());
  std::size_t row_bytes = 0;
  for (const auto row : rows) {
    const auto& placed = placed_[row];
    stream += bytes_.substr(placed.begin, placed.end - placed.begin);
    row_bytes += placed.end - placed.begin;
  }
  stream += encoder->copy_end();
  const auto statement = copy_statement(*table, *encoder, column_set);
  auto message = std::string(before);
  message += statement.empty() ? insert_defaults_statement(*table, encoder->format(), row_bytes)
                               : statement;
  message += after;
  auto reply = connection_.exchange(message, patience_);
  if (!reply.copy_in) return reply;
  constexpr std::size_t piece = std::size_t{64} * 1024;
  bool sent = true;
  for (std::size_t at = 0; sent && at < stream.size(); at += piece) {
    sent = connection_.put(std::string_view(stream).substr(at, piece), patience_);
  }
  if (sent) connection_.put_end(nullptr, patience_);
  return connection_.receive(patience_);
}

}  // namespace semel::postgres
