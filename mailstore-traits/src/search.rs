//! What a search looks for, as plain data: for stores that have an index.

use crate::{EmailId, Flag, ModSeq, ThreadId, Timestamp, UidSet};

/// What a search looks for (RFC 9051 §6.4.4), with sequence numbers already turned into UIDs.
///
/// Text is compared without regard to case and charset, as the RFC says; the engine decides in the end, so an index
/// that answers [`SearchAnswer::Candidates`] may be coarser.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum SearchKey {
    /// Every message.
    All,
    /// All of these hold; all messages if there are none.
    And(Vec<SearchKey>),
    /// One of these holds at least; no message if there are none.
    Or(Vec<SearchKey>),
    /// It does not hold.
    Not(Box<SearchKey>),
    /// The message is one of these.
    Uids(UidSet),
    /// The flag is set.
    Flag(Flag),
    /// INTERNALDATE's day, in its own zone, is before this one, given as days since 1970-01-01.
    Before(i64),
    /// INTERNALDATE's day is this one.
    On(i64),
    /// INTERNALDATE's day is this one or later.
    Since(i64),
    /// The day of the Date field is before this one.
    SentBefore(i64),
    /// The day of the Date field is this one.
    SentOn(i64),
    /// The day of the Date field is this one or later.
    SentSince(i64),
    /// INTERNALDATE is at this moment or later (YOUNGER, RFC 5032, made absolute).
    ReceivedFrom(Timestamp),
    /// SAVEDATE's moment is at this one or later (RFC 8514).
    SavedFrom(Timestamp),
    /// The size is larger than this many octets.
    Larger(u64),
    /// The size is smaller than this many octets.
    Smaller(u64),
    /// A header field of that name holds that text; any text if empty.
    Header(String, String),
    /// The body holds that text.
    Body(String),
    /// Header or body holds that text.
    Text(String),
    /// The modification sequence is this one or greater (RFC 7162 §3.1.5).
    ModSeq(ModSeq),
    /// The content is this (RFC 8474 §6).
    EmailId(EmailId),
    /// The conversation is this (RFC 8474 §6).
    ThreadId(ThreadId),
}

/// What an index knows.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum SearchAnswer {
    /// These and no others.
    Exact(UidSet),
    /// No others than these; the engine looks at each.
    Candidates(UidSet),
    /// Nothing; the engine looks at all.
    Unsupported,
}
