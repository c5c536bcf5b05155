//! The contract kit, run on this store: each behaviour on a database in a folder of its own.
#![allow(clippy::unwrap_used, reason = "tests")]

mod common;
mod kit;

mailstore_traits::contract_tests!(kit::Sqlite::new(false));
