#include "postgres/table/target.hpp"

#include <fmt/format.h>

#include <utility>

#include "postgres/client/durability.hpp"
#include "postgres/client/quoting.hpp"
#include "postgres/table/catalog.hpp"
#include "postgres/table/defaults.hpp"
#include "postgres/table/key.hpp"

namespace semel::postgres {

Error unless_changed(Connection& connection, const Table& table, Error found) {
  if (found.kind == ErrorKind::unavailable || found.kind == ErrorKind::retriable) return found;
  const auto reply = connection.exchange("SELECT true" + unchanged_sql({&table}));
  if (!reply.ok()) return to_error(reply, "looking at the table again");
  if (reply.table(0).flag(0, 0)) return found;
  return {ErrorKind::retriable, Cause::sink,
          fmt::format("the table {} changed while it was looked at; it is read again",
                      QualifiedName{table.schema, table.name}.quoted())};
}

namespace {

Result<RowEncoder> fit_to(Connection& connection, const Options& options, Table& table) {
  if (auto held = can_hold(table, options.delivery); !held) return tl::unexpected(held.error());
  if (auto merging = describe_merging(connection, options, table); !merging) {
    return tl::unexpected(merging.error());
  }
  if (auto left = leave_failing_defaults_to_server(connection, table); !left) {
    return tl::unexpected(left.error());
  }
  return RowEncoder::make(table, options);
}

}  // namespace

Result<Target> describe_target(Connection& connection, const Options& options) {
  auto table = describe_table(connection, options.table);
  if (!table) return tl::unexpected(table.error());
  auto encoder = fit_to(connection, options, *table);
  if (!encoder) {
    return tl::unexpected(unless_changed(connection, *table, std::move(encoder.error())));
  }
  return Target{*std::move(table), *std::move(encoder)};
}

}  // namespace semel::postgres
