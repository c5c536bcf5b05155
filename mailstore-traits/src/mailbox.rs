//! Mailboxes as a store tells of them.

use crate::{Flags, Keyword, MailboxId, MailboxName, ModSeq, Uid, UidSet, UidValidity};

/// What a mailbox is for (RFC 6154 §2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum SpecialUse {
    /// `\All`: a view of all messages.
    All,
    /// `\Archive`
    Archive,
    /// `\Drafts`
    Drafts,
    /// `\Flagged`: a view of the flagged messages.
    Flagged,
    /// `\Important`: a view of the important messages (RFC 8457).
    Important,
    /// `\Junk`
    Junk,
    /// `\Sent`
    Sent,
    /// `\Trash`
    Trash,
}

impl SpecialUse {
    /// All of them.
    pub const ALL: [Self; 8] =
        [Self::All, Self::Archive, Self::Drafts, Self::Flagged, Self::Important, Self::Junk, Self::Sent, Self::Trash];

    /// As it is written, with the backslash.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::All => "\\All",
            Self::Archive => "\\Archive",
            Self::Drafts => "\\Drafts",
            Self::Flagged => "\\Flagged",
            Self::Important => "\\Important",
            Self::Junk => "\\Junk",
            Self::Sent => "\\Sent",
            Self::Trash => "\\Trash",
        }
    }
}

/// What a listing is for. It only saves work: a store may list more, never fewer.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ListHint {
    /// Only names that begin with these octets are wanted.
    pub name_prefix: Option<String>,
    /// Only subscribed names are wanted.
    pub subscribed_only: bool,
}

/// A name in a listing: a mailbox, or a subscribed name that has none.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct MailboxInfo {
    /// Its name.
    pub name: MailboxName,
    /// The mailbox; `None` for a subscribed name without one.
    pub id: Option<MailboxId>,
    /// What it is for.
    pub special_use: Option<SpecialUse>,
    /// Whether its name is subscribed.
    pub subscribed: bool,
    /// Whether a real mailbox is below it, where the store knows.
    pub has_children: Option<bool>,
}

impl MailboxInfo {
    /// A mailbox that is neither special nor subscribed.
    pub fn new(name: MailboxName, id: Option<MailboxId>) -> Self {
        Self { name, id, special_use: None, subscribed: false, has_children: None }
    }
}

/// Whose mailboxes are in a namespace (RFC 2342).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum NamespaceKind {
    /// The user's own.
    Personal,
    /// Other users'.
    Other,
    /// Nobody's in particular.
    Shared,
}

/// A region of names (RFC 2342).
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Namespace {
    /// Whose.
    pub kind: NamespaceKind,
    /// What its names begin with; empty for the default one.
    pub prefix: String,
}

impl Namespace {
    /// The user's own, at the root: what a store has that says nothing else.
    pub fn personal() -> Self {
        Self { kind: NamespaceKind::Personal, prefix: String::new() }
    }

    /// A namespace whose names begin with `prefix`.
    pub fn new(kind: NamespaceKind, prefix: impl Into<String>) -> Self {
        Self { kind, prefix: prefix.into() }
    }
}

/// A mailbox that was made.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct CreatedMailbox {
    /// Which one.
    pub id: MailboxId,
    /// Its UIDVALIDITY.
    pub uid_validity: UidValidity,
}

impl CreatedMailbox {
    /// The one with that id.
    pub fn new(id: MailboxId, uid_validity: UidValidity) -> Self {
        Self { id, uid_validity }
    }
}

/// What a mailbox has told its clients in another store, for one that goes on in its place
/// ([`Account::restore`](crate::Account::restore)).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct MailboxPast {
    /// Its UIDVALIDITY, which stays.
    pub uid_validity: UidValidity,
    /// Its UIDNEXT, below which no UID is given out any more; `None` if all have been.
    pub uid_next: Option<Uid>,
    /// Its HIGHESTMODSEQ. What happened before cannot be told any more: a client that asks for changes since an earlier
    /// one is answered [`ErrorKind::ModSeqTooOld`](crate::ErrorKind::ModSeqTooOld), and reads all flags again.
    pub highest_modseq: ModSeq,
}

