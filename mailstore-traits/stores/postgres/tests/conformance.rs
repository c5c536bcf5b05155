//! The kit of the servers, run on this store: each behaviour on a database of its own.
#![allow(clippy::unwrap_used, clippy::print_stderr, reason = "tests")]

mod common;
mod kit;
mod server;

conformance::conformance_tests!(kit::Postgres::new(kit::Form::Table, false), if server::server().is_some());
