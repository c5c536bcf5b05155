//! Untagged data, as a client reads it and a server may write it (RFC 9051 §7.2 to §7.5).
//!
//! The server of this crate writes most of it without these types, straight from what it knows. They are for clients, for
//! hosts that answer commands of their own, and for tests that read what the server wrote.

use std::num::NonZeroU32;

use mailstore_traits::{Flags, Timestamp, Uid, UidSet};

use super::Status;
use crate::command::{IdField, Section, StatusItem};
use crate::grammar::{Mailbox, OctetString, SequenceSet, Tag};

/// Anything that a server says.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Response {
    /// `+`: the client is to go on; what stands behind it, a challenge in base64 or words.
    Continue(Box<[u8]>),
    /// OK, NO, BAD, PREAUTH or BYE: the answer to the command with that tag, or untagged.
    Status(Option<Tag>, Status),
    /// Untagged data.
    Data(Data),
}

/// Untagged data. Words that are no strings (capabilities, attributes, flags) are written as they are, and sets of UIDs
/// hold one at least.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Data {
    /// CAPABILITY, the names.
    Capability(Vec<Box<str>>),
    /// ENABLED (RFC 9051 §7.2.1).
    Enabled(Vec<Box<str>>),
    /// FLAGS: as they are written, those of the system with their backslash.
    Flags(Vec<Box<str>>),
    /// EXISTS
    Exists(u32),
    /// RECENT (RFC 3501 §7.3.2).
    Recent(u32),
    /// EXPUNGE
    Expunge(u32),
    /// VANISHED, and whether `(EARLIER)` stood there (RFC 7162 §3.2.10).
    Vanished(bool, UidSet),
    /// LIST
    List(Listed),
    /// LSUB (RFC 3501 §7.2.3).
    Lsub(Listed),
    /// STATUS
    Status(Mailbox, Vec<(StatusItem, u64)>),
    /// SEARCH, and the highest modification sequence (RFC 3501 §7.2.5, RFC 7162 §3.1.5).
    Search(Vec<u32>, Option<u64>),
    /// ESEARCH
    Esearch(Esearch),
    /// NAMESPACE: the user's own, other users', shared (RFC 9051 §7.3.5); prefix and delimiter of each.
    Namespace([Vec<(Mailbox, Option<char>)>; 3]),
    /// ID (RFC 2971 §3.2).
    Id(Option<Vec<IdField>>),
    /// FETCH: the message's number, and what is told of it.
    Fetch(u32, Vec<FetchItem>),
    /// Something else: its first word, and what stands behind it, literals with it. It is written as it is: whoever makes
    /// one sees to it that it is one response.
    Other(Box<str>, Box<[u8]>),
}

/// What LIST and LSUB tell of a name (RFC 9051 §7.3.1).
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Listed {
    /// As they are written, with their backslash.
    pub attributes: Vec<Box<str>>,
    /// What stands between levels; `None` for a flat name.
    pub delimiter: Option<char>,
    /// The name.
    pub mailbox: Mailbox,
    /// CHILDINFO: which selection options something below it meets.
    pub child_info: Vec<Box<str>>,
    /// OLDNAME
    pub old_name: Option<Mailbox>,
}

impl Listed {
    /// That name with those attributes.
    pub fn new(mailbox: Mailbox, attributes: Vec<Box<str>>) -> Self {
        Self { attributes, delimiter: Some('/'), mailbox, child_info: Vec::new(), old_name: None }
    }
}

/// ESEARCH (RFC 9051 §7.3.4).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Esearch {
    /// The tag of the command that it answers.
    pub tag: Option<Box<str>>,
    /// The numbers are UIDs.
    pub uid: bool,
    /// MIN
    pub min: Option<u32>,
    /// MAX
    pub max: Option<u32>,
    /// ALL
    pub all: Option<SequenceSet>,
    /// COUNT
    pub count: Option<u32>,
    /// MODSEQ (RFC 7162 §3.1.10).
    pub modseq: Option<u64>,
}

/// What FETCH tells of a message (RFC 9051 §7.5.2).
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum FetchItem {
    /// FLAGS, and whether `\Recent` is among them.
    Flags(Flags, bool),
    /// UID
    Uid(Uid),
    /// MODSEQ
    ModSeq(u64),
    /// INTERNALDATE
    InternalDate(Timestamp),
    /// RFC822.SIZE
    Size(u64),
    /// ENVELOPE
    Envelope(Box<Envelope>),
    /// BODY without a section.
    Body(Value),
    /// BODYSTRUCTURE
    BodyStructure(Value),
    /// `BODY[...]`, from which octet on if a partial was asked for, and its octets; `None` for NIL.
    Section(Section, Option<u64>, Option<Box<[u8]>>),
    /// `BINARY[...]`
    Binary(Vec<NonZeroU32>, Option<u64>, Option<Box<[u8]>>),
    /// `BINARY.SIZE[...]`
    BinarySize(Vec<NonZeroU32>, u64),
    /// RFC822, RFC822.HEADER, RFC822.TEXT: the word, and the octets.
    Rfc822(Rfc822, Option<Box<[u8]>>),
}

/// The three items of IMAP4rev1 that sections have replaced (RFC 3501 §6.4.5).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Rfc822 {
    /// RFC822
    Whole,
    /// RFC822.HEADER
    Header,
    /// RFC822.TEXT
    Text,
}

impl Rfc822 {
    /// As it is written.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Whole => "RFC822",
            Self::Header => "RFC822.HEADER",
            Self::Text => "RFC822.TEXT",
        }
    }
}

/// ENVELOPE (RFC 9051 §7.5.2): header fields, encoded words left in them. `None` for NIL.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Envelope {
    /// Date
    pub date: Option<OctetString>,
    /// Subject
    pub subject: Option<OctetString>,
    /// From
    pub from: Vec<EnvelopeAddress>,
    /// Sender
    pub sender: Vec<EnvelopeAddress>,
    /// Reply-To
    pub reply_to: Vec<EnvelopeAddress>,
    /// To
    pub to: Vec<EnvelopeAddress>,
    /// Cc
    pub cc: Vec<EnvelopeAddress>,
    /// Bcc
    pub bcc: Vec<EnvelopeAddress>,
    /// In-Reply-To
    pub in_reply_to: Option<OctetString>,
    /// Message-ID
    pub message_id: Option<OctetString>,
}

/// One address of an envelope. Without a host it begins a group, whose name is `mailbox`, or ends one.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct EnvelopeAddress {
    /// The display name.
    pub name: Option<OctetString>,
    /// The source route.
    pub route: Option<OctetString>,
    /// The local part.
    pub mailbox: Option<OctetString>,
    /// The domain.
    pub host: Option<OctetString>,
}

/// What a body structure is made of: its grammar grows with every extension, so it is read as it stands there.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Value {
    /// NIL
    Nil,
    /// A number.
    Number(u64),
    /// A string.
    Text(OctetString),
    /// A list; of a multipart its children stand in it without spaces between them.
    List(Vec<Value>),
}
