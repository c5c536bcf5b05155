//! STORE, COPY and MOVE.

use mailstore_traits::FlagChange;

use crate::grammar::{Mailbox, MessageSet, Numbering};

/// STORE and UID STORE (RFC 9051 §6.4.6, RFC 7162 §3.1.3).
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Store {
    /// What the numbers are.
    pub numbering: Numbering,
    /// Of which messages.
    pub messages: MessageSet,
    /// UNCHANGEDSINCE: messages with a greater modification sequence are left alone.
    pub unchanged_since: Option<u64>,
    /// `.SILENT`: the new flags need not be told.
    pub silent: bool,
    /// What is done to the flags. `\Recent` and unknown flags of the system's are left out.
    pub change: FlagChange,
}

impl Store {
    /// That change to those messages.
    pub fn new(numbering: Numbering, messages: MessageSet, change: FlagChange) -> Self {
        Self { numbering, messages, unchanged_since: None, silent: false, change }
    }
}

/// COPY and MOVE (RFC 9051 §6.4.7, §6.4.8).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Transfer {
    /// What the numbers are.
    pub numbering: Numbering,
    /// Which messages.
    pub messages: MessageSet,
    /// Where to.
    pub mailbox: Mailbox,
}
