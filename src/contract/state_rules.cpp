// The home of what a stream's pipeline remembers: its rows move with the ledger.
#include <algorithm>
#include <array>
#include <map>

#include "contract/rules.hpp"

namespace semel::contract {

namespace {

using StateRows = std::map<std::string, std::optional<std::string>>;

/// What read_state() gives.
struct State {
  StateVersion version;
  bool all = false;
  StateRows rows;
};

std::string told_rows(const StateRows& rows) {
  std::string text;
  for (const auto& [key, value] : rows) {
    text += (text.empty() ? "" : ", ") + contract::told(key) + " " +
            (value ? "= " + contract::told(*value) : "gone");
  }
  return text.empty() ? "none" : text;
}

void same_state(std::string_view what, const StateRows& came, const StateRows& expected) {
  if (came != expected) broken(what, told_rows(expected), told_rows(came));
}

/// One whose output is home.
struct HomeProcess : Process {
  Offset next = 0;  ///< what is read next

  HomeProcess(Subject& s, const std::string& who, const std::string& output = "out")
      : Process(s, who, "pipe", output) {
    holds("become_home() of a sink that keeps state is true", sink->become_home());
  }

  StateVersion version(std::uint64_t name = 7) const { return {{time}, name}; }
  /// A record, and the change under the version of the batch, up to commit().
  void begin_change(const StateRows& rows, bool all = false, std::uint64_t name = 7) {
    must_begin(task(next, next + 1));
    must_write(next, next + 1);
    std::vector<StateRow> views;
    for (const auto& [key, value] : rows) {
      views.push_back({key, value ? std::optional<std::string_view>(*value) : std::nullopt});
    }
    must(session->change_state({.version = version(name), .rows = views, .all = all}),
         "change_state()");
  }
  StateVersion change(const StateRows& rows, bool all = false, std::uint64_t name = 7) {
    begin_change(rows, all, name);
    committed(commit());
    ++next;
    return version(name);
  }
  State read(const StateVersion& since = {}) {
    State state;
    const auto read = must(
        sink->read_state(since,
                         [&](const StateRead& what, std::span<const StateRow> rows) {
                           state.all = what.all;
                           for (const auto& row : rows) {
                             const bool first =
                                 state.rows
                                     .emplace(row.key, row.value
                                                           ? std::optional<std::string>(*row.value)
                                                           : std::nullopt)
                                     .second;
                             holds("read_state() gives each key once", first);
                           }
                           return Result<void>();
                         }),
        "read_state()");
    if (!state.rows.empty()) {
      holds("read_state() tells with the rows what it returns", state.all == read.all);
    }
    state.version = read.version;
    state.all = read.all;
    return state;
  }
  void must_have(const StateVersion& version, const StateRows& rows) {
    // Of a version that never was.
    const auto state = read({{1}, 1});
    same("the version of the state", state.version, version);
    same_state("the rows of the state", state.rows, rows);
    holds("all rows come to who has a version that never was", state.all);
  }
};

void moves_with_the_ledger(Trial& trial) {
  HomeProcess process(*trial.subject, "a");
  process.start();
  const auto before = process.read();
  same("the version before the first change", before.version, StateVersion());
  same_state("the rows before the first change", before.rows, {});
  const auto first = process.change({{"a", "1"}, {"b", "2"}});
  process.must_have(first, {{"a", "1"}, {"b", "2"}});
  const auto second = process.change({{"a", "3"}, {"b", std::nullopt}, {"c", ""}});
  process.must_have(second, {{"a", "3"}, {"c", ""}});
  // A batch that changes nothing has a version, too.
  process.must_have(process.change({}), {{"a", "3"}, {"c", ""}});
  HomeProcess successor(*trial.subject, "b");
  successor.take_over();
  successor.must_have(process.version(), {{"a", "3"}, {"c", ""}});
}

void refused_changes_nothing(Trial& trial) {
  HomeProcess process(*trial.subject, "a");
  process.start();
  const auto first = process.change({{"a", "1"}});
  process.begin_change({{"a", "2"}, {"b", "2"}});
  HomeProcess successor(*trial.subject, "b");
  successor.take_over();
  // Refused, or its session is gone: committed it is not.
  const auto late = process.commit();
  holds("who has been fenced does not commit", !late || std::holds_alternative<Refused>(*late));
  successor.must_have(first, {{"a", "1"}});
}

void aborted_changes_nothing(Trial& trial) {
  HomeProcess process(*trial.subject, "a");
  process.start();
  const auto first = process.change({{"a", "1"}});
  process.begin_change({{"a", "2"}, {"b", "2"}});
  process.must_have(first, {{"a", "1"}});
  process.session->abort();
  process.must_have(first, {{"a", "1"}});
  process.must_begin(process.task(process.next, process.next + 1));
  process.must_write(process.next, process.next + 1);
  committed(process.commit());
  ++process.next;
  process.must_have(first, {{"a", "1"}});
  process.must_have(process.change({{"c", "3"}}), {{"a", "1"}, {"c", "3"}});
}

void tells_what_has_changed(Trial& trial) {
  HomeProcess process(*trial.subject, "a");
  process.start();
  const auto first = process.change({{"a", "1"}, {"b", "1"}, {"c", "1"}});
  const auto second = process.change({{"b", "2"}});
  const auto third = process.change({{"a", std::nullopt}, {"d", "3"}});
  const auto since = [&](const StateVersion& version, const StateRows& rows) {
    const auto state = process.read(version);
    same("the version of the state", state.version, third);
    holds("who has a version that was gets what has changed since", !state.all);
    same_state("the rows that have changed", state.rows, rows);
  };
  since(first, {{"a", std::nullopt}, {"b", "2"}, {"d", "3"}});
  since(second, {{"a", std::nullopt}, {"d", "3"}});
  since(third, {});
}

void names_are_compared(Trial& trial) {
  HomeProcess process(*trial.subject, "a");
  process.start();
  auto other = process.change({{"a", "1"}, {"b", "1"}});
  const auto second = process.change({{"b", "2"}});
  other.name = 8;
  const auto state = process.read(other);
  same("the version of the state", state.version, second);
  holds("a version of another name was never there: all rows come", state.all);
  same_state("the rows", state.rows, {{"a", "1"}, {"b", "2"}});
}

void is_of_one_output(Trial& trial) {
  HomeProcess process(*trial.subject, "a");
  process.start();
  const auto version = process.change({{"a", "1"}});
  HomeProcess other(*trial.subject, "b", "another");
  other.start();
  same_state("the rows of an output without a state", other.read({{1}, 1}).rows, {});
  const auto its = other.change({{"a", "2"}}, true, 9);
  other.must_have(its, {{"a", "2"}});
  process.must_have(version, {{"a", "1"}});
}

void all_replaces(Trial& trial) {
  HomeProcess process(*trial.subject, "a");
  process.start();
  const auto first = process.change({{"a", "1"}, {"b", "1"}});
  const auto second = process.change({{"b", "2"}, {"c", "2"}}, true);
  process.must_have(second, {{"b", "2"}, {"c", "2"}});
  const auto state = process.read(first);
  holds("who has a version from before gets all rows", state.all);
  same_state("the rows", state.rows, {{"b", "2"}, {"c", "2"}});
}

void any_bytes(Trial& trial) {
  HomeProcess process(*trial.subject, "a");
  process.start();
  std::string all_bytes;
  for (int byte = 0; byte < 256; ++byte) all_bytes += static_cast<char>(byte);
  constexpr std::size_t long_one = 70'000;
  StateRows rows{{all_bytes, all_bytes},
                 {std::string("a\0", 2), std::string("\0", 1)},
                 {std::string("a\0b", 3), ""},
                 {std::string(long_one, 'k'), std::string(long_one, 'v')},
                 {std::string(long_one, 'k') + "l", "another"},
                 {std::string(1'000, 'k'), "short"}};
  const auto first = process.change(rows);
  process.must_have(first, rows);
  rows[std::string(long_one, 'k')] = "shorter";
  rows.erase(std::string(1'000, 'k'));
  process.must_have(process.change({{std::string(long_one, 'k'), "shorter"},
                                    {std::string(1'000, 'k'), std::nullopt}}),
                    rows);
}

void many_rows(Trial& trial) {
  constexpr int many = 25'000;
  HomeProcess process(*trial.subject, "a");
  process.start();
  StateRows rows;
  for (int i = 0; i < many; ++i) rows["key " + std::to_string(i)] = std::to_string(i);
  const auto first = process.change(rows);
  holds("all of many rows are there", process.read().rows == rows);
  StateRows changed;
  for (auto& [key, value] : rows) changed[key] = value = *value + "!";
  process.change(changed);
  holds("all of many rows that have changed come", process.read(first).rows == changed);
}

void is_of_one_moment(Trial& trial) {
  HomeProcess process(*trial.subject, "a");
  process.start();
  const auto at = [&] { return std::to_string(process.time + 1'000); };
  process.change({{"a", at()}, {"b", at()}});
  InThread writer(
      [&] {
        for (int i = 0; i < 100; ++i) process.change({{"a", at()}, {"b", at()}});
      },
      trial.options.hangs_after);
  for (int i = 0; i < 100; ++i) {
    const auto state = process.read({{1}, 1});
    const auto time = std::to_string(state.version.time.ms);
    same_state("version and rows, read at once", state.rows, {{"a", time}, {"b", time}});
  }
  writer.end("a pipeline whose state is read");
}

constexpr std::array of_state{
    Rule{"the state changes with the ledger, and has its version", Needs::home,
         moves_with_the_ledger},
    Rule{"who has been fenced changes no state", Needs::home, refused_changes_nothing},
    Rule{"what is aborted changes no state", Needs::home, aborted_changes_nothing},
    Rule{"who is behind is told what has changed since, also of keys that are gone", Needs::home,
         tells_what_has_changed},
    Rule{"a state's version is its time and its name", Needs::home, names_are_compared},
    Rule{"states of outputs do not know of each other", Needs::home, is_of_one_output},
    Rule{"a change that is all there is replaces rows and history", Needs::home, all_replaces},
    Rule{"keys and values of a state are any bytes, short or long", Needs::home, any_bytes},
    Rule{"a state of many thousand rows is kept and told whole", Needs::home, many_rows},
    Rule{"version and rows of a state are of one moment", Needs::home, is_of_one_moment},
};

}  // namespace

std::span<const Rule> state_rules() {
  return of_state;
}

}  // namespace semel::contract
