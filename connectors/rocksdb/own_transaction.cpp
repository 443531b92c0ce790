// The ledger for a program's own transactions in RocksDB.
#include <semel/rocksdb.hpp>

#include <fmt/format.h>

#include <utility>

#include "rocksdb/own_store.hpp"
#include "store/own.hpp"

namespace semel::rocksdb {

namespace {

constexpr auto kind_of_ledger = "RocksDB";
// For people, by the paths of a file's settings.
constexpr SettingNames::Name names_of_a_program[] = {
    {"pipeline.name", "ConsumerOptions::pipeline"},
    {"sink.rocksdb.output", "ConsumerOptions::output"},
};
constexpr std::chrono::milliseconds patience{30'000};

[[noreturn]] void refuse(const Range& range, const Error& error) {
  throw Failed(
      {error.kind, error.cause,
       fmt::format("{}: nothing is stored: {}", to_string(range.offsets()), error.message)});
}

/// Why the ledger does not move.
std::string why(const LedgerEntry& entry, const Task& task, const Owner& owner) {
  if (entry.owner != owner.id || entry.epoch != task.epoch) {
    return fmt::format("fenced by {}, which has taken over at {}", entry.owner_description,
                       entry.since);
  }
  return fmt::format(
      "the ledger stands at {}, and not where the range begins: it was committed "
      "already, or moved by somebody",
      entry.until ? std::to_string(*entry.until) : "no position");
}

/// What was stored, or may be, has no position.
[[noreturn]] void refuse_stored(Range& range, const std::string& how) {
  const auto what = to_string(range.offsets()) + ": " + how + ": ";
  try {
    range.committed();
  } catch (const Failed& failed) {
    auto error = failed.error();
    error.message = what + error.message;
    throw Failed(std::move(error));
  }
  // Somebody else has moved the ledger, or nobody could be asked: next() knows more.
  throw Failed({ErrorKind::in_doubt, Cause::program, what + "the ledger is asked by next()"});
}

}  // namespace

ProgramDatabase::~ProgramDatabase() = default;

void refuse_ended(Range& range, bool rolled_back) {
  if (rolled_back) {
    throw Failed({ErrorKind::retriable, Cause::program,
                  to_string(range.offsets()) +
                      ": nothing is stored: the function that transact() was given has rolled its "
                      "transaction back. Throw there to give a range up"});
  }
  refuse_stored(range,
                "the function that transact() was given has ended its transaction itself, by "
                "Commit(), Prepare() or Rollback()");
}

void refuse_written(Range& range) {
  refuse_stored(range, "its batch was written by somebody else than transact() or commit()");
}

LedgerFactory ledger(std::shared_ptr<const ProgramDatabase> database, LedgerOptions options) {
  return [database = std::move(database),
          options](const LedgerContext& context) -> Result<std::unique_ptr<TransactionLedger>> {
    const auto refused = [&](const std::string& why) {
      return fail(ErrorKind::fatal, Cause::configuration,
                  fmt::format("no ledger can be kept in the RocksDB database {}: {}. Open the "
                              "database with a column family {} that has RocksDB's own default "
                              "options, and give ledger() its handle",
                              database->directory(), why, ledger_family));
    };
    if (const auto unfit = database->unfit(); !unfit.empty()) return refused(unfit);
    const auto turn = turn_of(*database);
    auto kept = OwnStore(database, turn, std::make_shared<std::atomic<bool>>(false), patience)
                    .keeps(context.owner.id);
    if (!kept) return tl::unexpected(kept.error());
    if (!*kept) {
      return refused(
          "what is written there is not read back: the handle is one of another database");
    }
    const auto open = [database, turn](const store::Interrupt& stop,
                                       std::optional<std::chrono::milliseconds> shorter)
        -> Result<std::unique_ptr<store::Store>> {
      return std::make_unique<OwnStore>(database, turn, stop, shorter.value_or(patience));
    };
    store::Setup setup{.section = "sink.rocksdb",
                       .kind = kind_of_ledger,
                       .place = "directory " + database->directory(),
                       .find_dead_letters = "",
                       .options = {.keep_commits_hours = options.keep_commits_hours},
                       .names = SettingNames(names_of_a_program),
                       .patience_ms = patience.count(),
                       .one_writer = false,
                       .open = open};
    setup.context.owner = context.owner;
    setup.context.log = Log(context.log, LogLevel::debug);
    return store::make_ledger(std::move(setup));
  };
}

struct Advance::Parts {
  OffsetRange range;
  std::unique_ptr<OwnStore> store;
};

Advance::Advance(const Range& range) {
  const auto& setup = store::setup_of(range, kind_of_ledger);
  const auto& move = range.move();
  auto opened = setup.open(std::make_shared<std::atomic<bool>>(false), std::nullopt);
  if (!opened) refuse(range, opened.error());
  // What such a setup opens.
  std::unique_ptr<OwnStore> store(static_cast<OwnStore*>(opened->release()));
  if (auto begun = store->begin(store::Access::writing); !begun) refuse(range, begun.error());
  const auto& owner = setup.context.owner;
  auto refused = store::advance(*store, owner, move);
  if (!refused) refuse(range, refused.error());
  if (*refused) {
    refuse(range, {ErrorKind::retriable, Cause::sink, why(**refused, move.task, owner)});
  }
  parts_ = std::make_unique<Parts>(Parts{range.offsets(), std::move(store)});
}

Advance::~Advance() = default;

const ProgramDatabase::Changes& Advance::changes() const {
  return parts_->store->changes();
}

const ProgramDatabase& Advance::database() const {
  return parts_->store->database();
}

void Advance::end(const Answer& written) {
  auto done = parts_->store->written(written);
  if (done) return;
  auto error = std::move(done.error());
  error.message = to_string(parts_->range) + ": " +
                  (error.kind == ErrorKind::fatal
                       ? "whether it is stored, only opening the database anew tells: "
                       : "nothing is stored: ") +
                  error.message;
  throw Failed(std::move(error));
}

}  // namespace semel::rocksdb
