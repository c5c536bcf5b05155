//! The contract kit bites: a store that breaks one promise fails the behaviours that are named for it.
#![cfg(feature = "contract")]

mod account;
mod fault;
mod store;

use fault::{Fault, Step};
use mailstore_traits::contract::{self, Outcome};

#[allow(clippy::print_stdout, reason = "what the kit says of a fault is worth reading")]
#[track_caller]
fn fails(fault: Fault, behaviours: &[&str]) {
    for behaviour in behaviours {
        let report = contract::run_one(fault, behaviour);
        match report.outcome(behaviour) {
            Some(Outcome::Failed(why)) => println!("{fault:?}, {behaviour}: {why}"),
            outcome => panic!("{fault:?} was not found out by {behaviour}: {outcome:?}"),
        }
    }
}

#[test]
fn the_wrapper_alone_keeps_the_contract() {
    contract::run(Fault::None).assert_passed();
}

#[test]
fn uids_that_are_used_again_are_found() {
    fails(Fault::UidNextOfThePresent, &["uid_next_is_larger_than_all_uids_ever_given_out"]);
    fails(Fault::ForgetsUids, &["a_uid_is_never_used_again", "modification_sequences_survive_a_restart"]);
}

#[test]
fn uids_that_become_visible_late_are_found() {
    fails(Fault::VisibleLate, &["what_is_seen_is_never_preceded_later"]);
}

#[test]
fn a_move_in_two_steps_is_found() {
    fails(Fault::MovesInTwoSteps, &["a_move_is_one_step", "a_dropped_future_leaves_all_or_nothing"]);
    fails(Fault::MovesInTwoSteps, &["of_two_moves_one_wins", "a_copy_over_quota_copies_nothing"]);
}

#[test]
fn a_lost_signal_is_found() {
    fails(Fault::WatchesLate, &["a_write_by_another_handle_is_signalled"]);
    fails(Fault::Deaf, &["a_write_by_another_process_is_signalled"]);
}

#[test]
fn flags_that_are_not_changed_in_one_step_are_found() {
    fails(Fault::WritesFlagsBack, &["concurrent_adds_are_all_kept", "of_two_conditional_stores_one_wins"]);
    fails(Fault::WritesFlagsBack, &["two_threads_are_one_history"]);
    fails(Fault::ChangesFlagsAsRead, &["a_dropped_future_leaves_all_or_nothing"]);
}

#[test]
fn a_feed_that_is_not_exact_is_found() {
    fails(Fault::CutsPages, &["no_page_ends_inside_a_modification_sequence", "random_histories_agree_with_the_model"]);
    fails(Fault::GuessesTheFuture, &["too_old_is_never_half_an_answer"]);
    fails(Fault::RemembersUids, &["a_large_mailbox_is_told_as_it_is"]);
}

#[test]
fn bodies_that_depend_on_others_are_found() {
    fails(Fault::ReadsBodiesLate, &["an_open_body_outlives_its_message"]);
    fails(Fault::LocksWhileReading, &["a_slow_reader_blocks_no_writer"]);
}

#[test]
fn what_is_done_by_half_or_too_much_is_found() {
    fails(Fault::ExpungesWhatIsAsked, &["only_deleted_messages_are_expunged"]);
    fails(Fault::ExpungesWhatIsAsked, &["random_histories_agree_with_the_model"]);
    fails(Fault::CommitsHalf, &["a_commit_of_many_is_in_order_and_whole", "over_quota_changes_nothing"]);
    fails(Fault::RenamesByCopy, &["a_rename_keeps_all_but_the_name", "a_rename_takes_the_children_along"]);
}

#[test]
fn what_a_dropped_call_leaves_between_two_steps_is_found() {
    use Step::*;
    for step in [Commit, Replace, Deliver, Copy, Expunge, Rename, Delete, Quota, Lease] {
        fails(Fault::InSteps(step), &["a_dropped_future_leaves_all_or_nothing"]);
    }
}

#[test]
fn a_move_between_stores_keeps_what_was_told() {
    fails(Fault::RestoresAnew, &["a_restored_mailbox_goes_on_where_the_old_one_ended"]);
    fails(Fault::RestoresAnywhere, &["only_an_unused_mailbox_is_restored"]);
}

#[test]
fn annotations_that_are_not_what_was_set_are_found() {
    let behaviour = "an_annotation_is_ones_own_or_everybodys";
    for fault in [Fault::AnnotatesByHalf, Fault::AnnotatesWithNothing, Fault::CutsAnnotations] {
        fails(fault, &[behaviour]);
    }
    fails(Fault::ReadsAnnotationsByPrefix, &[behaviour]);
    fails(Fault::KeepsAnnotationsByName, &[behaviour]);
}

#[test]
fn rights_that_are_not_asked_for_are_found() {
    let behaviour = "each_right_is_asked_for";
    for fault in [Fault::AsksForNoRight, Fault::TellsOfTheHidden, Fault::ListsTheHidden, Fault::ExpungesByReaders] {
        fails(fault, &[behaviour]);
    }
    fails(Fault::CopiesAllFlags, &[behaviour]);
    fails(Fault::ExpungesUnmarked, &[behaviour]);
    fails(Fault::SharesPrivateAnnotations, &[behaviour]);
}

#[test]
fn an_outage_that_is_not_told_as_it_is_is_found() {
    let behaviour = "what_fails_is_unavailable_and_works_later";
    for fault in [Fault::TakesAnOutageForDamage, Fault::CommitsHalfInAnOutage, Fault::SaysDoneInAnOutage] {
        fails(fault, &[behaviour]);
    }
    fails(Fault::StaysAway, &[behaviour]);
}

#[test]
fn an_index_that_is_not_as_it_should_be_is_found() {
    fails(Fault::IndexesLate, &["an_index_is_not_behind_what_is_told", "an_index_loses_no_message"]);
    fails(Fault::IndexesFlagsOnce, &["an_index_is_not_behind_what_is_told"]);
    fails(Fault::IndexesWithoutNot, &["an_index_loses_no_message"]);
}

#[test]
fn a_behaviour_that_does_not_exist_fails() {
    let report = contract::run_one(Fault::None, "no such thing");
    assert_eq!(report.failed().count(), 1);
}
