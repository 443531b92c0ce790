#include "postgres/table/target.hpp"

#include <utility>

#include "postgres/client/durability.hpp"
#include "postgres/table/catalog.hpp"
#include "postgres/table/defaults.hpp"
#include "postgres/table/key.hpp"

namespace semel::postgres {

Result<Target> describe_target(Connection& connection, const Options& options) {
  auto table = describe_table(connection, options.table);
  if (!table) return tl::unexpected(table.error());
  if (auto held = can_hold(*table, options.delivery); !held) return tl::unexpected(held.error());
  if (auto merging = describe_merging(connection, options, *table); !merging) {
    return tl::unexpected(merging.error());
  }
  if (auto left = leave_failing_defaults_to_server(connection, *table); !left) {
    return tl::unexpected(left.error());
  }
  auto encoder = RowEncoder::make(*table, options);
  if (!encoder) return tl::unexpected(encoder.error());
  return Target{*std::move(table), *std::move(encoder)};
}

}  // namespace semel::postgres
