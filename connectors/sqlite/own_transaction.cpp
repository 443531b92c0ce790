// The ledger for a program's own transactions in a file of SQLite.
#include <semel/sqlite.hpp>

#include <utility>

#include "base/wall_clock.hpp"
#include "sqlite/database.hpp"
#include "sqlite/setup.hpp"
#include "store/moment.hpp"
#include "store/own.hpp"

namespace semel::sqlite {

namespace {

// For people, by the paths of a file's settings.
constexpr SettingNames::Name names_of_a_program[] = {
    {"sink.sqlite.file", "the file given to sqlite::ledger()"},
    {"sink.sqlite.busy_timeout", "sqlite::LedgerOptions::busy_timeout_ms"},
    {"pipeline.name", "ConsumerOptions::pipeline"},
    {"sink.sqlite.output", "ConsumerOptions::output"},
};

}  // namespace

LedgerFactory ledger(std::string file, LedgerOptions options) {
  Options ours;
  ours.names = SettingNames(names_of_a_program);
  ours.file = std::move(file);
  ours.busy_timeout_ms = options.busy_timeout_ms;
  ours.rows.keep_commits_hours = options.keep_commits_hours;
  return [ours](const LedgerContext& context) {
    auto setup = setup_of(ours);
    setup.context.owner = context.owner;
    setup.context.log = Log(context.log, LogLevel::debug);
    return store::make_ledger(std::move(setup));
  };
}

std::string begin_sql(const Range& range) {
  const auto& setup = store::setup_of(range, kind);
  return store::begin_text(dialect, setup.context.owner, range.task());
}

std::string advance_sql(const Range& range) {
  const auto& setup = store::setup_of(range, kind);
  return store::advance_text(dialect, setup.context.owner, range.move(),
                             store::moment_text(wall_clock_ms()), setup.own_begins);
}

Failed refusal(const Range& range, const std::string& why) {
  return Failed(
      {ErrorKind::retriable, Cause::sink,
       to_string(range.offsets()) +
           ": the ledger in the file refuses to move, and the transaction is rolled back: "
           "another owner has taken over, the range was committed already, or begin_sql() was not "
           "run in this transaction (SQLite: " +
           why + ")"});
}

Failed failure(const Range& range, const std::string& doing, const std::string& why) {
  return Failed({ErrorKind::retriable, Cause::sink,
                 to_string(range.offsets()) + ": SQLite failed at " + doing + ": " + why});
}

}  // namespace semel::sqlite
