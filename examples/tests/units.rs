//! The examples' own tests. Cargo builds an example either to be run, as `tests/examples.rs` wants it, or to be tested; so
//! they are tested from here.
#![allow(clippy::unwrap_used, dead_code)]

#[path = "../smtp_authenticated_results.rs"]
mod smtp_authenticated_results;
#[path = "../smtp_policy.rs"]
mod smtp_policy;
