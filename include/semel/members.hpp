// The members of a plain struct, by place and by name: what json::as and its like are made of.
#pragma once

#include <array>
#include <cstddef>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>

namespace semel {

namespace detail {

struct Anything {
  template <class T>
  operator T() const noexcept;  // NOLINT: it is to be taken for each type
};

template <class T, std::size_t... i>
constexpr bool made_of(std::index_sequence<i...>) {
  return requires {
    T{((void)i, Anything())...};
  };
}

// An aggregate has as many members as it takes initialisers at most. That a member that is an
// array takes several is not seen here: such a struct is none with members.
template <class T, std::size_t n>
constexpr std::size_t count_members() {
  if constexpr (n == 0) {
    return 0;
  } else if constexpr (made_of<T>(std::make_index_sequence<n>())) {
    return n;
  } else {
    return count_members<T, n - 1>();
  }
}

inline constexpr std::size_t members_max = 16;

}  // namespace detail

/// How many members the plain struct T has.
template <class T>
inline constexpr std::size_t member_count = detail::count_members<T, detail::members_max + 1>();

/// T is a plain struct (an aggregate without bases and arrays) of 1 to 16 members.
template <class T>
concept has_members = std::is_class_v<T> && std::is_aggregate_v<T> && member_count<T>
>= 1 && member_count<T> <= detail::members_max;

/// References to all members of `object`, in order.
template <class T>
constexpr auto members_of(T& object) {
  constexpr auto n = member_count<std::remove_const_t<T>>;
  if constexpr (n == 1) {
    auto& [a] = object;
    return std::tie(a);
  } else if constexpr (n == 2) {
    auto& [a, b] = object;
    return std::tie(a, b);
  } else if constexpr (n == 3) {
    auto& [a, b, c] = object;
    return std::tie(a, b, c);
  } else if constexpr (n == 4) {
    auto& [a, b, c, d] = object;
    return std::tie(a, b, c, d);
  } else if constexpr (n == 5) {
    auto& [a, b, c, d, e] = object;
    return std::tie(a, b, c, d, e);
  } else if constexpr (n == 6) {
    auto& [a, b, c, d, e, f] = object;
    return std::tie(a, b, c, d, e, f);
  } else if constexpr (n == 7) {
    auto& [a, b, c, d, e, f, g] = object;
    return std::tie(a, b, c, d, e, f, g);
  } else if constexpr (n == 8) {
    auto& [a, b, c, d, e, f, g, h] = object;
    return std::tie(a, b, c, d, e, f, g, h);
  } else if constexpr (n == 9) {
    auto& [a, b, c, d, e, f, g, h, i] = object;
    return std::tie(a, b, c, d, e, f, g, h, i);
  } else if constexpr (n == 10) {
    auto& [a, b, c, d, e, f, g, h, i, j] = object;
    return std::tie(a, b, c, d, e, f, g, h, i, j);
  } else if constexpr (n == 11) {
    auto& [a, b, c, d, e, f, g, h, i, j, k] = object;
    return std::tie(a, b, c, d, e, f, g, h, i, j, k);
  } else if constexpr (n == 12) {
    auto& [a, b, c, d, e, f, g, h, i, j, k, l] = object;
    return std::tie(a, b, c, d, e, f, g, h, i, j, k, l);
  } else if constexpr (n == 13) {
    auto& [a, b, c, d, e, f, g, h, i, j, k, l, m] = object;
    return std::tie(a, b, c, d, e, f, g, h, i, j, k, l, m);
  } else if constexpr (n == 14) {
    auto& [a, b, c, d, e, f, g, h, i, j, k, l, m, o] = object;
    return std::tie(a, b, c, d, e, f, g, h, i, j, k, l, m, o);
  } else if constexpr (n == 15) {
    auto& [a, b, c, d, e, f, g, h, i, j, k, l, m, o, p] = object;
    return std::tie(a, b, c, d, e, f, g, h, i, j, k, l, m, o, p);
  } else {
    auto& [a, b, c, d, e, f, g, h, i, j, k, l, m, o, p, q] = object;
    return std::tie(a, b, c, d, e, f, g, h, i, j, k, l, m, o, p, q);
  }
}

namespace detail {

template <class T>
struct WithoutReferences;
template <class... M>
struct WithoutReferences<std::tuple<M&...>> {
  using type = std::tuple<M...>;
};

// Never defined: only the addresses of its members are asked for. clang warns where it is declared.
template <class T>
struct Example {
  T value;
};
#ifdef __clang__
#pragma clang diagnostic push
#pragma clang diagnostic ignored "-Wundefined-internal"
#endif
template <class T>
extern const Example<T> example;
#ifdef __clang__
#pragma clang diagnostic pop
#endif

// A pointer to a member as a template's argument: clang 16 takes it in a struct only.
template <class M>
struct AddressOf {
  const M* pointer;
};
template <class M>
AddressOf(const M*) -> AddressOf<M>;

// The compiler writes the member's name at the end of a function's name that has its address.
template <auto address>
constexpr std::string_view name_of_member() {
  const std::string_view whole = __PRETTY_FUNCTION__;
  // g++: "{(& example<T>.Example<T>::value.T::member)}; …", clang: "{&example.value.member}]".
  const auto end = whole.find(")}");
  const auto name = whole.substr(0, end == whole.npos ? whole.rfind('}') : end);
  const auto begin = name.find_last_of(".:");
  return name.substr(begin + 1);
}

#ifdef __clang__
#pragma clang diagnostic push
#pragma clang diagnostic ignored "-Wundefined-var-template"
#endif
template <class T, std::size_t... i>
constexpr auto member_names(std::index_sequence<i...>) {
  return std::array<std::string_view, sizeof...(i)>{
      name_of_member<AddressOf{&std::get<i>(members_of(example<T>.value))}>()...};
}
#ifdef __clang__
#pragma clang diagnostic pop
#endif

}  // namespace detail

/// std::tuple of the types of T's members.
template <class T>
using member_types =
    typename detail::WithoutReferences<decltype(members_of(std::declval<T&>()))>::type;

/// The names of T's members, in order.
template <class T>
inline constexpr auto member_names =
    detail::member_names<T>(std::make_index_sequence<member_count<T>>());

}  // namespace semel
