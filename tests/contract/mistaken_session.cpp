#include "contract/mistaken_world.hpp"

namespace semel::contract {

namespace {

class Session final : public SinkSession {
 public:
  explicit Session(std::shared_ptr<Shared> shared) : shared_(std::move(shared)) {}
  ~Session() override {
    if (is(Mistake::session_that_goes_commits) && !parts_.empty()) {
      (void)commit(std::vector<RangeEnd>(parts_.size()));
    }
    end();
  }

  void warm_up() noexcept override {}

  Result<std::optional<Refused>> begin(std::span<const Task> tasks) override {
    parts_.clear();
    behind_ = {};
    const auto lock = shared_->lock();
    if (!lock) return interrupted();
    copy_ = shared_->pipeline().progress;
    for (const auto& task : tasks) parts_.push_back({task});
    if (tasks.front().isolate && !is(Mistake::isolating_begins_unguarded)) return refusal();
    return std::nullopt;
  }

  Result<void> write(std::size_t task, std::span<const Record> records) override {
    const auto lock = shared_->lock();
    if (!lock) return interrupted();
    auto& part = parts_.at(task);
    if (is(Mistake::later_write_replaces_the_first) && !records.empty()) part = {part.task};
    if (!records.empty() && !is(Mistake::set_aside_beside_its_own_row)) {
      behind_ = {task, records.back().offset + 1};
    }
    for (const auto& record : records) {
      const bool good = world().is_row(record);
      if (good) part.views.push_back(record);
      if (is(Mistake::odd_keys_are_left_out) && is_odd(record.key)) {
        ++part.left_out;
        continue;
      }
      world().texts[record.offset] = text(part, record);
      (good ? part.rows : part.dead).push_back(record.offset);
      if (good && rows_are_early()) put_row(record.offset);
      if (!good && is(Mistake::dead_letters_as_they_are_written))
        world().dead.insert(record.offset);
    }
    return {};
  }

  Result<void> set_aside(std::size_t task, const Record& record, const Objection& why) override {
    const auto lock = shared_->lock();
    if (!lock) return interrupted();
    if (!is_in_turn(task, record.offset)) {
      return fail(ErrorKind::fatal, Cause::program, "not its turn");
    }
    behind_ = {task, record.offset + 1};
    if (is(Mistake::odd_objection_is_an_error) && (is_odd(why.reason) || is_odd(why.code))) {
      return fail(ErrorKind::fatal, Cause::sink, "no text");
    }
    auto& part = parts_.at(is(Mistake::set_aside_is_of_the_first_task) ? 0 : task);
    if (is(Mistake::isolating_forgets_what_is_set_aside) && part.task.isolate) return {};
    world().texts[record.offset] = text_aside(part, record);
    world().reasons[record.offset] = is(Mistake::objection_is_lost) ? "" : why.reason;
    part.views_aside.push_back(record);
    if (!is(Mistake::set_aside_is_told_without_its_code)) ++part.codes[std::string(why.code)];
    put_aside(part, record.offset);
    return {};
  }

  Result<void> change_state(const StateChange& change) override {
    const auto lock = shared_->lock();
    if (!lock) return interrupted();
    HomeChange own{.version = change.version, .all = change.all, .rows = {}};
    for (const auto& row : change.rows) {
      own.rows[std::string(row.key)] =
          row.value ? std::optional<std::string>(*row.value) : std::nullopt;
    }
    if (is(Mistake::state_changes_at_once)) {
      shared_->change(own);
    } else {
      state_ = std::move(own);
    }
    return {};
  }

  Result<CommitResult> commit(std::span<const RangeEnd> ends) override {
    const auto lock = shared_->lock();
    if (!lock) return interrupted();
    for (const auto& part : parts_) {
      if (is(Mistake::set_aside_goes_in_before_the_guard)) put_dead(part);
    }
    if (is(Mistake::rows_before_the_guard)) {
      for (const auto& part : parts_) put_rows(part);
    }
    if (state_ && is(Mistake::fenced_changes_state)) shared_->change(*state_);
    auto no = refusal();
    if (no && is(Mistake::others_of_the_batch_go_in)) {
      for (std::size_t i = 0; i < parts_.size(); ++i) {
        if (shared_->guard(parts_[i].task)) move(i, ends[i]);
      }
    }
    if (no) {
      take_back();
      parts_.clear();
      return *std::move(no);
    }
    if (is(Mistake::record_is_read_after_the_call)) read_again();
    if (is(Mistake::set_aside_is_read_after_the_call)) read_aside_again();
    if (is(Mistake::ledger_is_copied_at_begin)) shared_->pipeline().progress = copy_;
    std::vector<Committed> counts;
    for (std::size_t i = 0; i < parts_.size(); ++i) counts.push_back(move(i, ends[i]));
    if (state_ && !is(Mistake::fenced_changes_state)) shared_->change(*state_);
    state_.reset();
    for (const auto offset : kept_) put_row(offset);
    kept_.clear();
    world().dead.insert(kept_aside_.begin(), kept_aside_.end());
    kept_aside_.clear();
    parts_.clear();
    return counts;
  }

