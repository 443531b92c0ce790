// That the contract finds mistakes: each one alone, in a sink that is right otherwise, breaks the
// case that is named for it.
#include <algorithm>
#include <map>
#include <set>

#include "contract/mistaken_sink.hpp"
#include "support/catch.hpp"

using namespace semel;
using namespace semel::contract;

namespace {

struct Planted {
  Mistake mistake;
  std::string found_by;
};

const std::vector<Planted> planted_mistakes{
    {Mistake::reads_before_it_fences,
     "nothing of the owner before follows what a take-over has read"},
    {Mistake::epoch_is_read_and_written_apart, "of two that take over at once, one owns"},
    {Mistake::epoch_is_raised_for_others_only, "the same process may take over again"},
    {Mistake::previous_owner_is_forgotten,
     "a new owner raises the epoch, finds the progress, and is told who came before"},
    {Mistake::other_cluster_fences,
     "the cluster recorded first stays, and an owner from another one takes nothing over"},
    {Mistake::pipelines_share_positions, "pipelines do not know of each other"},
    {Mistake::outputs_share_positions, "outputs of one pipeline do not know of each other"},
    {Mistake::topics_share_positions, "partitions of different topics have positions of their own"},
    {Mistake::lost_positions_begin_anew,
     "a position that the ledger has lost is not begun anew, until somebody says where"},
    {Mistake::reset_is_remembered_for_ever,
     "a position that is lost behind a reset is lost, and not forgotten"},
    {Mistake::batch_time_is_of_positions_only, "a reset forgets positions, not the history"},
    {Mistake::reason_outlives_its_owner,
     "an owner that failed says why, also after it was interrupted, and is not alive"},
    {Mistake::enter_overwrites, "partitions that the ledger knows stay as they are"},
    {Mistake::enter_asks_nobody, "who has been fenced enters nothing"},
    {Mistake::start_is_not_in_the_history, "the history is one chain"},
    {Mistake::start_is_before_the_history, "a reset forgets positions, not the history"},
    {Mistake::later_position_is_good_enough,
     "contained, overlapping and distant ranges are refused"},
    {Mistake::earlier_position_is_good_enough,
     "contained, overlapping and distant ranges are refused"},
    {Mistake::unknown_position_is_good_enough, "a partition that was never entered is refused"},
    {Mistake::epoch_is_not_compared, "an epoch that is not the ledger's is refused"},
    {Mistake::later_epoch_is_good_enough, "an epoch that is not the ledger's is refused"},
    {Mistake::owner_is_not_compared, "an epoch alone is not enough: it repeats after a failover"},
    {Mistake::batch_time_is_not_compared,
     "a range whose partition was moved by another batch is refused"},
    {Mistake::only_the_first_task_is_guarded, "one range that begins elsewhere refuses its batch"},
    {Mistake::others_of_the_batch_go_in,
     "one range that was committed refuses its batch, and the others can go in without it"},
    {Mistake::last_refused_is_named, "it is the same for the first and the last range"},
    {Mistake::isolating_begins_unguarded,
     "an isolating task of a committed range is refused before anything is written"},
    {Mistake::rows_before_the_guard,
     "a range that was committed is refused, and nothing is stored twice"},
    {Mistake::rows_as_they_are_written, "what is aborted is not there, and the session goes on"},
    {Mistake::rows_are_taken_back_at_the_end,
     "what is written is not there before it is committed"},
    {Mistake::isolating_stores_no_rows, "an isolating task stores what a fast one would"},
    {Mistake::long_range_is_cut, "a range of many thousand records is stored whole"},
    {Mistake::value_is_altered, "keys and values are stored as they came"},
    {Mistake::key_is_lost, "keys and values are stored as they came"},
    {Mistake::null_is_stored_empty, "keys and values are stored as they came"},
    {Mistake::headers_are_lost, "keys and values are stored as they came"},
    {Mistake::missing_timestamp_is_stored_as_zero, "keys and values are stored as they came"},
    {Mistake::value_is_cut, "long and odd keys and values are stored as they came, or set aside"},
    {Mistake::key_is_cut, "long and odd keys and values are stored as they came, or set aside"},
    {Mistake::value_ends_at_a_nul,
     "long and odd keys and values are stored as they came, or set aside"},
    {Mistake::key_that_is_no_utf8_is_altered,
     "long and odd keys and values are stored as they came, or set aside"},
    {Mistake::odd_keys_are_left_out,
     "long and odd keys and values are stored as they came, or set aside"},
    {Mistake::dead_letter_loses_its_key, "dead letters keep keys and values as they came"},
    {Mistake::dead_letter_loses_its_headers, "dead letters keep keys and values as they came"},
    {Mistake::isolating_alters_values, "an isolating task stores keys and values as they came"},
    {Mistake::record_is_read_after_the_call, "keys and values are stored as they came"},
    {Mistake::batch_has_keys_of_its_first_range,
     "records of a batch keep keys and values of their own"},
    {Mistake::dead_letters_as_they_are_written, "dead letters of what is aborted are not there"},
    {Mistake::bad_records_are_counted_as_rows, "bad records are dead letters, counted apart"},
    {Mistake::bad_records_are_left_out, "bad records are dead letters, counted apart"},
    {Mistake::later_write_replaces_the_first, "records may come in several calls"},
    {Mistake::set_aside_is_a_row,
     "what a caller sets aside is a dead letter and no row, counted, also by its code"},
    {Mistake::set_aside_is_left_out,
     "what a caller sets aside is a dead letter and no row, counted, also by its code"},
    {Mistake::set_aside_is_not_counted,
     "what a caller sets aside is a dead letter and no row, counted, also by its code"},
    {Mistake::set_aside_is_told_without_its_code,
     "what a caller sets aside is a dead letter and no row, counted, also by its code"},
    {Mistake::set_aside_is_there_at_once, "what a caller sets aside is there with its range only"},
    {Mistake::set_aside_outlives_its_abort,
     "what a caller sets aside is there with its range only"},
    {Mistake::set_aside_goes_in_before_the_guard, "a range that is refused sets nothing aside"},
    {Mistake::set_aside_at_any_turn, "a caller sets records aside once, and in their turn"},
    {Mistake::set_aside_beside_its_own_row, "a caller sets records aside once, and in their turn"},
    {Mistake::set_aside_in_a_task_before,
     "what a caller sets aside of a batch is of its own range"},
    {Mistake::set_aside_outside_of_the_range,
     "a caller sets records aside once, and in their turn"},
    {Mistake::set_aside_alone_moves_nothing, "a range of which all is set aside moves the ledger"},
    {Mistake::set_aside_is_of_the_first_task,
     "what a caller sets aside of a batch is of its own range"},
    {Mistake::set_aside_ends_the_tasks_rows,
     "what a caller sets aside is a dead letter and no row, counted, also by its code"},
    {Mistake::isolating_forgets_what_is_set_aside,
     "what a caller sets aside is kept beside what the sink does"},
    {Mistake::many_set_aside_are_cut, "hundreds of records that a caller sets aside are all there"},
    {Mistake::set_aside_loses_its_key,
     "what a caller sets aside keeps keys and values as they came"},
    {Mistake::set_aside_null_is_kept_empty,
     "what a caller sets aside keeps keys and values as they came"},
    {Mistake::set_aside_is_read_after_the_call,
     "what a caller sets aside keeps keys and values as they came"},
    {Mistake::isolating_sets_aside_without_headers,
     "what a caller sets aside keeps keys and values as they came"},
    {Mistake::objection_is_lost, "dead letters say why a caller set them aside, in whatever bytes"},
    {Mistake::odd_objection_is_an_error,
     "dead letters say why a caller set them aside, in whatever bytes"},
    {Mistake::abort_keeps_rows, "what is aborted is not there, and the session goes on"},
    {Mistake::session_that_goes_commits,
     "what is not committed when the session goes is not there"},
    {Mistake::empty_range_moves_nothing, "a range without records moves the ledger"},
    {Mistake::last_ledger_row_is_lost,
     "the ranges of a batch become one fact, counted each on its own"},
    {Mistake::ledger_is_copied_at_begin,
     "sessions of one sink are open at once, and keep each other's moves"},
    {Mistake::mark_is_not_stored,
     "a new owner raises the epoch, finds the progress, and is told who came before"},
    {Mistake::empty_range_drops_the_mark, "a range without records keeps the last record's mark"},
    {Mistake::lost_range_keeps_the_mark,
     "behind a lost range there is no record to recognise the log by"},
    {Mistake::lost_range_never_moves_back,
     "a lost range moves the ledger, even backwards, without rows"},
    {Mistake::move_is_not_in_the_history, "the history is one chain"},
    {Mistake::resolve_answers_as_before, "the ledger answers what became of a range"},
    {Mistake::keep_alive_takes_the_output,
     "who has been fenced commits nothing more, and sees by whom"},
    {Mistake::keep_alive_tells_old_positions,
     "an owner that is alive sees itself, and where the ledger stands"},
    {Mistake::interrupted_call_hangs, "an interrupted sink answers with errors"},
    {Mistake::waits_through_an_interrupt,
     "a call that waits for somebody ends soon after an interrupt"},
    {Mistake::leaves_though_it_was_fenced,
     "an owner that failed says why, also after it was interrupted, and is not alive"},
    {Mistake::leaves_only_uninterrupted,
     "an owner that failed says why, also after it was interrupted, and is not alive"},
    {Mistake::trims_all, "trimming young rows removes nothing"},
    {Mistake::history_and_progress_of_two_moments,
     "the history and the progress given with it are of one moment"},
    {Mistake::history_in_the_order_of_writing,
     "the history is by partition, then batch time, then epoch"},
    {Mistake::partitions_are_sorted_as_text,
     "the history is by partition, then batch time, then epoch"},
    {Mistake::commits_have_no_moment, "the history is one chain"},
    {Mistake::counts_are_of_all_outputs, "what is told and counted is of one output"},
    {Mistake::dead_letters_are_of_all_pipelines, "what is told and counted is of one output"},
    {Mistake::owner_is_never_silent, "an owner that is not seen any more is silent"},
    {Mistake::since_is_not_renewed, "a take-over renews since when the owner owns"},
    {Mistake::since_is_a_local_time, "people are told who owns an output"},
    {Mistake::set_asks_nobody,
     "positions of a living owner are moved by force only, and that fences it"},
    {Mistake::set_fences_nobody,
     "positions of a living owner are moved by force only, and that fences it"},
    {Mistake::set_is_before_the_history,
     "positions of a living owner are moved by force only, and that fences it"},
    {Mistake::set_has_the_batch_time_of_the_position,
     "a position that is set behind a reset is behind the history, too"},
    {Mistake::reset_forgets_the_history, "a reset forgets positions, not the history"},
    {Mistake::forget_asks_nobody, "an output that is forgotten is as if it had never been"},
    {Mistake::forget_keeps_the_history, "an output that is forgotten is as if it had never been"},
    {Mistake::forget_keeps_dead_letters, "an output that is forgotten is as if it had never been"},
    {Mistake::forget_is_of_all_outputs, "an output that is forgotten is as if it had never been"},
    {Mistake::state_changes_at_once, "what is aborted changes no state"},
    {Mistake::fenced_changes_state, "who has been fenced changes no state"},
    {Mistake::state_outlives_its_abort, "what is aborted changes no state"},
    {Mistake::state_has_no_version_without_rows,
     "the state changes with the ledger, and has its version"},
    {Mistake::gone_keys_are_not_told,
     "who is behind is told what has changed since, also of keys that are gone"},
    {Mistake::changes_are_told_since_the_beginning,
     "who is behind is told what has changed since, also of keys that are gone"},
    {Mistake::state_names_are_not_compared, "a state's version is its time and its name"},
    {Mistake::state_is_of_all_outputs, "states of outputs do not know of each other"},
    {Mistake::replaced_state_keeps_its_rows,
     "a change that is all there is replaces rows and history"},
    {Mistake::replaced_state_keeps_its_history,
     "a change that is all there is replaces rows and history"},
    {Mistake::state_keys_are_cut, "keys and values of a state are any bytes, short or long"},
    {Mistake::state_is_cut, "a state of many thousand rows is kept and told whole"},
    {Mistake::state_and_version_of_two_moments, "version and rows of a state are of one moment"},
    {Mistake::claims_less_than_it_is_held_to, "a sink declares the guarantee that it is held to"},
};

/// Those of the cases that break, with what they say.
std::map<std::string, std::string> broken_by(Mistake mistake, Guarantee guarantee,
                                             Guarantee held_to, const std::string& only = {}) {
  Options options;
  options.keeps_state = true;
  options.forgets = true;
  const std::set<Mistake> waited_for{Mistake::interrupted_call_hangs,
                                     Mistake::waits_through_an_interrupt,
                                     Mistake::owner_is_never_silent, Mistake::since_is_not_renewed};
  if (waited_for.contains(mistake)) options.hangs_after = std::chrono::milliseconds(200);
  std::map<std::string, std::string> found;
  for (const auto& one : cases(held_to, options)) {
    if (!only.empty() && one.name != only) continue;
    try {
      one.run([&] { return mistaken_subject(mistake, guarantee); });
    } catch (const Broken& broken) {
      found[one.name] = broken.what();
    }
  }
  release_hung();
  return found;
}

std::map<std::string, std::string> broken_by(Guarantee guarantee, Guarantee held_to) {
  return broken_by(Mistake::none, guarantee, held_to);
}

}  // namespace

