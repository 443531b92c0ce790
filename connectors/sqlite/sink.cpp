#include "sqlite/sink.hpp"
#include "base/ledger_names.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/clean_text.hpp"
#include "base/crash_point.hpp"
#include "sqlite/ledger.hpp"
#include "sqlite/session.hpp"

namespace semel::sqlite {

namespace {

class FileSink final : public Sink {
 public:
  FileSink(std::shared_ptr<Shared> shared, std::unique_ptr<Database> control)
      : shared_(std::move(shared)), control_(std::move(control)) {}

  Guarantee guarantee() const override { return Guarantee::transactional; }

  std::int64_t patience_ms() const override { return shared_->options.busy_timeout_ms; }

  Result<TakenOver> take_over(const std::string& cluster_id) override {
    const std::lock_guard lock(shared_->writing);
    // Written in the file, so that readers and the writer are in nobody's way from now on.
    auto mode = control_->run("PRAGMA journal_mode = WAL");
    if (!mode) return tl::unexpected(mode.error());
    if ((*mode)[0].text(0) != "wal") {
      return fail(ErrorKind::fatal, Cause::sink,
                  fmt::format("SQLite cannot use its write-ahead log for {}: it has to be a file "
                              "on a disk of this machine",
                              shared_->options.file));
    }
    auto taken = write([&] { return take_over_all(cluster_id); });
    if (taken) epoch_ = taken->epoch;
    crash_point(CrashPoint::fenced);
    return taken;
  }

  Result<EnterResult> enter(std::span<const Progress> starts) override {
    const std::lock_guard lock(shared_->writing);
    return write([&]() -> Result<EnterResult> {
      auto entry = read_entry(*control_, owner());
      if (!entry) return tl::unexpected(entry.error());
      if (!ours(*entry)) return Refused{*std::move(entry), 0};
      for (const auto& start : starts) {
        if (auto entered = enter_one(start); !entered) return tl::unexpected(entered.error());
      }
      auto all = read_progress(*control_, owner());
      if (!all) return tl::unexpected(all.error());
      std::erase_if(*all, [&](const Progress& one) {
        return std::ranges::find(starts, one.tp, &Progress::tp) == starts.end();
      });
      return *std::move(all);
    });
  }

  Result<std::vector<LedgerEntry>> resolve(std::span<const Task> tasks) override {
    // The session that was in doubt has rolled back: nothing of it comes any more.
    auto database = Database::open(shared_->options, shared_->stop);
    if (!database) return tl::unexpected(database.error());
    return in_transaction(**database, reading, [&]() -> Result<std::vector<LedgerEntry>> {
      std::vector<LedgerEntry> entries;
      for (const auto& task : tasks) {
        auto entry = read_entry(**database, owner(), &task.range.tp);
        if (!entry) return tl::unexpected(entry.error());
        entries.push_back(*std::move(entry));
      }
      return entries;
    });
  }

  Result<Alive> keep_alive() override {
    if (*shared_->stop) return fail(ErrorKind::unavailable, Cause::sink, "interrupted");
    const std::lock_guard lock(shared_->writing);
    return write([&]() -> Result<Alive> {
      auto seen = control_->run(
          fmt::format("UPDATE semel_owners SET seen_at = {} WHERE {} AND epoch = ?3 AND owner = ?4",
                      now, mine),
          {owner().pipeline, owner().output, epoch_, owner().id});
      if (!seen) return tl::unexpected(seen.error());
      auto entry = read_entry(*control_, owner());
      if (!entry) return tl::unexpected(entry.error());
      auto progress = read_progress(*control_, owner());
      if (!progress) return tl::unexpected(progress.error());
      return Alive{*std::move(entry), *std::move(progress)};
    });
  }