  void abort() noexcept override {
    for (const auto& part : parts_) {
      if (is(Mistake::abort_keeps_rows)) {
        kept_.insert(kept_.end(), part.rows.begin(), part.rows.end());
      }
      if (is(Mistake::set_aside_outlives_its_abort)) {
        kept_aside_.insert(kept_aside_.end(), part.dead.begin(), part.dead.end());
      }
    }
    if (!is(Mistake::state_outlives_its_abort)) state_.reset();
    end();
  }

 private:
  struct Part {
    Task task;
    std::vector<Offset> rows{};
    std::vector<Offset> dead{};
    std::size_t left_out = 0;
    std::vector<Record> views{};
    std::vector<Record> views_aside{};
    std::map<std::string, std::uint64_t> codes{};
  };

  bool is(Mistake one) const { return shared_->is(one); }
  World& world() const { return *shared_->world; }
  void put_row(Offset offset) const { world().put_row(offset); }
  void put_dead(const Part& part) const { world().dead.insert(part.dead.begin(), part.dead.end()); }
  bool is_in_turn(std::size_t task, Offset offset) const {
    const auto& range = parts_.at(task).task.range;
    const bool is_in_range = offset >= range.from && offset < range.until;
    if (!is_in_range && !is(Mistake::set_aside_outside_of_the_range)) return false;
    if (is(Mistake::set_aside_at_any_turn)) return true;
    if (is(Mistake::set_aside_in_a_task_before) && task < behind_.first) return true;
    return std::pair(task, offset) >= behind_;
  }
  void put_aside(Part& part, Offset offset) const {
    constexpr std::size_t buffer = 512;
    if (is(Mistake::set_aside_ends_the_tasks_rows)) part.rows.clear();
    if (is(Mistake::set_aside_is_a_row)) {
      part.rows.push_back(offset);
      if (rows_are_early()) put_row(offset);
    } else if (is(Mistake::set_aside_is_left_out) ||
               (is(Mistake::many_set_aside_are_cut) && part.dead.size() >= buffer)) {
      ++part.left_out;
    } else if (is(Mistake::set_aside_is_there_at_once)) {
      ++part.left_out;
      world().dead.insert(offset);
    } else {
      part.dead.push_back(offset);
    }
  }
  bool rows_are_early() const {
    return is(Mistake::rows_as_they_are_written) || is(Mistake::rows_are_taken_back_at_the_end) ||
           world().guarantee != Guarantee::transactional;
  }
  void end() {
    if (is(Mistake::rows_are_taken_back_at_the_end)) {
      const auto lock = shared_->lock(true);
      take_back();
    }
    parts_.clear();
  }
  void take_back() const {
    if (!is(Mistake::rows_are_taken_back_at_the_end)) return;
    for (const auto& part : parts_) {
      for (const auto offset : part.rows) world().rows.extract(offset);
    }
  }

