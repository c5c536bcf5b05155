//! FETCH (RFC 9051 §6.4.5).

use std::num::NonZeroU32;

use crate::grammar::{MessageSet, Numbering};

/// FETCH and UID FETCH.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Fetch {
    /// What the numbers are.
    pub numbering: Numbering,
    /// Of which messages.
    pub messages: MessageSet,
    /// What to tell, in the order asked, with macros expanded; at least one.
    pub attributes: Vec<FetchAttribute>,
    /// CHANGEDSINCE (RFC 7162 §3.1.4.1): only messages with a greater modification sequence. 0 is taken, and is all.
    pub changed_since: Option<u64>,
}

impl Fetch {
    /// That of those messages.
    pub fn new(numbering: Numbering, messages: MessageSet, attributes: Vec<FetchAttribute>) -> Self {
        Self { numbering, messages, attributes, changed_since: None }
    }
}

/// A `fetch-att` (RFC 9051 §9, RFC 3501 §9, RFC 7162 §7).
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum FetchAttribute {
    /// ENVELOPE
    Envelope,
    /// FLAGS
    Flags,
    /// INTERNALDATE
    InternalDate,
    /// RFC822: the whole message; `peek` for `RFC822.PEEK`, which some clients say.
    Rfc822 {
        /// Does not set `\Seen`.
        peek: bool,
    },
    /// RFC822.HEADER, which never sets `\Seen`.
    Rfc822Header,
    /// RFC822.SIZE
    Rfc822Size,
    /// RFC822.TEXT; `peek` for `RFC822.TEXT.PEEK`.
    Rfc822Text {
        /// Does not set `\Seen`.
        peek: bool,
    },
    /// BODY without a section: the structure without extension data.
    Body,
    /// BODYSTRUCTURE
    BodyStructure,
    /// UID
    Uid,
    /// MODSEQ (RFC 7162 §3.1.4.2).
    ModSeq,
    /// `BODY[...]` and `BODY.PEEK[...]`
    Section {
        /// Does not set `\Seen`.
        peek: bool,
        /// Which part of the message.
        section: Section,
        /// Which octets of it.
        partial: Option<Partial>,
    },
    /// `BINARY[...]` and `BINARY.PEEK[...]`: a part with its transfer encoding undone.
    Binary {
        /// Does not set `\Seen`.
        peek: bool,
        /// The part's number; empty for the whole message.
        part: Vec<NonZeroU32>,
        /// Which octets of what is decoded.
        partial: Option<Partial>,
    },
    /// `BINARY.SIZE[...]`: how many octets [`Binary`](Self::Binary) would give.
    BinarySize {
        /// The part's number; empty for the whole message.
        part: Vec<NonZeroU32>,
    },
}

/// What stands in the brackets of `BODY[...]` (RFC 9051 §6.4.5).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Section {
    /// The part's number; empty for the message itself.
    pub part: Vec<NonZeroU32>,
    /// What of it.
    pub text: SectionText,
}

impl Section {
    /// That of the part with that number.
    pub fn new(part: Vec<NonZeroU32>, text: SectionText) -> Self {
        Self { part, text }
    }
}

/// What of a part is meant.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum SectionText {
    /// All: of the message header and body, of a part its body.
    Whole,
    /// HEADER
    Header,
    /// `HEADER.FIELDS (...)`: at least one name, as it was written.
    HeaderFields(Vec<Box<str>>),
    /// `HEADER.FIELDS.NOT (...)`: at least one name, as it was written.
    HeaderFieldsNot(Vec<Box<str>>),
    /// TEXT
    Text,
    /// MIME: a part's own header. Only with a part's number.
    Mime,
}

/// `<start.count>` (RFC 9051 §6.4.5).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Partial {
    /// The first octet, from 0 on: up to 63 bits (RFC 9051 §9).
    pub start: u64,
    /// How many at the most; at least one.
    pub count: u64,
}
