#include "postgres/hunt.hpp"

#include <algorithm>
#include <utility>

#include "postgres/log_text.hpp"

namespace semel::postgres {

namespace {

// So many rows that are refused, and none that goes in: the table is asked before more are tried.
constexpr std::size_t unproven_max = 100;
// So many that a function refuses with the same words as a row of defaults, and no row that the
// table holds to ask with: it is not what is in them.
constexpr std::size_t alike_min = 10;
// How many rows experiments put in to find who is bad among all others: at first, where few should
// be bad, and at last, where the rest is at stake.
constexpr std::size_t first_effort_times = 64;
constexpr std::size_t last_effort = 300'000;
constexpr int rounds_max = 32;

bool speaks_of_data(const ServerError& error) {
  return meaning_of(error) == Meaning::data;
}

bool may_pass(const ServerError& error) {
  const auto meaning = meaning_of(error);
  return meaning == Meaning::retriable || meaning == Meaning::unavailable;
}

/// The same function, at the same place in it, with the same code.
bool same_refusal(const ServerError& one, const ServerError& other) {
  return one.sqlstate == other.sqlstate && speaker_of(one) == speaker_of(other);
}

}  // namespace

std::optional<Unhunted> Hunt::split(std::span<const std::size_t> rows, bool later_first,
                                    Experiments& table, std::vector<Refused>& refused) {
  std::vector<std::span<const std::size_t>> left{rows};  // the next one last
  while (!left.empty()) {
    const auto part = left.back();
    left.pop_back();
    if (part.empty()) continue;
    auto outcome = table.rows(part);
    if (outcome.accepted()) {
      accepted_ += part.size();
      continue;
    }
    if (outcome.fate == Outcome::Fate::lost) return Unhunted{};
    if (!speaks_of_data(outcome.error)) {
      if (auto stop = without_a_row(table)) return stop;
    }
    if (part.size() == 1) {
      refused.push_back({part[0], std::move(outcome.error), accepted_});
      if (accepted_ == 0 && refused.size() == unproven_max) {
        for (const auto& one : refused) suspect(one.error);
        if (auto stop = finish(table)) return stop;
      }
      continue;
    }
    const auto line = outcome.line.value_or(0);
    if (line > 0 && line <= part.size() && !later_first) {
      left.push_back(part.subspan(line));
      left.push_back(part.subspan(line - 1, 1));
      left.push_back(part.first(line - 1));
      continue;
    }
    const auto half = part.size() / 2;
    left.push_back(later_first ? part.first(half) : part.subspan(half));
    left.push_back(later_first ? part.subspan(half) : part.first(half));
  }
  return std::nullopt;
}

std::optional<Unhunted> Hunt::in_order(std::span<const std::size_t> rows, Experiments& table,
                                       const OnBad& on_bad) {
  while (!rows.empty()) {
    const auto chunk = rows.first(std::min(rows.size(), chunk_));
    std::vector<Refused> refused;
    if (auto stop = split(chunk, false, table, refused)) return stop;
    chunk_ =
        refused.empty() ? std::min(chunk_ * 2, chunk_max) : std::max<std::size_t>(chunk_ / 2, 1);
    if (auto stop = judge(std::move(refused), table, on_bad)) return stop;
    rows = rows.subspan(chunk.size());
  }
  return std::nullopt;
}

std::optional<Unhunted> Hunt::among(std::vector<std::size_t>& rows, std::size_t effort,
                                    Experiments& table, std::vector<Refused>& bad) {
  std::size_t good = 0;  // so many of the first are
  std::size_t spent = 0;
  while (!rows.empty()) {
    const auto whole = table.rows(rows);
    if (whole.accepted()) {
      accepted_ += rows.size();
      rows.clear();
      return std::nullopt;
    }
    if (whole.fate == Outcome::Fate::lost) return Unhunted{};
    // The first that is refused: further and further from the last one, then closer and closer.
    std::size_t refused = rows.size();
    std::optional<ServerError> error;
    for (std::size_t step = 1; good < refused && (!error || good + 1 < refused);) {
      if ((spent += rows.size()) > effort) return std::nullopt;
      const auto asked = error ? good + (refused - good) / 2 : std::min(good + step, rows.size());
      auto outcome = table.among(std::span(rows).first(asked), std::span(rows).subspan(asked));
      if (!outcome) return std::nullopt;
      if (outcome->fate == Outcome::Fate::lost) return Unhunted{};
      if (outcome->accepted()) {
        good = asked;
        step *= 2;
      } else {
        refused = asked;
        error = std::move(outcome->error);
      }
    }
    if (!error) return std::nullopt;  // none by itself
    bad.push_back({rows[refused - 1], *std::move(error), accepted_});
    rows.erase(rows.begin() + static_cast<std::ptrdiff_t>(refused - 1));
    // One before it may have needed it.
    if (good == 0) continue;
    auto still = table.among(std::span(rows).first(good), std::span(rows).subspan(good));
    if (!still) return std::nullopt;
    if (still->fate == Outcome::Fate::lost) return Unhunted{};
    if (!still->accepted()) good = 0;
  }
  return std::nullopt;
}

std::optional<Unhunted> Hunt::together(std::span<const std::size_t> all, Experiments& table,
                                       const OnBad& on_bad) {
  std::vector<Refused> bad;
  std::vector<std::size_t> rows(all.begin(), all.end());
  if (auto stop = among(rows, first_effort_times * rows.size(), table, bad)) return stop;
  bool later_first = false;
  for (int round = 0; !rows.empty() && round < rounds_max; ++round) {
    std::vector<Refused> refused;
    if (auto stop = split(rows, later_first, table, refused)) return stop;
    const bool progress = refused.size() < rows.size();
    rows.clear();
    for (const auto& one : refused) rows.push_back(one.row);
    std::ranges::sort(rows);
    later_first = !later_first;
    if (progress && round + 1 < rounds_max) continue;
    if (auto stop = among(rows, last_effort, table, bad)) return stop;
    for (auto& one : refused) {
      if (std::ranges::binary_search(rows, one.row)) bad.push_back(std::move(one));
    }
    break;
  }
  std::ranges::sort(bad, {}, &Refused::row);
  return judge(std::move(bad), table, on_bad);
}

std::optional<Unhunted> Hunt::without_a_row(Experiments& table) {
  if (accepted_ > 0 || std::exchange(asked_without_a_row_, true)) return std::nullopt;
  auto outcome = table.nothing();
  if (outcome.accepted()) return std::nullopt;
  if (outcome.fate == Outcome::Fate::lost) return Unhunted{};
  return Unhunted{Unhunted::Why::table, std::move(outcome.error), std::nullopt};
}

std::optional<Unhunted> Hunt::judge(std::vector<Refused> refused, Experiments& table,
                                    const OnBad& on_bad) {
  for (auto& one : refused) {
    auto& [row, error, before] = one;
    if (auto stop = without_a_row(table)) return stop;
    if (!speaks_of_data(error)) {
      // Once more, after all others had their turn.
      const std::size_t alone[] = {row};
      auto outcome = table.rows(alone);
      if (outcome.accepted()) {
        ++accepted_;
        continue;
      }
      if (outcome.fate == Outcome::Fate::lost) return Unhunted{};
      error = std::move(outcome.error);
    }
    if (may_pass(error) && !convicts(one, table)) {
      return Unhunted{Unhunted::Why::passing, std::move(error), row};
    }
    suspect(error);
    on_bad(row, error);
  }
  return std::nullopt;
}

bool Hunt::convicts(const Refused& refused, Experiments& table) const {
  if (!last_resort_) return false;
  if (speaks_of_circumstances(refused.error)) {
    if (!is_cancelled(refused.error) || table.waits_for_lock(refused.row)) return false;
  }
  // A full disk lets rows in until it is full: what counts is who goes in afterwards.
  return accepted_ > refused.before || table.defaults().accepted();
}

void Hunt::suspect(const ServerError& error) {
  if (accepted_ > 0 || may_pass(error)) return;
  // What the server itself says of a value is about that value.
  if (speaks_of_data(error) && !said_by_function(error)) return;
  if (!suspicion_ && !cleared_.contains(error.sqlstate)) suspicion_ = error;
  if (suspicion_ && same_refusal(*suspicion_, error) && suspicion_->text() == error.text())
    ++alike_;
}

std::optional<Unhunted> Hunt::finish(Experiments& table) {
  if (accepted_ > 0 || !suspicion_) return std::nullopt;
  if (auto stop = without_a_row(table)) return stop;
  const auto met = *std::exchange(suspicion_, std::nullopt);
  const auto alike = std::exchange(alike_, 0);
  const auto outcome = table.defaults();
  if (outcome.fate == Outcome::Fate::lost) return Unhunted{};
  bool same = !outcome.accepted() && outcome.error.sqlstate == met.sqlstate;
  if (same && speaks_of_data(met) && (same = same_refusal(outcome.error, met))) {
    // A function may ask for a value that a row of defaults lacks as well.
    const auto held = table.held();
    if (held && held->fate == Outcome::Fate::lost) return Unhunted{};
    same = held ? !held->accepted() && same_refusal(held->error, met)
                : alike >= alike_min && outcome.error.text() == met.text();
  }
  if (same) return Unhunted{Unhunted::Why::table, outcome.error, std::nullopt};
  cleared_.insert(met.sqlstate);
  return std::nullopt;
}

}  // namespace semel::postgres
