// Text on its way into SQL. No I/O.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace semel::postgres {

/// As many bytes as PostgreSQL keeps of a name: two longer ones could become one.
inline constexpr std::size_t identifier_bytes_max = 63;

/// "na""me": never folded.
std::string quote_identifier(std::string_view name);

/// "a", "b"; `before` each of them: an alias and its dot.
std::string quoted_list(const std::vector<std::string>& names, std::string_view before = "");

/// 'it''s', or E'…' where there is a backslash: right whatever standard_conforming_strings says.
std::string quote_literal(std::string_view text);

/// A table as people write it: split at the first dot. A part in double quotes may hold dots, and
/// quotes written twice: "a.b" is a table, "a.b"."c" one of a schema. An empty schema: the search
/// path decides.
struct QualifiedName {
  std::string schema;
  std::string name;

  std::string quoted() const;
};
QualifiedName split_name(std::string_view written);
/// What is wrong with it as a table's name, as a sentence that goes on after the setting's name;
/// empty: nothing.
std::string name_mistake(std::string_view written);

}  // namespace semel::postgres
