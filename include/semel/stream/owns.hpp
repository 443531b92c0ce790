// Whether values of a type may be kept beyond the call that made them.
#pragma once

#include <array>
#include <map>
#include <optional>
#include <span>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

#include <semel/members.hpp>
#include <semel/record.hpp>
#include <semel/stream/step.hpp>

namespace semel::stream {

namespace detail {

template <class T>
constexpr bool any_borrows();

template <class T>
struct Borrows : std::bool_constant<std::is_pointer_v<T> || std::is_reference_v<T>> {};
template <>
struct Borrows<Message> : std::true_type {};
template <>
struct Borrows<Record> : std::true_type {};
template <class C, class Traits>
struct Borrows<std::basic_string_view<C, Traits>> : std::true_type {};
template <class T, std::size_t n>
struct Borrows<std::span<T, n>> : std::true_type {};
template <class T, std::size_t n>
struct Borrows<std::array<T, n>> : std::bool_constant<any_borrows<T>()> {};
template <class... T>
struct BorrowsAny : std::bool_constant<(any_borrows<T>() || ...)> {};
template <class A, class B>
struct Borrows<std::pair<A, B>> : BorrowsAny<A, B> {};
template <class... T>
struct Borrows<std::tuple<T...>> : BorrowsAny<T...> {};
template <class... T>
struct Borrows<std::variant<T...>> : BorrowsAny<T...> {};
template <class T>
struct Borrows<std::optional<T>> : BorrowsAny<T> {};
template <class T, class A>
struct Borrows<std::vector<T, A>> : BorrowsAny<T> {};
template <class K, class V, class C, class A>
struct Borrows<std::map<K, V, C, A>> : BorrowsAny<K, V> {};

template <class T>
constexpr bool any_borrows() {
  if constexpr (Borrows<T>::value) {
    return true;
  } else if constexpr (has_members<T>) {
    return []<class... M>(std::tuple<M...>*) {
      return (any_borrows<M>() || ...);
    }(static_cast<member_types<T>*>(nullptr));
  } else {
    return false;
  }
}

}  // namespace detail

/// T holds all that it shows: no view, no pointer, and no member that is one, as far as the types
/// of the standard library and members of plain structs show it. What is kept for the rest of a
/// batch (by key_by, share, transform) or longer (state, windows) has to.
template <class T>
concept Owns = !detail::any_borrows<T>() && std::is_object_v<T>;

}  // namespace semel::stream
