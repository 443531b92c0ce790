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

/// Which of some rows were refused.
class Bad {
 public:
  Bad(std::span<const PlacedRow> rows, const IsolatingWriter::OnRefused& on_refused)
      : rows_(rows), on_refused_(on_refused), bad_(rows.size(), false) {}

  Hunt::OnBad seen() {
    return [this](std::size_t row, const ServerError& error) {
      bad_[row] = true;
      on_refused_(rows_[row], error);
    };
  }
  void erase_from(std::vector<std::size_t>& left) const {
    std::erase_if(left, [this](std::size_t row) { return bad_[row]; });
  }

 private:
  std::span<const PlacedRow> rows_;
  const IsolatingWriter::OnRefused& on_refused_;
  std::vector<bool> bad_;
};

}  // namespace

IsolatingWriter::IsolatingWriter(Connection& connection, const Table& table,
                                 const RowEncoder& encoder, const Staging* staging,
                                 std::chrono::milliseconds patience, bool last_resort)
    : connection_(connection),
      table_(table),
      encoder_(encoder),
      staging_(staging),
      patience_(patience),
      hunt_(last_resort),
      last_resort_(last_resort) {}

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

std::vector<std::size_t> IsolatingWriter::take(std::span<const PlacedRow> rows,
                                               std::string_view bytes) {
  placed_ = rows;
  bytes_ = bytes;
  asks_deferred_ = false;
  std::vector<std::size_t> all(rows.size());
  std::iota(all.begin(), all.end(), std::size_t{0});
  return all;
}

std::optional<Unhunted> IsolatingWriter::write(std::span<const PlacedRow> rows,
                                               std::string_view bytes,
                                               const OnRefused& on_refused) {
  if (staging_ != nullptr) return write_in_order(rows, bytes, on_refused, Together::no);
  return hunt_.in_order(take(rows, bytes), *this, [&](std::size_t row, const ServerError& error) {
    on_refused(placed_[row], error);
  });
}

std::optional<Unhunted> IsolatingWriter::write_together(std::span<const PlacedRow> rows,
                                                        std::string_view bytes,
                                                        const OnRefused& on_refused) {
  if (staging_ != nullptr) return write_in_order(rows, bytes, on_refused, Together::yes);
  // What is refused at once is refused in the log's order: of two rows with one key the first
  // stays. This is for the answer only; the rows come in below.
  auto left = take(rows, bytes);
  Bad bad(rows, on_refused);
  Hunt alone(last_resort_);
  auto stop = in_trial([&] {
    auto stopped = alone.in_order(left, *this, bad.seen());
    return stopped ? std::move(stopped) : alone.finish(*this);
  });
  if (stop) return stop;
  asks_deferred_ = true;
  bad.erase_from(left);
  return hunt_.together(left, *this, bad.seen());
}

std::optional<Unhunted> IsolatingWriter::write_in_order(std::span<const PlacedRow> rows,
                                                        std::string_view bytes,
                                                        const OnRefused& on_refused,
                                                        Together together) {
  auto left = take(rows, bytes);
  Bad bad(rows, on_refused);
  if (auto stop = in_trial([&] { return hunt_.in_order(left, *this, bad.seen()); })) return stop;
  bad.erase_from(left);
  if (together == Together::yes) {
    asks_deferred_ = true;
    if (auto stop = in_trial([&] { return hunt_.together(left, *this, bad.seen()); })) return stop;
    bad.erase_from(left);
  }
  return in_log_order(left);
}

/// What went in one by one need not go in together: a key's value may be free only once another row
/// has changed. Halves, then, in the order of the log: none goes in behind a later one.
std::optional<Unhunted> IsolatingWriter::in_log_order(std::span<const std::size_t> rows) {
  if (rows.empty()) return std::nullopt;
  auto outcome = this->rows(rows);
  if (outcome.accepted()) return std::nullopt;
  if (outcome.fate == Outcome::Fate::lost) return Unhunted{};
  if (rows.size() == 1) {
    return Unhunted{Unhunted::Why::passing, std::move(outcome.error), rows.front()};
  }
  if (auto stop = in_log_order(rows.first(rows.size() / 2))) return stop;
  return in_log_order(rows.subspan(rows.size() / 2));
}

Reply IsolatingWriter::copies(std::span<const std::size_t> rows, std::string_view before,
                              std::string_view after, std::vector<std::uint64_t>& suppressed,
                              std::size_t& refused_from) {
  Reply reply;
  for (std::size_t at = 0; at < rows.size();) {
    // One COPY has one list of columns, and says only of all its rows how many were stored: it ends
    // where another set or another part begins.
    const auto& first = placed_[rows[at]];
    auto end = at;
    while (end < rows.size() && placed_[rows[end]].column_set == first.column_set &&
           placed_[rows[end]].part == first.part) {
      ++end;
    }
    refused_from = at;
    const auto some = rows.subspan(at, end - at);
    const auto opening = at == 0 ? before : "";
    const auto closing = end < rows.size() ? "" : after;
    reply = put(some, first.column_set, opening, closing);
    if (!reply.ok()) break;
    const auto stored = staging_ == nullptr ? reply.rows_stored() : reply.rows_changed();
    if (suppressed.size() <= first.part) suppressed.resize(first.part + 1);
    suppressed[first.part] += end - at - std::min<std::uint64_t>(stored, end - at);
    at = end;
  }
  return reply;
}

