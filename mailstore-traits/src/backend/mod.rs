//! What several stores are built of, for stores that keep their mail in a database: flags as columns, and who waits for
//! which mailbox, and which messages were there a moment ago.
//!
//! The SQLite store and the PostgreSQL store use it; yours may, too. It is no part of the contract.

pub mod columns;
mod hub;
mod uid_sets;

pub use hub::{Hub, Watch, WatchAccount};
pub use uid_sets::{Known, UidSets};
