//! The contract kit: the tests that a store's author runs on their own store, one for each thing that is promised.
//!
//! Mail is lost where a store keeps a promise only nearly: a UID that becomes visible late, a move that is two steps, a
//! signal that nobody hears. Such faults do not show in use, or show once a month. The kit looks for them.
//!
//! An author implements [`Factory`], a few lines, and calls [`run`] in a test:
//!
//! ```
//! use mailstore_traits::contract::{self, Factory};
//! use mailstore_traits::memory::MemoryStore;
//!
//! struct InMemory;
//!
//! impl Factory for InMemory {
//!     type Store = MemoryStore;
//!
//!     async fn fresh(&self) -> MemoryStore {
//!         MemoryStore::new()
//!     }
//! }
//!
//! # fn main() {
//! // In a test: `contract::run(InMemory).assert_passed()`, or one behaviour alone:
//! contract::run_one(InMemory, "inbox_is_always_there").assert_passed();
//! # }
//! ```
//!
//! What a store does not claim to have ([`StoreFeatures`](crate::StoreFeatures)) is not tested, and the [`Report`] says
//! so. What the contract leaves to the store, it [declares](Declared).
//!
//! Two of the contract's numbers, 71 and 76, need a server in front of the store and are in the crate
//! `pillarbox-conformance`. 77 and 78 are of moving between stores ([`Account::restore`](crate::Account::restore)), 79 of
//! stores that
//! remember what they have read.
//!
//! No runtime is needed. A store that needs one says so in [`Factory::block_on`].
#![allow(
    clippy::indexing_slicing,
    reason = "this is test code: what is not there fails the behaviour that looks for it"
)]

mod factory;
mod report;
mod tools;

mod annotations;
mod cancel;
mod changes;
mod crash;
mod delivery;
mod flags;
mod index;
mod mailboxes;
mod model;
mod outage;
mod restore;
mod rights;
mod transfer;
mod uids;
mod views;

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;

pub use factory::{ACCOUNTS, Declared, Factory};
pub use report::{Behaviour, Outcome, Report};
use tools::{Check, Kit, Stop};

