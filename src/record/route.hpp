// Which of several targets a record goes to: by its topic, or by what it says itself.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <semel/error.hpp>
#include <semel/record.hpp>
#include <semel/types.hpp>

#include "record/reader.hpp"

namespace semel::record {

/// What a configuration says of it.
struct RouteRule {
  std::string from = "@topic";            ///< a mapping: what says where a record goes
  std::map<std::string, std::string> to;  ///< what that says → the target
  std::string pattern;  ///< of topics' names (ECMAScript, of the whole): its groups; may be empty

  bool by_topic() const { return from == "@topic"; }
};

/// The value at `rule.from`, of one record after another. Not thread safe. Movable.
class RouteReader {
 public:
  /// Fails (fatal, configuration) where `from` is no mapping. `setting`: where it is written.
  static Result<RouteReader> make(const std::string& from, const Format& format, const Format* keys,
                                  std::string setting);

  struct Said {
    Fate fate = Fate::row;  ///< or bad(), or unavailable()
    /// Until the next record; absent where the record says nothing.
    std::optional<std::string_view> value;
  };
  Said read(const TopicPartition& tp, const Record& record);
  const BadRecord& bad() const { return reader_.bad(); }
  Error unavailable() const { return reader_.unavailable(); }

 private:
  explicit RouteReader(Reader reader) : reader_(std::move(reader)) {}
  Reader reader_;
};

/// Whether a target's name has "{0}", "{1}" … in it: what said where the record goes, and groups of
/// a pattern. "{{" is one brace.
bool has_groups(std::string_view name);
/// The highest of those numbers; absent: it has none.
std::optional<std::size_t> highest_group(std::string_view name);
/// What is wrong with a name, as a sentence that goes on after the setting's; empty: nothing.
std::string groups_mistake(std::string_view name);
/// `name` with its groups filled in. Those that there are not become nothing.
std::string fill_groups(std::string_view name, std::span<const std::string> groups);

/// {0} and the groups of `pattern` in a topic's name; {0} alone where it does not match, or there
/// is no pattern. Throws std::regex_error where it is none.
std::vector<std::string> groups_of(const std::string& said, const std::string& pattern);

/// How many groups a pattern has, beside the whole.
std::size_t groups_in(const std::string& pattern);

}  // namespace semel::record
