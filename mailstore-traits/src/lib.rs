//! The contract between a mail server and the mailboxes of its host.
//!
//! A host implements [`MailStore`] and [`Account`] over whatever holds its mail (a database, a folder, a service),
//! [`Authenticator`] over whatever knows its users, and [`Directory`] over whatever knows its addresses. The servers of
//! `pillarbox-smtp-proto`, `pillarbox-pop3-proto` and `pillarbox-imap-proto` do the rest.
//!
//! ```text
//!   the servers of SMTP, IMAP and POP3      sequence numbers, tags, replies, sessions
//!         │                   │                  │
//!         │ where to?         │ who is it?       │ deliver, open
//!         ▼                   ▼                  ▼
//!     Directory         Authenticator        MailStore ──► Account      this crate
//!         │                   │                  │             │
//!         ▼                   ▼                  ▼             ▼
//!   your addresses       your users        your mail: a database, a folder, a service
//! ```
//!
//! **Rule one:** a backend knows [`MailboxId`], [`Uid`] and [`ModSeq`]. It never sees a sequence number, a tag or a
//! protocol response; the engines own the session's view.
//!
//! # Two levels
//!
//! | Level | For | Made by |
//! | --- | --- | --- |
//! | [`MailStore`], the service | staging and delivery; one for a process, no principal | the host |
//! | [`Account`], a handle for one principal | mailboxes, messages, flags, changes | [`MailStore::open`] |
//!
//! A message is written once, into a [`Stage`]; [`Stage::finish`] makes a blob of it; a blob is placed in any number of
//! mailboxes, each time with its own flags and its own prefix of trace fields.
//!
//! # What every backend promises
//!
//! The numbers are those of the contract kit's rows, which test them (feature `contract`).
//!
//! 1. **Commit order is visible order.** Who has seen UID *n* or modification sequence *m* of a mailbox never sees a
//!    smaller one appear later. Serialise the commits of a mailbox, or publish a mark up to which all is stable.
//! 2. Every visible change raises the mailbox's highest [`ModSeq`]; it never falls, not over a restart either. Several
//!    messages may share one; a page of [`Account::changes_since`] never ends inside one.
//! 3. [`Account::changes_since`] answers exactly or says [`ErrorKind::ModSeqTooOld`]. It never guesses.
//! 4. [`Account::watch`] is registered when its future returns, coalesces, may be spurious, and is never lost.
//! 5. [`UidValidity`] changes only when UIDs cannot be kept; a name used again gets a larger one.
//! 6. UIDs rise strictly and are never used again; gaps are allowed. UIDNEXT is larger than all UIDs ever given out.
//! 7. Futures are `Send` and cancel-safe: dropping one leaves all or nothing. A dropped `commit` or `deliver` may still
//!    complete, so the engines await these to their end in a task of their own.
//! 8. No lock is held while a body stream is open or between two items of any stream.
//! 9. [`Account::fetch_meta`] skips a UID that has gone; [`Account::open_body`] answers [`ErrorKind::Expunged`]. A
//!    stream that was opened always completes.
//! 10. The octets served never change for a UID, and their count is [`MessageMeta::size`].
//! 11. Metadata and body are separate calls; a list view never reads bodies.
//! 12. A malformed message is stored and served; trouble in parsing gives a poorer digest, never an error.
//! 13. Quota is checked early with the announced size, and finally at commit.
//! 14. Every call carries the [`Actor`]; without the lookup right a mailbox looks as if it did not exist.
//!
//! # Three ways to use it
//!
//! **In your own program**: implement the traits, as [Writing your own store](#writing-your-own-store) does step by step, or begin with
//! the store in memory.
//!
//! ```toml
//! [dependencies]
//! pillarbox-mailstore-traits = { version = "0.1", features = ["memory"] }
//!
//! [dev-dependencies]
//! pillarbox-mailstore-traits = { version = "0.1", features = ["contract"] }
//! ```
//!
//! **As a whole program**, from the repository: a folder of files, served by IMAP and POP3, in little more than two hundred
//! lines, and the server with its embedded store.
//!
//! ```sh
//! cargo run -p pillarbox-examples --example own_store -- FOLDER
//! cargo run --release -p pillarbox-mail-server
//! ```
//!
//! **Under a fuzzer**: the contract kit (feature `contract`) is one for stores. It plays random histories on yours and on a
//! model, drops futures at each await point, lets writers race, and says which promise broke. It runs under `cargo test`.
//! From the repository, IMAP's
//! engine is fuzzed over the store in memory; yours can stand in its place.
//!
//! ```sh
//! fuzz/run imap_store imap_search
//! ```
//!
//! # Features
//!
//! | Feature | Adds |
//! | --- | --- |
//! | `memory` | `memory::MemoryStore`: the reference store, the contract in code |
//! | `contract` | the kit that a backend's author runs on their own store; implies `memory` |
//! | `backend` | `backend`: flags as columns and the signals of `watch`, for stores on a database |
//!
//! # Limits
//!
//! The contract sets few: what a mailbox, a message or an account may have is the store's to say, with
//! [`ErrorKind::LimitExceeded`], [`ErrorKind::TooBig`] or [`ErrorKind::OverQuota`].
//!
//! | Limit | Default | Beyond it | Says who |
//! | --- | --- | --- | --- |
//! | `MailboxName::MAX_OCTETS` | 1,000 | [`InvalidMailboxName`]: no store ever sees the name | attack row P1 |
//! | `MailboxName::MAX_DEPTH` | 32 levels | the same | attack row P1 |
//!
//! # RFCs
//!
//! `there` is the module's own tests, and `contract::…` a row of the contract kit by the beginning of its name; it runs on
//! the memory store here, and on yours where you call it.
//!
//! | RFC | Section | What | Module | Tested by |
//! | --- | --- | --- | --- | --- |
//! | 9051 | §2.3.1.1 | UIDs and UIDVALIDITY | [`Uid`], [`UidValidity`] | there, `contract::uids::uids_rise`, `contract::uids::a_uid_is_never_used…`, `contract::mailboxes::a_name_used_again…` |
//! | 9051 | §2.3.2, §2.3.3 | flags, keywords, internal date | [`Flag`], [`Timestamp`] | there, `contract::uids::what_is_said_of_a…`, `contract::flags::flags_are_added…` |
//! | 9051 | §5.1 | names of mailboxes, INBOX | [`MailboxName`] | there, `contract::mailboxes::inbox_is_always…`, `contract::mailboxes::names_are_kept_to…` |
//! | 3501 | §5.1.3 | modified UTF-7 | [`utf7`] | there |
//! | 9051 | §6.3.4 to §6.3.7 | create, delete, rename, subscribe | [`Account`] | `contract::mailboxes::children_outlive…`, `contract::mailboxes::a_rename_keeps_all…`, `contract::mailboxes::a_subscription…` |
//! | 9051, 8438 | §6.3.11 | STATUS, with SIZE | [`MailboxStatus`] | `contract::mailboxes::status_says_what…` |
//! | 9051, 6851 | §6.4.3, §6.4.7, §6.4.8 | expunge, copy, move | [`Account`], [`Transferred`] | `contract::transfer::a_copy_is_the_same…`, `contract::transfer::a_move_is_one_step`, `contract::transfer::an_expunge_tells…` |
//! | 7162 | §3.1 | modification sequences, conditional changes | [`ModSeq`], [`Changes`] | there, `contract::flags::unchanged_since_fails…`, `contract::changes::modification_sequences…` |
//! | 6154 | §2 | special use | [`SpecialUse`] | `contract::mailboxes::a_special_use_is…` |
//! | 8474 | §4, §5 | identifiers of mailboxes and messages | `id` | there, `contract::transfer::a_copy_is_the_same…` |
//! | 8508 | §3 | a message in the place of another | [`Placement`] | `contract::uids::a_replacement_is_one…` |
//! | 9208 | §3.1 | quota roots | [`QuotaRoot`] | `contract::delivery::quota_counts_what…`, `contract::delivery::over_quota_changes…` |
//! | 1939 | §7, §8 | unique-ids, the maildrop held alone | [`MaildropLease`] | `contract::delivery::unique_ids_are…`, `contract::delivery::a_maildrop_is_lent…` |
//! | 5321, 2033 | 5321 §4.2.5; 2033 §4.2 | who has a message when all is said | [`MailStore`], [`Mode`] | `contract::delivery::each_recipient_or…` |
//!
//! # Names
//!
//! "Mailbox" always means a folder. What SMTP calls a mailbox is an address there.
//!
#![doc = include_str!("writing_a_store.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]

