//! Commands about whole mailboxes.

use mailstore_traits::SpecialUse;

use crate::grammar::Mailbox;

/// SELECT and EXAMINE (RFC 9051 §6.3.2, §6.3.3).
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Select {
    /// Which mailbox.
    pub mailbox: Mailbox,
    /// EXAMINE: nothing is to be changed.
    pub read_only: bool,
    /// With `(CONDSTORE)` (RFC 7162 §3.1.8).
    pub condstore: bool,
}

impl Select {
    /// SELECT of that mailbox.
    pub fn new(mailbox: Mailbox) -> Self {
        Self { mailbox, read_only: false, condstore: false }
    }
}

/// CREATE (RFC 9051 §6.3.4).
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Create {
    /// Which name. With a separator at its end the client means to make mailboxes below it.
    pub mailbox: Mailbox,
    /// What it is to be for: `(USE (...))` (RFC 6154 §3). Attributes that are not known are left out.
    pub special_uses: Vec<SpecialUse>,
}

impl Create {
    /// A mailbox for nothing special.
    pub fn new(mailbox: Mailbox) -> Self {
        Self { mailbox, special_uses: Vec::new() }
    }
}

/// RENAME (RFC 9051 §6.3.6).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rename {
    /// The name that it has.
    pub from: Mailbox,
    /// The name that it gets.
    pub to: Mailbox,
}

/// STATUS (RFC 9051 §6.3.11).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Status {
    /// Which mailbox.
    pub mailbox: Mailbox,
    /// What to tell of it, in the order asked; at least one.
    pub items: Vec<StatusItem>,
}

/// What STATUS tells (RFC 9051 §6.3.11).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum StatusItem {
    /// How many messages there are.
    Messages,
    /// How many of them are recent (RFC 3501 §6.3.10).
    Recent,
    /// The next UID.
    UidNext,
    /// The UIDVALIDITY.
    UidValidity,
    /// How many messages have no `\Seen`.
    Unseen,
    /// How many messages have `\Deleted`.
    Deleted,
    /// The octets of all messages (RFC 8438).
    Size,
    /// The highest modification sequence (RFC 7162 §3.1.7).
    HighestModSeq,
}

impl StatusItem {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::Messages,
        Self::Recent,
        Self::UidNext,
        Self::UidValidity,
        Self::Unseen,
        Self::Deleted,
        Self::Size,
        Self::HighestModSeq,
    ];

    /// As it is written.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Messages => "MESSAGES",
            Self::Recent => "RECENT",
            Self::UidNext => "UIDNEXT",
            Self::UidValidity => "UIDVALIDITY",
            Self::Unseen => "UNSEEN",
            Self::Deleted => "DELETED",
            Self::Size => "SIZE",
            Self::HighestModSeq => "HIGHESTMODSEQ",
        }
    }
}
