// The ledger for a program's own transactions in RocksDB.
#include <semel/rocksdb.hpp>

#include <fmt/format.h>

#include <utility>

#include "rocksdb/own_store.hpp"
#include "store/own.hpp"

namespace semel::rocksdb {

namespace {

constexpr auto kind_of_ledger = "RocksDB";
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

}  // namespace

ProgramDatabase::~ProgramDatabase() = default;

LedgerFactory ledger(std::shared_ptr<const ProgramDatabase> database, LedgerOptions options) {
  return [database = std::move(database),
          options](const LedgerContext& context) -> Result<std::unique_ptr<TransactionLedger>> {
    const auto unfit = database->unfit();
    if (!unfit.empty()) {
      return fail(ErrorKind::fatal, Cause::configuration,
                  fmt::format("no ledger can be kept in the RocksDB database {}: {}. Open the "
                              "database with a column family {} that has RocksDB's own default "
                              "options, and give ledger() its handle",
                              database->directory(), unfit, ledger_family));
    }
    const auto open = [database, turn = turn_of(*database)](
                          const store::Interrupt& stop,
                          std::optional<std::chrono::milliseconds> shorter)
        -> Result<std::unique_ptr<store::Store>> {
      return std::make_unique<OwnStore>(database, turn, stop, shorter.value_or(patience));
    };
    store::Setup setup{.section = "sink.rocksdb",
                       .kind = kind_of_ledger,
                       .place = "directory " + database->directory(),
                       .find_dead_letters = "",
                       .options = {.keep_commits_hours = options.keep_commits_hours},
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
                  (written.kind == Answer::Kind::refused
                       ? "nothing is stored: "
                       : "whether it is stored, only opening the database anew tells: ") +
                  error.message;
  throw Failed(std::move(error));
}

}  // namespace semel::rocksdb
