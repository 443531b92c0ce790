#include "postgres/client/log_text.hpp"

#include <algorithm>
#include <array>
#include <cstdint>

#include "base/clean_text.hpp"

namespace semel::postgres {

namespace {

constexpr std::array<std::string_view, 8> quotes{"\"", "«", "»", "„", "“", "”", "「", "」"};

// Of PostgreSQL's code, where it speaks of time, locks, memory and files, and never of a value. One
// that is missing here costs words in a log.
constexpr std::array<std::string_view, 10> own_files{
    "aset.c", "bufmgr.c", "deadlock.c", "fd.c",        "lock.c",
    "mcxt.c", "md.c",     "postgres.c", "predicate.c", "proc.c"};
static_assert(std::ranges::is_sorted(own_files));

std::size_t behind_last_quote(std::string_view text) {
  std::size_t end = 0;
  for (const auto quote : quotes) {
    const auto at = text.rfind(quote);
    if (at != std::string_view::npos) end = std::max(end, at + quote.size());
  }
  return end;
}

/// "while inserting index tuple (0,2) in relation …": where the server itself waits. The place of a
/// row stands in it in every language, and before anything that is quoted.
bool names_a_tuple(std::string_view line) {
  constexpr std::string_view digits = "0123456789";
  line = line.substr(0, first_quote(line).at);
  for (auto at = line.find('('); at != std::string_view::npos; at = line.find('(', at + 1)) {
    const auto comma = line.find_first_not_of(digits, at + 1);
    if (comma == std::string_view::npos || comma == at + 1 || line[comma] != ',') continue;
    const auto end = line.find_first_not_of(digits, comma + 1);
    if (end != std::string_view::npos && end > comma + 1 && line[end] == ')') return true;
  }
  return false;
}

/// The line of the CONTEXT that says who speaks.
std::string_view speaker(std::string_view context) {
  while (true) {
    const auto end = context.find('\n');
    const auto line = context.substr(0, end);
    if (end == std::string_view::npos || !names_a_tuple(line)) {
      return names_a_tuple(line) ? std::string_view() : line;
    }
    context.remove_prefix(end + 1);
  }
}

bool speaks_of_copy(std::string_view line) {
  return line.find("COPY") != std::string_view::npos;
}

/// Whose it is, is no value: only a line with a statement in it may hold some.
std::string which_function(const ServerError& error) {
  const auto line = speaker(error.context);
  const bool names_one = line.find("PL/pgSQL") != std::string_view::npos &&
                         first_quote(line).at == std::string_view::npos;
  return names_one
             ? "a trigger or function refuses it (" + without_quotes(line, {}, log_bytes_max) + ")"
             : "a trigger or function refuses it";
}

enum class Topic : std::uint8_t { itself, a_row, anything };

Topic topic_of(const ServerError& error) {
  // Time-outs, deadlocks and the end of a session meet functions in the middle of their work.
  const bool circumstances = speaks_of_circumstances(error);
  const bool in_its_own_words =
      circumstances && std::ranges::binary_search(own_files, std::string_view(error.source_file));
  if (said_by_function(error) && !in_its_own_words) return Topic::anything;
  if (circumstances) return Topic::itself;
  const bool of_a_row = !error.constraint.empty() || meaning_of(error) == Meaning::data ||
                        speaks_of_copy(speaker(error.context));
  return of_a_row ? Topic::a_row : Topic::itself;
}

}  // namespace

Quote first_quote(std::string_view text, std::size_t from) {
  Quote first;
  for (const auto quote : quotes) {
    const auto at = text.find(quote, from);
    if (at < first.at) first = {at, quote.size()};
  }
  return first;
}

std::string without_quotes(std::string_view text, const std::vector<std::string>& known,
                           std::size_t max_bytes) {
  std::string kept;
  std::size_t at = 0;
  for (auto quote = first_quote(text); quote.at != std::string_view::npos;
       quote = first_quote(text, at)) {
    const auto inside = quote.at + quote.size;
    const auto name = std::ranges::find_if(known, [&](const auto& one) {
      return !one.empty() && text.substr(inside).starts_with(one) &&
             first_quote(text, inside).at == inside + one.size();
    });
    if (name == known.end()) {
      // A value may hold quotes itself: all that is left of them goes.
      kept += text.substr(at, quote.at - at);
      kept += "…";
      at = behind_last_quote(text);
      break;
    }
    const auto closing = first_quote(text, inside);
    kept += text.substr(at, closing.at + closing.size - at);
    at = closing.at + closing.size;
  }
  kept += text.substr(at);
  return sanitise(plain(kept), max_bytes);
}

bool said_by_function(const ServerError& error) {
  const auto line = speaker(error.context);
  return error.sqlstate.starts_with("P0") || (!line.empty() && !speaks_of_copy(line));
}

std::string log_text(const ServerError& error, std::vector<std::string> known) {
  switch (topic_of(error)) {
    case Topic::itself:
      return plain(error.text());
    case Topic::a_row:
      known.insert(known.end(), {error.table, error.constraint, error.column});
      return without_quotes(error.message, known, log_bytes_max);
    case Topic::anything:
      return which_function(error);
  }
  return "";
}

std::string log_hint(const ServerError& error) {
  return topic_of(error) == Topic::itself ? plain(error.hint) : "";
}

}  // namespace semel::postgres