/// Calls another macro with what is in brackets, and then with every behaviour: its number, file, name and sentence. The
/// one list from which [`BEHAVIOURS`], the runner and [`contract_tests!`](crate::contract_tests) are made.
#[doc(hidden)]
#[macro_export]
macro_rules! __contract_behaviours {
    ($callback:path, [$($arguments:tt)*]) => {
        $callback! { [$($arguments)*]
            1 mailboxes inbox_is_always_there "INBOX exists for a new account; any letter case finds it; it is listed once";
            2 mailboxes creating_twice_is_refused "create returns a UIDVALIDITY; a second create says AlreadyExists";
            3 mailboxes missing_parents_are_made_or_left_out "create with missing parents makes them or leaves them out, and keeps to one of both";
            4 mailboxes a_name_used_again_has_a_larger_uid_validity "delete, then create with the same name: a larger UIDVALIDITY, another id";
            5 mailboxes children_outlive_their_parent "delete with children: the children remain";
            6 mailboxes a_rename_keeps_all_but_the_name "rename keeps id, UIDs, UIDVALIDITY and modification sequences; subscriptions stay with names";
            7 mailboxes a_rename_takes_the_children_along "rename moves the children in one step; to a name that is taken it fails and changes nothing";
            8 mailboxes inbox_is_not_renamed "INBOX is not renamed; its messages can be moved, and it and its children stay";
            9 mailboxes a_subscription_outlives_its_mailbox "a subscription outlives the mailbox; subscribing an unknown name is as declared";
            10 mailboxes a_special_use_is_kept "special use is set at create; a second one of its kind is as declared";
            11 mailboxes names_are_kept_to_the_octet "names of any characters and of 1000 octets are kept exactly or refused with Invalid";
            12 mailboxes status_says_what_the_snapshot_says "the status of many mailboxes equals the snapshot of each";
            13 uids uids_rise "UIDs rise strictly over append, copy, move and delivery, also concurrent ones";
            14 uids uid_next_is_larger_than_all_uids_ever_given_out "UIDNEXT is larger than every UID ever seen, also after expunge of the newest and reopen";
            15 uids a_uid_is_never_used_again "a UID is never used again after expunge and restart";
            16 uids a_body_comes_back_octet_for_octet "the body read back equals the octets written: none, one, 8-bit, NUL, large";
            17 uids the_size_is_what_is_served "the size is the count of octets served, for every message and range";
            18 uids what_is_said_of_a_message_is_kept "flags, keywords and internal date with its zone are kept exactly; without a date it is now";
            19 uids a_dropped_stage_leaves_nothing "a dropped stage leaves nothing visible; its octets are collected";
            20 uids a_size_hint_may_lie "a stage longer or shorter than its hint is kept whole, or refused";
            21 uids a_commit_of_many_is_in_order_and_whole "a commit of many to one mailbox: in order; all or nothing when the last fails";
            22 uids one_blob_in_many_mailboxes "one blob in many mailboxes: flags are independent; deleting one keeps the others";
            23 uids a_replacement_is_one_change "replace: the new one appears and the old one vanishes in one change; if the old one has gone, nothing";
            24 uids nothing_is_written_to_a_deleted_mailbox "commit to a mailbox that was deleted meanwhile: NotFound, nothing written";
            25 uids a_large_stage_needs_little_memory "memory stays bounded while a large message is staged and read";
            26 flags flags_are_added_removed_and_replaced "add, remove, replace; idempotent; keywords are kept as first written";
            27 flags a_new_keyword_is_in_the_snapshot "a new keyword shows in the snapshot's list";
            28 flags a_change_raises_the_modification_sequence "each effective change raises the modification sequence; the one returned is the one read back";
            29 flags unchanged_since_fails_for_the_changed_only "unchanged_since fails for exactly the changed messages, the others are done";
            30 flags of_two_conditional_stores_one_wins "two concurrent unchanged_since stores on one message: exactly one wins";
            31 flags concurrent_adds_are_all_kept "concurrent adds of different flags: none is lost";
            32 flags a_missing_uid_is_passed_over "flags on a missing UID: passed over, no error";
            33 flags a_change_of_many_is_atomic_for_each "a change of many messages is complete, and atomic for each";
            34 changes nothing_happened_nothing_told "changes_since the snapshot's modification sequence is empty if nothing happened";
            35 model random_histories_agree_with_the_model "the pages of changes put together are the truth of the model, for random histories";
            36 changes no_page_ends_inside_a_modification_sequence "no page ends inside one modification sequence";
            37 changes vanished_are_those_that_were_there "vanished never has a living UID, nor one that was never given out";
            38 changes too_old_is_never_half_an_answer "too old: ModSeqTooOld or the whole truth; from the future: ModSeqTooOld";
            39 changes what_came_and_went_is_not_told_as_there "a message added and expunged in between is told as vanished or not at all";
            40 changes modification_sequences_survive_a_restart "modification sequences survive a restart";
            41 changes no_message_is_above_the_highest "no modification sequence of a message or a change is above the mailbox's highest";
            42 changes what_is_seen_is_never_preceded_later "visibility order: with many writers, a reader that polls never misses a UID";
            43 transfer a_copy_is_the_same_message "copy keeps flags, date and email id, gives UIDs in the source's order, and tells all of them";
            44 transfer a_copy_into_the_same_mailbox_works "copy into the same mailbox works";
            45 transfer a_move_is_one_step "a move is atomic: at no time are messages in both mailboxes or in neither";
            46 transfer a_move_takes_those_that_are_there "a move of UIDs of which some have gone takes the rest and tells which";
            47 transfer of_two_moves_one_wins "concurrent moves of the same messages: each goes to one place, once";
            48 transfer a_copy_over_quota_copies_nothing "copy over quota: nothing copied; a move within the root is allowed";
            49 transfer only_deleted_messages_are_expunged "expunge with only_deleted keeps a message whose flag was taken away meanwhile";
            50 transfer an_expunge_tells_exactly_what_went "expunge of a set: others untouched; the answer is exactly the removed ones";
            51 views a_write_by_another_handle_is_signalled "watch, then write from another handle: a signal comes within the bound";
            52 views signals_coalesce "many changes and no reader: memory bounded, and few signals for all";
            53 views a_write_between_watch_and_snapshot_is_not_lost "a write between watch and snapshot is seen once at least";
            54 views a_write_by_another_process_is_signalled "a write by another process is signalled, and can be read at once, where that is declared";
            55 views a_dropped_watcher_is_freed "dropping a watcher frees it";
            56 views an_open_body_outlives_its_message "an open body completes while another session expunges; a later open says Expunged";
            57 views octets_of_expunged_messages_are_collected "octets of expunged messages are collected in the end, and not while they are read";
            58 views ranges_end_where_the_message_ends "ranges: start, middle, past the end, empty, beyond 2^32";
            59 views a_slow_reader_blocks_no_writer "a slow reader blocks no writer";
            60 views an_index_loses_no_message "an index's answer Exact equals a scan, Candidates is a superset of it";
            61 index an_index_is_not_behind_what_is_told "an index that lags behind delivery, flags and moves leaves out no message";
            62 delivery quota_counts_what_is_there "the quota's numbers equal the sum, right after a restart too";
            63 delivery over_quota_changes_nothing "over quota at the announcement and at the commit: OverQuota, usage unchanged";
            64 rights each_right_is_asked_for "ACL: each right on each method; without the lookup right a mailbox looks as if it did not exist";
            65 annotations an_annotation_is_ones_own_or_everybodys "annotations: set, removed with none, all or none, up to the limits; private ones and shared ones";
            66 delivery each_recipient_or_all_of_them "PerTarget leaves the others delivered, in order; AllOrNothing delivers to none when one fails";
            67 delivery a_delivery_appears_in_an_open_view "a delivery during an open view appears by the feed";
            68 delivery a_maildrop_is_lent_once "a maildrop's lease excludes a second one, is given back when dropped, and stops no delivery";
            69 delivery unique_ids_are_stable_and_printable "a unique-id is stable, unique, of 1 to 70 printable octets";
            70 delivery only_marked_messages_are_removed "the end of a POP3 session removes the marked messages only; its loss removes none";
            72 cancel a_dropped_future_leaves_all_or_nothing "a future dropped at any await point leaves all or nothing, and no lock";
            73 crash a_killed_process_leaves_all_or_nothing "a process killed in the middle of any writing method leaves all of it or nothing, and all that was answered";
            74 outage what_fails_is_unavailable_and_works_later "the disk is full or the backend down: Unavailable, nothing by half, and another try works later";
            75 model two_threads_are_one_history "two handles on two threads, random operations: each message's changes are one history";
            77 restore a_restored_mailbox_goes_on_where_the_old_one_ended "restore keeps UIDVALIDITY, UIDs, flags and dates, and nothing falls that clients were told";
            78 restore only_an_unused_mailbox_is_restored "restore takes no mailbox's place that has been used; no UID is given out twice";
            79 changes a_large_mailbox_is_told_as_it_is "the snapshot of a large mailbox with gaps is what is there, whatever came and went since the last one";
        }
    };
}

