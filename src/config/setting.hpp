// A setting is declared once: its name, type, default, text, and where its value goes. Reading,
// masking, the reference page and the hints for misspelt names all come from the declaration.
#pragma once

#include <cstdint>
#include <functional>
#include <limits>
#include <map>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "config/part.hpp"
#include "config/value.hpp"

namespace semel::config {

/// The type of a setting and the field it fills.
struct Binding {
  std::string type;                  ///< for people: "duration", "list of strings"
  std::vector<std::string> choices;  ///< empty: any value of the type
  bool open_table = false;           ///< keys below it are the user's own
  /// Puts the value where it belongs, or says what is wrong with it: a sentence that goes on after
  /// the setting's name ("must be a duration ...").
  std::function<std::optional<Problem>(Part&, const Value&)> assign;
  /// The value in effect as TOML, secrets masked; empty: not set. (Does not change the part.)
  std::function<std::string(Part&)> show;
};

struct Setting {
  std::string path;  ///< "batch.interval"; as declared, below its section's
  Binding binding;
  std::string text;     ///< one paragraph for the reference page
  std::string example;  ///< TOML value; empty: the default is example enough
  bool required = false;
  bool secret = false;
  std::vector<std::string> required_unless = {};  ///< of the same section: one must be there
  std::string strangers = {};  ///< an open table: what stands there, for whoever puts it beside
  std::string missing = {};    ///< TOML value to propose; empty: the example
};

// -- Bindings
// ---------------------------------------------------------------------------------------------

/// Where in a section's struct of options a value goes. A pointer to its member is one:
/// text(&Options::table).
template <class T>
class Field {
 public:
  explicit Field(std::function<T&(Part&)> get) : get_(std::move(get)) {}
  template <class Options>
  Field(
      T Options::*member)  // NOLINT(google-explicit-constructor): a pointer to a member is a field
      : get_([member](Part& part) -> T& { return part.as<Options>().*member; }) {}

  T& operator()(Part& part) const { return get_(part); }
  /// A member of it.
  template <class Member, class Owner>
  Field<Member> of(Member Owner::*member) const {
    return Field<Member>([get = get_, member](Part& part) -> Member& { return get(part).*member; });
  }

 private:
  std::function<T&(Part&)> get_;
};

struct Range {
  std::int64_t min = 0;
  std::int64_t max = std::numeric_limits<std::int64_t>::max();
};

/// What is wrong with a text; nothing when it is fine.
using TextCheck = std::function<std::optional<std::string>(const std::string&)>;

Binding text(const Field<std::string>& field, const TextCheck& check = {});
Binding boolean(const Field<bool>& field);
/// Above `min`, at most `max`.
Binding number(const Field<double>& field, double min, double max);
/// `range` and the text are in milliseconds; the field counts units of `unit_ms`.
Binding duration(const Field<std::int64_t>& field, Range range, std::int64_t unit_ms = 1);
Binding size(const Field<std::int64_t>& field, Range range);
Binding text_list(const Field<std::vector<std::string>>& field, const TextCheck& check_item = {});
/// A table of texts, numbers and booleans, kept as texts; nested tables become dotted keys.
/// `mask` gives what may be shown of an entry.
Binding text_table(
    const Field<std::map<std::string, std::string>>& field,
    const std::function<std::string(const std::string&, const std::string&)>& mask = {});
/// A list of tables, each of which has these settings. What the functions are given is the list's
/// place in the section's struct: `clear` empties it, `add` puts an element behind the others, and
/// `shown` has a part for each.
struct TableList {
  std::vector<Setting> settings;
  Part defaults;  ///< an element without any of them
  std::function<void(Part&)> clear;
  std::function<void(Part&, const Part& element)> add;
  std::function<std::vector<Part>(Part&)> elements;
};
Binding table_list_of(TableList list);

template <class T>
Binding table_list(const Field<std::vector<T>>& field, std::vector<Setting> settings) {
  return table_list_of(
      {.settings = std::move(settings),
       .defaults = Part::of(T{}),
       .clear = [field](Part& part) { field(part).clear(); },
       .add = [field](Part& part, const Part& element) { field(part).push_back(element.as<T>()); },
       .elements =
           [field](Part& part) {
             std::vector<Part> all;
             for (const T& one : field(part)) all.push_back(Part::of(one));
             return all;
           }});
}

/// A text of which only what `mask` leaves may be shown.
Binding secret_text(const Field<std::string>& field,
                    const std::function<std::string(const std::string&)>& mask);

Binding integer64(const std::function<std::int64_t(Part&)>& get,
                  const std::function<void(Part&, std::int64_t)>& set, Range range);

template <class T>
Binding integer(const Field<T>& field, Range range) {
  if constexpr (std::is_same_v<T, int>) {
    range.max = std::min<std::int64_t>(range.max, std::numeric_limits<int>::max());
  }
  return integer64([field](Part& c) { return static_cast<std::int64_t>(field(c)); },
                   [field](Part& c, std::int64_t v) { field(c) = static_cast<T>(v); }, range);
}

Binding choice_of(const std::vector<std::string>& names,
                  const std::function<std::size_t(Part&)>& get,
                  const std::function<void(Part&, std::size_t)>& set);

template <class E>
Binding choice(const Field<E>& field, std::vector<std::pair<std::string, E>> options) {
  std::vector<std::string> names;
  names.reserve(options.size());
  for (const auto& option : options) names.push_back(option.first);
  return choice_of(
      names,
      [field, options](Part& c) {
        std::size_t i = 0;
        while (i + 1 < options.size() && options[i].second != field(c)) ++i;
        return i;
      },
      [field, options](Part& c, std::size_t i) { field(c) = options[i].second; });
}

}  // namespace semel::config
