#include "config/document.hpp"

#include <fmt/format.h>
#include <toml++/toml.h>
#include <sstream>

#include "config/environment.hpp"
#include "config/nearest.hpp"

namespace semel::config {

namespace {

/// Where the nodes being read come from.
struct Origin {
  std::string name;
  bool override_text = false;  ///< line and column mean nothing

  Place at(const toml::source_region& region) const {
    if (override_text) return {name};
    return {name, region.begin.line, region.begin.column};
  }
};

template <class T>
std::string streamed(const T& value) {
  std::ostringstream out;
  out << value;
  return out.str();
}

Value plain(const toml::node& node, const Origin& origin) {
  Value value;
  value.place = origin.at(node.source());
  if (const auto* text = node.as_string()) {
    value.data = value.text = text->get();
  } else if (const auto* integer = node.as_integer()) {
    value.data = integer->get();
  } else if (const auto* number = node.as_floating_point()) {
    value.data = number->get();
  } else if (const auto* boolean = node.as_boolean()) {
    value.data = boolean->get();
  } else if (const auto* moment = node.as_date_time()) {
    value.data = Moment{streamed(moment->get())};
  } else if (const auto* date = node.as_date()) {
    value.data = Moment{streamed(date->get())};
  } else if (const auto* time = node.as_time()) {
    value.data = Moment{streamed(time->get())};
  } else if (const auto* array = node.as_array()) {
    Value::List list;
    for (const auto& item : *array) list.push_back(plain(item, origin));
    value.data = std::move(list);
  } else if (const auto* table = node.as_table()) {
    Value::Table entries;
    for (const auto& [key, item] : *table) {
      entries.emplace(std::string(key.str()), plain(item, origin));
    }
    value.data = std::move(entries);
  }
  return value;
}

class Reader {
 public:
  Reader(const Schema& schema, Document& document) : schema_(schema), document_(document) {}

  void walk(const toml::table& table, const std::string& prefix, const Origin& origin) {
    for (const auto& [key, node] : table) {
      const auto path = (prefix.empty() ? "" : prefix + ".") + std::string(key.str());
      if (const auto* setting = schema_.find(path)) {
        auto value = plain(node, origin);
        if (origin.override_text && loose_text_) make_loose(value);
        put(setting, std::move(value));
      } else if (!schema_.is_section(path)) {
        auto hint = nearest(schema_, path);
        if (hint.path) document_.probably_meant.push_back(*hint.path);
        if (!hint.sentence.empty()) hint.sentence = ". " + hint.sentence;
        problem(origin.at(key.source()), fmt::format("unknown key {}{}", path, hint.sentence));
      } else if (const auto* section = node.as_table()) {
        document_.sections.insert(path);
        walk(*section, path, origin);
      } else {
        problem(origin.at(node.source()),
                fmt::format("{0} must be a table, not {1}: [{0}] on a line of its own", path,
                            kind_of(plain(node, origin))));
      }
    }
  }

  void apply(const Override& override_) {
    const auto& [text, from, loose] = override_;
    const auto equals = text.find('=');
    auto key = text.substr(0, equals);
    if (equals == std::string::npos || key.find_first_not_of(" \t") == std::string::npos) {
      problem({from},
              fmt::format("needs key.path=value, not {}",
                          config::quoted(equals == std::string::npos ? text : key + "=...")));
      return;
    }
    const auto value = text.substr(equals + 1);
    const Origin origin{from + " " + key, true};
    try {
      const auto table = toml::parse(key + " = " + value);
      loose_text_ = !loose || is_written_out(value) ? std::nullopt : std::optional(value);
      walk(table, "", origin);
      return;
    } catch (const toml::parse_error& error) {
      // A list or table that does not close is a slip, not a bare word.
      if (!loose || value.starts_with('[') || value.starts_with('{')) {
        problem({origin.name}, fmt::format("is not TOML: {}", error.description()));
        return;
      }
    }
    try {
      const auto table = toml::parse(key + " = " + config::quoted(value));
      loose_text_ = value;
      walk(table, "", origin);
    } catch (const toml::parse_error& error) {
      problem({origin.name}, fmt::format("is not a key: {}", error.description()));
    }
  }

