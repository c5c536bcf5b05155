//! The kit of the servers, run on this store.
#![allow(clippy::unwrap_used, reason = "tests")]

mod common;
mod kit;

conformance::conformance_tests!(kit::Sqlite::new(false));
