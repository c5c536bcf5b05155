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
//! No runtime is needed. A store that needs one says so in [`Factory::block_on`].

mod factory;
mod report;
mod tools;

mod cancel;
mod changes;
mod mailboxes;
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
            4 mailboxes a_name_used_again_has_a_larger_uid_validity "delete, then create with the same name: a larger UIDVALIDITY, another id";
            13 uids uids_rise "UIDs rise strictly over append, copy, move and delivery, also concurrent ones";
            14 uids uid_next_is_larger_than_all_uids_ever_given_out "UIDNEXT is larger than every UID ever seen, also after expunge of the newest and reopen";
            16 uids a_body_comes_back_octet_for_octet "the body read back equals the octets written: none, one, 8-bit, NUL, large";
            17 uids the_size_is_what_is_served "the size is the count of octets served, for every message and range";
            18 uids what_is_said_of_a_message_is_kept "flags, keywords and internal date with its zone are kept exactly; without a date it is now";
            25 uids a_large_stage_needs_little_memory "memory stays bounded while a large message is staged and read";
            34 changes nothing_happened_nothing_told "changes_since the snapshot's modification sequence is empty if nothing happened";
            42 changes what_is_seen_is_never_preceded_later "visibility order: with many writers, a reader that polls never misses a UID";
            45 transfer a_move_is_one_step "a move is atomic: at no time are messages in both mailboxes or in neither";
            51 views a_write_by_another_handle_is_signalled "watch, then write from another handle: a signal comes within the bound";
            53 views a_write_between_watch_and_snapshot_is_not_lost "a write between watch and snapshot is seen once at least";
            72 cancel a_dropped_future_leaves_all_or_nothing "a future dropped at any await point leaves all or nothing, and no lock";
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
#[macro_export]
macro_rules! contract_tests {
    ($factory:expr) => {
        $crate::__contract_behaviours!($crate::__contract_test_functions, [$factory]);
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __contract_test_functions {
    ([$factory:expr] $($number:literal $file:ident $name:ident $sentence:literal;)*) => {
        $(
            #[test]
            fn $name() {
                $crate::contract::run_one($factory, stringify!($name)).assert_passed();
            }
        )*
    };
}

/// Tests every behaviour, one after another, each on a thread and a store of its own.
///
/// It blocks the thread that calls it. A behaviour that panics or does not end in time has failed.
pub fn run<F: Factory>(factory: F) -> Report {
    let factory = Arc::new(factory);
    Report::new(BEHAVIOURS.iter().map(|behaviour| (*behaviour, outcome(&factory, behaviour.name))).collect())
}

/// Tests one behaviour, by its name in [`BEHAVIOURS`]. A name that is not there fails.
pub fn run_one<F: Factory>(factory: F, name: &str) -> Report {
    let unknown = Behaviour { number: 0, name: "unknown", sentence: "there is no such behaviour" };
    let behaviour = BEHAVIOURS.iter().find(|behaviour| behaviour.name == name).copied().unwrap_or(unknown);
    Report::new(vec![(behaviour, outcome(&Arc::new(factory), name))])
}

fn outcome<F: Factory>(factory: &Arc<F>, name: &str) -> Outcome {
    let kit = Kit::new(Arc::clone(factory));
    let (deadline, name) = (kit.declared().deadline, name.to_owned());
    let (done, result) = mpsc::channel();
    // On a thread of its own, so that one that waits for ever can be left behind.
    thread::spawn(move || {
        let work = AssertUnwindSafe(|| kit.block_on(perform(&name, &kit)));
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
