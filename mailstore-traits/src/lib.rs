//! The contract between a mail server and the mailboxes of its host.
//!
//! A host implements [`MailStore`] and [`Account`] over whatever holds its mail (a database, a folder, a service),
//! [`Authenticator`] over whatever knows its users, and [`Directory`] over whatever knows its addresses. The servers of
//! `pillarbox-smtp-proto`, `pillarbox-pop3-proto` and `pillarbox-imap-proto` do the rest.
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
#![doc = include_str!("writing_a_store.md")]
//! # Names
//!
//! "Mailbox" always means a folder. What SMTP calls a mailbox is an address there.
//!
//! # Features
//!
//! | Feature | Adds |
//! | --- | --- |
//! | `memory` | `memory::MemoryStore`: the reference store, the contract in code |
//! | `contract` | the kit that a backend's author runs on their own store |
#![cfg_attr(docsrs, feature(doc_cfg))]

mod account;
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
pub use flag::{Flag, FlagChange, FlagOutcome, Flags, InvalidKeyword, Keyword, SystemFlag};
pub use id::{EmailId, InvalidId, MailboxId, ModSeq, ThreadId, Uid, UidValidity};
pub use mailbox::{
    Access, CreatedMailbox, ListHint, MailboxInfo, MailboxStatus, Namespace, NamespaceKind, Snapshot, SpecialUse,
};
pub use message::{Body, ByteRange, MessageDigest, MessageMeta, MetaFields, MetaFilter};
pub use name::{InvalidMailboxName, MailboxName};
pub use optional::{AclEntry, Annotation, MaildropLease, QuotaResource, QuotaRoot, Rights};
pub use search::{SearchAnswer, SearchKey};
pub use secret::Secret;
pub use store::{Account, MailStore, Stage, Transferred};
pub use timestamp::Timestamp;
pub use uid_set::UidSet;

/// The README's example, compiled and run.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
pub struct Readme;
