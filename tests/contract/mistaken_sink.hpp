// A sink in memory that makes one mistake, or none: what the contract has to find. Written for
// itself, so that it shares no mistake with src/store.
#pragma once

#include <cstdint>
#include <memory>

#include <semel/contract.hpp>

namespace semel::contract {

enum class Mistake : std::uint8_t {
  none,
  // take_over()
  reads_before_it_fences,
  epoch_is_read_and_written_apart,
  epoch_is_raised_for_others_only,
  previous_owner_is_forgotten,
  other_cluster_fences,
  pipelines_share_positions,
  outputs_share_positions,
  topics_share_positions,
  lost_positions_begin_anew,
  reset_is_remembered_for_ever,
  batch_time_is_of_positions_only,
  reason_outlives_its_owner,
  // enter()
  enter_overwrites,
  enter_asks_nobody,
  start_is_not_in_the_history,
  start_is_before_the_history,
  // the guard
  later_position_is_good_enough,
  earlier_position_is_good_enough,
  unknown_position_is_good_enough,
  epoch_is_not_compared,
  later_epoch_is_good_enough,
  owner_is_not_compared,
  batch_time_is_not_compared,
  only_the_first_task_is_guarded,
  others_of_the_batch_go_in,
  last_refused_is_named,
  isolating_begins_unguarded,
  // the transaction
  rows_before_the_guard,
  rows_as_they_are_written,
  rows_are_taken_back_at_the_end,
  isolating_stores_no_rows,
  long_range_is_cut,
  value_is_altered,
  key_is_lost,
  null_is_stored_empty,
  headers_are_lost,
  missing_timestamp_is_stored_as_zero,
  value_is_cut,
  key_is_cut,
  value_ends_at_a_nul,
  key_that_is_no_utf8_is_altered,
  odd_keys_are_left_out,
  dead_letter_loses_its_key,
  dead_letter_loses_its_headers,
  isolating_alters_values,
  record_is_read_after_the_call,
  batch_has_keys_of_its_first_range,
  dead_letters_as_they_are_written,
  bad_records_are_counted_as_rows,
  bad_records_are_left_out,
  later_write_replaces_the_first,
  // set_aside()
  set_aside_is_a_row,
  set_aside_is_left_out,
  set_aside_is_not_counted,
  set_aside_is_told_without_its_code,
  set_aside_is_there_at_once,
  set_aside_outlives_its_abort,
  set_aside_goes_in_before_the_guard,
  set_aside_at_any_turn,
  set_aside_beside_its_own_row,
  set_aside_in_a_task_before,
  set_aside_outside_of_the_range,
  set_aside_alone_moves_nothing,
  set_aside_is_of_the_first_task,
  set_aside_ends_the_tasks_rows,
  isolating_forgets_what_is_set_aside,
  many_set_aside_are_cut,
  set_aside_loses_its_key,
  set_aside_null_is_kept_empty,
  set_aside_is_read_after_the_call,
  isolating_sets_aside_without_headers,
  objection_is_lost,
  odd_objection_is_an_error,
  abort_keeps_rows,
  session_that_goes_commits,
  empty_range_moves_nothing,
  last_ledger_row_is_lost,
  ledger_is_copied_at_begin,
  mark_is_not_stored,
  empty_range_drops_the_mark,
  lost_range_keeps_the_mark,
  lost_range_never_moves_back,
  move_is_not_in_the_history,
  // afterwards
  resolve_answers_as_before,
  keep_alive_takes_the_output,
  keep_alive_tells_old_positions,
  interrupted_call_hangs,
  waits_through_an_interrupt,
  leaves_though_it_was_fenced,
  leaves_only_uninterrupted,
  trims_all,
  history_and_progress_of_two_moments,
  history_in_the_order_of_writing,
  partitions_are_sorted_as_text,
  commits_have_no_moment,
  counts_are_of_all_outputs,
  dead_letters_are_of_all_pipelines,
  owner_is_never_silent,
  since_is_not_renewed,
  since_is_a_local_time,
  set_asks_nobody,
  set_fences_nobody,
  set_is_before_the_history,
  set_has_the_batch_time_of_the_position,
  reset_forgets_the_history,
  forget_asks_nobody,
  forget_keeps_the_history,
  forget_keeps_dead_letters,
  forget_is_of_all_outputs,
  // the home of a state
  state_changes_at_once,
  fenced_changes_state,
  state_outlives_its_abort,
  state_has_no_version_without_rows,
  gone_keys_are_not_told,
  changes_are_told_since_the_beginning,
  state_names_are_not_compared,
  state_is_of_all_outputs,
  replaced_state_keeps_its_rows,
  replaced_state_keeps_its_history,
  state_keys_are_cut,
  state_is_cut,
  state_and_version_of_two_moments,
  claims_less_than_it_is_held_to,
  end  // of the list
};

/// What is no mistake.
enum class Manner : std::uint8_t {
  plain,
  tells_nothing,   ///< all that a subject need not know; any value can be stored
  sets_odd_aside,  ///< what is long or has odd bytes
};

/// `guarantee` below transactional: rows are stored as they are written; an idempotent sink
/// recognises them.
std::unique_ptr<Subject> mistaken_subject(Mistake mistake,
                                          Guarantee guarantee = Guarantee::transactional,
                                          Manner manner = Manner::plain);

/// Calls that hang go on; returns when no subject is in use any more.
void release_hung();

}  // namespace semel::contract
