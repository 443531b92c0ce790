// The types of a database with all that its server offers, and values to try on them.
#pragma once

#include <string>
#include <vector>

#include "differential.hpp"

namespace semel::postgres::test {

/// Every extension that can be created, and types of each way to make one.
void create_all_types(Database& database);

struct NamedType {
  std::string name;
  std::string element;  ///< of an array; empty otherwise
};
/// All that a column can be of, arrays behind their elements.
std::vector<NamedType> all_types(Database& database);

/// JSON values of every kind, many spellings of what types are for.
const std::vector<std::string>& value_pool();

/// Arrays of one and more dimensions, of a few of these values.
std::vector<std::string> arrays_of(const std::vector<std::string>& elements);

/// How the server itself writes what column "c" of table "target" makes of the values, as JSON
/// strings.
std::vector<std::string> own_spelling(Database& database, const std::vector<std::string>& values);

}  // namespace semel::postgres::test
