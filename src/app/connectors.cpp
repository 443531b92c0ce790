#include "app/connectors.hpp"

#include "postgres/postgres.hpp"
#include "sqlite/sqlite.hpp"

namespace semel::app {

const std::vector<Connector>& connectors() {
  static const std::vector<Connector> all{
      postgres::connector(),
      sqlite::connector(),
  };
  return all;
}

}  // namespace semel::app
