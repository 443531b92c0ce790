// What is stored of a record, or set aside with it, as far as the subject can tell.
#include <algorithm>
#include <array>
#include <deque>
#include <map>

#include "contract/rules.hpp"

namespace semel::contract {

namespace {

using Text = std::optional<std::string>;

struct Given {
  Text key;
  Text value;
  std::vector<std::pair<std::string, Text>> headers{};
  bool has_timestamp = true;
};

std::optional<std::string_view> view_of(const Text& text) {
  return text ? std::optional<std::string_view>(*text) : std::nullopt;
}

void read_headers(const void* message, std::vector<Header>& into) {
  for (const auto& [name, value] : static_cast<const Given*>(message)->headers) {
    into.push_back({name, view_of(value)});
  }
}

Record record_of(const Given& given, Offset offset) {
  return {.offset = offset,
          .timestamp_ms = given.has_timestamp ? 1'700'000'000'000 + offset : -1,
          .key = view_of(given.key),
          .value = view_of(given.value),
          .headers = {&given, read_headers}};
}

/// Of this length, nowhere the same as before.
std::string long_text(std::size_t length) {
  std::string text;
  for (int word = 0; text.size() < length; ++word) text += std::to_string(word) + ' ';
  text.resize(length);
  return text;
}

/// Text that has to be a row, whatever it is.
const std::vector<Text> plain_keys{
    std::nullopt, "", "key", "another key", "a\"b\\c,d'", "tab\t\r\nend", "gr\u00fc\u00df\u20ac"};

/// What limits of a store, or of who passes it on as C's strings, cut or alter.
std::vector<std::string> odd_texts() {
  std::string every_byte;
  for (int byte = 0; byte < 256; ++byte) every_byte += static_cast<char>(byte);
  return {long_text(300),   long_text(5'000),   long_text(70'000), std::string("a\0b", 3),
          "\xff\xfe\xc3(a", "cut \xe2\x82 off", every_byte};
}

/// A record of each kind, whose values are good where there is one.
std::vector<Given> plain(Subject& subject, Offset from) {
  std::vector<Given> all;
  const auto value = [&] { return subject.good_value(from + static_cast<Offset>(all.size())); };
  for (const auto& key : plain_keys) all.push_back({key, value()});
  all.push_back({"deleted", std::nullopt});
  all.push_back({"emptied", ""});
  all.push_back({"with headers",
                 value(),
                 {{"trace", "a"}, {"trace", "b"}, {"none", std::nullopt}, {"empty", ""}}});
  all.push_back({"without a timestamp", value(), {}, false});
  return all;
}

/// Records that a store may be unable to hold. Values as bytes and as JSON; with keys of their own,
/// and without, for stores that keep one row of a key.
std::vector<Given> odd(Subject& subject, Offset from) {
  std::vector<Given> all;
  const auto good = [&] { return subject.good_value(from + static_cast<Offset>(all.size())); };
  std::vector<std::string> values{R"("a\u0000b")", R"({"text":"a\u0000b"})",
                                  R"({"text":"\ud800"})"};
  for (const auto& text : odd_texts()) {
    all.push_back({text, good()});
    all.push_back({"header", good(), {{"bytes", text}}});
    values.push_back(text);
    values.push_back('"' + text + '"');
    values.push_back(R"({"text":")" + text + "\"}");
  }
  for (const auto& value : values) {
    all.push_back({std::nullopt, value});
    all.push_back({"value " + std::to_string(all.size()), value});
  }
  return all;
}

/// Records that are set aside.
std::vector<Given> bad(Subject& subject, Offset /*from*/) {
  const std::string value = subject.bad_value().value();
  std::vector<Given> all;
  for (const auto& key : plain_keys) all.push_back({key, value});
  for (const auto& text : odd_texts()) {
    // As long as their neighbours: what is set aside may be cut where it has no room.
    if (text.size() < value.size() + 1'000) all.push_back({text, value});
  }
  all.push_back({"with headers", value, {{"trace", "a"}, {"trace", "b"}, {"none", std::nullopt}}});
  all.push_back({"without a timestamp", value, {}, false});
  return all;
}

/// Records that a caller sets aside, whatever they are.
std::vector<Given> objected(Subject& subject, Offset from) {
  auto all = plain(subject, from);
  for (const auto& text : odd_texts()) {
    if (text.size() > 1'000) continue;  // as above
    const auto value = subject.good_value(from + static_cast<Offset>(all.size()));
    all.push_back({text, value, {{"bytes", text}}});
    all.push_back({"no value of a row", text});
  }
  return all;
}

using Contents = std::map<Offset, std::string>;

/// What is to be there afterwards, as far as somebody can tell.
struct Told {
  Contents rows;
  Contents dead;
};

/// Records of one range, and what becomes of them.
class Records {
 public:
  Records(Subject& subject, TopicPartition tp, Offset from,
          std::vector<Given> (*kinds)(Subject&, Offset))
      : subject_(subject), range_{std::move(tp), from, from}, given_(kinds(subject, from)) {
    range_.until += static_cast<Offset>(given_.size());
  }

  const OffsetRange& range() const { return range_; }

  Told told() const {
    Told all;
    each([&](const Given& given, Offset offset) {
      const auto record = record_of(given, offset);
      if (const auto text = subject_.expected(record)) all.rows[offset] = *text;
      if (const auto text = subject_.expected_dead(record)) all.dead[offset] = *text;
    });
    return all;
  }

  /// Those of `which`, one by one, from memory that is altered afterwards, but stays: so whoever
  /// reads it later is seen by what he read. Others are gaps of the log. Set aside where there is
  /// an objection.
  Result<void> write(SinkSession& session, std::size_t task, const Contents& which,
                     const Objection* why = nullptr) const {
    Result<void> written;
    each([&](const Given& kept, Offset offset) {
      if (!written || !which.contains(offset)) return;
      auto& given = lent_.emplace_back(kept);
      const auto record = record_of(given, offset);
      written = why == nullptr ? session.write(task, {&record, 1})
                               : session.set_aside(task, record, *why);
      for (auto* part : {&given.key, &given.value}) {
        if (*part) std::ranges::fill(**part, '~');
      }
      for (auto& [name, value] : given.headers) std::ranges::fill(name, '~');
    });
    return written;
  }

  /// As an executor does it: where the fast attempt meets bad data, an isolating one follows.
  Committed store(Process& process, bool isolate, const Contents& which) const {
    auto tasks = process.tasks({range_});
    tasks.front().isolate = isolate;
    process.must_begin(tasks);
    const auto written = write(process.in_session(), 0, which);
    auto result = written ? process.commit() : tl::unexpected(written.error());
    if (isolate || result || result.error().kind != ErrorKind::bad_data) return committed(result);
    process.session->abort();
    return store(process, true, which);
  }

 private:
  template <class Action>
  void each(Action action) const {
    for (std::size_t i = 0; i < given_.size(); ++i) {
      action(given_[i], range_.from + static_cast<Offset>(i));
    }
  }

  Subject& subject_;
  OffsetRange range_;
  std::vector<Given> given_;
  mutable std::deque<Given> lent_;  ///< to a session; they stay where they are
};

void must_tell(const Contents& told, const std::string& who) {
  if (told.empty()) skip(who + " tells nothing of any record that is asked");
}

void same_contents(const std::string& what, const Contents& came, const Contents& expected) {
  for (const auto& [offset, text] : expected) {
    const auto found = came.find(offset);
    same(what + told(offset), found == came.end() ? Text() : Text(found->second), text);
  }
}

void same_rows(Trial& trial, const Contents& expected) {
  same_contents("what is stored of offset ", trial.subject->contents(), expected);
}

void store_plain(Trial& trial, bool isolate) {
  Process process(*trial.subject, "a");
  process.start();
  const Records records(*trial.subject, tp, 0, plain);
  const auto told = records.told();
  must_tell(told.rows, "expected()");
  // No bad data is among them.
  auto tasks = process.tasks({records.range()});
  tasks.front().isolate = isolate;
  process.must_begin(tasks);
  must(records.write(process.in_session(), 0, told.rows), "write()");
  same("the rows that are counted", committed(process.commit()).rows, told.rows.size());
  same_rows(trial, told.rows);
}

void keys_and_values(Trial& trial) {
  store_plain(trial, false);
}

void isolating_keys_and_values(Trial& trial) {
  store_plain(trial, true);
}

void keys_and_values_of_a_batch(Trial& trial) {
  Process process(*trial.subject, "a");
  process.take_over();
  const Records one(*trial.subject, {"clicks", 3}, 100, plain);
  const Records two(*trial.subject, {"views", 0}, 200, plain);
  const auto first = one.told().rows;
  const auto second = two.told().rows;
  must_tell(first, "expected()");
  process.enter({{.tp = one.range().tp, .until = 100}, {.tp = two.range().tp, .until = 200}});
  process.must_begin(process.tasks({one.range(), two.range()}));
  must(one.write(process.in_session(), 0, first), "write()");
  must(two.write(process.in_session(), 1, second), "write()");
  all_committed(process.in_session().commit(std::vector<RangeEnd>(2)));
  same_rows(trial, first);
  same_rows(trial, second);
}

/// Of each record that was told of, a row or a dead letter is there, and that is right.
void is_there_or_aside(Trial& trial, const Told& told) {
  auto rows = trial.subject->contents();
  const auto letters = trial.subject->dead_contents();
  const auto dead = trial.subject->dead();
  for (const auto& [offset, text] : told.rows) {
    const auto about = "the record at offset " + contract::told(offset);
    const bool is_row = rows.contains(offset);
    const bool is_dead = std::ranges::find(dead, offset) != dead.end();
    if (is_row == is_dead) {
      broken(about, "to be a row or a dead letter", is_row ? "both" : "neither");
    }
    if (is_row) same("what is stored of offset " + contract::told(offset), rows[offset], text);
    if (is_row || !told.dead.contains(offset)) continue;
    same_contents("the dead letter of offset ", letters, {*told.dead.find(offset)});
  }
}

void odd_keys_and_values(Trial& trial) {
  Process process(*trial.subject, "a");
  process.start();
  for (Offset from = 0; const bool isolate : {false, true}) {
    const Records records(*trial.subject, tp, from, odd);
    const auto told = records.told();
    must_tell(told.rows, "expected()");
    const auto counts = records.store(process, isolate, told.rows);
    same("the rows and dead letters that are counted", counts.rows + counts.dead_letters,
         told.rows.size());
    is_there_or_aside(trial, told);
    from = records.range().until;
  }
}

void dead_keys_and_values(Trial& trial) {
  trial.has_bad();
  Process process(*trial.subject, "a");
  process.start();
  for (Offset from = 0; const bool isolate : {false, true}) {
    const Records records(*trial.subject, tp, from, bad);
    const auto told = records.told();
    must_tell(told.dead, "expected_dead()");
    const auto counts = records.store(process, isolate, told.dead);
    same("the dead letters that are counted", counts.dead_letters, told.dead.size());
    same_contents("the dead letter of offset ", trial.subject->dead_contents(), told.dead);
    from = records.range().until;
  }
}

void objected_keys_and_values(Trial& trial) {
  Process process(*trial.subject, "a");
  process.start();
  const Objection why{.reason = "nobody knows it"};
  for (Offset from = 0; const bool isolate : {false, true}) {
    const Records records(*trial.subject, tp, from, objected);
    const auto told = records.told();
    must_tell(told.dead, "expected_dead()");
    auto tasks = process.tasks({records.range()});
    tasks.front().isolate = isolate;
    process.must_begin(tasks);
    must(records.write(process.in_session(), 0, told.dead, &why), "set_aside()");
    same("the dead letters that are counted", committed(process.commit()).dead_letters,
         told.dead.size());
    same_contents("the dead letter of offset ", trial.subject->dead_contents(), told.dead);
    from = records.range().until;
  }
}

/// As they are told: what is no text, or long, a store may alter and cut, but not refuse.
void objections(Trial& trial) {
  Process process(*trial.subject, "a");
  process.start();
  auto odd = odd_texts();
  Contents expected;
  std::set<Offset> all;
  std::vector<std::string> reasons{"", "plain", "two\nlines, a \"quote\" and a \\",
                                   "gr\u00fc\u00df\u20ac"};
  for (std::size_t i = 0; i < reasons.size(); ++i) expected[static_cast<Offset>(i)] = reasons[i];
  reasons.insert(reasons.end(), odd.begin(), odd.end());
  process.must_begin(process.task(0, static_cast<Offset>(reasons.size())));
  for (std::size_t i = 0; i < reasons.size(); ++i) {
    const auto offset = static_cast<Offset>(i);
    const auto value = trial.subject->good_value(offset);
    // Told and code are of any bytes, too.
    const Record record{.offset = offset, .value = value};
    must(process.in_session().set_aside(0, record, {reasons[i], reasons[i], reasons[i]}),
         "set_aside()");
    all.insert(offset);
  }
  same("the dead letters that are counted", committed(process.commit()).dead_letters, all.size());
  trial.dead(all);
  const auto came = trial.subject->dead_reasons();
  must_tell(came, "dead_reasons()");
  same_contents("why the record was set aside at offset ", came, expected);
}

constexpr std::array of_contents{
    Rule{"keys and values are stored as they came", Needs::nothing, keys_and_values},
    Rule{"an isolating task stores keys and values as they came", Needs::nothing,
         isolating_keys_and_values},
    Rule{"records of a batch keep keys and values of their own", Needs::one_fact,
         keys_and_values_of_a_batch},
    Rule{"long and odd keys and values are stored as they came, or set aside", Needs::nothing,
         odd_keys_and_values},
    Rule{"dead letters keep keys and values as they came", Needs::nothing, dead_keys_and_values},
    Rule{"what a caller sets aside keeps keys and values as they came", Needs::nothing,
         objected_keys_and_values},
    Rule{"dead letters say why a caller set them aside, in whatever bytes", Needs::nothing,
         objections},
};

}  // namespace

std::span<const Rule> content_rules() {
  return of_contents;
}

std::string text_of(std::optional<std::string_view> key, std::optional<std::string_view> value) {
  const auto shown = [](const std::optional<std::string_view>& text) {
    return text ? "\"" + std::string(*text) + "\"" : std::string("null");
  };
  return "key " + shown(key) + ", value " + shown(value);
}

}  // namespace semel::contract
