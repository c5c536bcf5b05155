//! The embedded mail store: one SQLite database, large bodies in files beside it, durable before it answers.
//!
//! [`SqliteStore`] implements [`MailStore`](mailstore_traits::MailStore) and [`SqliteAccount`]
//! [`Account`](mailstore_traits::Account). It needs no server, no configuration and no async runtime: what blocks runs on
//! threads of its own.
//!
//! ```text
//!   deliver, commit, flags, copy, expunge             lists, bodies, changes
//!        │  at most 1,024 wait                             │
//!        ▼                                                 ▼
//!   one writer: takes all that waits, commits once    a few readers, a connection each
//!        │                                                 │
//!        ├──────────────► mail.db (write-ahead log) ◄──────┤
//!        └──────────────► mail.db.bodies/  ◄───────────────┘
//!          large bodies: on the disk before the row that names them
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
//!   was acknowledged is there, once and whole, and nothing is there by half (the contract kit's row 73).
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
//! # Three ways to use it
//!
//! **In your own program**, under the servers or alone:
//!
//! ```toml
//! [dependencies]
//! pillarbox-store-sqlite = "0.1"
//! pillarbox-mailstore-traits = "0.1"
//! ```
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
//! **As a whole program**, from the repository: the store of the mail server is this one, unless it is told otherwise.
//!
//! ```sh
//! cargo run --release -p pillarbox-mail-server -- --store sqlite:mail.db
//! ```
//!
//! **Under a fuzzer**: the contract kit plays random histories on it and on a model, and drops futures at each await point;
//! it kills a process in the middle of every writing method and looks at what it left, 12 times unless `PILLARBOX_KILLS` says
//! otherwise; and a digest that somebody has
//! tampered with in the database is refused or read:
//!
//! ```sh
//! cargo test -p pillarbox-store-sqlite
//! fuzz/run message_stored
//! ```
//!
//! # Features
//!
//! None.
//!
//! # Limits
//!
//! Every one is a method of [`Options`]; the first two are no limits.
//!
//! | Limit | Default | Beyond it | Says who |
//! | --- | --- | --- | --- |
//! | [`shared`](Options::shared) | no | open beside a running server: no leases, no clearing away | tools |
//! | [`restored`](Options::restored) | no | this is an older copy: a new UIDVALIDITY for every mailbox | attack row P9 |
//! | [`readers`](Options::readers) | 4 threads that read | reads wait | this crate |
//! | [`inline_octets`](Options::inline_octets) | 64 KiB | larger bodies get a file | measured, below |
//! | [`max_message`](Options::max_message) | 1 GiB | [`TooBig`](mailstore_traits::ErrorKind::TooBig) | attack row M3 |
//! | [`body_grace`](Options::body_grace) | 10 minutes | after its last expunge a body is collected | readers that are under way |
//! | [`lease_time`](Options::lease_time) | 30 minutes | another session may hold the maildrop | attack row P6 |
//! | [`tombstones`](Options::tombstones) | 100,000 ranges of expunged UIDs for each mailbox | [`ModSeqTooOld`](mailstore_traits::ErrorKind::ModSeqTooOld) | the contract, promise 3 |
//! | [`queue`](Options::queue) | 1,024 writes | further ones wait | attack row M13 |
//! | [`max_mailboxes`](Options::max_mailboxes) | 10,000 mailboxes, and subscriptions, of an account | [`LimitExceeded`](mailstore_traits::ErrorKind::LimitExceeded) | attack row P1 |
//! | [`max_keywords`](Options::max_keywords) | 1,000 different ones in a mailbox | [`LimitExceeded`](mailstore_traits::ErrorKind::LimitExceeded) | attack row M7 |
//! | [`busy_timeout`](Options::busy_timeout) | 10 seconds | [`Unavailable`](mailstore_traits::ErrorKind::Unavailable): another process writes | this crate |
//!
//! A mailbox has 2³²−1 UIDs; UIDVALIDITYs are seconds of Unix time and good until 2106. The database must be on a
//! local disk (SQLite's log needs shared memory between processes). A maildrop's lease is known to this process alone;
//! the lock file sees to it that no other process serves.
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
//! # RFCs
//!
//! The contract's rows run on this store by their names (`tests/contract.rs`); these are the ones behind each RFC, and what
//! is tested here besides.
//!
//! | RFC | Section | What | Module | Tested by |
//! | --- | --- | --- | --- | --- |
//! | 5321 | §4.2.5 | what was acknowledged is kept | `writer`, `files` | `tests/contract.rs`, `store::many_deliveries_share_a_commit` |
//! | 9051 | §2.3.1.1 | UIDs and UIDVALIDITY, over restarts and restored copies | `place`, `open` | `opening::an_older_copy_put_back_gets…`, `store::all_is_there_after_a_reopening`, `tests/contract.rs` |
//! | 9051 | §2.3.2, §6.4.6 | flags and keywords | `flags` | `store::changing_flags_goes_on_when…`, `tests/contract.rs` |
//! | 9051, 6851 | §6.4.3, §6.4.7, §6.4.8 | expunge, copy, move | `transfer` | `store::a_body_is_collected_after_its…`, `tests/contract.rs` |
//! | 7162 | §3.1 | modification sequences, the feed of changes | `ledger` | `tests/contract.rs` |
//! | 2177 | §3 | who waits for changes hears of them | `account` | `store::a_watcher_hears_of_a_change_and…`, `opening::a_tool_works_beside_the_owner…` |
//! | 1939 | §8 | the maildrop held alone | `lease` | `tests/contract.rs` |
//! | 9208 | §3.1 | an account's quota | `quota` | `store::a_quota_holds_at_the…` |
//!
//! Not there yet: shared mailboxes and an index of words; a search for text reads the messages.
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
#![cfg_attr(docsrs, feature(doc_cfg))]

mod account;
mod body;
mod check;
mod codec;
mod error;
mod files;
mod flags;
mod keeper;
mod lease;
mod ledger;
mod mailboxes;
mod messages;
mod open;
mod options;
pub mod outside;
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

/// The README's code, compiled.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
pub struct Readme;
