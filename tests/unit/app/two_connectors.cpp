// The list of connectors with which these tests are linked, in the place of the program's.
#include "app/connectors.hpp"
#include "postgres/postgres.hpp"

namespace semel::app {

const std::vector<Connector>& connectors() {
  static const std::vector<Connector> all = [] {
    auto other = postgres::connector();
    other.name = "other";
    other.has_default_name = false;
    auto newest = other;
    newest.name = "newest";
    return std::vector<Connector>{std::move(newest), postgres::connector(), std::move(other)};
  }();
  return all;
}

}  // namespace semel::app
