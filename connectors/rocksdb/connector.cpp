// This connector as the program sees it, with [sink.rocksdb] of a configuration file.
#include <fmt/format.h>

#include <functional>

#include "rocksdb/connection.hpp"
#include "rocksdb/rocksdb.hpp"

namespace semel::rocksdb {

namespace {

std::vector<config::Setting> settings() {
  return {store::required_text(
              "directory", &Options::directory,
              "The database's directory, from the one that semel is started in. Made where it is "
              "not there. One process has it at a time.",
              "\"clicks.rocks\""),
          store::required_text(
              "table", config::Field<store::Options>(&Options::rows).of(&store::Options::table),
              "The column family that gets the rows. Made where it is not there.", "\"clicks\""),
          {.path = "rows",
           .binding = config::choice<Rows>(
               &Options::keep, {{"by_key", Rows::by_key}, {"by_position", Rows::by_position}}),
           .text = "`by_key`: the columns are `key` (default `@key`) and `value` (default "
                   "`@value`), and a record takes the place of the one that has its key. "
                   "`by_position`: each record is a row under its topic, partition and offset; "
                   "`value` is the column to map."}};
}

Result<std::unique_ptr<store::Store>> open(const Options& options,
                                           const std::shared_ptr<Database>& database,
                                           const store::Interrupt& stop,
                                           std::optional<std::chrono::milliseconds> /*patience*/) {
  return std::make_unique<Connection>(database, options, stop);
}

store::Setup setup(const Options& options) {
  return setup_of(options, std::make_shared<Database>(options.directory, options.rows.table));
}

}  // namespace

store::Setup setup_of(const Options& options, std::shared_ptr<Database> database) {
  store::Setup setup{
      .section = "sink.rocksdb",
      .kind = "RocksDB",
      .place = "directory " + options.directory,
      .find_dead_letters = fmt::format("ldb --db={} --column_family={} scan "
                                       "--from='semel_dead_letters ' --to='semel_dead_letters!'",
                                       options.directory, ledger_family),
      .options = options.rows,
      .target = "column family " + options.rows.table,
      .replaces = options.keep == Rows::by_key,
      .open = std::bind_front(open, options, std::move(database))};
  auto& columns = setup.options.columns;
  if (options.keep == Rows::by_key) {
    columns.try_emplace("key", "@key");
  } else {
    for (const auto* part : {"topic", "partition", "offset"}) {
      columns.try_emplace(part, std::string("@") + part);
    }
  }
  columns.try_emplace("value", "@value");
  return setup;
}

Connector connector() {
  auto made = store::connector<Options, setup>("rocksdb", settings());
  made.ddl = [](const config::Part&, const SinkContext&) {
    return std::string("-- nothing to be made: semel makes the column families itself\n");
  };
  return made;
}

}  // namespace semel::rocksdb
