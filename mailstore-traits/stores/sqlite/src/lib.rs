//! The embedded mail store: one SQLite file, durable before it answers.

mod account;
mod body;
mod codec;
mod error;
mod files;
mod flags;
mod hub;
mod keeper;
mod lease;
mod ledger;
mod mailboxes;
mod messages;
mod open;
mod options;
mod place;
mod pool;
mod quota;
mod schema;
mod stage;
mod store;
mod transfer;
mod writer;

pub use account::SqliteAccount;
pub use error::OpenError;
pub use options::Options;
pub use stage::{SqliteBlob, SqliteStage};
pub use store::{SqliteStore, Stats};
