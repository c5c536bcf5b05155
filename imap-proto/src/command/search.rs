//! SEARCH (RFC 9051 §6.4.4, RFC 3501 §6.4.4).

use mailstore_traits::{Keyword, SystemFlag};

use crate::grammar::{Date, MessageSet, Numbering, SequenceSet};

/// SEARCH and UID SEARCH.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Search {
    /// What the numbers of the answer are.
    pub numbering: Numbering,
    /// What RETURN asks for; `None` without it. `RETURN ()` is `RETURN (ALL)` (RFC 4731 §3.1).
    pub returns: Option<SearchReturn>,
    /// CHARSET, as it was written.
    pub charset: Option<Box<str>>,
    /// What is looked for: all of these hold; at least one.
    pub keys: Vec<SearchKey>,
}

impl Search {
    /// All of these keys hold.
    pub fn new(numbering: Numbering, keys: Vec<SearchKey>) -> Self {
        Self { numbering, returns: None, charset: None, keys }
    }
}

/// The options of RETURN (RFC 9051 §6.4.4).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct SearchReturn {
    /// MIN
    pub min: bool,
    /// MAX
    pub max: bool,
    /// ALL
    pub all: bool,
    /// COUNT
    pub count: bool,
    /// SAVE: the result is kept for `$`.
    pub save: bool,
}

/// A `search-key` (RFC 9051 §9, RFC 3501 §9). Text is as it came, in the charset that the command names.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum SearchKey {
    /// ALL
    All,
    /// ANSWERED, DELETED, DRAFT, FLAGGED, SEEN
    Has(SystemFlag),
    /// UNANSWERED, UNDELETED, UNDRAFT, UNFLAGGED, UNSEEN
    HasNot(SystemFlag),
    /// KEYWORD
    Keyword(Keyword),
    /// UNKEYWORD
    Unkeyword(Keyword),
    /// NEW: recent and not seen (RFC 3501 §6.4.4).
    New,
    /// OLD: not recent (RFC 3501 §6.4.4).
    Old,
    /// RECENT (RFC 3501 §6.4.4).
    Recent,
    /// BCC
    Bcc(Box<[u8]>),
    /// CC
    Cc(Box<[u8]>),
    /// FROM
    From(Box<[u8]>),
    /// TO
    To(Box<[u8]>),
    /// SUBJECT
    Subject(Box<[u8]>),
    /// BODY
    Body(Box<[u8]>),
    /// TEXT
    Text(Box<[u8]>),
    /// HEADER: the field's name and the text, any if it is empty.
    Header(Box<[u8]>, Box<[u8]>),
    /// BEFORE
    Before(Date),
    /// ON
    On(Date),
    /// SINCE
    Since(Date),
    /// SENTBEFORE
    SentBefore(Date),
    /// SENTON
    SentOn(Date),
    /// SENTSINCE
    SentSince(Date),
    /// LARGER
    Larger(u64),
    /// SMALLER
    Smaller(u64),
    /// MODSEQ (RFC 7162 §3.1.5). The entry that may stand before the number is read and means nothing: all flags of a
    /// message have one modification sequence.
    ModSeq(u64),
    /// NOT
    Not(Box<SearchKey>),
    /// OR
    Or(Box<SearchKey>, Box<SearchKey>),
    /// Several in parentheses: all of them hold.
    And(Vec<SearchKey>),
    /// Sequence numbers, or `$`.
    Numbers(MessageSet),
    /// UID
    Uids(MessageSet),
}

impl SearchKey {
    /// Those with these sequence numbers.
    pub fn numbers(set: SequenceSet) -> Self {
        Self::Numbers(MessageSet::Set(set))
    }
}
