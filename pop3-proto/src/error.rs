//! The error families: a line that does not parse, a peer that is wrong, a peer that is gone, a caller that is wrong.

use std::fmt;

use mail_wire::line::LineFault;

use crate::response::{Refusal, ResponseCode};

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
    /// RFC 2449 §3, `keyword`, one of those that are carried out here.
    Keyword,
    /// RFC 1939 §3, an argument where the command has one.
    Argument,
    /// RFC 1939 §4, a message-number in decimal.
    MessageNumber,
    /// RFC 1939 §7, TOP's number of lines in decimal.
    LineCount,
    /// RFC 1939 §7, USER's name: UTF-8 without control characters, at most 255 octets.
    UserName,
    /// RFC 5034 §4, the name of a SASL mechanism.
    Mechanism,
    /// RFC 5034 §4, an initial response in base64, or `=`.
    InitialResponse,
    /// RFC 1939 §7, APOP's digest: 32 hexadecimal digits in lower case.
    Digest,
    /// RFC 1939 §3, the end of the command.
    End,
    /// RFC 2449 §3, `status`.
    Status,
    /// RFC 2449 §3, `resp-code`.
    ResponseCode,
    /// RFC 2449 §3, `text`.
    Text,
    /// RFC 2449 §3, `capability`.
    Capability,
    /// RFC 1939 §5, a size in octets.
    Size,
    /// RFC 1939 §7, a unique-id.
    UniqueId,
}

impl fmt::Display for ParseErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Keyword => "a command",
            Self::Argument => "an argument",
            Self::MessageNumber => "a message number",
            Self::LineCount => "a number of lines",
            Self::UserName => "a user name",
            Self::Mechanism => "a mechanism's name",
            Self::InitialResponse => "base64",
            Self::Digest => "a digest",
            Self::End => "the end of the command",
            Self::Status => "+OK or -ERR",
            Self::ResponseCode => "a response code",
            Self::Text => "printable text",
            Self::Capability => "a capability",
            Self::Size => "a size in octets",
            Self::UniqueId => "a unique-id",
        })
    }
}

/// What a client did wrong, in a way that the conversation survives. It was not carried out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Rejection {
    /// The line is no command. RFC 1939 §3.
    #[error(transparent)]
    Syntax(#[from] ParseError),
    /// The line is not one, or is longer than the limit (attack rows M1 and S4). It has been swallowed to its CRLF.
    #[error(transparent)]
    Line(#[from] LineFault),
    /// The first that was said is another protocol's: the session ends with the answer (attack row T9).
    #[error("this is a mail server")]
    OtherProtocol,
    /// The command belongs to the AUTHORIZATION state, and somebody has logged in.
    #[error("already logged in")]
    AlreadyLoggedIn,
    /// The command belongs to the TRANSACTION state, and nobody has logged in.
    #[error("log in first")]
    NotLoggedIn,
    /// PASS does not stand directly behind a USER. RFC 1939 §7.
    #[error("PASS comes directly behind USER")]
    NoUser,
    /// A login where others could read it (attack row T7).
    #[error("no login without TLS")]
    InsecureLogin,
    /// USER and PASS are not offered.
    #[error("USER and PASS are not offered")]
    NoUserPass,
    /// APOP is not offered (attack row A14).
    #[error("APOP is not offered")]
    NoApop,
    /// The SASL mechanism is not known, or not offered. RFC 5034 §4.
    #[error("mechanism not offered")]
    UnknownMechanism,
    /// STLS is not offered.
    #[error("STLS is not offered")]
    NoStartTls,
    /// STLS inside TLS (attack row T4). RFC 2595 §4.
    #[error("command not permitted when TLS active")]
    TlsActive,
    /// STLS behind UTF8, which no client may send (RFC 6856 §2.1).
    #[error("STLS comes before UTF8")]
    Utf8Active,
    /// UTF8 is not offered.
    #[error("UTF8 is not offered")]
    NoUtf8,
    /// LANG, which is not in CAPA: the words for people are in English only (RFC 6856 §3).
    #[error("LANG is not offered, responses are in English")]
    NoLang,
    /// There is no message of that number.
    #[error("no such message, only {count} in maildrop")]
    NoSuchMessage {
        /// How many there are, those marked as deleted included.
        count: usize,
    },
    /// The message has been marked as deleted.
    #[error("message {number} already deleted")]
    AlreadyDeleted {
        /// Its number.
        number: u32,
    },
}

impl Rejection {
    /// What it is answered with unless the host says otherwise.
    pub fn default_answer(&self) -> Refusal {
        let refusal = Refusal::lossy(&self.to_string());
        match self {
            // RFC 3206 §5: the credentials were offered "in violation of policy". The client asks its user, and does not
            // try again by itself with what it has just shown to everybody.
            Self::InsecureLogin => refusal.with_code(ResponseCode::Auth),
            Self::OtherProtocol => refusal.closing(),
            _ => refusal,
        }
    }

    /// Whether it counts against [`Limits::errors`](crate::Limits::errors). Asking for a message that is not there is
    /// what a client with an old list does, and asking for a language is what one does that knows RFC 6856 and does not
    /// look at CAPA: neither costs anything.
    pub fn counts(&self) -> bool {
        !matches!(self, Self::NoSuchMessage { .. } | Self::AlreadyDeleted { .. } | Self::NoLang)
    }
}

/// Why a session cannot go on, or why a call on it was wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The peer went away in the middle of something.
    #[error(transparent)]
    Peer(#[from] PeerError),
    /// The caller made a mistake.
    #[error(transparent)]
    Usage(#[from] UsageError),
}

/// The peer closed the connection in the middle of something. No message has been removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PeerError {
    /// A command had begun and had not ended.
    #[error("the peer closed the connection in the middle of a command")]
    InCommand,
    /// A login had begun and had not ended.
    #[error("the peer closed the connection in the middle of a login")]
    InAuth,
    /// An answer was owed and cannot reach the peer. If it was the answer to QUIT, the client does not know whether its
    /// messages are gone, and will see it at its next login (attack row C7).
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
    /// The answer does not fit the event: a maildrop where a credential was asked for, a message to LIST.
    #[error("the answer does not fit the event")]
    WrongAnswer,
    /// More octets of a message than its listing says.
    #[error("more octets than the message has")]
    TooManyOctets,
    /// The message was ended before all its octets had been given.
    #[error("fewer octets than the message has")]
    TooFewOctets,
    /// A greeting with `<` in it, which a client takes for APOP's timestamp (RFC 1939 §7, attack row A14).
    #[error("a greeting cannot hold `<`")]
    TimestampInGreeting,
    /// The session is over: nobody hears the answer (attack row C7).
    #[error("the session is closed")]
    Closed,
}
