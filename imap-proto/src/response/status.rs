//! OK, NO, BAD, PREAUTH and BYE (RFC 9051 §7.1).

use std::borrow::Cow;
use std::fmt::Write as _;

use bytes::BytesMut;
use mailstore_traits::{Flags, ModSeq, Uid, UidSet, UidValidity};

use super::code::RefusalCode;
use crate::grammar::Tag;

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

impl StatusKind {
    /// As it is written.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "OK",
            Self::No => "NO",
            Self::Bad => "BAD",
            Self::PreAuth => "PREAUTH",
            Self::Bye => "BYE",
        }
    }
}

impl Status {
    /// Writes it as the answer to the command with that tag, or untagged, with its CRLF.
    pub fn encode(&self, tag: Option<&Tag>, out: &mut BytesMut) {
        out.extend_from_slice(tag.map_or(b"*", Tag::as_octets));
        out.extend_from_slice(b" ");
        out.extend_from_slice(self.kind.as_str().as_bytes());
        out.extend_from_slice(b" ");
        if let Some(code) = &self.code {
            out.extend_from_slice(b"[");
            code.encode(out);
            out.extend_from_slice(b"] ");
        }
        out.extend_from_slice(self.text.as_str().as_bytes());
        out.extend_from_slice(b"\r\n");
    }
}

impl Code {
    /// Writes what stands between the brackets.
    pub fn encode(&self, out: &mut BytesMut) {
        // Writing into a buffer does not fail.
        let _ = match self {
            Self::Refusal(code) => write!(out, "{code}"),
            Self::Alert => write!(out, "ALERT"),
            Self::BadCharset(charsets) if charsets.is_empty() => write!(out, "BADCHARSET"),
            Self::BadCharset(charsets) => write!(out, "BADCHARSET ({})", charsets.join(" ")),
            Self::Capability(names) => write!(out, "CAPABILITY {}", names.join(" ")),
            Self::Closed => write!(out, "CLOSED"),
            Self::Parse => write!(out, "PARSE"),
            Self::PermanentFlags(flags, new) => {
                let mut words: Vec<&str> = flags.iter().map(mailstore_traits::Flag::as_str).collect();
                words.extend(new.then_some("\\*"));
                write!(out, "PERMANENTFLAGS ({})", words.join(" "))
            }
            Self::ReadOnly => write!(out, "READ-ONLY"),
            Self::ReadWrite => write!(out, "READ-WRITE"),
            Self::TryCreate => write!(out, "TRYCREATE"),
            Self::UidNext(uid) => write!(out, "UIDNEXT {}", uid.value()),
            Self::UidNotSticky => write!(out, "UIDNOTSTICKY"),
            Self::UidValidity(validity) => write!(out, "UIDVALIDITY {}", validity.value()),
            Self::Unseen(number) => write!(out, "UNSEEN {number}"),
            Self::AppendUid(validity, uids) => write!(out, "APPENDUID {} {uids}", validity.value()),
            Self::CopyUid(validity, from, to) => write!(out, "COPYUID {} {from} {to}", validity.value()),
            Self::HighestModSeq(modseq) => write!(out, "HIGHESTMODSEQ {}", modseq.value()),
            Self::NoModSeq => write!(out, "NOMODSEQ"),
            Self::Modified(ranges) => {
                let one =
                    |&(from, to): &(u32, u32)| if from == to { format!("{from}") } else { format!("{from}:{to}") };
                write!(out, "MODIFIED {}", ranges.iter().map(one).collect::<Vec<_>>().join(","))
            }
            Self::NotSaved => write!(out, "NOTSAVED"),
            Self::UnknownCte => write!(out, "UNKNOWN-CTE"),
            Self::Other(name, None) => write!(out, "{name}"),
            Self::Other(name, Some(rest)) => write!(out, "{name} {rest}"),
        };
    }
}
