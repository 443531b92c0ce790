// What is stored of a record: its key and its value, as far as the subject can tell.
#include <algorithm>
#include <array>
#include <map>

#include "contract/rules.hpp"

namespace semel::contract {

namespace {

using Text = std::optional<std::string>;

struct Given {
  Text key;
  Text value;
};

/// A record of each kind, whose values are good where there is one.
std::vector<Given> kinds(Subject& subject, Offset from) {
  const std::vector<Text> keys{
      std::nullopt, "", "key", "another key", "a\"b\\c,d'", "tab\t\r\nend", "gr\u00fc\u00df\u20ac"};
  std::vector<Given> all;
  for (const auto& key : keys) {
    const auto offset = from + static_cast<Offset>(all.size());
    all.push_back({key, subject.good_value(offset)});
  }
  all.push_back({"deleted", std::nullopt});
  all.push_back({"emptied", ""});
  return all;
}

Record record_of(const Given& given, Offset offset) {
  const auto view = [](const Text& text) {
    return text ? std::optional<std::string_view>(*text) : std::nullopt;
  };
  return {.offset = offset,
          .timestamp_ms = 1'700'000'000'000 + offset,
          .key = view(given.key),
          .value = view(given.value)};
}

/// Records of one range, and what becomes of them.
class Records {
 public:
  Records(Trial& trial, TopicPartition tp, Offset from)
      : subject_(*trial.subject), range_{std::move(tp), from, from}, given_(kinds(subject_, from)) {
    range_.until += static_cast<Offset>(given_.size());
  }

  const OffsetRange& range() const { return range_; }

  /// One by one, from memory that is another record's afterwards. Those that nobody can tell the
  /// content of are gaps of the log.
  void write(SinkSession& session, std::size_t task, std::map<Offset, std::string>& expected) {
    for (std::size_t i = 0; i < given_.size(); ++i) {
      auto& given = given_[i];
      const auto record = record_of(given, range_.from + static_cast<Offset>(i));
      const auto text = subject_.expected(record);
      if (!text) continue;
      expected[record.offset] = *text;
      must(session.write(task, {&record, 1}), "write()");
      for (auto* part : {&given.key, &given.value}) {
        if (*part) std::ranges::fill(**part, '~');
      }
    }
  }

 private:
  Subject& subject_;
  OffsetRange range_;
  std::vector<Given> given_;
};

void same_contents(Trial& trial, const std::map<Offset, std::string>& expected) {
  const auto came = trial.subject->contents();
  for (const auto& [offset, text] : expected) {
    const auto found = came.find(offset);
    same("what is stored of offset " + told(offset),
         found == came.end() ? Text() : Text(found->second), text);
  }
}

void store_kinds(Trial& trial, bool isolate) {
  Process process(*trial.subject, "a");
  process.start();
  Records records(trial, tp, 0);
  auto tasks = process.tasks({records.range()});
  tasks.front().isolate = isolate;
  process.must_begin(tasks);
  std::map<Offset, std::string> expected;
  records.write(process.in_session(), 0, expected);
  same("the rows that are counted", committed(process.commit()).rows, expected.size());
  same_contents(trial, expected);
}

void keys_and_values(Trial& trial) {
  store_kinds(trial, false);
}

void isolating_keys_and_values(Trial& trial) {
  store_kinds(trial, true);
}

void keys_and_values_of_a_batch(Trial& trial) {
  Process process(*trial.subject, "a");
  process.take_over();
  Records one(trial, {"clicks", 3}, 100);
  Records two(trial, {"views", 0}, 200);
  process.enter({{.tp = one.range().tp, .until = 100}, {.tp = two.range().tp, .until = 200}});
  process.must_begin(process.tasks({one.range(), two.range()}));
  std::map<Offset, std::string> expected;
  one.write(process.in_session(), 0, expected);
  two.write(process.in_session(), 1, expected);
  all_committed(process.in_session().commit(std::vector<RangeEnd>(2)));
  same_contents(trial, expected);
}

constexpr std::array of_contents{
    Rule{"keys and values are stored as they came", Needs::nothing, keys_and_values},
    Rule{"an isolating task stores keys and values as they came", Needs::nothing,
         isolating_keys_and_values},
    Rule{"records of a batch keep keys and values of their own", Needs::one_fact,
         keys_and_values_of_a_batch},
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
