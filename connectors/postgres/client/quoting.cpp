#include "postgres/client/quoting.hpp"

#include <fmt/format.h>
#include <algorithm>
#include <memory>
#include <utility>

#include "base/joined.hpp"

namespace semel::postgres {

std::string quote_identifier(std::string_view name) {
  std::string quoted = "\"";
  for (const char c : name) {
    if (c == '"') quoted += '"';
    quoted += c;
  }
  return quoted += '"';
}

std::string quoted_list(const std::vector<std::string>& names, std::string_view before) {
  std::vector<std::string> quoted;
  for (const auto& name : names) quoted.push_back(std::string(before) + quote_identifier(name));
  return joined(quoted, ", ");
}

std::string quote_literal(std::string_view text) {
  const bool escaped = text.find('\\') != std::string_view::npos;
  std::string quoted = escaped ? "E'" : "'";
  for (const char c : text) {
    if (c == '\'' || c == '\\') quoted += c;
    quoted += c;
  }
  return quoted += '\'';
}

std::string QualifiedName::quoted() const {
  return schema.empty() ? quote_identifier(name)
                        : quote_identifier(schema) + "." + quote_identifier(name);
}

namespace {

/// A part of a name, and what follows it.
struct NamePart {
  std::string name;
  std::string_view rest;
  bool closed = true;  ///< the quote that opened it was closed
};

NamePart first_part(std::string_view written) {
  if (!written.starts_with('"')) {
    const auto dot = std::min(written.find('.'), written.size());
    return {std::string(written.substr(0, dot)), written.substr(dot)};
  }
  NamePart part{.closed = false};
  std::size_t i = 1;
  for (; i < written.size(); ++i) {
    if (written[i] == '"') {
      ++i;
      if (i == written.size() || written[i] != '"') {
        part.closed = true;
        break;
      }
    }
    part.name += written[i];
  }
  part.rest = written.substr(i);
  return part;
}

}  // namespace

QualifiedName split_name(std::string_view written) {
  auto first = first_part(written);
  if (!first.rest.starts_with('.')) return {"", std::move(first.name)};
  const auto rest = first.rest.substr(1);
  // Without quotes the name may hold further dots, and quotes behind its first character.
  return {std::move(first.name), rest.starts_with('"') ? first_part(rest).name : std::string(rest)};
}

std::string name_mistake(std::string_view written) {
  auto part = first_part(written);
  bool sound = part.closed && !part.name.empty();
  if (sound && part.rest.starts_with('.')) {
    const auto rest = part.rest.substr(1);
    if (rest.starts_with('"')) {
      part = first_part(rest);
      sound = part.closed && !part.name.empty();
    } else {
      part = {std::string(rest), ""};
      sound = !rest.empty();
    }
  }
  if (sound && part.rest.empty()) return "";
  return "must be table or schema.table; a part that holds a dot goes in double quotes, and a "
         "quote "
         "in it is written twice";
}

}  // namespace semel::postgres
