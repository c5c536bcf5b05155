//! The error families: a line that does not parse, a peer that is gone, a caller that is wrong.

use std::fmt;

/// Octets that do not follow the grammar, and where.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("expected {kind} at octet {offset}")]
#[non_exhaustive]
pub struct ParseError {
    /// The rule that was not followed.
    pub kind: ParseErrorKind,
    /// The first octet that does not fit, counted from 0 in what was parsed.
    pub offset: usize,
}

impl ParseError {
    /// That rule was not followed there.
    pub const fn new(kind: ParseErrorKind, offset: usize) -> Self {
        Self { kind, offset }
    }
}

/// The grammar rule that octets did not follow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ParseErrorKind {
    /// RFC 5321 §4.1.2, `Domain`.
    Domain,
    /// RFC 5321 §4.1.3, `address-literal`.
    AddressLiteral,
    /// RFC 5321 §4.1.2, `Local-part`.
    LocalPart,
    /// RFC 5321 §4.1.2, `Path`.
    Path,
    /// RFC 5321 §4.1.2, `esmtp-param`.
    Parameter,
    /// What the parameter's own RFC allows as its value.
    ParameterValue,
    /// A parameter that is given once.
    UniqueParameter,
    /// RFC 5321 §4.1.1, a command's verb.
    Verb,
    /// RFC 5321 §4.1.1, a command's argument.
    Argument,
    /// RFC 5321 §4.1.1, the end of the command.
    End,
    /// RFC 4954 §4, the name of a SASL mechanism.
    Mechanism,
    /// RFC 3030 §2, `chunk-size`.
    ChunkSize,
    /// RFC 3461 §4, `xtext`.
    Xtext,
    /// RFC 5321 §4.2, `Reply-code`.
    ReplyCode,
    /// RFC 5321 §4.2, `textstring`.
    Text,
    /// RFC 3463 §2, `status-code`.
    StatusCode,
    /// RFC 3629, UTF-8 in its shortest form.
    Utf8,
}

impl fmt::Display for ParseErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Domain => "a domain name",
            Self::AddressLiteral => "an address literal",
            Self::LocalPart => "the local part of an address",
            Self::Path => "an address in angle brackets",
            Self::Parameter => "a parameter",
            Self::ParameterValue => "a legal value of the parameter",
            Self::UniqueParameter => "each parameter only once",
            Self::Verb => "a command",
            Self::Argument => "an argument",
            Self::End => "the end of the command",
            Self::Mechanism => "a mechanism's name",
            Self::ChunkSize => "a chunk's size in octets",
            Self::Xtext => "xtext",
            Self::ReplyCode => "a reply code",
            Self::Text => "printable text",
            Self::StatusCode => "an enhanced status code",
            Self::Utf8 => "UTF-8",
        })
    }
}

/// Why a session cannot go on, or why a call on it was wrong.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The peer went away in the middle of something.
    #[error(transparent)]
    Peer(#[from] PeerError),
    /// The caller made a mistake.
    #[error(transparent)]
    Usage(#[from] UsageError),
}

/// The peer closed the connection in the middle of something. Whatever it had not finished did not happen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PeerError {
    /// A command had begun and had not ended.
    #[error("the peer closed the connection in the middle of a command")]
    InCommand,
    /// The end of data had not come: what was staged of the message has to be thrown away.
    #[error("the peer closed the connection in the middle of a message")]
    InData,
    /// A login had begun and had not ended.
    #[error("the peer closed the connection in the middle of a login")]
    InAuth,
    /// An answer was owed and cannot reach the peer. If it was the answer to a message, the sender will send the message
    /// again unless the host sees to it (RFC 5321 §4.2.5; attack row C7).
    #[error("the peer closed the connection before it was answered")]
    BeforeAnswer,
}

/// A mistake in the use of a session. Nothing was written and no state has changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum UsageError {
    /// The next event was asked for while the last one waits for its answer.
    #[error("an answer is owed before the next event")]
    AnswerOwed,
    /// There was nothing to answer.
    #[error("no answer is owed")]
    NoAnswerOwed,
    /// The answer does not fit the event: a reply where a credential was asked for, a 354 to RCPT, a 250 to DATA.
    #[error("the answer does not fit the event")]
    WrongAnswer,
    /// The session is over: nobody hears the answer (attack row C7).
    #[error("the session is closed")]
    Closed,
}
