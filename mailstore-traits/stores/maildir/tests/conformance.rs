//! The kit of the servers, run on this store: each behaviour on a root of its own.
#![cfg(unix)]
#![allow(clippy::unwrap_used, reason = "tests")]

mod common;
mod kit;

conformance::conformance_tests!(kit::Maildir::new(false));
