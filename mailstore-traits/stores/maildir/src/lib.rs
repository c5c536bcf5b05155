//! The mail store over Maildir++: the folders that Dovecot, mutt and mbsync know, shared with them while they work.
//!
//! [`MaildirStore`] implements [`MailStore`](mailstore_traits::MailStore) and [`MaildirAccount`]
//! [`Account`](mailstore_traits::Account). It needs no configuration and no async runtime. It is for Unix: elsewhere this
//! crate is empty.
//!
//! ```text
//!   Dovecot, mutt, mbsync, procmail             any server of the suite
//!        │                                           │
//!        ▼                                           ▼
//!   ROOT/ada@example.org/new cur tmp  ◄──── the files' names and places
//!        │  inotify, and a look at each question     │  after each commit
//!        ▼                                           │
//!   ROOT/.pillarbox/index.db  ───────────────────────┘
//!     UIDs, modification sequences, keywords, digests
//! ```
//!
//! # What lies where
//!
//! | Path | Holds |
//! | --- | --- |
//! | `ROOT/ada@example.org/` | an account's Maildir: `new`, `cur`, `tmp` are its INBOX |
//! | `ROOT/ada@example.org/.Work.Sub/` | the mailbox `Work/Sub`, each level in modified UTF-7, a dot in it as `&AC4-` |
//! | …`/subscriptions`, …`/dovecot-keywords` | read and written as Dovecot does |
//! | `ROOT/.pillarbox/index.db`, and files beside it | the index: a database of [store-sqlite](https://docs.rs/pillarbox-store-sqlite), and large messages while they come in |
//! | `ROOT/.pillarbox/new/`, `trash/` | messages and folders on their way |
//! | `ROOT/.pillarbox-uidvalidity` | outlives the index, so that UIDVALIDITYs only rise |
//!
//! An account's name is its folder's, with every octet that is not of `A-Z a-z 0-9 @ _ + - = .`, and a dot in front, as
//! `%` and two digits. The root may be a link; nothing below it is followed if it is one. All of ROOT has to be one file
//! system, on a local disk. What is made is for its owner alone: Dovecot has to work as the same user.
//!
//! # Why it is made like this
//!
//! **The SQLite store is the ledger.** UIDs, modification sequences, tombstones, counts, quotas, leases and the group commit
//! are the same whoever keeps the octets, and they are the part in which mistakes lose mail. A second copy of them would
//! need each fix twice; so that store has a seam, [`store_sqlite::outside`], and this crate is what lies behind it.
//!
//! **The ledger comes first, and the disk follows.** A message is written and made durable among `new/` of the store's own.
//! The transaction that makes its row also writes down, by triggers, what is still to be done on the disk: put it in its
//! place, give it another name, remove it. That is done after the commit and before anybody is answered; a crash leaves it
//! written down, and the next start does it. The other order would need every step undone when a commit fails. Because it
//! is triggers that write it down, no change of the ledger can forget the disk.
//!
//! **LF on the disk.** It is what every program that reads a Maildir expects; Dovecot's manual warns that others take CRs
//! for text. A message is served with CRLF, counted as Dovecot counts `W=`. One that would not come back as it was (a bare
//! LF, CR CR LF) is kept as it came, with a note in the index.
//!
//! # What it promises
//!
//! - **Durable before it answers**, as the ledger: a file, its name in its folder and its row are on the disk. After a kill
//!   at any moment all that was acknowledged is there, once and whole (the contract kit's row 73).
//! - **Other programs' changes are seen** when a mailbox is selected, listed, polled or counted, and while it is watched at
//!   once: by inotify, or what the system has, and by a look at the folders' times once a second. New files get rising
//!   UIDs in the order of the times in their names; renamed flags and keywords raise the modification sequence; a file that
//!   is missing in two lists is expunged. A folder that cannot be reached is an error and never an empty mailbox.
//! - **The octets of a UID never change.** A file that is not as long as it was, or not what its name says (`S=`, `W=`), is
//!   another message with another UID.
//! - **The index may be removed** while no server runs: it is made anew, with larger UIDVALIDITYs. What only it knew is gone
//!   then: special uses, quotas, keywords beyond 26 in a folder, time zones, digests.
//! - **No name leads out of the root** (attack row P1): names are encoded, folders are opened one from the other, no symbolic
//!   link is followed, and what is no regular file is not opened.
//!
//! # Three ways to use it
//!
//! **In your own program**, under the servers or alone:
//!
//! ```toml
//! [dependencies]
//! pillarbox-store-maildir = "0.1"
//! pillarbox-mailstore-traits = "0.1"
//! ```
//!
//! ```
//! # #[cfg(unix)]
//! # async fn example(root: &std::path::Path) -> Result<(), Box<dyn std::error::Error>> {
//! use mailstore_traits::{AccountId, MailStore, Mode, SizeHint, Stage, Target};
//! use store_maildir::MaildirStore;
//!
//! let store = MaildirStore::open(root)?;
//! let mut stage = store.stage(SizeHint::Unknown).await?;
//! stage.write("Subject: hello\r\n\r\nHello, Ada.\r\n".into()).await?;
//! let blob = stage.finish(None).await?;
//! store.deliver(&blob, vec![Target::inbox(AccountId::from("ada"))], Mode::AllOrNothing).await?;
//! assert_eq!(root.join("ada/new").read_dir()?.count(), 1);
//! store.close().await;
//! # Ok(())
//! # }
//! # #[cfg(unix)]
//! # {
//! # let folder = tempfile::tempdir().unwrap();
//! # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(example(folder.path())).unwrap();
//! # }
//! ```
//!
//! **As a whole program**, Dovecot beside it: `mail_location = maildir:ROOT/%u`, run as the user of the server, with
//! `separator = /` in its namespace. Both may deliver, read and change at any time; each keeps UIDs of its own, so a client
//! should stay with one of them.
//!
//! **Under a fuzzer**: the contract kit plays random histories on it and on a model, and drops futures at each await point;
//! it kills a process in the middle of every writing method; `tests/side_by_side.rs` runs Dovecot and mutt:
//!
//! ```sh
//! cargo test -p pillarbox-store-maildir
//! ```
//!
//! # Features
//!
//! None.
//!
//! # Limits
//!
//! Every one is a method of [`Options`], the ledger's.
//!
//! | Limit | Default | Beyond it | Says who |
//! | --- | --- | --- | --- |
//! | [`shared`](Options::shared) | no | open beside a running server: no leases, no clearing away | tools |
//! | [`restored`](Options::restored) | no | this is an older copy: a new UIDVALIDITY for every mailbox | attack row P9 |
//! | [`readers`](Options::readers) | 4 threads that read | reads wait | this crate |
//! | [`inline_octets`](Options::inline_octets) | 64 KiB | a larger message is written twice: as it comes in, and to its place | this crate |
//! | [`max_message`](Options::max_message) | 1 GiB | [`TooBig`](mailstore_traits::ErrorKind::TooBig) | attack row M3 |
//! | [`body_grace`](Options::body_grace) | 10 minutes | an expunged message's email id is forgotten; its file goes at once, and who reads it has it open | the ledger |
//! | [`lease_time`](Options::lease_time) | 30 minutes | another session may hold the maildrop | attack row P6 |
//! | [`tombstones`](Options::tombstones) | 100,000 ranges of expunged UIDs for each mailbox | [`ModSeqTooOld`](mailstore_traits::ErrorKind::ModSeqTooOld) | the contract, promise 3 |
//! | [`queue`](Options::queue) | 1,024 writes | further ones wait | attack row M13 |
//! | [`max_mailboxes`](Options::max_mailboxes) | 10,000 mailboxes, and subscriptions, of an account | [`LimitExceeded`](mailstore_traits::ErrorKind::LimitExceeded); other programs' folders are not seen | attack row P1 |
//! | [`max_keywords`](Options::max_keywords) | 1,000 different ones in a mailbox | [`LimitExceeded`](mailstore_traits::ErrorKind::LimitExceeded); other programs' are not seen | attack row M7 |
//! | [`busy_timeout`](Options::busy_timeout) | 10 seconds | [`Unavailable`](mailstore_traits::ErrorKind::Unavailable): another process writes | this crate |
//!
//! A mailbox's name has at most 255 octets when it is encoded, an account's too; others are
//! [`Invalid`](mailstore_traits::ErrorKind::Invalid). A folder has 26 keywords that other programs see. After each change in
//! a mailbox its folders are listed once, which costs what the mailbox has messages: a Maildir of a hundred thousand is
//! better kept in the SQLite store.
//!
//! # RFCs
//!
//! The contract's rows run on this store by their names (`tests/contract.rs`); these are the ones behind each RFC, and what
//! is tested here besides.
//!
//! | RFC | Section | What | Module | Tested by |
//! | --- | --- | --- | --- | --- |
//! | 5321 | §4.2.5 | what was acknowledged is kept | `bodies`, `settle` | `tests/contract.rs` |
//! | 9051 | §2.3.1.1 | UIDs and UIDVALIDITY, over an index that was removed | `disk`, `scan` | `foreign::an_index_that_was_removed…`, `foreign::mail_that_another_program_drops…` |
//! | 9051 | §2.3.2, §6.4.6 | flags and keywords as letters of a name | `filename`, `keywords` | there, `foreign::flags_that_another_program_renames…` |
//! | 9051 | §2.3.4 | the size is what is served | `octets` | there, `foreign::octets_that_another_program_changes…` |
//! | 3501 | §5.1.3 | names of mailboxes in modified UTF-7 | `names` | there, `foreign::sec_p1_no_name_leads…` |
//! | 9051 | §6.3.7 | subscriptions | `subscriptions` | there, `foreign::folders_and_subscriptions…` |
//! | 7162 | §3.1, §3.2 | changes, and what has vanished | `scan` | `foreign::a_file_that_another_program_removes…`, `tests/contract.rs` |
//! | 2177 | §3 | who waits for changes hears of them | `watch` | `foreign::what_is_dropped_flagged…`, `side_by_side::dovecot_and_the_store…` |
//!
//! # What it has decided where the contract leaves a choice
//!
//! As the ledger has, and:
//!
//! - A message that comes in without flags lies in `new`, as every delivery does, and goes to `cur` with its first flag. It
//!   is not moved when it is merely seen in a list: that another program would show it as new is right.
//! - The letter `P` is the keyword `$Forwarded`. Letters that mean nothing here stay as they are.
//! - The internal date is the file's time of change. A copy is a second name of the same file where the disk can do that.
//! - A folder that another program writes in another way than this store would (UTF-8, a lone `&`) keeps its name. If two
//!   folders mean one mailbox, the first by its octets is it.
//! - `maildirsize` is neither read nor written; quotas are the ledger's, and do not keep other programs from delivering.
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

/// The README's code, compiled.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
pub struct Readme;
