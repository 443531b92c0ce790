// Whether values of a type may be kept beyond the call that made them.
#pragma once

#include <array>
#include <cstddef>
#include <functional>
#include <initializer_list>
#include <span>
#include <string_view>
#include <tuple>
#include <type_traits>

#include <semel/members.hpp>
#include <semel/record.hpp>
#include <semel/stream/step.hpp>

namespace semel::stream {

namespace detail {

/// T itself shows what another one holds.
template <class T>
constexpr bool is_view = (std::is_pointer_v<T> && !std::is_function_v<std::remove_pointer_t<T>>) ||
                         std::is_reference_v<T>;
template <>
inline constexpr bool is_view<Message> = true;
template <>
inline constexpr bool is_view<Record> = true;
template <class C, class Traits>
constexpr bool is_view<std::basic_string_view<C, Traits>> = true;
template <class T, std::size_t n>
constexpr bool is_view<std::span<T, n>> = true;
template <class T>
constexpr bool is_view<std::reference_wrapper<T>> = true;
template <class T>
constexpr bool is_view<std::initializer_list<T>> = true;

template <class... T>
struct Types {};
template <class Tuple>
struct TypesOf;
template <class... T>
struct TypesOf<std::tuple<T...>> {
  using type = Types<T...>;
};

/// Of what a template's type is made: of all containers, optional, variant, pair, tuple and the
/// pointers that own, what they may hold is among their arguments.
template <class T>
struct Arguments {
  using type = Types<>;
};
template <template <class...> class Template, class... A>
struct Arguments<Template<A...>> {
  using type = Types<A...>;
};
template <class T, std::size_t n>
struct Arguments<std::array<T, n>> {
  using type = Types<T>;
};

template <class T>
constexpr bool is_array = false;
template <class T, std::size_t n>
constexpr bool is_array<std::array<T, n>> = true;

/// Its members are seen by nobody, and there are some. Of a type that is complete.
template <class T>
constexpr bool is_closed =
    std::is_aggregate_v<T> && !std::is_empty_v<T> && !has_members<T> && !is_array<T>;

/// `Outer`: types that T is a part of, and that are looked at already.
template <class T, class... Outer>
constexpr bool borrows();

template <class... Outer, class... Parts>
constexpr bool any_borrows(Types<Parts...>) {
  return (borrows<std::remove_cv_t<Parts>, Outer...>() || ...);
}

template <class T>
constexpr bool is_complete_class = false;
template <class T>
requires(std::is_class_v<T> && sizeof(T) > 0) constexpr bool is_complete_class<T> = true;

template <class T, class... Outer>
constexpr bool borrows() {
  if constexpr (is_view<T>) {
    return true;
  } else if constexpr ((std::is_same_v<T, Outer> || ...) || !is_complete_class<T>) {
    return false;
  } else if constexpr (has_members<T>) {
    return any_borrows<T, Outer...>(typename TypesOf<member_types<T>>::type());
  } else {
    static_assert(!is_closed<T>,
                  "what is kept is looked into for views, and this struct cannot be: it has more "
                  "than 16 members, a base class, or a member that is an array (std::array is "
                  "none), a bit field or a reference. Nest structs, or give it a constructor");
    return any_borrows<T, Outer...>(typename Arguments<T>::type());
  }
}

}  // namespace detail

/// T holds all that it shows: no view, no pointer, and no member that is one, as far as the members
/// of plain structs and the arguments of templates show it (a std::map's key and value). A class
/// with a constructor is taken at its word. What is kept for the rest of a batch (by key_by, share,
/// transform) or longer (state, windows) has to.
template <class T>
concept Owns = std::is_object_v<T> && !detail::borrows<std::remove_cv_t<T>>();

}  // namespace semel::stream
