//! The contract kit, run on this store: each behaviour on a database of its own.
#![allow(clippy::unwrap_used, clippy::print_stderr, reason = "tests")]

mod common;
mod kit;
mod server;

mailstore_traits::contract_tests!(kit::Postgres::new(kit::Form::Table, false), if server::server().is_some());
