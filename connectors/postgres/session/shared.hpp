// What a sink and its sessions have in common.
#pragma once

#include <atomic>
#include <map>
#include <memory>
#include <mutex>
#include <string>

#include <semel/types.hpp>

#include "postgres/client/interrupter.hpp"
#include "postgres/client/job.hpp"
#include "postgres/ledger/ledger_ddl.hpp"
#include "postgres/options.hpp"
#include "postgres/session/session_pool.hpp"
#include "record/bad_tally.hpp"
#include "record/dead_letter_notice.hpp"

namespace semel::postgres {

/// 'semel/<pipeline>/<output>/<beginning of the owner's UUID>': by it sessions are found in
/// pg_stat_activity. ASCII and at most 63 bytes, as the server would cut it; names that do not fit
/// are hashed. Another ledger's owners are strangers and do not share it, whatever the way by which
/// they came to it: `tables` is the ledger as it was found.
struct ApplicationName {
  std::string prefix;  ///< of every owner of this output, with its last slash
  std::string full;
};
ApplicationName application_name(const LedgerTables& tables, const Owner& owner);

/// Sessions whose commit is in doubt: which server process to end before the ledger's answer is
/// final. Thread safe.
class Doubts {
 public:
  void add(const TopicPartition& tp, int backend);
  /// 0 if none is known.
  int backend(const TopicPartition& tp) const;
  void resolved(const TopicPartition& tp);

 private:
  mutable std::mutex mutex_;
  std::map<TopicPartition, int> backends_;
};

/// Immutable but for what says otherwise of itself.
struct Shared {
  Options options;
  Owner owner;
  ApplicationName name;
  LedgerTables tables;
  Job job;
  std::shared_ptr<Interrupter> interrupter = std::make_shared<Interrupter>();  ///< thread safe
  std::unique_ptr<SessionPool> sessions;                                       ///< thread safe
  Doubts doubts;                                                               ///< thread safe
  std::atomic<bool> suppresses{false};          ///< the table accepted rows, and did not store them
  record::BadStreaks streaks;                   ///< thread safe
  record::DeadLetterNotice dead_letter_notice;  ///< thread safe
};

/// Of a transaction that is not ours, by which its session is found: another one for each range, so
/// that one in doubt is ended and no other. A successor finds all of them by their beginning.
std::string session_name(const Shared& shared, const Task& task);

}  // namespace semel::postgres