macro_rules! table {
    ([] $($number:literal $file:ident $name:ident $sentence:literal;)*) => {
        /// Every behaviour that the kit tests, by its number in the contract.
        pub const BEHAVIOURS: &[Behaviour] =
            &[$(Behaviour { number: $number, name: stringify!($name), sentence: $sentence }),*];

        async fn perform<F: Factory>(name: &str, kit: &Kit<F>) -> Check {
            match name {
                // Boxed: the sum of all of them would not fit on a small stack.
                $(stringify!($name) => Box::pin($file::$name(kit)).await,)*
                _ => Err(Stop::failed(format!("there is no behaviour of the name {name:?}"))),
            }
        }
    };
}

__contract_behaviours!(table, []);

/// Makes a `#[test]` of every behaviour, named as it is, of a [`Factory`] that the expression makes anew for each.
///
/// ```
/// # use mailstore_traits::{contract::Factory, memory::MemoryStore};
/// # struct InMemory;
/// # impl Factory for InMemory {
/// #     type Store = MemoryStore;
/// #     async fn fresh(&self) -> MemoryStore {
/// #         MemoryStore::new()
/// #     }
/// # }
/// mod contract {
///     # use super::InMemory;
///     mailstore_traits::contract_tests!(InMemory);
/// }
/// # fn main() {}
/// ```
///
/// A store that needs something which not every machine has (a database's server) says behind it whether that is there, and
/// tells by itself that tests were skipped: `contract_tests!(InMemory, if server_is_there())`.
#[macro_export]
macro_rules! contract_tests {
    ($factory:expr) => {
        $crate::contract_tests!($factory, if true);
    };
    ($factory:expr, if $there:expr) => {
        $crate::__contract_behaviours!($crate::__contract_test_functions, [$factory, $there]);
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __contract_test_functions {
    ([$factory:expr, $there:expr] $($number:literal $file:ident $name:ident $sentence:literal;)*) => {
        $(
            #[test]
            fn $name() {
                // The process that is killed is this test, started by itself.
                if $crate::contract::__is_child() || $there {
                    let test = concat!(module_path!(), "::", stringify!($name));
                    $crate::contract::run_one_as($factory, stringify!($name), test).assert_passed();
                }
            }
        )*
    };
}

/// Tests every behaviour, one after another, each on a thread and a store of its own.
///
/// It blocks the thread that calls it. A behaviour that panics or does not end in time has failed.
pub fn run<F: Factory>(factory: F) -> Report {
    let factory = Arc::new(factory);
    Report::new(BEHAVIOURS.iter().map(|behaviour| (*behaviour, outcome(&factory, behaviour.name, None))).collect())
}

/// Tests one behaviour, by its name in [`BEHAVIOURS`]. A name that is not there fails.
pub fn run_one<F: Factory>(factory: F, name: &str) -> Report {
    one(factory, name, None)
}

/// The same in a test of that full name, `concat!(module_path!(), "::", "my_test")`: the behaviour that kills a process starts
/// this very test in another. [`contract_tests!`](crate::contract_tests) calls it so.
pub fn run_one_as<F: Factory>(factory: F, name: &str, test: &str) -> Report {
    // The test harness leaves the crate's name out.
    one(factory, name, test.split_once("::").map(|(_, test)| test.to_owned()))
}

/// Whether this process is the one that a behaviour kills.
#[doc(hidden)]
pub fn __is_child() -> bool {
    crash::is_child()
}

fn one<F: Factory>(factory: F, name: &str, test: Option<String>) -> Report {
    let unknown = Behaviour { number: 0, name: "unknown", sentence: "there is no such behaviour" };
    let behaviour = BEHAVIOURS.iter().find(|behaviour| behaviour.name == name).copied().unwrap_or(unknown);
    Report::new(vec![(behaviour, outcome(&Arc::new(factory), name, test))])
}

fn outcome<F: Factory>(factory: &Arc<F>, name: &str, test: Option<String>) -> Outcome {
    let kit = Kit::new(Arc::clone(factory), test);
    let deadline = kit.declared().deadline.saturating_mul(crash::patience(name, kit.declared()));
    let name = name.to_owned();
    let (done, result) = mpsc::channel();
    // On a thread of its own, so that one that waits for ever can be left behind.
    thread::spawn(move || {
        let work = AssertUnwindSafe(|| match crash::is_child() {
            true => kit.block_on(crash::work(&kit)),
            false => kit.block_on(perform(&name, &kit)),
        });
        let _ = done.send(std::panic::catch_unwind(work));
    });
    match result.recv_timeout(deadline) {
        Ok(Ok(Ok(()))) => Outcome::Passed,
        Ok(Ok(Err(Stop::Failed(why)))) => Outcome::Failed(why),
        Ok(Ok(Err(Stop::Skipped(why)))) => Outcome::Skipped(why),
        Ok(Err(panic)) => {
            let words = panic.downcast_ref::<String>().map(String::as_str).or(panic.downcast_ref::<&str>().copied());
            Outcome::Failed(format!("panicked: {}", words.unwrap_or("without words")))
        }
        Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => {
            Outcome::Failed(format!("did not end within {deadline:?}: is a lock held, or a signal lost?"))
        }
    }
}
