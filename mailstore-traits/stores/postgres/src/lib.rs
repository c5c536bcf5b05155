//! The mail store for several machines: PostgreSQL, durable before it answers.
//!
//! [`PostgresStore`] implements [`MailStore`](mailstore_traits::MailStore) and [`PostgresAccount`]
//! [`Account`](mailstore_traits::Account), for any number of processes on any number of machines. It works on tokio; its
//! streams and futures can be polled from any runtime, for the work is done on the one that it was opened on.
//!
//! ```text
//!    process                process                process
//!       │                      │                      │      a pool of connections each, and one that listens
//!       ├──────────┬───────────┴──────────┬───────────┤
//!       ▼          ▼                      ▼           ▼
//!    mailbox rows, locked one by one    NOTIFY     bodies: chunks of a table,
//!    (never the database)               LISTEN     or an object store
//! ```
//!
//! # What lies where
//!
//! All tables are in a schema of their own, `pillarbox`, so that other programs may have theirs beside it. The first process
//! that connects makes it, and a newer version brings it to its form, under an advisory lock; the user that connects must
//! be allowed to (`GRANT CREATE ON DATABASE`). It wants PostgreSQL 12 or newer (tested with 15), with UTF-8.
//!
//! | Table | Holds |
//! | --- | --- |
//! | `account`, `mailbox`, `message`, `extra`, `keyword`, `subscription`, `tombstone` | the mail but its octets |
//! | `body`, `chunk` | bodies by their SHA-256, each kept once; their octets, 64 KiB in each row |
//! | `stage`, `freed` | octets that no body has, and bodies that may have lost their last message: what is to be cleared away |
//! | `lease` | maildrops that a POP3 session holds |
//! | `login`, `login_password`, `alias` | who may log in, and whom mail is for (feature `logins`) |
//!
//! # What it promises
//!
//! - **Durable before it answers.** `synchronous_commit` is never off for a commit that somebody waits for. Octets of large
//!   bodies are written ahead, with no wait for a disk, and become durable with the commit of the row that names them,
//!   which comes behind them in the log; in an object store they are there before that row.
//! - **Commit order is visible order.** Whoever writes to a mailbox holds its row until the commit. Two mailboxes do not wait
//!   for each other: no sequence, counter or row is shared by all, bodies have no count of references that writers would
//!   meet at, and NOTIFY is sent after the commit, for inside it PostgreSQL would let all commits of the database wait for
//!   one lock. Rows are locked in one order (accounts, mailboxes, bodies; each by rising number), so no two writers wait
//!   for each other in a circle. An account with a quota is one row more, which those who add to it wait for.
//! - **All or nothing.** Every call runs to its end in a task of its own, whether anybody waits for it or not; if the process
//!   dies, PostgreSQL rolls back. A connection goes back to the pool after a confirmed commit or rollback only.
//! - **No lock outlives its holder.** A process that stands still in the middle of a write loses its transaction after three
//!   times [`lock_wait`](Options::lock_wait); one that is gone, as soon as PostgreSQL finds its connection dead.
//! - **One mailbox's flood is its own.** Callers of one process who want the same mailbox wait for it without a connection,
//!   and deliveries that wait share the next commit.
//! - **Bounded.** A stage holds 512 KiB (5 MiB with an object store); a body is read in chunks of 64 KiB, metadata 256
//!   messages at a time, and neither a connection nor a transaction lives between two items of a stream. A snapshot holds its
//!   UIDs as ranges, and the database makes these.
//! - **An open body completes.** While it is read its grace time begins anew, for all processes.
//! - **Nothing is left behind.** Before the first octet of a large body is written, its name stands in `stage`, and until
//!   the last one is removed: what a crash leaves there is cleared away after a day, and no bucket is ever listed.
//!
//! # Three ways to use it
//!
//! **In your own program**, under the servers or alone:
//!
//! ```toml
//! [dependencies]
//! pillarbox-store-postgres = "0.1"
//! pillarbox-mailstore-traits = "0.1"
//! ```
//!
//! ```no_run
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! use mailstore_traits::{AccountId, MailStore, Mode, SizeHint, Stage, Target};
//! use store_postgres::{Options, PostgresStore};
//!
//! let store = PostgresStore::connect("postgres://mail:secret@db.example.org/mail", Options::default()).await?;
//! let mut stage = store.stage(SizeHint::Unknown).await?;
//! stage.write("Subject: hello\r\n\r\nHello, Ada.\r\n".into()).await?;
//! let blob = stage.finish(None).await?;
//! store.deliver(&blob, vec![Target::inbox(AccountId::from("ada@example.org"))], Mode::AllOrNothing).await?;
//! # Ok(())
//! # }
//! ```
//!
//! **As a whole program**, from the repository: any number of servers, each with a folder of its own, over one database that
//! has their mail, accounts and aliases.
//!
//! ```sh
//! cargo run --release -p pillarbox-mail-server -- --store postgres://mail:secret@db.example.org/mail
//! ```
//!
//! **Under a fuzzer**: the contract kit plays random histories on it and on a model, and drops futures at each await point;
//! `tests/crash.rs` kills a process in the middle of writes and looks at what it left, and `tests/nodes.rs` lets two stores
//! on one database race. The tests start a PostgreSQL of their own:
//!
//! ```sh
//! cargo test -p pillarbox-store-postgres --all-features
//! ```
//!
//! # Features
//!
//! | Feature | Adds |
//! | --- | --- |
//! | `object-store` | [`Options::objects`] and [`Options::object_folder`]: large bodies in a folder, in S3 or what speaks its protocol |
//! | `logins` | `Logins`: who may log in, and whom mail is for, in the same database: an `Authenticator` and a `Directory` |
//!
//! For S3, depend on the `object_store` crate with its feature `aws`, and hand its store to [`Options::objects`]. Let the
//! bucket end uploads that were never completed (S3: a lifecycle rule `AbortIncompleteMultipartUpload`): they are all that a
//! killed process may leave that no other one sees.
//!
//! # Limits
//!
//! Every one is a method of [`Options`]; the first is no limit.
//!
//! | Limit | Default | Beyond it | Says who |
//! | --- | --- | --- | --- |
//! | [`restored`](Options::restored) | no | this is an older copy: a new UIDVALIDITY for every mailbox | attack row P9 |
//! | [`connections`](Options::connections) | 8 for queries, and one that listens | calls wait | this crate |
//! | [`wait`](Options::wait) | 30 seconds for a connection | [`Unavailable`](mailstore_traits::ErrorKind::Unavailable) | this crate |
//! | [`lock_wait`](Options::lock_wait) | 10 seconds for a mailbox that another writes to | [`Unavailable`](mailstore_traits::ErrorKind::Unavailable) | this crate |
//! | [`inline_octets`](Options::inline_octets) | 64 KiB | larger bodies are written ahead | as the SQLite store |
//! | [`max_message`](Options::max_message) | 1 GiB | [`TooBig`](mailstore_traits::ErrorKind::TooBig) | attack row M3 |
//! | [`body_grace`](Options::body_grace) | 10 minutes | after its last expunge a body is collected | readers that are under way |
//! | [`lease_time`](Options::lease_time) | 30 minutes | another session may hold the maildrop | attack row P6 |
//! | [`lease_beat`](Options::lease_beat) | 30 seconds | a maildrop of a process that was killed is free | attack row P6 |
//! | [`tombstones`](Options::tombstones) | 100,000 ranges of expunged UIDs for each mailbox | [`ModSeqTooOld`](mailstore_traits::ErrorKind::ModSeqTooOld) | the contract, promise 3 |
//! | [`max_mailboxes`](Options::max_mailboxes) | 10,000 mailboxes, and subscriptions, of an account | [`LimitExceeded`](mailstore_traits::ErrorKind::LimitExceeded) | attack row P1 |
//! | [`max_keywords`](Options::max_keywords) | 1,000 different ones in a mailbox | [`LimitExceeded`](mailstore_traits::ErrorKind::LimitExceeded) | attack row M7 |
//!
//! A mailbox has 2³²−1 UIDs; UIDVALIDITYs are seconds of Unix time and good until 2106. Connections are not encrypted unless
//! the URL has `sslrootcert=FILE` or [`root_certificates`](Options::root_certificates) are given; with them, nothing but TLS
//! is spoken, and to nobody whose certificate or name is another's (`tests/tls.rs`).
//!
//! # RFCs
//!
//! The contract's rows run on this store by their names (`tests/contract.rs`, `tests/contract_forms.rs`); these are the ones
//! behind each RFC, and what is tested here besides.
//!
//! | RFC | Section | What | Module | Tested by |
//! | --- | --- | --- | --- | --- |
//! | 5321 | §4.2.5 | what was acknowledged is kept | `place`, `stage` | `crash::every_acknowledged_message…`, `restart::after_a_restart_of_the_database…` |
//! | 9051 | §2.3.1.1 | UIDs and UIDVALIDITY, over restarts and restored copies | `ledger`, `place` | `nodes::what_is_seen_is_never_preceded_later…`, `tests/contract.rs` |
//! | 9051 | §2.3.2, §6.4.6 | flags and keywords | `flags` | `tests/contract.rs` |
//! | 9051, 6851 | §6.4.3, §6.4.7, §6.4.8 | expunge, copy, move | `transfer` | `tests/contract.rs` |
//! | 7162 | §3.1 | modification sequences, the feed of changes | `messages` | `tests/contract.rs` |
//! | 2177 | §3 | who waits for changes hears of them | `signal` | `nodes::a_watcher_hears_of_another_nodes_change…` |
//! | 1939 | §8 | the maildrop held alone | `lease` | `nodes::sec_p6_a_lease_of_a_node_that_was_killed…` |
//! | 9208 | §3.1 | an account's quota | `quota` | `tests/contract.rs` |
//! | 7677 | §3 | SCRAM-SHA-256's keys | `logins` | `tests/logins.rs` |
//!
//! Not there yet: shared mailboxes and an index of words; a search for text reads the messages.
//!
//! # What it has decided where the contract leaves a choice
//!
//! - It keeps no list of accounts: whoever is opened or delivered to and is not there yet is made, with an INBOX. (Who may
//!   log in is another list.) There are no shared mailboxes: a user opens their own account; another's is
//!   [`NotFound`](mailstore_traits::ErrorKind::NotFound).
//! - Parents of a mailbox are left out, never made. Every legal name is kept to the octet. Several mailboxes may have one
//!   special use; `\All`, `\Flagged` and `\Important`, being views, are
//!   [`Unsupported`](mailstore_traits::ErrorKind::Unsupported). Any name can be subscribed.
//! - A keyword has one spelling in a mailbox, the first, for as long as a message there carries it.
//! - What one call puts into, or takes out of, a mailbox has one modification sequence; a long copy, move or change of flags
//!   has one for every thousand messages.
//! - The same octets have the same EMAILID, whoever brought them and when.
//! - A quota is of an account; it has one root, with an empty name.
//! - A [`deliver`](mailstore_traits::MailStore::deliver) or [`commit`](mailstore_traits::Account::commit) whose future was
//!   polled is carried out, also if it is dropped then.
//!
//! # Backup and restore
//!
//! `pg_dump`, a file system's snapshot or PostgreSQL's continuous archiving, as for any database; an object store is copied
//! afterwards, within [`body_grace`](Options::body_grace). A database that was restored from an older copy would give UIDs
//! out again that clients know as other messages, and nothing in it can show that: connect once with
//! [`Options::restored`] before the servers start, and clients load afresh.
#![cfg_attr(docsrs, feature(doc_cfg))]

mod account;
mod check;
mod content;
mod courier;
mod error;
#[cfg(feature = "logins")]
mod fetched;
mod flags;
mod keeper;
mod lease;
mod ledger;
#[cfg(feature = "logins")]
mod logins;
mod mailboxes;
mod messages;
mod objects;
mod octets;
mod options;
mod place;
mod pool;
mod quota;
mod schema;
mod signal;
mod stage;
mod store;
mod transfer;
mod turn;
mod url;

pub use account::PostgresAccount;
pub use error::OpenError;
#[cfg(feature = "logins")]
pub use fetched::{FetchLog, Fetched};
#[cfg(feature = "logins")]
pub use logins::{Login, Logins};
pub use options::Options;
pub use stage::{PostgresBlob, PostgresStage};
pub use store::PostgresStore;

/// The README's code, compiled.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
pub struct Readme;