  Result<bool> trim() override {
    if (shared_->options.keep_commits_hours == 0) return false;
    const std::lock_guard lock(shared_->writing);
    // Per partition only a beginning of the history goes, and never its newest row.
    auto trimmed = control_->run(
        fmt::format(
            "WITH edge AS (SELECT topic, \"partition\", coalesce(min(CASE WHEN committed_at >= "
            "strftime('%Y-%m-%dT%H:%M:%fZ', 'now', '-{} hours') THEN batch_time END), "
            "max(batch_time)) AS kept FROM semel_commits WHERE {} GROUP BY topic, \"partition\") "
            "DELETE FROM semel_commits WHERE rowid IN (SELECT c.rowid FROM edge JOIN semel_commits "
            "c ON c.pipeline = ?1 AND c.output = ?2 AND c.topic = edge.topic AND c.\"partition\" = "
            "edge.\"partition\" AND c.batch_time < edge.kept LIMIT {})",
            shared_->options.keep_commits_hours, mine, trimmed_at_once),
        {owner().pipeline, owner().output});
    if (!trimmed) return tl::unexpected(trimmed.error());
    return control_->changes() == trimmed_at_once;
  }

  Result<std::unique_ptr<SinkSession>> open_session() override {
    return std::make_unique<Session>(shared_);
  }

