//! The mail store over Maildir++.
#![cfg_attr(docsrs, feature(doc_cfg))]
#![cfg(unix)]

mod account;
mod bodies;
mod dir;
mod disk;
mod error;
mod filename;
mod keywords;
mod names;
mod octets;
mod scan;
mod settle;
mod store;
mod subscriptions;
mod watch;

pub use account::MaildirAccount;
pub use error::OpenError;
pub use store::MaildirStore;
pub use store_sqlite::{Options, SqliteBlob as MaildirBlob, SqliteStage as MaildirStage, Stats};
