#include "postgres/rows/hunt.hpp"

#include <algorithm>
#include <utility>

namespace semel::postgres {

namespace {

// So many rows that are refused, and none that goes in: the table is asked before more are tried.
constexpr std::size_t unproven_max = 100;
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
        suspect(refused.back().error);
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
  if (took_too_long(outcome.error)) {
    auto sooner = table.sooner({});
    if (sooner.fate == Outcome::Fate::lost) return Unhunted{};
    if (!sooner.accepted()) outcome = std::move(sooner);
  }
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
    if (may_pass(error)) {
      if (auto excused = excuse(one, table)) return excused;
    }
    suspect(error);
    on_bad(row, error);
  }
  return std::nullopt;
}

std::optional<Unhunted> Hunt::excuse(const Refused& refused, Experiments& table) const {
  const Unhunted passing{Unhunted::Why::passing, refused.error, refused.row};
  if (!last_resort_) return passing;
  if (speaks_of_circumstances(refused.error)) {
    if (!took_too_long(refused.error)) return passing;
    const std::size_t alone[] = {refused.row};
    auto sooner = table.sooner(alone);
    if (sooner.fate == Outcome::Fate::lost) return Unhunted{};
    if (sooner.accepted()) return passing;
    // What it waits for is the better word.
    if (!took_too_long(sooner.error)) {
      return Unhunted{Unhunted::Why::passing, std::move(sooner.error), refused.row};
    }
  }
  // A full disk lets rows in until it is full: what counts is who goes in afterwards.
  if (accepted_ > refused.before || table.defaults().accepted()) return std::nullopt;
  return passing;
}

void Hunt::suspect(const ServerError& error) {
  if (accepted_ > 0 || suspicion_ || speaks_of_data(error) || may_pass(error)) return;
  if (!cleared_.contains(error.sqlstate)) suspicion_ = error;
}

std::optional<Unhunted> Hunt::finish(Experiments& table) {
  if (accepted_ > 0 || !suspicion_) return std::nullopt;
  if (auto stop = without_a_row(table)) return stop;
  const auto met = *std::exchange(suspicion_, std::nullopt);
  const auto outcome = table.defaults();
  if (outcome.fate == Outcome::Fate::lost) return Unhunted{};
  if (!outcome.accepted() && outcome.error.sqlstate == met.sqlstate) {
    return Unhunted{Unhunted::Why::table, outcome.error, std::nullopt};
  }
  cleared_.insert(met.sqlstate);
  return std::nullopt;
}

}  // namespace semel::postgres
