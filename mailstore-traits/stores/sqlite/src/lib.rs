//! The embedded mail store: one SQLite database, large bodies in files beside it, durable before it answers.
//!
//! [`SqliteStore`] implements [`MailStore`](mailstore_traits::MailStore) and [`SqliteAccount`]
//! [`Account`](mailstore_traits::Account). It needs no server, no configuration and no async runtime: what blocks runs on
//! threads of its own.
//!
//! ```
//! # async fn example(folder: &std::path::Path) -> Result<(), Box<dyn std::error::Error>> {
//! use mailstore_traits::{AccountId, MailStore, Mode, SizeHint, Stage, Target};
//! use store_sqlite::SqliteStore;
//!
//! let store = SqliteStore::open(folder.join("mail.db"))?;
//! let mut stage = store.stage(SizeHint::Unknown).await?;
//! stage.write("Subject: hello\r\n\r\nHello, Ada.\r\n".into()).await?;
//! let blob = stage.finish(None).await?;
//! store.deliver(&blob, vec![Target::inbox(AccountId::from("ada@example.org"))], Mode::AllOrNothing).await?;
//! store.close().await;
//! # Ok(())
//! # }
//! # let folder = tempfile::tempdir().unwrap();
//! # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(example(folder.path())).unwrap();
//! ```
//!
//! # What lies where
//!
//! | Path | Holds |
//! | --- | --- |
//! | `mail.db`, `-wal`, `-shm` | accounts, mailboxes, messages, bodies up to 64 KiB |
//! | `mail.db.bodies/ab/ab…` | larger bodies, a file each, named by their key, never renamed or changed |
//! | `mail.db.lock` | held by the one server; a mark of how many commits the database has seen |
//! | `mail.db.tools` | held by tools that have the store open beside the server |
//!
//! On Unix all of it is made for its owner alone, whatever the umask; a mode that was changed afterwards is left.
//!
//! # What it promises
//!
//! - **Durable before it answers.** SQLite runs with a write-ahead log and `synchronous=FULL`; a body's file, and its
//!   name in its folder, are on the disk before the row that names it is committed. After a kill at any moment all that
//!   was acknowledged is there, once and whole, and nothing is there by half (`tests/crash.rs`).
//! - **One fsync for many.** A single thread writes. It takes all that waits, at most 128 pieces of work, each in a
//!   savepoint of its own, commits once, and answers all. If the commit fails, all of them get
//!   [`Unavailable`](mailstore_traits::ErrorKind::Unavailable). [`SqliteStore::stats`] tells how many shared how few.
//! - **Commit order is visible order**, for the same reason; across processes SQLite's own write lock sees to it.
//! - **Bounded.** A stage holds 64 KiB and the chunk that is being written; a body is read in chunks of 64 KiB;
//!   metadata is read 256 messages at a time, and no transaction lives between two items of a stream. A snapshot holds
//!   its UIDs as ranges.
//! - **Nothing in a loop costs the mailbox.** Counts stand in the mailbox's row; the change feed, unseen, deleted and
//!   flagged messages have an index each; a deleted mailbox is cleared away afterwards, a thousand messages at a time.
//! - An open body always completes: what it needs is held open, whatever is expunged meanwhile.
//!
//! # Options
//!
//! | [`Options`] | Default | |
//! | --- | --- | --- |
//! | [`shared`](Options::shared) | no | open beside a running server: no leases, no clearing away |
//! | [`restored`](Options::restored) | no | this is an older copy: a new UIDVALIDITY for every mailbox |
//! | [`readers`](Options::readers) | 4 | threads that read |
//! | [`inline_octets`](Options::inline_octets) | 64 KiB | larger bodies get a file |
//! | [`max_message`](Options::max_message) | 1 GiB | the largest message |
//! | [`body_grace`](Options::body_grace) | 10 min | from a body's last expunge to its collection |
//! | [`lease_time`](Options::lease_time) | 30 min | the longest that one session holds a maildrop |
//! | [`tombstones`](Options::tombstones) | 100,000 | ranges of expunged UIDs that a mailbox remembers |
//! | [`queue`](Options::queue) | 1,024 | writes that may wait |
//! | [`max_mailboxes`](Options::max_mailboxes) | 10,000 | mailboxes, and subscriptions, of an account |
//! | [`max_keywords`](Options::max_keywords) | 1,000 | different keywords in a mailbox |
//! | [`busy_timeout`](Options::busy_timeout) | 10 s | waiting for another process's write |
//!
//! Why 64 KiB: `cargo run -p pillarbox-store-sqlite --example measure`, an unoptimised build on a busy two-core machine
//! with a virtual disk, sixteen senders at once, one reader; messages in a second:
//!
//! | Octets | in: database | in: file | out: database | out: file |
//! | --- | --- | --- | --- | --- |
//! | 4,096 | 2,759 | 2,630 | 29,946 | 13,785 |
//! | 65,536 | 788 | 628 | 7,200 | 15,374 |
//! | 262,144 | 517 | 424 | 5,280 | 6,405 |
//! | 1,048,576 | 87 | 170 | 1,256 | 1,288 |
//!
//! The database takes small bodies in faster, files give large ones out faster, and the limit is also what each stage
//! may hold in memory, so it is the smallest at which both are good. Your disk may differ.
//!
//! # What it has decided where the contract leaves a choice
//!
//! - It keeps no list of accounts: whoever is opened or delivered to and is not there yet is made, with an INBOX, in one
//!   transaction. There are no shared mailboxes: a user opens their own account; another's is
//!   [`NotFound`](mailstore_traits::ErrorKind::NotFound).
//! - Parents of a mailbox are left out, never made. Every legal name is kept to the octet. Several mailboxes may have
//!   one special use; `\All`, `\Flagged` and `\Important`, being views, are
//!   [`Unsupported`](mailstore_traits::ErrorKind::Unsupported). Any name can be subscribed.
//! - A keyword has one spelling in a mailbox, the first, for as long as a message there carries it.
//! - What one call puts into, or takes out of, a mailbox has one modification sequence; a long copy, move or change of
//!   flags has one for every thousand messages.
//! - A quota is of an account; it has one root, with an empty name.
//! - A [`deliver`](mailstore_traits::MailStore::deliver) or [`commit`](mailstore_traits::Account::commit) whose future
//!   is dropped before its work began is not carried out; later it is, whole.
//!
//! # Backup and restore
//!
//! While the server runs: `sqlite3 mail.db "VACUUM INTO 'copy.db'"`, and **afterwards** copy the folder `mail.db.bodies`
//! to `copy.db.bodies`, within [`body_grace`](Options::body_grace) of the first step. The files never change, so
//! `rsync` copies only new ones. With the server stopped, copying everything is enough.
//!
//! A database that was restored from an older copy would give UIDs out again that clients know as other messages. The
//! store finds this out if `mail.db.lock` was left in its place: the mark in it says that the database has been further.
//! It then gives every mailbox a new UIDVALIDITY, and clients load afresh; files of bodies that it does not know are not
//! cleared away before the next start, should it have been the wrong copy, or none. If the whole folder was restored, or moved to
//! another machine, nothing can show it: open it once with [`Options::restored`].
//!
//! # Limits
//!
//! A mailbox has 2³²−1 UIDs; UIDVALIDITYs are seconds of Unix time and good until 2106. The database must be on a
//! local disk (SQLite's log needs shared memory between processes). A maildrop's lease is known to this process alone;
//! the lock file sees to it that no other process serves.
#![cfg_attr(docsrs, feature(doc_cfg))]

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

/// The README's example, compiled and run.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
pub struct Readme;