impl MailboxPast {
    /// One that has told these.
    pub const fn new(uid_validity: UidValidity, uid_next: Option<Uid>, highest_modseq: ModSeq) -> Self {
        Self { uid_validity, uid_next, highest_modseq }
    }

    /// That of which `uid_next` is not told yet, so that messages can still be put in under the UIDs that they had.
    #[must_use]
    pub const fn unfinished(self) -> Self {
        Self { uid_next: Some(Uid::MIN), ..self }
    }
}

impl From<&Snapshot> for MailboxPast {
    fn from(snapshot: &Snapshot) -> Self {
        Self::new(snapshot.uid_validity, snapshot.uid_next, snapshot.highest_modseq)
    }
}

/// The counts that STATUS tells (RFC 9051 §6.3.11), from one consistent read.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct MailboxStatus {
    /// Which mailbox.
    pub id: MailboxId,
    /// MESSAGES
    pub messages: u64,
    /// UNSEEN: messages without `\Seen`.
    pub unseen: u64,
    /// DELETED: messages with `\Deleted`.
    pub deleted: u64,
    /// RECENT (RFC 3501 §6.3.10): messages that no SELECT has claimed.
    pub recent: u64,
    /// SIZE (RFC 8438): octets of all messages.
    pub size: u64,
    /// UIDNEXT; `None` once the last UID has been given out.
    pub uid_next: Option<Uid>,
    /// UIDVALIDITY
    pub uid_validity: UidValidity,
    /// HIGHESTMODSEQ
    pub highest_modseq: ModSeq,
}

impl MailboxStatus {
    /// An empty mailbox.
    pub fn empty(id: MailboxId, uid_validity: UidValidity, highest_modseq: ModSeq) -> Self {
        Self {
            id,
            messages: 0,
            unseen: 0,
            deleted: 0,
            recent: 0,
            size: 0,
            uid_next: Some(Uid::MIN),
            uid_validity,
            highest_modseq,
        }
    }
}

/// What the actor may do in a mailbox.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Access {
    /// Read and change.
    ReadWrite,
    /// Read only: SELECT answers `[READ-ONLY]`.
    ReadOnly,
}

/// A mailbox as it is at one moment: what SELECT needs, from one consistent read.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Snapshot {
    /// UIDVALIDITY
    pub uid_validity: UidValidity,
    /// UIDNEXT: larger than every UID ever given out; `None` once the last has been.
    pub uid_next: Option<Uid>,
    /// HIGHESTMODSEQ
    pub highest_modseq: ModSeq,
    /// The UIDs of all messages.
    pub uids: UidSet,
    /// The keywords in use.
    pub keywords: Vec<Keyword>,
    /// The flags that a client may change for good.
    pub permanent_flags: Flags,
    /// Whether a client may make new keywords (`\*` in PERMANENTFLAGS).
    pub new_keywords: bool,
    /// What the actor may do.
    pub access: Access,
    /// The first message without `\Seen`.
    pub first_unseen: Option<Uid>,
    /// From this UID on messages are `\Recent` to the session that reads this (RFC 3501 §2.3.2). Claimed by the
    /// reading when [`Account::snapshot`](crate::Account::snapshot) was asked to claim.
    pub first_recent: Option<Uid>,
}

impl Snapshot {
    /// An empty mailbox that the actor may change.
    pub fn empty(uid_validity: UidValidity, highest_modseq: ModSeq) -> Self {
        Self {
            uid_validity,
            uid_next: Some(Uid::MIN),
            highest_modseq,
            uids: UidSet::new(),
            keywords: Vec::new(),
            permanent_flags: crate::SystemFlag::ALL.into_iter().collect(),
            new_keywords: true,
            access: Access::ReadWrite,
            first_unseen: None,
            first_recent: None,
        }
    }
}
