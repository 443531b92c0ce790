#include "rocksdb/own_store.hpp"

#include <fmt/format.h>

#include <chrono>
#include <map>
#include <utility>

namespace semel::rocksdb {

using Kind = Answer::Kind;

std::shared_ptr<Turn> turn_of(const ProgramDatabase& database) {
  // RocksDB lets a process open a database once. Who is handed the same one twice, also inside of
  // another object (a TransactionDB and what it is made of), has to meet himself here.
  static std::mutex mutex;
  static std::map<std::string, std::weak_ptr<Turn>> turns;
  const std::lock_guard lock(mutex);
  std::erase_if(turns, [](const auto& one) { return one.second.expired(); });
  auto& known = turns[database.identity() + " " + database.directory()];
  auto turn = known.lock();
  if (!turn) known = turn = std::make_shared<Turn>();
  return turn;
}

tl::unexpected<Error> OwnStore::failed(const Answer& answer) const {
  return fail(ErrorKind::fatal, Cause::sink,
              fmt::format("RocksDB, {}: {}", directory_, answer.said));
}

Result<void> OwnStore::begin(store::Access /*access*/) {
  roll_back();
  turn_is_ours_ = std::unique_lock(turn_->mutex, std::defer_lock);
  constexpr std::chrono::milliseconds look{10};
  const auto until = std::chrono::steady_clock::now() + patience_;
  while (!*stop_ && !turn_is_ours_.try_lock_for(look)) {
    if (std::chrono::steady_clock::now() < until) continue;
    return fail(ErrorKind::unavailable, Cause::sink,
                fmt::format("RocksDB, {}: another one of this process has been writing for {} ms",
                            directory_, patience_.count()));
  }
  if (*stop_) return fail(ErrorKind::unavailable, Cause::sink, "interrupted");
  if (turn_->broken.empty()) return {};
  return fail(ErrorKind::fatal, Cause::sink,
              fmt::format("RocksDB, {}: a write failed: {}. Only opening the database anew tells "
                          "what of it is on the disk: destroy the consumer, close the database, "
                          "mend what the message says, and start again",
                          directory_, turn_->broken));
}

Result<void> OwnStore::commit() {
  if (changes().empty()) return {};
  return written(database_->write(changes()));
}

Result<void> OwnStore::written(Answer answer) {
  const bool ours = turn_is_ours_.owns_lock();
  // Where that was found behind the log, RocksDB takes no write any more.
  if (answer.kind == Kind::not_taken && database_->write({}).kind != Kind::ok) {
    answer.kind = Kind::broken;
  }
  const bool nothing = answer.kind == Kind::refused || answer.kind == Kind::not_taken;
  if (ours && answer.kind != Kind::ok && !nothing) turn_->broken = answer.said;
  roll_back();
  if (answer.kind == Kind::ok) return {};
  if (answer.kind == Kind::not_taken) {
    return fail(ErrorKind::retriable, Cause::program,
                fmt::format("RocksDB, {}: there is something in the write that a database opened "
                            "like this does not take: {}",
                            directory_, answer.said));
  }
  if (!nothing) return failed(answer);
  return fail(ErrorKind::retriable, Cause::sink,
              fmt::format("RocksDB, {}: {}", directory_, answer.said));
}

Result<bool> OwnStore::keeps(const std::string& value) {
  // No table's row has such a key.
  const std::string key = "semel_trial";
  if (auto begun = begin(store::Access::writing); !begun) return tl::unexpected(begun.error());
  auto answer = database_->write({{key, value}});
  std::string read;
  const auto found = answer.kind == Kind::ok ? database_->get(key, read) : answer;
  if (answer.kind == Kind::ok) answer = database_->write({{key, std::nullopt}});
  if (auto done = written(answer); !done) return tl::unexpected(done.error());
  if (found.kind != Kind::ok && found.kind != Kind::not_found) return failed(found);
  return read == value;
}

void OwnStore::roll_back() noexcept {
  forget_changes();
  turn_is_ours_ = {};
}

Result<std::unique_ptr<store::Target>> OwnStore::target() {
  return fail(ErrorKind::fatal, Cause::internal, "the rows are the program's own");
}

Result<std::string> OwnStore::stored(const std::string& key) {
  std::string value;
  const auto answer = database_->get(key, value);
  if (answer.kind == Kind::not_found) return std::string();
  return answer.kind == Kind::ok ? Result<std::string>(value) : failed(answer);
}

Result<void> OwnStore::walk_stored(const std::string& from, bool backwards, const SeeKey& see) {
  Result<bool> goes_on = true;
  const auto answer = database_->each(from, backwards, [&](auto key, auto value) {
    goes_on = see(key, value);
    return goes_on && *goes_on;
  });
  if (!goes_on) return tl::unexpected(goes_on.error());
  return answer.kind == Kind::ok ? Result<void>() : failed(answer);
}

}  // namespace semel::rocksdb