TEST_CASE("each planted mistake breaks the case that is named for it, and says what came") {
  for (const auto& [mistake, name] : planted_mistakes) {
    const auto found = broken_by(mistake, Guarantee::transactional, Guarantee::transactional, name);
    INFO("mistake " << static_cast<int>(mistake) << ", " << name);
    REQUIRE(found.size() == 1);
    CHECK(found.begin()->second.starts_with('"' + name + "\" does not hold: "));
  }
}

TEST_CASE("every mistake that can be made is planted, and a right sink keeps all cases") {
  std::set<Mistake> all;
  for (const auto& one : planted_mistakes) all.insert(one.mistake);
  CHECK(all.size() + 1 == static_cast<std::size_t>(Mistake::end));
  CHECK(broken_by(Guarantee::transactional, Guarantee::transactional).empty());
}

TEST_CASE("a store that sets aside what it cannot hold keeps all cases") {
  for (const auto& one : cases(Guarantee::transactional, {.keeps_state = true, .forgets = true})) {
    CHECK_NOTHROW(one.run([] {
      return mistaken_subject(Mistake::none, Guarantee::transactional, Manner::sets_odd_aside);
    }));
  }
}

TEST_CASE("a case that a subject cannot be asked is skipped, and says why") {
  std::map<std::string, std::string> skipped;
  for (const auto& one : cases(Guarantee::transactional)) {
    try {
      one.run([] {
        return mistaken_subject(Mistake::none, Guarantee::transactional, Manner::tells_nothing);
      });
    } catch (const Skipped& why) {
      skipped[one.name] = why.what();
    }
  }
  const std::string silent = "expected() tells nothing of any record that is asked";
  const std::string all_good = "bad_value() has none: any value can be stored";
  CHECK(skipped ==
        std::map<std::string, std::string>{
            {"a position that the ledger has lost is not begun anew, until somebody says where",
             "lose_positions() says that they cannot be lost alone"},
            {"a position that is lost behind a reset is lost, and not forgotten",
             "lose_positions() says that they cannot be lost alone"},
            {"a call that waits for somebody ends soon after an interrupt",
             "hold_up() is nobody: no call has to wait"},
            {"dead letters of what is aborted are not there", all_good},
            {"a range that is refused leaves no dead letter", all_good},
            {"bad records are dead letters of their own range, in the same fact", all_good},
            {"dead letters keep keys and values as they came", all_good},
            {"what a caller sets aside keeps keys and values as they came",
             "expected_dead() tells nothing of any record that is asked"},
            {"dead letters say why a caller set them aside, in whatever bytes",
             "dead_reasons() tells nothing of any record that is asked"},
            {"keys and values are stored as they came", silent},
            {"an isolating task stores keys and values as they came", silent},
            {"records of a batch keep keys and values of their own", silent},
            {"long and odd keys and values are stored as they came, or set aside", silent}});
}

