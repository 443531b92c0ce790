// What a rule of the contract compares, and how people are told of a difference.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include <semel/contract.hpp>
#include <semel/error.hpp>
#include <semel/ledger.hpp>
#include <semel/sink.hpp>
#include <semel/types.hpp>

namespace semel::contract {

std::string told(bool value);
/// Bytes that are not printable ASCII are written as such, of what is long its beginning and size.
std::string told(std::string_view text);
inline std::string told(const std::string& text) {
  return told(std::string_view(text));
}
std::string told(ErrorKind kind);
std::string told(Cause cause);
std::string told(MoveKind kind);
std::string told(OwnerState state);
std::string told(Guarantee guarantee);
std::string told(const TopicPartition& tp);
std::string told(const RecordMark& mark);
std::string told(BatchTime time);
std::string told(const StateVersion& version);
/// "0 to 9, 12"; the same one twice in a row is seen.
std::string told(const std::vector<Offset>& offsets);

template <class T>
requires std::is_integral_v<T> std::string told(T number) {
  return std::to_string(number);
}
template <class T>
std::string told(const std::optional<T>& value) {
  return value ? told(*value) : "nothing";
}

/// Throws Skipped.
[[noreturn]] void skip(const std::string& why);

/// Throws Broken.
[[noreturn]] void broken(std::string_view what, const std::string& expected,
                         const std::string& came);

/// `what` begins the sentence: "the rows that are stored".
template <class T>
void same(std::string_view what, const T& came, const std::type_identity_t<T>& expected) {
  if (!(came == expected)) broken(what, told(expected), told(came));
}

/// `what` is a sentence that has to be true.
void holds(std::string_view what, bool is_so);

template <class T>
T must(Result<T> result, std::string_view what = "the call") {
  if (!result)
    broken(what, "to succeed", told(result.error().kind) + ": " + result.error().message);
  return *std::move(result);
}
inline void must(const Result<void>& result, std::string_view what = "the call") {
  if (!result)
    broken(what, "to succeed", told(result.error().kind) + ": " + result.error().message);
}

/// The error of a call that has to fail.
template <class T>
Error must_fail(Result<T> result, std::string_view what) {
  if (result) broken(what, "to fail", "success");
  return std::move(result.error());
}

}  // namespace semel::contract
