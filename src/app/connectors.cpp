#include "app/connectors.hpp"

#include "postgres/postgres.hpp"

namespace semel::app {

const std::vector<Connector>& connectors() {
  static const std::vector<Connector> all{
      postgres::connector(),
  };
  return all;
}

}  // namespace semel::app