Outcome IsolatingWriter::rows(std::span<const std::size_t> rows) {
  const std::string asks =
      asks_deferred_ ? ";SET CONSTRAINTS ALL IMMEDIATE;SET CONSTRAINTS ALL DEFERRED" : "";
  auto suppressed = suppressed_;
  std::size_t from = 0;
  auto reply = copies(rows, savepoint, asks + ";RELEASE SAVEPOINT semel_chunk", suppressed, from);
  if (reply.ok()) {
    suppressed_ = std::move(suppressed);
    return {};
  }
  if (reply.lost) return outcome_of(std::move(reply));
  auto line = copy_line(reply.error->context, table_.copied_as());
  reply.error->of_value = copy_column(reply.error->context, table_).has_value();
  if (line) *line += from;
  auto back = back_to_savepoint();
  auto outcome = outcome_of(back.ok() ? std::move(reply) : std::move(back));
  outcome.line = line;
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
  std::size_t from = 0;
  auto reply = copies(asked, savepoint, "", of_a_trial, from);
  if (reply.ok()) reply = connection_.exchange(std::string(marker), patience_);
  if (reply.ok()) reply = copies(others, "", "", of_a_trial, from);
  const bool all_in = reply.ok();
  if (all_in) reply = connection_.exchange("SET CONSTRAINTS ALL IMMEDIATE", patience_);
  if (reply.lost) return outcome_of(std::move(reply));
  if (auto back = back_to_savepoint(); !back.ok()) return outcome_of(std::move(back));
  if (!all_in || !reply.error) return std::nullopt;
  if (reply.error->table == "semel_marker") return Outcome{};
  return outcome_of(std::move(reply));
}

Outcome IsolatingWriter::nothing() {
  auto reply = put({}, 0, savepoint, "");
  if (reply.lost) return outcome_of(std::move(reply));
  auto back = back_to_savepoint();
  return outcome_of(back.ok() ? std::move(reply) : std::move(back));
}

Outcome IsolatingWriter::defaults() {
  auto reply = connection_.exchange(std::string(savepoint) + "INSERT INTO " +
                                        QualifiedName{table_.schema, table_.name}.quoted() +
                                        " DEFAULT VALUES",
                                    patience_);
  if (reply.lost) return outcome_of(std::move(reply));
  auto back = back_to_savepoint();
  return outcome_of(back.ok() ? std::move(reply) : std::move(back));
}

Outcome IsolatingWriter::sooner(std::span<const std::size_t> rows) {
  auto reply = connection_.exchange(
      std::string(savepoint) +
          "SELECT set_config('lock_timeout', greatest(setting::integer / 2, 1)::text, true) FROM "
          "pg_settings WHERE name = 'statement_timeout' AND setting <> '0'",
      patience_);
  if (!reply.ok()) return outcome_of(std::move(reply));
  // Without a statement_timeout it was somebody who ended the statement.
  const bool asked = reply.table(0).size() == 1;
  if (asked) reply = put(rows, rows.empty() ? 0 : placed_[rows.front()].column_set, "", "");
  if (reply.lost) return outcome_of(std::move(reply));
  auto back = back_to_savepoint();
  return outcome_of(back.ok() ? std::move(reply) : std::move(back));
}

Reply IsolatingWriter::back_to_savepoint() {
  return connection_.exchange("ROLLBACK TO SAVEPOINT semel_chunk;RELEASE SAVEPOINT semel_chunk",
                              patience_);
}

Reply IsolatingWriter::put(std::span<const std::size_t> rows, std::uint32_t column_set,
                           std::string_view before, std::string_view after) {
  if (staging_ == nullptr) return copy(rows, column_set, before, after);
  auto reply = copy(rows, column_set, before, "");
  if (!reply.ok()) return reply;
  // Whatever was there was carried over, and taken away, or was rolled back.
  auto statements = staging_->merge(encoder_.staged(), 0) + ";" + staging_->empty();
  statements += after;
  return connection_.exchange(statements, patience_);
}

Reply IsolatingWriter::copy(std::span<const std::size_t> rows, std::uint32_t column_set,
                            std::string_view before, std::string_view after) {
  std::string stream(encoder_.copy_begin());
  std::size_t row_bytes = 0;
  for (const auto row : rows) {
    const auto& placed = placed_[row];
    stream += bytes_.substr(placed.begin, placed.end - placed.begin);
    row_bytes += placed.end - placed.begin;
  }
  stream += encoder_.copy_end();
  const auto statement = copy_statement(table_, encoder_, column_set);
  auto message = std::string(before);
  message += statement.empty() ? insert_defaults_statement(table_, encoder_.format(), row_bytes)
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
