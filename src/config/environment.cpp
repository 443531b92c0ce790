#include "config/environment.hpp"

#include <fmt/format.h>
#include <cctype>
#include <cstdlib>

namespace semel::config {

namespace {

bool is_name(const std::string& name) {
  if (name.empty() || std::isdigit(static_cast<unsigned char>(name[0])) != 0) return false;
  for (const char c : name) {
    if (std::isalnum(static_cast<unsigned char>(c)) == 0 && c != '_') return false;
  }
  return true;
}

}  // namespace

tl::expected<std::string, std::string> expand(const std::string& text) {
  std::string out;
  std::size_t i = 0;
  while (i < text.size()) {
    if (text.compare(i, 3, "$${") == 0) {
      out += "${";
      i += 3;
      continue;
    }
    if (text.compare(i, 2, "${") != 0) {
      out += text[i++];
      continue;
    }
    const auto end = text.find('}', i);
    if (end == std::string::npos) {
      return tl::unexpected(std::string(
          "has a ${ without its }: write ${NAME}, or $${ for the characters themselves"));
    }
    const auto name = text.substr(i + 2, end - i - 2);
    if (!is_name(name)) {
      // The text between the braces is not shown: it may be part of a password.
      return tl::unexpected(std::string(
          "has a ${...} that holds no variable's name (letters, digits, _): write $${ for the "
          "characters themselves"));
    }
    const auto* value = std::getenv(name.c_str());
    if (value == nullptr) {
      return tl::unexpected(fmt::format(
          "needs the environment variable {}, which is not set: export it, or write $${{ for the "
          "characters themselves",
          name));
    }
    out += value;
    i = end + 1;
  }
  return out;
}

}  // namespace semel::config
