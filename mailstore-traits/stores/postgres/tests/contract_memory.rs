//! The behaviours of the contract kit that measure memory, one after another in a process of their own.
#![allow(clippy::unwrap_used, clippy::print_stderr, reason = "tests")]

mod common;
mod kit;
mod server;

use mailstore_traits::contract::run_one;

#[test]
fn memory_is_bounded() {
    if server::server().is_none() {
        return;
    }
    for behaviour in ["a_large_stage_needs_little_memory", "a_dropped_watcher_is_freed", "signals_coalesce"] {
        run_one(kit::Postgres::new(kit::Form::Table, true), behaviour).assert_passed();
    }
}
