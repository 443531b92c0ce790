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

// An aggregate has as many members as it takes initialisers at most; of an array each item counts.
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

// Only a base of T. Not copied, so that no member takes it that takes all that can be.
template <class T>
struct AnyBaseOf {
  AnyBaseOf();
  AnyBaseOf(const AnyBaseOf&) = delete;
  template <class Base>
  requires(std::is_base_of_v<Base, T> && !std::is_same_v<Base, T>) operator Base()
      const noexcept;  // NOLINT: as that of Anything
};
template <class T>
constexpr bool has_base = requires {
  T{AnyBaseOf<T>()};
};

template <class T, std::size_t... before, std::size_t... in, std::size_t... behind>
constexpr bool made_with_braces(std::index_sequence<before...>, std::index_sequence<in...>,
                                std::index_sequence<behind...>) {
  return requires {
    T{((void)before, Anything())..., {((void)in, Anything())...}, ((void)behind, Anything())...};
  };
}

// Of T, which takes n initialisers: an array at place `at` takes `items` of them in braces, and
// then there is room for no more than the rest.
template <class T, std::size_t n, std::size_t at, std::size_t items>
constexpr bool has_array() {
  if constexpr (at + items > n) {
    return false;
  } else {
    using Before = std::make_index_sequence<at>;
    using In = std::make_index_sequence<items>;
    using Behind = std::make_index_sequence<n - at - items>;
    using OneMore = std::make_index_sequence<n - at - items + 1>;
    if constexpr (made_with_braces<T>(Before(), In(), Behind())) {
      if constexpr (!made_with_braces<T>(Before(), In(), OneMore())) return true;
    }
    return has_array<T, n, at, items + 1>();
  }
}
template <class T, std::size_t n, std::size_t... at>
constexpr bool has_any_array(std::index_sequence<at...>) {
  return (has_array<T, n, at, 2>() || ...);
}

// What members_of() gives where a member is a bit field.
struct NoReferences {};

}  // namespace detail

/// How many members the plain struct T has.
template <class T>
inline constexpr std::size_t member_count = detail::count_members<T, detail::members_max + 1>();

#define SEMEL_MEMBERS(...)                             \
  auto& [__VA_ARGS__] = object;                        \
  if constexpr (requires { std::tie(__VA_ARGS__); }) { \
    return std::tie(__VA_ARGS__);                      \
  } else {                                             \
    return detail::NoReferences();                     \
  }

/// References to all members of `object`, in order. Of what has_members says yes to.
template <class T>
constexpr auto members_of(T& object) {
  constexpr auto n = member_count<std::remove_const_t<T>>;
  if constexpr (n == 1) {
    SEMEL_MEMBERS(a)
  } else if constexpr (n == 2) {
    SEMEL_MEMBERS(a, b)
  } else if constexpr (n == 3) {
    SEMEL_MEMBERS(a, b, c)
  } else if constexpr (n == 4) {
    SEMEL_MEMBERS(a, b, c, d)
  } else if constexpr (n == 5) {
    SEMEL_MEMBERS(a, b, c, d, e)
  } else if constexpr (n == 6) {
    SEMEL_MEMBERS(a, b, c, d, e, f)
  } else if constexpr (n == 7) {
    SEMEL_MEMBERS(a, b, c, d, e, f, g)
  } else if constexpr (n == 8) {
    SEMEL_MEMBERS(a, b, c, d, e, f, g, h)
  } else if constexpr (n == 9) {
    SEMEL_MEMBERS(a, b, c, d, e, f, g, h, i)
  } else if constexpr (n == 10) {
    SEMEL_MEMBERS(a, b, c, d, e, f, g, h, i, j)
  } else if constexpr (n == 11) {
    SEMEL_MEMBERS(a, b, c, d, e, f, g, h, i, j, k)
  } else if constexpr (n == 12) {
    SEMEL_MEMBERS(a, b, c, d, e, f, g, h, i, j, k, l)
  } else if constexpr (n == 13) {
    SEMEL_MEMBERS(a, b, c, d, e, f, g, h, i, j, k, l, m)
  } else if constexpr (n == 14) {
    SEMEL_MEMBERS(a, b, c, d, e, f, g, h, i, j, k, l, m, o)
  } else if constexpr (n == 15) {
    SEMEL_MEMBERS(a, b, c, d, e, f, g, h, i, j, k, l, m, o, p)
  } else {
    SEMEL_MEMBERS(a, b, c, d, e, f, g, h, i, j, k, l, m, o, p, q)
  }
}

#undef SEMEL_MEMBERS

namespace detail {

template <class... M>
constexpr bool no_arrays(const std::tuple<M&...>*) {
  return (!std::is_array_v<M> && ...);
}
inline constexpr bool no_arrays(const NoReferences*) {
  return false;
}

template <class T>
constexpr bool can_be_taken_apart() {
  constexpr auto n = member_count<T>;
  if constexpr (n == 0 || n > members_max) {
    return false;
  } else if constexpr (has_base<T> || has_any_array<T, n>(std::make_index_sequence<n>())) {
    return false;
  } else {
    return no_arrays(static_cast<decltype(members_of(std::declval<T&>()))*>(nullptr));
  }
}

}  // namespace detail

/// T is a plain struct: an aggregate of 1 to 16 members, none of them an array, a bit field or a
/// reference, and without a base class.
template <class T>
concept has_members = std::is_class_v<T> && std::is_aggregate_v<T> &&
    detail::can_be_taken_apart<T>();

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
