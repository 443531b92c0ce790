// Values as bytes, for what a pipeline remembers. For the headers of <semel/stream.hpp> only.
#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

#include <semel/api.hpp>
#include <semel/json.hpp>
#include <semel/members.hpp>

namespace semel::stream::detail {

/// Throws Failed: the state is damaged, or of another program.
[[noreturn]] SEMEL_API void undecodable();

/// Takes from the front.
class Decoder {
 public:
  explicit Decoder(std::string_view bytes) : left_(bytes) {}

  std::string_view take(std::size_t size) {
    if (size > left_.size()) undecodable();
    const auto taken = left_.substr(0, size);
    left_.remove_prefix(size);
    return taken;
  }
  std::uint64_t number() {
    std::uint64_t number = 0;
    for (int shift = 0; shift < 64; shift += 7) {
      const auto byte = static_cast<unsigned char>(take(1).front());
      number |= std::uint64_t{byte & 0x7Fu} << shift;
      if (byte < 0x80) return number;
    }
    undecodable();
  }
  std::string_view rest() const { return left_; }

 private:
  std::string_view left_;
};

/// Seven bits to a byte, the lowest first, as Protocol Buffers have it.
inline void put_number(std::string& out, std::uint64_t number) {
  for (; number >= 0x80; number >>= 7) out += static_cast<char>(number | 0x80);
  out += static_cast<char>(number);
}

/// So that bytes sort as numbers do, from 0.
inline void put_sorted(std::string& out, std::int64_t number) {
  for (int shift = 56; shift >= 0; shift -= 8) {
    out += static_cast<char>(static_cast<std::uint64_t>(number) >> shift);
  }
}
inline std::int64_t take_sorted(Decoder& from) {
  std::uint64_t number = 0;
  for (const char byte : from.take(8)) number = number << 8 | static_cast<unsigned char>(byte);
  return static_cast<std::int64_t>(number);
}

template <class T>
inline constexpr bool is_tuple_like = json::detail::is_pair<T>;
template <class... T>
inline constexpr bool is_tuple_like<std::tuple<T...>> = true;
template <class T>
inline constexpr bool is_any_map = false;
template <class K, class V, class C, class A>
inline constexpr bool is_any_map<std::map<K, V, C, A>> = true;

/// Stored: do not change.
template <class T>
void encode_to(std::string& out, const T& value) {
  if constexpr (std::is_same_v<T, bool>) {
    out += value ? '\1' : '\0';
  } else if constexpr (std::is_integral_v<T> && std::is_unsigned_v<T>) {
    put_number(out, value);
  } else if constexpr (std::is_integral_v<T>) {
    // The sign in the lowest bit, so that small numbers are short whatever their sign.
    const auto wide = static_cast<std::int64_t>(value);
    put_number(out, static_cast<std::uint64_t>(wide) << 1 ^ static_cast<std::uint64_t>(wide >> 63));
  } else if constexpr (std::is_enum_v<T>) {
    encode_to(out, static_cast<std::underlying_type_t<T>>(value));
  } else if constexpr (std::is_floating_point_v<T>) {
    static_assert(sizeof(T) <= 8, "long double is not kept");
    const auto bits = std::bit_cast<std::uint64_t>(static_cast<double>(value));
    put_sorted(out, static_cast<std::int64_t>(bits));
  } else if constexpr (std::is_same_v<T, std::string>) {
    put_number(out, value.size());
    out += value;
  } else if constexpr (json::detail::is_optional<T>) {
    out += value ? '\1' : '\0';
    if (value) encode_to(out, *value);
  } else if constexpr (json::detail::is_vector<T>) {
    put_number(out, value.size());
    for (const auto& item : value) encode_to(out, item);
  } else if constexpr (is_any_map<T>) {
    put_number(out, value.size());
    for (const auto& [key, item] : value) {
      encode_to(out, key);
      encode_to(out, item);
    }
  } else if constexpr (is_tuple_like<T>) {
    std::apply([&out](const auto&... item) { (encode_to(out, item), ...); }, value);
  } else if constexpr (has_members<T>) {
    std::apply([&out](const auto&... item) { (encode_to(out, item), ...); }, members_of(value));
  } else {
    static_assert(has_members<T>,
                  "state is kept of bool, numbers, enums, std::string, optional, vector, map, "
                  "pair, tuple, and plain structs of these: up to 16 members, none of them an "
                  "array, a bit field or a reference, and no base class");
  }
}

template <class T>
void decode_from(Decoder& from, T& value) {
  if constexpr (std::is_same_v<T, bool>) {
    value = from.take(1).front() != '\0';
  } else if constexpr (std::is_integral_v<T> && std::is_unsigned_v<T>) {
    value = static_cast<T>(from.number());
  } else if constexpr (std::is_integral_v<T>) {
    const auto coded = from.number();
    value = static_cast<T>(static_cast<std::int64_t>(coded >> 1) ^
                           -static_cast<std::int64_t>(coded & 1));
  } else if constexpr (std::is_enum_v<T>) {
    std::underlying_type_t<T> number{};
    decode_from(from, number);
    value = static_cast<T>(number);
  } else if constexpr (std::is_floating_point_v<T>) {
    value = static_cast<T>(std::bit_cast<double>(static_cast<std::uint64_t>(take_sorted(from))));
  } else if constexpr (std::is_same_v<T, std::string>) {
    value = from.take(from.number());
  } else if constexpr (json::detail::is_optional<T>) {
    value.reset();
    if (from.take(1).front() != '\0') decode_from(from, value.emplace());
  } else if constexpr (json::detail::is_vector<T>) {
    value.clear();
    for (auto left = from.number(); left > 0; --left) decode_from(from, value.emplace_back());
  } else if constexpr (is_any_map<T>) {
    value.clear();
    for (auto left = from.number(); left > 0; --left) {
      typename T::key_type key{};
      decode_from(from, key);
      decode_from(from, value[std::move(key)]);
    }
  } else if constexpr (is_tuple_like<T>) {
    std::apply([&from](auto&... item) { (decode_from(from, item), ...); }, value);
  } else if constexpr (has_members<T>) {
    auto members = members_of(value);
    std::apply([&from](auto&... item) { (decode_from(from, item), ...); }, members);
  }
}

template <class T>
std::string encoded(const T& value) {
  std::string out;
  encode_to(out, value);
  return out;
}

template <class T>
T decoded(std::string_view bytes) {
  T value{};
  Decoder from(bytes);
  decode_from(from, value);
  if (!from.rest().empty()) undecodable();
  return value;
}

/// How a T is encoded, as text: another shape is another text. Names of members are none of it. In
/// `Outer...` T is: a type that has itself in it.
template <class T, class... Outer>
std::string shape_of() {
  if constexpr ((std::is_same_v<T, Outer> || ...)) {
    std::size_t levels = 0;
    bool found = false;
    ((found = found || std::is_same_v<T, Outer>, levels += found ? 0 : 1), ...);
    return "^" + std::to_string(levels);
  } else if constexpr (std::is_same_v<T, bool>) {
    return "b";
  } else if constexpr (std::is_enum_v<T>) {
    return shape_of<std::underlying_type_t<T>>();
  } else if constexpr (std::is_integral_v<T>) {
    // Its size, too: what was kept of a wider one may not fit.
    return (std::is_unsigned_v<T> ? "u" : "i") + std::to_string(sizeof(T));
  } else if constexpr (std::is_floating_point_v<T>) {
    return "d" + std::to_string(sizeof(T));
  } else if constexpr (std::is_same_v<T, std::string>) {
    return "s";
  } else if constexpr (json::detail::is_optional<T>) {
    return "?" + shape_of<typename T::value_type, Outer...>();
  } else if constexpr (json::detail::is_vector<T>) {
    return "[" + shape_of<typename T::value_type, Outer...>() + "]";
  } else if constexpr (is_any_map<T>) {
    return "<" + shape_of<typename T::key_type, Outer...>() +
           shape_of<typename T::mapped_type, Outer...>() + ">";
  } else if constexpr (is_tuple_like<T>) {
    return []<class... M>(const std::tuple<M...>*) {
      return "(" + (std::string() + ... + shape_of<M, Outer...>()) + ")";
    }(static_cast<decltype(std::tuple_cat(std::declval<T>()))*>(nullptr));
  } else if constexpr (has_members<T>) {
    return []<class... M>(const std::tuple<M...>*) {
      return "(" + (std::string() + ... + shape_of<M, T, Outer...>()) + ")";
    }(static_cast<member_types<T>*>(nullptr));
  } else {
    return {};  // encode_to() says why not
  }
}

}  // namespace semel::stream::detail
