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

#include "config/pipeline_config.hpp"
#include "config/value.hpp"

namespace semel::config {

/// The type of a setting and the field it fills.
struct Binding {
  std::string type;                  ///< for people: "duration", "list of strings"
  std::vector<std::string> choices;  ///< empty: any value of the type
  bool open_table = false;           ///< keys below it are the user's own
  /// Puts the value where it belongs, or says what is wrong with it: a sentence that goes on after
  /// the setting's name ("must be a duration ...").
  std::function<std::optional<Problem>(PipelineConfig&, const Value&)> assign;
  /// The value in effect as TOML, secrets masked; empty: not set. (Does not change the config.)
  std::function<std::string(PipelineConfig&)> show;
};

struct Setting {
  std::string path;  ///< "batch.interval"
  Binding binding;
  std::string text;     ///< one paragraph for the reference page
  std::string example;  ///< TOML value; empty: the default is example enough
  bool required = false;
  bool secret = false;
};

/// All of them, in the order of the reference page.
const std::vector<Setting>& settings();
/// None: no setting of that name.
const Setting* find_setting(const std::string& path);
/// Whether some setting's name begins with "path.".
bool is_section(const std::string& path);

// The parts of settings(), a file each.
std::vector<Setting> pipeline_settings();
std::vector<Setting> kafka_settings();
std::vector<Setting> postgres_settings();

// -- Bindings
// ---------------------------------------------------------------------------------------------

template <class T>
using Field = std::function<T&(PipelineConfig&)>;

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
/// A connection string: shown without its password.
Binding connection_string(const Field<std::string>& field);
/// "earliest", "latest", a moment, or a table of offsets.
Binding start(const Field<kafka::Start>& field);

Binding integer64(const std::function<std::int64_t(PipelineConfig&)>& get,
                  const std::function<void(PipelineConfig&, std::int64_t)>& set, Range range);

template <class T>
Binding integer(const Field<T>& field, Range range) {
  if constexpr (std::is_same_v<T, int>) {
    range.max = std::min<std::int64_t>(range.max, std::numeric_limits<int>::max());
  }
  return integer64([field](PipelineConfig& c) { return static_cast<std::int64_t>(field(c)); },
                   [field](PipelineConfig& c, std::int64_t v) { field(c) = static_cast<T>(v); },
                   range);
}

Binding choice_of(const std::vector<std::string>& names,
                  const std::function<std::size_t(PipelineConfig&)>& get,
                  const std::function<void(PipelineConfig&, std::size_t)>& set);

template <class E>
Binding choice(const Field<E>& field, std::vector<std::pair<std::string, E>> options) {
  std::vector<std::string> names;
  names.reserve(options.size());
  for (const auto& option : options) names.push_back(option.first);
  return choice_of(
      names,
      [field, options](PipelineConfig& c) {
        std::size_t i = 0;
        while (i + 1 < options.size() && options[i].second != field(c)) ++i;
        return i;
      },
      [field, options](PipelineConfig& c, std::size_t i) { field(c) = options[i].second; });
}

}  // namespace semel::config
