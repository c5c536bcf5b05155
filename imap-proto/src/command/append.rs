//! APPEND, up to where its message begins (RFC 9051 §6.3.12).

use mailstore_traits::{Flags, Timestamp};

use crate::frame::LiteralHead;
use crate::grammar::{Mailbox, Tag};

/// An APPEND before its message.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct AppendHead {
    /// What the answer will bear.
    pub tag: Tag,
    /// Where the message goes.
    pub mailbox: Mailbox,
    /// Its flags; none if none were given. `\Recent` and unknown flags of the system's are left out.
    pub flags: Flags,
    /// Its INTERNALDATE; now if none was given.
    pub date: Option<Timestamp>,
    /// The message that follows.
    pub literal: LiteralHead,
}

impl AppendHead {
    /// A message of that size for that mailbox, without flags or date.
    pub fn new(tag: Tag, mailbox: Mailbox, literal: LiteralHead) -> Self {
        Self { tag, mailbox, flags: Flags::new(), date: None, literal }
    }
}
