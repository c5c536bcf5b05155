//! What several stores are built of, for stores that keep their mail in a database: flags as columns, and who waits for
//! which mailbox.
//!
//! The SQLite store and the PostgreSQL store use it; yours may, too. It is no part of the contract.

pub mod columns;
mod hub;

pub use hub::{Hub, Watch, WatchAccount};