  /// ${NAME} in every text: only now, so that what was overridden needs no environment.
  void fill_in() {
    for (auto& [setting, value] : document_.values) fill_in(value, setting->path);
  }

 private:
  /// A text in quotes or a table says what it is; a bare word may be meant as text.
  static bool is_written_out(const std::string& text) {
    const auto first = text.find_first_not_of(" \t");
    return first != std::string::npos &&
           std::string_view("\"'{").find(text[first]) != std::string_view::npos;
  }

  void problem(Place place, std::string text) {
    document_.problems.push_back({std::move(place), std::move(text)});
  }

  /// The one value that an override holds may be below keys of the user's own.
  void make_loose(Value& value) const {
    if (auto* table = std::get_if<Value::Table>(&value.data)) {
      if (table->size() == 1) make_loose(table->begin()->second);
      return;
    }
    value.text = *loose_text_;
    value.loose = true;
  }

  void fill_in(Value& value, const std::string& path) {
    if (auto* list = std::get_if<Value::List>(&value.data)) {
      for (auto& item : *list) fill_in(item, path);
    } else if (auto* table = std::get_if<Value::Table>(&value.data)) {
      for (auto& [key, item] : *table) fill_in(item, fmt::format("{}.{}", path, key));
    } else if (auto* text = std::get_if<std::string>(&value.data)) {
      auto expanded = expand(*text);
      if (!expanded) {
        problem(value.place, fmt::format("{} {}", path, expanded.error()));
        return;
      }
      if (*expanded != *text) {
        value.loose = true;
        value.data = value.text = *expanded;
      }
    }
  }

  /// The later one wins; of tables whose keys are the user's own, key by key.
  void put(const Setting* setting, Value value) {
    auto found = document_.values.find(setting);
    if (found != document_.values.end() && setting->binding.open_table) {
      auto* old = std::get_if<Value::Table>(&found->second.data);
      auto* added = std::get_if<Value::Table>(&value.data);
      if (old != nullptr && added != nullptr) {
        merge(*old, std::move(*added));
        return;
      }
    }
    document_.values.insert_or_assign(setting, std::move(value));
  }

  /// Tables in tables likewise: a column's rule, a dotted key.
  static void merge(Value::Table& old, Value::Table added) {
    for (auto& [key, item] : added) {
      const auto found = old.find(key);
      auto* below = found == old.end() ? nullptr : std::get_if<Value::Table>(&found->second.data);
      auto* of_item = std::get_if<Value::Table>(&item.data);
      if (below != nullptr && of_item != nullptr) {
        merge(*below, std::move(*of_item));
      } else {
        old.insert_or_assign(key, std::move(item));
      }
    }
  }

  const Schema& schema_;
  Document& document_;
  std::optional<std::string> loose_text_;  ///< of the override being read
};

}  // namespace

Document read_document(const Schema& schema, const std::string& text, const std::string& name,
                       const std::vector<Override>& overrides) {
  Document document;
  Reader reader(schema, document);
  try {
    reader.walk(toml::parse(text, name), "", {name});
  } catch (const toml::parse_error& error) {
    document.broken = true;
    document.problems = {{Origin{name}.at(error.source()), std::string(error.description())}};
    return document;
  }
  for (const auto& override_text : overrides) reader.apply(override_text);
  reader.fill_in();
  return document;
}

std::optional<Value> parse_value(const std::string& text, const Place& place) {
  try {
    const auto table = toml::parse("value = " + text);
    const auto* node = table.get("value");
    if (table.size() != 1 || node == nullptr) return std::nullopt;
    return plain(*node, {to_string(place), true});
  } catch (const toml::parse_error&) {
    return std::nullopt;
  }
}

}  // namespace semel::config
