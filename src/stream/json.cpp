// JSON into plain structs: by simdjson, on demand, in one pass.
#include <semel/json.hpp>

#include <fmt/format.h>
#include <simdjson.h>
#include <algorithm>
#include <string>
#include <utility>

namespace semel::json {

using stream::Bad;

class Value {
 public:
  simdjson::ondemand::value at;
  std::size_t depth = 0;  ///< in so many arrays and objects
};

void write_text_to(std::string& out, std::string_view text) {
  out += '"';
  for (const char c : text) {
    switch (c) {
      case '"':
        out += "\\\"";
        break;
      case '\\':
        out += "\\\\";
        break;
      case '\n':
        out += "\\n";
        break;
      case '\r':
        out += "\\r";
        break;
      case '\t':
        out += "\\t";
        break;
      default:
        if (static_cast<unsigned char>(c) < 0x20) {
          fmt::format_to(std::back_inserter(out), "\\u{:04x}", static_cast<unsigned>(c));
        } else {
          out += c;
        }
    }
  }
  out += '"';
}

namespace detail {

namespace {

using simdjson::ondemand::json_type;

// How deep arrays and objects may be nested. simdjson counts its own array around the text, too.
constexpr std::size_t depth_max = 500;
constexpr std::size_t depth_for_simdjson = depth_max + 8;

std::string_view called(json_type type) {
  switch (type) {
    case json_type::array:
      return "an array";
    case json_type::object:
      return "an object";
    case json_type::number:
      return "a number";
    case json_type::string:
      return "a text";
    case json_type::boolean:
      return "true or false";
    case json_type::null:
      return "null";
  }
  return "something else";
}

/// Of a value that is neither array, object nor text simdjson tells the type by its first letter.
bool is_json(Value& value, json_type type) {
  std::string_view token = value.at.raw_json_token();
  token = token.substr(0, token.find_last_not_of(" \t\r\n") + 1);
  double number = 0;
  switch (type) {
    case json_type::null:
      return token == "null";
    case json_type::boolean:
      return token == "true" || token == "false";
    case json_type::number:
      return value.at.get_double().get(number) == simdjson::SUCCESS;
    default:
      return true;
  }
}

[[noreturn]] void invalid(simdjson::error_code error) {
  throw Bad{fmt::format("the value is no valid JSON: {}", simdjson::error_message(error))};
}

/// A value in `outer`.
template <class Found>
Value inside(const Value& outer, Found found) {
  Value inner;
  if (const auto error = std::move(found).get(inner.at)) invalid(error);
  inner.depth = outer.depth + 1;
  if (inner.depth > depth_max) invalid(simdjson::DEPTH_ERROR);
  return inner;
}

/// What simdjson gives, or Bad: of another type, or out of range.
template <class T>
T wanted(Value& value, simdjson::simdjson_result<T> result, std::string_view what) {
  T found;
  const auto error = std::move(result).get(found);
  if (error == simdjson::SUCCESS) return found;
  json_type type;
  const bool has_type = value.at.type().get(type) == simdjson::SUCCESS;
  if (!has_type) invalid(error);
  if (error == simdjson::INCORRECT_TYPE) {
    if (!is_json(value, type)) invalid(simdjson::TAPE_ERROR);
    throw Bad{fmt::format("{} is wanted, {} is there", what, called(type))};
  }
  if (error == simdjson::INCORRECT_TYPE || error == simdjson::NUMBER_ERROR ||
      error == simdjson::NUMBER_OUT_OF_RANGE) {
    throw Bad{
        fmt::format("{} is wanted, and the number that is there is none or does not fit", what)};
  }
  invalid(error);
}

template <class T>
T valid(simdjson::simdjson_result<T> result) {
  T found;
  if (const auto error = std::move(result).get(found)) invalid(error);
  return found;
}

/// Whatever its size: simdjson's own numbers end at 64 bits.
bool is_number(std::string_view text) {
  const auto take = [&text](std::string_view any) {
    const bool there = !text.empty() && any.find(text.front()) != any.npos;
    if (there) text.remove_prefix(1);
    return there;
  };
  const auto digits = [&take] {
    bool some = false;
    while (take("0123456789")) some = true;
    return some;
  };
  take("-");
  if (!take("0") && !digits()) return false;
  if (take(".") && !digits()) return false;
  if (take("eE")) {
    take("+-");
    if (!digits()) return false;
  }
  return text.find_first_not_of(" \t\r\n") == text.npos;
}

/// Reads what nobody wants: it has to be JSON all the same.
void pass_over(Value value) {
  switch (valid(value.at.type())) {
    case json_type::array:
      for (auto item : valid(value.at.get_array())) pass_over(inside(value, std::move(item)));
      return;
    case json_type::object:
      for (auto field : valid(value.at.get_object())) {
        valid(field.unescaped_key());
        pass_over(inside(value, field.value()));
      }
      return;
    case json_type::number:
      if (!is_number(value.at.raw_json_token())) invalid(simdjson::NUMBER_ERROR);
      return;
    case json_type::string:
      valid(value.at.get_string());
      return;
    case json_type::boolean:
      valid(value.at.get_bool());
      return;
    case json_type::null:
      if (!valid(value.at.is_null())) invalid(simdjson::N_ATOM_ERROR);
      return;
  }
}

/// What is Bad in `read()` is told with the name of where it is.
template <class Read>
void within(std::string_view name, Read read) {
  try {
    read();
  } catch (Bad& bad) {
    const bool nested = bad.reason.starts_with("member ");
    bad.reason = nested ? fmt::format("member {}.{}", name, bad.reason.substr(7))
                        : fmt::format("member {}: {}", name, bad.reason);
    throw;
  }
}

}  // namespace

bool read_bool(Value& value) {
  return wanted(value, value.at.get_bool(), "true or false");
}

std::int64_t read_integer(Value& value, std::int64_t least, std::int64_t most) {
  const auto number = wanted(value, value.at.get_int64(), "a whole number");
  if (number < least || number > most) {
    throw Bad{fmt::format(
        "a whole number from {} to {} is wanted, and the one that is there does not fit", least,
        most)};
  }
  return number;
}

std::uint64_t read_unsigned(Value& value, std::uint64_t most) {
  const auto number = wanted(value, value.at.get_uint64(), "a whole number from 0");
  if (number > most) {
    throw Bad{fmt::format(
        "a whole number up to {} is wanted, and the one that is there does not fit", most)};
  }
  return number;
}

double read_double(Value& value) {
  return wanted(value, value.at.get_double(), "a number");
}

std::string_view read_text(Value& value) {
  return wanted(value, value.at.get_string(), "a text");
}

bool is_null(Value& value) {
  bool null = false;
  const auto error = value.at.is_null().get(null);
  if (error != simdjson::SUCCESS && error != simdjson::INCORRECT_TYPE) invalid(error);
  return null;
}

void read_array(Value& value, void* into, void (*each)(Value& item, void* into)) {
  auto items = wanted(value, value.at.get_array(), "an array");
  for (auto item : items) {
    auto one = inside(value, std::move(item));
    each(one, into);
  }
}

void read_map(Value& value, void* into,
              void (*each)(std::string_view name, Value& item, void* into)) {
  auto object = wanted(value, value.at.get_object(), "an object");
  for (auto field : object) {
    std::string_view name;
    if (const auto error = field.unescaped_key().get(name)) invalid(error);
    auto one = inside(value, field.value());
    // The name's bytes are simdjson's, and stay.
    within(name, [&] { each(name, one, into); });
  }
}

void read_object(Value& value, std::span<const MemberReader> members,
                 std::span<void* const> places) {
  auto object = wanted(value, value.at.get_object(), "an object");
  std::uint64_t seen = 0;
  for (auto field : object) {
    std::string_view name;
    if (const auto error = field.unescaped_key().get(name)) invalid(error);
    auto one = inside(value, field.value());
    const auto found = std::ranges::find(members, name, &MemberReader::name);
    if (found == members.end()) {
      pass_over(one);
      continue;
    }
    const auto i = static_cast<std::size_t>(found - members.begin());
    within(found->name, [&] { found->read(one, places[i]); });
    seen |= std::uint64_t{1} << i;
  }
  for (std::size_t i = 0; i < members.size(); ++i) {
    if (members[i].required && (seen >> i & 1) == 0) {
      throw Bad{fmt::format("member {} is missing", members[i].name)};
    }
  }
}

void read_document(std::string_view text, void* into, void (*read)(Value& value, void* into)) {
  thread_local simdjson::ondemand::parser parser;
  thread_local std::string padded;
  // As the only item of an array, a value of any kind is read in one way.
  padded.clear();
  padded.reserve(text.size() + 2 + simdjson::SIMDJSON_PADDING);
  padded += '[';
  padded += text;
  padded += ']';
  if (parser.max_depth() != depth_for_simdjson) {
    if (const auto error = parser.allocate(padded.size(), depth_for_simdjson)) invalid(error);
  }
  simdjson::ondemand::document document;
  if (const auto error =
          parser.iterate(padded.data(), padded.size(), padded.capacity()).get(document)) {
    invalid(error);
  }
  simdjson::ondemand::array items;
  if (const auto error = document.get_array().get(items)) invalid(error);
  std::size_t count = 0;
  for (auto item : items) {
    Value one;
    if (const auto error = item.get(one.at)) invalid(error);
    if (++count > 1) break;
    read(one, into);
  }
  if (count != 1 || document.current_location().error() != simdjson::OUT_OF_BOUNDS)
    throw Bad{"the value is not one JSON value"};
}

}  // namespace detail

}  // namespace semel::json
