// Plain structs as JSON and back, by the names of their members: no macro, no list of fields.
#pragma once

#include <array>
#include <charconv>
#include <cmath>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

#include <semel/api.hpp>
#include <semel/members.hpp>
#include <semel/stream/step.hpp>

namespace semel::json {

/// Appends `text` in quotes. What is no UTF-8 is passed on as it is.
SEMEL_API void write_text_to(std::string& out, std::string_view text);

template <class T>
void write_to(std::string& out, const T& value);

/// Appends "name":value of each member, with commas between.
template <class T>
void write_members_to(std::string& out, const T& value) {
  const auto members = members_of(value);
  [&]<std::size_t... i>(std::index_sequence<i...>) {
    const auto one = [&](std::size_t at, const auto& member) {
      if (at != 0) out += ',';
      write_text_to(out, member_names<T>[at]);
      out += ':';
      write_to(out, member);
    };
    (one(i, std::get<i>(members)), ...);
  }
  (std::make_index_sequence<member_count<T>>());
}

namespace detail {

template <class T>
constexpr bool is_optional = false;
template <class T>
constexpr bool is_optional<std::optional<T>> = true;
template <class T>
constexpr bool is_pair = false;
template <class A, class B>
constexpr bool is_pair<std::pair<A, B>> = true;
template <class T>
constexpr bool is_map = false;
template <class V, class C, class A>
constexpr bool is_map<std::map<std::string, V, C, A>> = true;
template <class T>
constexpr bool is_vector = false;
template <class T, class A>
constexpr bool is_vector<std::vector<T, A>> = true;
template <class Number>
void write_number(std::string& out, Number number) {
  std::array<char, 32> text;
  const auto end = std::to_chars(text.data(), text.data() + text.size(), number).ptr;
  out.append(text.data(), end);
}

template <class Range, class Each>
void write_list(std::string& out, char open, const Range& range, char close, Each each) {
  out += open;
  bool first = true;
  for (const auto& item : range) {
    if (!std::exchange(first, false)) out += ',';
    each(item);
  }
  out += close;
}

}  // namespace detail

/// Appends `value`: bool, numbers, texts, optionals (absent: null), vectors, pairs (as [a,b]), maps
/// from text, plain structs. A number that JSON has not (infinite, NaN) is null.
template <class T>
void write_to(std::string& out, const T& value) {
  if constexpr (std::is_same_v<T, bool>) {
    out += value ? "true" : "false";
  } else if constexpr (std::is_floating_point_v<T>) {
    if (std::isfinite(value)) {
      detail::write_number(out, value);
    } else {
      out += "null";
    }
  } else if constexpr (std::is_integral_v<T>) {
    detail::write_number(out, value);
  } else if constexpr (std::is_convertible_v<const T&, std::string_view>) {
    write_text_to(out, value);
  } else if constexpr (detail::is_optional<T>) {
    if (value) {
      write_to(out, *value);
    } else {
      out += "null";
    }
  } else if constexpr (detail::is_pair<T>) {
    out += '[';
    write_to(out, value.first);
    out += ',';
    write_to(out, value.second);
    out += ']';
  } else if constexpr (detail::is_map<T>) {
    detail::write_list(out, '{', value, '}', [&out](const auto& entry) {
      write_text_to(out, entry.first);
      out += ':';
      write_to(out, entry.second);
    });
  } else if constexpr (detail::is_vector<T>) {
    detail::write_list(out, '[', value, ']', [&out](const auto& item) { write_to(out, item); });
  } else if constexpr (has_members<T>) {
    out += '{';
    write_members_to(out, value);
    out += '}';
  } else {
    static_assert(has_members<T>,
                  "JSON is written of bool, numbers, texts, optional, vector, pair, map from "
                  "std::string, and plain structs of these: up to 16 members, none of them an "
                  "array, a bit field or a reference, and no base class");
  }
}

/// `value` as JSON: see write_to().
template <class T>
std::string write(const T& value) {
  std::string out;
  write_to(out, value);
  return out;
}

/// A place in a text of JSON that is being read. Valid in the call that was given it, once.
class Value;

namespace detail {

/// How one member is read into its place.
struct MemberReader {
  std::string_view name;
  void (*read)(Value& value, void* member);  ///< throws Bad
  bool required = true;
};

SEMEL_API bool read_bool(Value& value);
SEMEL_API std::int64_t read_integer(Value& value, std::int64_t least, std::int64_t most);
SEMEL_API std::uint64_t read_unsigned(Value& value, std::uint64_t most);
SEMEL_API double read_double(Value& value);
SEMEL_API std::string_view read_text(Value& value);  ///< valid until the whole text was read
SEMEL_API bool is_null(Value& value);
SEMEL_API void read_array(Value& value, void* into, void (*each)(Value& item, void* into));
SEMEL_API void read_map(Value& value, void* into,
                        void (*each)(std::string_view name, Value& item, void* into));
/// `members[i]` is read into `places[i]`. Others than these are passed over.
SEMEL_API void read_object(Value& value, std::span<const MemberReader> members,
                           std::span<void* const> places);
/// The whole of `text` is one value.
SEMEL_API void read_document(std::string_view text, void* into,
                             void (*read)(Value& value, void* into));

template <class T>
void read_into(Value& value, T& into);

template <class T>
void read_as(Value& value, void* into) {
  read_into(value, *static_cast<T*>(into));
}

template <class T, std::size_t... i>
constexpr auto member_readers(std::index_sequence<i...>) {
  return std::array<MemberReader, sizeof...(i)>{
      MemberReader{member_names<T>[i], &read_as<std::tuple_element_t<i, member_types<T>>>,
                   !is_optional<std::tuple_element_t<i, member_types<T>>>}...};
}

template <class T>
inline constexpr auto readers_of = member_readers<T>(std::make_index_sequence<member_count<T>>());

template <class T>
void read_into(Value& value, T& into) {
  if constexpr (std::is_same_v<T, bool>) {
    into = read_bool(value);
  } else if constexpr (std::is_floating_point_v<T>) {
    const auto number = read_double(value);
    if (std::isfinite(number) && std::abs(number) > std::numeric_limits<T>::max()) {
      throw stream::Bad{"the number that is there is too large"};
    }
    into = static_cast<T>(number);
  } else if constexpr (std::is_signed_v<T> && std::is_integral_v<T>) {
    into = static_cast<T>(
        read_integer(value, std::numeric_limits<T>::min(), std::numeric_limits<T>::max()));
  } else if constexpr (std::is_integral_v<T>) {
    into = static_cast<T>(read_unsigned(value, std::numeric_limits<T>::max()));
  } else if constexpr (std::is_same_v<T, std::string>) {
    into = read_text(value);
  } else if constexpr (is_optional<T>) {
    if (is_null(value)) {
      into.reset();
    } else {
      read_into(value, into.emplace());
    }
  } else if constexpr (is_vector<T>) {
    into.clear();
    read_array(value, &into, [](Value& item, void* all) {
      read_into(item, static_cast<T*>(all)->emplace_back());
    });
  } else if constexpr (is_map<T>) {
    into.clear();
    read_map(value, &into, [](std::string_view name, Value& item, void* all) {
      read_into(item, (*static_cast<T*>(all))[std::string(name)]);
    });
  } else if constexpr (has_members<T>) {
    // Of a member that comes twice the last counts, and nothing of the one before.
    into = T{};
    auto members = members_of(into);
    const auto places = std::apply(
        [](auto&... m) { return std::array<void*, sizeof...(m)>{static_cast<void*>(&m)...}; },
        members);
    read_object(value, readers_of<T>, places);
  } else {
    static_assert(has_members<T>,
                  "JSON is read into bool, numbers, std::string, optional, vector, map from "
                  "std::string, and plain structs of these: up to 16 members, none of them an "
                  "array, a bit field or a reference, and no base class");
  }
}

}  // namespace detail

/// Reads JSON into a T: stream.map(json::as<Click>()). A member that is no std::optional must be
/// there and not be null; members that T has not are passed over, but have to be JSON; of a name
/// that comes twice the last counts. Numbers must fit as they are written: 1.0 is no whole number,
/// 300 no std::uint8_t. Nested are 500 arrays and objects at most. What does not fit is Bad, with
/// the member's name and no content.
template <class T>
struct as {
  /// Of a text.
  stream::Step<T> operator()(std::string_view text) const {
    T value{};
    try {
      detail::read_document(text, &value, &detail::read_as<T>);
    } catch (stream::Bad& bad) {
      return std::move(bad);
    }
    return value;
  }
  /// Of a record's value.
  stream::Step<T> operator()(const stream::Message& message) const {
    if (!message.record().value) return stream::Bad{"a tombstone has no value to read"};
    return (*this)(message.value());
  }
};

}  // namespace semel::json