mod account;
#[cfg(feature = "backend")]
pub mod backend;
mod changes;
#[cfg(feature = "contract")]
pub mod contract;
mod credential;
mod delivery;
mod directory;
mod dyn_host;
mod dyn_store;
mod envelope;
mod error;
mod features;
mod finding;
mod flag;
mod id;
mod mailbox;
#[cfg(feature = "memory")]
pub mod memory;
mod message;
mod name;
mod optional;
mod search;
mod secret;
mod store;
mod timestamp;
mod uid_set;
pub mod utf7;

pub use account::{AccountId, Actor};
pub use changes::{Changed, Changes};
pub use credential::{
    Authenticator, ClientCertificate, CredentialAnswer, CredentialQuery, InvalidUserName, ScramHash, ScramKeyPair,
    ScramKeys, UserName,
};
pub use delivery::{Mode, Placed, Placement, SizeHint, Target, TargetMailbox};
pub use directory::{AtomicDomain, Destination, Directory, Recipient, Resolution};
pub use dyn_host::{DynAuthenticator, DynDirectory};
pub use dyn_store::{DynAccount, DynBlob, DynStage, DynStore};
pub use envelope::{BodyKind, Envelope, EnvelopeParameter, EnvelopeRecipient, Notify, Returned};
pub use error::{ErrorKind, Result, StoreError};
pub use features::StoreFeatures;
pub use finding::Finding;
pub use flag::{Flag, FlagChange, FlagOutcome, Flags, InvalidKeyword, Keyword, SystemFlag};
pub use id::{EmailId, InvalidId, MailboxId, ModSeq, ThreadId, Uid, UidValidity};
pub use mailbox::{
    Access, CreatedMailbox, ListHint, MailboxInfo, MailboxPast, MailboxStatus, Namespace, NamespaceKind, Snapshot,
    SpecialUse,
};
pub use message::{Body, ByteRange, MessageDigest, MessageMeta, MetaFields, MetaFilter};
pub use name::{InvalidMailboxName, MailboxName};
pub use optional::{AclEntry, Annotation, MaildropLease, QuotaResource, QuotaRoot, Rights};
pub use search::{SearchAnswer, SearchKey};
pub use secret::Secret;
pub use store::{Account, MailStore, Stage, Transferred};
pub use timestamp::Timestamp;
pub use uid_set::UidSet;

/// The README's code, compiled.
#[cfg(all(doctest, feature = "contract"))]
#[doc = include_str!("../README.md")]
pub struct Readme;
