// Random JSON values that look like a type's, nearly like it, or not at all. Seeded.
#pragma once

#include <cstdint>
#include <random>
#include <string>
#include <vector>

namespace semel::postgres::test {

/// The seeds of a run: `fixed`, so that a run in CI says the same twice, or the one that SEMEL_SEED
/// names, for looking further.
std::vector<std::uint64_t> seeds(std::vector<std::uint64_t> fixed);

class Generator {
 public:
  explicit Generator(std::uint64_t seed) : random_(seed) {}

  std::int64_t between(std::int64_t low, std::int64_t high);
  bool one_in(int n) { return between(1, n) == 1; }
  std::string digits(std::int64_t count);
  template <class T>
  const T& pick(const std::vector<T>& from) {
    return from[static_cast<std::size_t>(between(0, static_cast<std::int64_t>(from.size()) - 1))];
  }

  std::string json_number();
  std::string json_string(const std::string& text);  ///< with its quotes, sometimes with \u escapes
  std::string text();                                ///< UTF-8, with characters that need care
  std::string json_value(int depth);

  std::string number_text();  ///< what numeric and float input may be given
  std::string iso_date();
  std::string iso_time();
  std::string iso_offset();
  std::string uuid();
  std::string bytea();
  std::string array_literal();
  /// `text` with a character taken out, put in or changed.
  std::string mutate(std::string text, const std::string& alphabet);

 private:
  std::mt19937_64 random_;
};

}  // namespace semel::postgres::test
