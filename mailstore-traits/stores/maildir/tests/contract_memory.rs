//! The behaviours of the contract kit that measure memory, one after another in a process of their own.
#![cfg(unix)]
#![allow(clippy::unwrap_used, reason = "tests")]

mod common;
mod kit;

use mailstore_traits::contract::run_one;

#[test]
fn memory_is_bounded() {
    for behaviour in ["a_large_stage_needs_little_memory", "a_dropped_watcher_is_freed", "signals_coalesce"] {
        run_one(kit::Maildir::new(true), behaviour).assert_passed();
    }
}
