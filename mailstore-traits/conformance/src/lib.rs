//! What the servers of Pillarbox and a mail store promise each other, tested on any store.
//!
//! The [contract kit](mailstore_traits::contract) asks a store directly. Some promises show only with a server in front of
//! it: which code a client sees when the store is full, that no word of the store's own reaches a peer, that nothing is
//! offered which the store does not have. This crate has a kit for these, of the same shape: the same
//! [`Factory`], the same [`Report`], and numbers of the same list.
//!
//! ```text
//!   a client ──── SMTP, LMTP, IMAP, POP3 ────► the servers ────► Tapped ────► your store
//!   asserts on each octet                                      fails, counts,
//!                                                              hides features
//! ```
//!
//! ```
//! use mailstore_traits::contract::Factory;
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
//! // In a test: `conformance::run(InMemory).assert_passed()`, or a test for each with `conformance_tests!(InMemory)`.
//! conformance::run_one(InMemory, "what_is_off_is_not_asked_for").assert_passed();
//! ```
//!
//! The conversations run in memory, without sockets. [`Tapped`], which stands between, is for your own tests too.

mod errors;
mod faults;
mod features;
mod house;
mod tap;

use std::fmt;
use std::panic::{AssertUnwindSafe, Location, catch_unwind};
use std::sync::mpsc;
use std::thread;

use mailstore_traits::contract::{Behaviour, Factory, Outcome, Report};
pub use tap::{Call, Tap, Tapped, TappedStage};

/// Why a behaviour was not found to be kept.
#[derive(Debug)]
pub(crate) enum Stop {
    Failed(String),
    Skipped(String),
}

pub(crate) type Check<T = ()> = Result<T, Stop>;

impl Stop {
    #[track_caller]
    pub(crate) fn failed(why: impl fmt::Display) -> Self {
        Self::Failed(format!("{why} ({})", Location::caller()))
    }
}

/// An error of the store where none was to be.
impl From<mailstore_traits::StoreError> for Stop {
    #[track_caller]
    fn from(error: mailstore_traits::StoreError) -> Self {
        Self::failed(format_args!("the store answered: {error}"))
    }
}

/// Fails unless it holds.
macro_rules! ensure {
    ($holds:expr, $($words:tt)+) => {
        if !$holds {
            return Err($crate::Stop::failed(format_args!($($words)+)));
        }
    };
}
pub(crate) use ensure;

/// Calls another macro with what is in brackets, and then with every behaviour: its number, file, name and sentence.
#[doc(hidden)]
#[macro_export]
macro_rules! __conformance_behaviours {
    ($callback:path, [$($arguments:tt)*]) => {
        $callback! { [$($arguments)*]
            59 faults a_call_that_hangs_hinders_nobody_else "a call on the store that hangs hinders no other session, and is answered when it ends";
            71 errors each_error_has_its_reply_by_smtp "each error of the store has its reply by SMTP and LMTP, and no word of the store's own";
            71 errors each_error_has_its_code_by_imap "each error of the store has its response code by IMAP, and no word of the store's own";
            71 errors each_error_has_its_answer_by_pop3 "each error of the store has its answer by POP3, and no word of the store's own";
            72 faults who_goes_in_the_middle_leaves_nothing_half_done "a client that goes away anywhere leaves no message in two places or in none, and no maildrop held";
            74 faults mail_is_there_once_though_the_store_fails "of a store that fails now and then, what is acknowledged by SMTP is there once, and what is refused can be sent again";
            74 faults a_view_stays_true_though_the_store_fails "of a store that fails now and then, an IMAP session believes what is so";
            76 features what_is_off_is_not_asked_for "what a store says it does not have is not asked of it by any server";
            76 features what_is_on_is_used "what a store says it has is used where a server can use it";
        }
    };
}

macro_rules! table {
    ([] $($number:literal $file:ident $name:ident $sentence:literal;)*) => {
        /// Every behaviour that this kit tests, by its number in the contract.
        pub const BEHAVIOURS: &[(u8, &str, &str)] = &[$(($number, stringify!($name), $sentence)),*];

        async fn perform<F: Factory>(name: &str, factory: &F) -> Check {
            match name {
                $(stringify!($name) => Box::pin($file::$name(factory)).await,)*
                _ => Err(Stop::failed(format!("there is no behaviour of the name {name:?}"))),
            }
        }
    };
}

__conformance_behaviours!(table, []);

/// Makes a `#[test]` of every behaviour, named as it is, of a [`Factory`] that the expression makes anew for each; with
/// `if`, as [`contract_tests!`](mailstore_traits::contract_tests) has it, for those that need something.
#[macro_export]
macro_rules! conformance_tests {
    ($factory:expr) => {
        $crate::conformance_tests!($factory, if true);
    };
    ($factory:expr, if $there:expr) => {
        $crate::__conformance_behaviours!($crate::__conformance_test_functions, [$factory, $there]);
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __conformance_test_functions {
    ([$factory:expr, $there:expr] $($number:literal $file:ident $name:ident $sentence:literal;)*) => {
        $(
            #[test]
            fn $name() {
                if $there {
                    $crate::run_one($factory, stringify!($name)).assert_passed();
                }
            }
        )*
    };
}

/// Tests every behaviour, one after another, each on a store of its own. It blocks the thread that calls it.
pub fn run<F: Factory>(factory: F) -> Report {
    let factory = std::sync::Arc::new(factory);
    Report::new(BEHAVIOURS.iter().map(|behaviour| one(&factory, behaviour)).collect())
}

/// Tests one behaviour, by its name in [`BEHAVIOURS`]. A name that is not there fails.
pub fn run_one<F: Factory>(factory: F, name: &str) -> Report {
    let unknown = (0, "unknown", "there is no such behaviour");
    let behaviour = BEHAVIOURS.iter().find(|behaviour| behaviour.1 == name).unwrap_or(&unknown);
    Report::new(vec![one(&std::sync::Arc::new(factory), behaviour)])
}

fn one<F: Factory>(factory: &std::sync::Arc<F>, behaviour: &(u8, &'static str, &'static str)) -> (Behaviour, Outcome) {
    let (number, name, sentence) = *behaviour;
    let behaviour = Behaviour::new(number, name, sentence);
    let deadline = factory.declared().deadline;
    let (done, result) = mpsc::channel();
    let factory = std::sync::Arc::clone(factory);
    // On a thread of its own, so that one that waits for ever can be left behind.
    thread::spawn(move || {
        // A store may bring a runtime of its own, or none: the servers want tokio's.
        let ended = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().map(|runtime| {
            let _entered = runtime.enter();
            catch_unwind(AssertUnwindSafe(|| factory.block_on(perform(name, &*factory))))
        });
        let _ = done.send(ended);
    });
    let outcome = match result.recv_timeout(deadline) {
        Ok(Ok(Ok(Ok(())))) => Outcome::Passed,
        Ok(Ok(Ok(Err(Stop::Failed(why))))) => Outcome::Failed(why),
        Ok(Ok(Ok(Err(Stop::Skipped(why))))) => Outcome::Skipped(why),
        Ok(Ok(Err(panic))) => {
            let words = panic.downcast_ref::<String>().map(String::as_str).or(panic.downcast_ref::<&str>().copied());
            Outcome::Failed(format!("panicked: {}", words.unwrap_or("without words")))
        }
        Ok(Err(error)) => Outcome::Failed(format!("no runtime: {error}")),
        Err(_) => Outcome::Failed(format!("did not end within {deadline:?}")),
    };
    (behaviour, outcome)
}

/// The README's code, compiled.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
pub struct Readme;
