//! OK, NO, BAD, PREAUTH and BYE (RFC 9051 §7.1).

use std::borrow::Cow;

use mailstore_traits::{Flags, ModSeq, Uid, UidSet, UidValidity};

use super::code::RefusalCode;

/// What kind of status response it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum StatusKind {
    /// OK
    Ok,
    /// NO
    No,
    /// BAD
    Bad,
    /// PREAUTH: only as a greeting.
    PreAuth,
    /// BYE: the connection closes.
    Bye,
}

/// The text for people: one line of it, never empty (RFC 9051 §7.1).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Text(Cow<'static, str>);

impl Text {
    /// Words of our own.
    pub const fn literal(text: &'static str) -> Self {
        Self(Cow::Borrowed(text))
    }

    /// Words of somebody else's: what has no place in a line becomes `?`.
    pub fn lossy(text: &str) -> Self {
        let clean: String =
            text.chars().take(500).map(|char| if matches!(char, ' '..='~') { char } else { '?' }).collect();
        Self(if clean.trim().is_empty() { Cow::Borrowed("?") } else { Cow::Owned(clean) })
    }

    /// As it is sent.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A response code: what stands in brackets before the text (RFC 9051 §7.1).
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Code {
    /// Why it was refused (RFC 5530).
    Refusal(RefusalCode),
    /// ALERT: the text must be shown to the user.
    Alert,
    /// BADCHARSET, with charsets that are known.
    BadCharset(Vec<Box<str>>),
    /// CAPABILITY, with the names.
    Capability(Vec<Box<str>>),
    /// CLOSED: the mailbox that was selected is no longer (RFC 7162 §3.2.11).
    Closed,
    /// PARSE: a message's header cannot be parsed.
    Parse,
    /// PERMANENTFLAGS, and whether `\*` stands in it.
    PermanentFlags(Flags, bool),
    /// READ-ONLY
    ReadOnly,
    /// READ-WRITE
    ReadWrite,
    /// TRYCREATE
    TryCreate,
    /// UIDNEXT
    UidNext(Uid),
    /// UIDNOTSTICKY
    UidNotSticky,
    /// UIDVALIDITY
    UidValidity(UidValidity),
    /// UNSEEN: the number of the first message without `\Seen` (RFC 3501 §7.1).
    Unseen(u32),
    /// APPENDUID (RFC 4315 §3).
    AppendUid(UidValidity, UidSet),
    /// COPYUID: UIDVALIDITY, and the UIDs at the source and at the destination, as many in both (RFC 4315 §3).
    CopyUid(UidValidity, UidSet, UidSet),
    /// HIGHESTMODSEQ (RFC 7162 §3.1.2.1).
    HighestModSeq(ModSeq),
    /// NOMODSEQ (RFC 7162 §3.1.2.2).
    NoModSeq,
    /// MODIFIED: the numbers or UIDs that were left alone, as ranges (RFC 7162 §3.1.3).
    Modified(Vec<(u32, u32)>),
    /// NOTSAVED (RFC 9051 §6.4.4.4).
    NotSaved,
    /// UNKNOWN-CTE (RFC 3516 §4.3).
    UnknownCte,
    /// Another one: its name, and what stands behind it.
    Other(Box<str>, Option<Box<str>>),
}

/// A status response, tagged or not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Status {
    /// What kind.
    pub kind: StatusKind,
    /// For programs.
    pub code: Option<Code>,
    /// For people.
    pub text: Text,
}

impl Status {
    /// That, without a code.
    pub const fn new(kind: StatusKind, text: Text) -> Self {
        Self { kind, code: None, text }
    }

    /// With that code.
    #[must_use]
    pub fn with_code(mut self, code: Code) -> Self {
        self.code = Some(code);
        self
    }
}