TEST_CASE("a sink that declares less is held to what it declares, and to no more") {
  CHECK(broken_by(Guarantee::idempotent, Guarantee::idempotent).empty());
  CHECK(broken_by(Guarantee::none, Guarantee::none).empty());
  CHECK_FALSE(broken_by(Guarantee::idempotent, Guarantee::transactional).empty());
  const auto doubled = broken_by(Guarantee::none, Guarantee::idempotent);
  CHECK(doubled.contains("a range that was committed is refused, and nothing is stored twice"));
  for (const auto weaker : {Guarantee::none, Guarantee::idempotent}) {
    for (const auto mistake :
         {Mistake::epoch_is_not_compared, Mistake::enter_overwrites, Mistake::trims_all,
          Mistake::bad_records_are_left_out, Mistake::reads_before_it_fences}) {
      CHECK_FALSE(broken_by(mistake, weaker, weaker).empty());
    }
  }
}

TEST_CASE("a failing case says which rule, what was expected and what came") {
  const std::string name = "contained, overlapping and distant ranges are refused";
  const auto found = broken_by(Mistake::later_position_is_good_enough, Guarantee::transactional,
                               Guarantee::transactional, name);
  CHECK(found.at(name) == "\"" + name +
                              "\" does not hold: the transaction: expected to be refused, came a "
                              "commit");
  const std::string other = "what is aborted is not there, and the session goes on";
  const auto rows = broken_by(Mistake::rows_as_they_are_written, Guarantee::transactional,
                              Guarantee::transactional, other);
  CHECK(rows.at(other) == "\"" + other +
                              "\" does not hold: the rows that are stored: expected none, came 0 "
                              "to 9");
}

TEST_CASE("cases have names of their own") {
  std::set<std::string> names;
  const auto all = cases(Guarantee::transactional);
  for (const auto& one : all) names.insert(one.name);
  CHECK(names.size() == all.size());
  CHECK(cases(Guarantee::idempotent).size() < all.size());
  CHECK(cases(Guarantee::none, {.keeps_ledger = false}).size() < cases(Guarantee::none).size());
}
