#include "record/member_names.hpp"

namespace semel::record {
namespace {

bool is_capital(char c) {
  return c >= 'A' && c <= 'Z';
}

char without_case(char c) {
  return is_capital(c) ? static_cast<char>(c | 0x20) : c;
}

bool is_small(char c) {
  return c >= 'a' && c <= 'z';
}

/// Whether a word begins at `at`: a capital letter behind a small one or a digit, or before a small
/// one (the S in HTTPServer).
bool begins_word(std::string_view name, std::size_t at) {
  if (at == 0 || !is_capital(name[at])) return false;
  const char before = name[at - 1];
  if (is_small(before) || (before >= '0' && before <= '9')) return true;
  return is_capital(before) && at + 1 < name.size() && is_small(name[at + 1]);
}

}  // namespace

std::string folded(std::string_view name, Names names) {
  std::string made;
  for (std::size_t i = 0; i < name.size(); ++i) {
    if (names == Names::snake_case) {
      if (begins_word(name, i)) made += '_';
      if (name[i] == '-') {
        made += '_';
        continue;
      }
    }
    made += names == Names::exact ? name[i] : without_case(name[i]);
  }
  return made;
}

std::string_view name_of(Names names) {
  switch (names) {
    case Names::exact:
      return "exact";
    case Names::ignore_case:
      return "ignore_case";
    case Names::snake_case:
      return "snake_case";
  }
  return "";
}

}  // namespace semel::record