  void leave(const std::optional<std::string>& failure) noexcept override try {
    if (epoch_ < 0) return;
    // Also where ours was interrupted, but then not for long.
    auto options = shared_->options;
    options.busy_timeout_ms = std::min<std::int64_t>(options.busy_timeout_ms, 2'000);
    auto database = Database::open(options, std::make_shared<std::atomic<bool>>(false));
    if (!database) return;
    constexpr std::size_t reason_bytes_max = 500;
    const auto reason = sanitise(failure.value_or(""), reason_bytes_max);
    (void)(*database)->run(
        fmt::format("UPDATE semel_owners SET seen_at = {}, state = ?5, state_reason = ?6 WHERE {} "
                    "AND epoch = ?3 AND owner = ?4",
                    now, mine),
        {owner().pipeline, owner().output, epoch_.load(), owner().id,
         failure ? state_failed : state_stopped, failure ? Arg(reason) : Arg()});
  } catch (const std::exception&) {  // best effort
  }

  void interrupt() noexcept override { *shared_->stop = true; }

 private:
  static constexpr std::int64_t trimmed_at_once = 1'000;

  template <class Action>
  auto write(Action action) -> decltype(action()) {
    return in_transaction(*control_, writing, action);
  }
  const Owner& owner() const { return shared_->owner(); }
  bool ours(const LedgerEntry& entry) const {
    return entry.epoch == epoch_ && entry.owner == owner().id;
  }

  Result<TakenOver> take_over_all(const std::string& cluster_id) {
    if (auto made = make_ledger(*control_); !made) return tl::unexpected(made.error());
    const auto& [pipeline, output, id, description, reads, heartbeat] = owner();
    auto before = control_->run(
        fmt::format("SELECT owner, description, cluster_id, state, target, (SELECT count(*) FROM "
                    "semel_progress WHERE {0}) FROM semel_owners WHERE {0}",
                    mine),
        {pipeline, output});
    if (!before) return tl::unexpected(before.error());
    TakenOver taken;
    if (!before->empty()) {
      const auto& row = before->front();
      taken.cluster_id = row.text(2);
      if (!taken.cluster_id.empty() && taken.cluster_id != cluster_id) return taken;
      if (row.text(0) != id && row.text(3) == state_running) taken.previous_owner = row.text(1);
      if (auto same = same_table(row.text(4), row.number(5) > 0); !same) {
        return tl::unexpected(same.error());
      }
    }
    auto raised = control_->run(
        fmt::format("INSERT INTO semel_owners VALUES (?1, ?2, 1, ?3, ?4, {0}, {0}, ?5, {1}, ?6, "
                    "NULL, ?7, ?8, ?9) ON CONFLICT DO UPDATE SET epoch = epoch + 1, owner = ?3, "
                    "description = ?4, since = {0}, seen_at = {0}, cluster_id = ?5, ledger_version "
                    "= {1}, state = ?6, state_reason = NULL, heartbeat_ms = ?7, topics = ?8, "
                    "target = ?9 RETURNING epoch",
                    now, ledger_version),
        {pipeline, output, id, description, cluster_id, state_running, heartbeat, reads,
         shared_->options.table});
    if (!raised) return tl::unexpected(raised.error());
    taken.epoch = (*raised)[0].number(0);
    auto highest = control_->run(
        fmt::format("SELECT max(coalesce((SELECT max(batch_time) FROM semel_progress WHERE {0}), "
                    "0), coalesce((SELECT max(batch_time) FROM semel_commits WHERE {0}), 0))",
                    mine),
        {pipeline, output});
    if (!highest) return tl::unexpected(highest.error());
    taken.highest_batch_time = {(*highest)[0].number(0)};
    auto progress = read_progress(*control_, owner());
    if (!progress) return tl::unexpected(progress.error());
    taken.progress = *std::move(progress);
    return taken;
  }

  Result<void> same_table(const std::string& before, bool has_progress) const {
    const auto& table = shared_->options.table;
    if (!has_progress || before == table || shared_->context.accept_changed_table) return {};
    return fail(ErrorKind::fatal, Cause::configuration,
                fmt::format("pipeline {} has written into table {} so far: into {} it would go on "
                            "from where that one ended. For that, run it once with "
                            "--accept-changed-table; for all records, choose another pipeline.name "
                            "or sink.sqlite.output",
                            owner().pipeline, before, table));
  }

  Result<void> enter_one(const Progress& start) {
    const auto& [topic, partition] = start.tp;
    const auto& last = start.last;
    auto entered = control_->run(
        fmt::format("INSERT INTO semel_progress SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7, max(?8, "
                    "coalesce((SELECT max(batch_time) FROM semel_commits WHERE {} AND topic = ?3 "
                    "AND \"partition\" = ?4), 0)), ?9, ?10, ?11, {} WHERE true ON CONFLICT DO "
                    "NOTHING RETURNING batch_time",
                    mine, now),
        {owner().pipeline, owner().output, topic, std::int64_t{partition}, start.until, epoch_,
         owner().id, start.batch_time.ms, last ? Arg(last->offset) : Arg(),
         last ? Arg(last->timestamp_ms) : Arg(), last ? Arg(std::int64_t{last->checksum}) : Arg()});
    if (!entered) return tl::unexpected(entered.error());
    if (entered->empty()) return {};
    auto at = start;
    at.batch_time = {(*entered)[0].number(0)};
    return write_history(*control_, owner(),
                         {.to = at, .from = at.until, .kind = MoveKind::start, .epoch = epoch_});
  }

  std::shared_ptr<Shared> shared_;
  std::unique_ptr<Database> control_;    ///< guarded by shared_->writing
  std::atomic<std::int64_t> epoch_{-1};  ///< of the last take-over
};

}  // namespace

Result<std::unique_ptr<Sink>> make_sink(const Options& options, const SinkContext& context) {
  auto shared = std::make_shared<Shared>();
  shared->options = options;
  shared->context = context;
  auto control = Database::open(options, shared->stop);
  if (!control) return tl::unexpected(control.error());
  if (auto writable = (*control)->can_keep_rows(); !writable) {
    return tl::unexpected(writable.error());
  }
  // As a session will: so that what is wrong with the mapping is said before anything is fenced.
  auto columns = read_columns(**control, options.table);
  if (!columns) return tl::unexpected(columns.error());
  auto reader = make_reader(*columns, options, *context.format);
  if (!reader) return tl::unexpected(reader.error());
  return std::make_unique<FileSink>(std::move(shared), *std::move(control));
}

}  // namespace semel::sqlite