  void read_again() {
    for (const auto& part : parts_) {
      for (const auto& record : part.views) world().texts[record.offset] = text(part, record);
    }
  }
  void read_aside_again() {
    for (const auto& part : parts_) {
      for (const auto& record : part.views_aside) {
        world().texts[record.offset] = text_aside(part, record);
      }
    }
  }
  /// What is kept of a record that is set aside by the caller.
  std::string text_aside(const Part& part, Record record) const {
    if (is(Mistake::set_aside_loses_its_key)) record.key.reset();
    if (is(Mistake::set_aside_null_is_kept_empty)) record.value = record.value.value_or("");
    if (is(Mistake::isolating_sets_aside_without_headers) && part.task.isolate) record.headers = {};
    return whole(record);
  }
  /// What is stored of a record, or set aside.
  std::string text(const Part& part, Record record) const {
    auto& [offset, timestamp_ms, key, value, headers] = record;
    if (!world().is_row(record)) {
      if (is(Mistake::dead_letter_loses_its_key)) key.reset();
      if (is(Mistake::dead_letter_loses_its_headers)) headers = {};
      return whole(record);
    }
    const bool other = is(Mistake::value_is_altered) ||
                       (is(Mistake::isolating_alters_values) && part.task.isolate);
    if (other && value) value = value->substr(0, value->size() - 1);
    if (is(Mistake::key_is_lost)) key.reset();
    if (is(Mistake::null_is_stored_empty)) value = value.value_or("");
    if (is(Mistake::headers_are_lost)) headers = {};
    if (is(Mistake::missing_timestamp_is_stored_as_zero)) {
      timestamp_ms = std::max<std::int64_t>(timestamp_ms, 0);
    }
    if (is(Mistake::value_is_cut) && value) value = value->substr(0, 4'096);
    if (is(Mistake::key_is_cut) && key) key = key->substr(0, 64);
    if (is(Mistake::value_ends_at_a_nul) && value) value = value->substr(0, value->find('\0'));
    std::string ascii(key.value_or(""));
    if (is(Mistake::key_that_is_no_utf8_is_altered)) {
      std::ranges::replace(ascii, '\xff', '?');
      if (key) key = ascii;
    }
    const auto& first = parts_.front().views;
    if (is(Mistake::batch_has_keys_of_its_first_range) && &part != &parts_.front() &&
        !first.empty()) {
      key = first.back().key;
    }
    return whole(record);
  }

  std::optional<Refused> refusal() const {
    std::optional<Refused> found;
    const auto guarded = is(Mistake::only_the_first_task_is_guarded) ? 1 : parts_.size();
    for (std::size_t i = 0; i < guarded; ++i) {
      const auto& task = parts_[i].task;
      if (shared_->guard(task) || (found && !is(Mistake::last_refused_is_named))) continue;
      found = Refused{shared_->entry(task.range.tp), i};
    }
    return found;
  }

  void put_rows(const Part& part) const {
    if (rows_are_early() || (is(Mistake::isolating_stores_no_rows) && part.task.isolate)) return;
    constexpr std::size_t buffer = 512;
    for (std::size_t i = 0; i < part.rows.size(); ++i) {
      if (i < buffer || !is(Mistake::long_range_is_cut)) put_row(part.rows[i]);
    }
  }

  Committed move(std::size_t i, const RangeEnd& end) {
    const auto& part = parts_[i];
    auto& pipeline = shared_->pipeline();
    Committed counts{.rows = part.rows.size(), .dead_letters = part.dead.size() + part.left_out};
    if (!is(Mistake::rows_before_the_guard)) put_rows(part);
    counts.dead_letter_codes = part.codes;
    if (is(Mistake::set_aside_is_not_counted)) counts.dead_letters -= part.views_aside.size();
    if (!is(Mistake::dead_letters_as_they_are_written) && !is(Mistake::bad_records_are_left_out) &&
        !is(Mistake::set_aside_goes_in_before_the_guard)) {
      put_dead(part);
    }
    pipeline.dead_letters += part.dead.size();
    if (is(Mistake::bad_records_are_counted_as_rows)) {
      counts.rows += std::exchange(counts.dead_letters, 0);
    }
    const bool lost = part.task.kind == TaskKind::lost;
    if (is(Mistake::empty_range_moves_nothing) && counts.rows == 0 && !lost) return counts;
    if (is(Mistake::set_aside_alone_moves_nothing) && counts.rows == 0 &&
        !part.views_aside.empty()) {
      return counts;
    }
    if (is(Mistake::last_ledger_row_is_lost) && i > 0 && i + 1 == parts_.size()) return counts;
    auto& at = pipeline.progress[shared_->key(part.task.range.tp)];
    const auto before = at;
    at = {.tp = part.task.range.tp,
          .until = part.task.range.until,
          .batch_time = part.task.time,
          .last = end.last};
    if (is(Mistake::lost_range_never_moves_back)) at.until = std::max(at.until, before.until);
    if (is(Mistake::lost_range_keeps_the_mark) && lost) at.last = before.last;
    if (is(Mistake::mark_is_not_stored)) at.last.reset();
    if (is(Mistake::empty_range_drops_the_mark) && counts.rows == 0) at.last.reset();
    if (is(Mistake::move_is_not_in_the_history)) return counts;
    pipeline.history.push_back(
        {.tp = at.tp,
         .batch_time = at.batch_time,
         .epoch = part.task.epoch,
         .from = part.task.range.from,
         .until = at.until,
         .kind = lost ? MoveKind::lost : MoveKind::commit,
         .rows = counts.rows,
         .dead_letters = counts.dead_letters,
         .committed_at = is(Mistake::commits_have_no_moment) ? "" : now_text()});
    return counts;
  }

  std::shared_ptr<Shared> shared_;
  std::vector<Part> parts_;
  std::optional<HomeChange> state_;
  std::pair<std::size_t, Offset> behind_;  // task and offset where the next record may be
  std::vector<Offset> kept_;
  std::vector<Offset> kept_aside_;
  std::map<TopicPartition, Progress> copy_;
};

}  // namespace

std::unique_ptr<SinkSession> mistaken_session(std::shared_ptr<Shared> shared) {
  return std::make_unique<Session>(std::move(shared));
}

}  // namespace semel::contract
