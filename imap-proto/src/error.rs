//! The error families: a peer that is wrong, a peer that is gone, a caller that is wrong. What does not parse is a
//! [`CommandError`](crate::command::CommandError).

use mail_wire::line::LineFault;

use crate::command::CommandErrorKind;
use crate::response::code::RefusalCode;
use crate::response::{Code, Status, StatusKind, Text};

/// What a client did wrong, in a way that the conversation survives. It was not carried out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Rejection {
    /// It is no command (RFC 9051 §9).
    #[error(transparent)]
    Syntax(#[from] CommandErrorKind),
    /// The line is not one, or is longer than the limit (attack row M1). It has been swallowed to its CRLF.
    #[error(transparent)]
    Line(#[from] LineFault),
    /// A literal that is larger than the limit, or one too many (attack row M5). It was not asked for.
    #[error("literal too large")]
    LiteralTooLarge,
    /// A literal that is larger than the limit and comes unasked: its octets cannot be told from commands, so the session
    /// ends with the answer (attack row M6).
    #[error("literal too large, and not waited for")]
    UnaskedLiteralTooLarge,
    /// The first that was said is another protocol's: the session ends with the answer (attack row T9).
    #[error("this is a mail server")]
    OtherProtocol,
    /// The command wants a login first (RFC 9051 §3).
    #[error("log in first")]
    NotLoggedIn,
    /// The command belongs before the login (RFC 9051 §3).
    #[error("already logged in")]
    AlreadyLoggedIn,
    /// The command wants a mailbox to be selected (RFC 9051 §3).
    #[error("no mailbox selected")]
    NoMailbox,
    /// A login where others could read it (attack row T7).
    #[error("no login without TLS")]
    InsecureLogin,
    /// LOGIN is not offered.
    #[error("LOGIN is not offered")]
    NoLogin,
    /// The SASL mechanism is not known, or not offered (RFC 9051 §6.2.2).
    #[error("unsupported authentication mechanism")]
    UnknownMechanism,
    /// STARTTLS is not offered.
    #[error("STARTTLS is not offered")]
    NoStartTls,
    /// STARTTLS inside TLS (attack row T4).
    #[error("TLS is active")]
    TlsActive,
    /// A line in IDLE that is not DONE. IDLE has ended with it.
    #[error("expected DONE")]
    NotDone,
    /// Something stands behind the message of APPEND, which was not carried out.
    #[error("expected the end of APPEND behind its message")]
    AppendTail,
}

impl Rejection {
    /// Whether it counts against [`Limits::errors`](crate::limits::Limits::errors) (attack row C5).
    pub(crate) const fn counts(self) -> bool {
        !matches!(
            self,
            Self::InsecureLogin | Self::UnknownMechanism | Self::NoLogin | Self::Syntax(CommandErrorKind::MailboxName)
        )
    }

    /// Whether the session ends with the answer.
    pub(crate) const fn closes(self) -> bool {
        matches!(self, Self::UnaskedLiteralTooLarge | Self::OtherProtocol)
    }

    /// The response that the RFCs have for it.
    pub fn default_answer(self) -> Status {
        let (kind, code, text) = match self {
            // Nothing is wrong with the command: no mailbox can have that name.
            Self::Syntax(CommandErrorKind::MailboxName) => {
                (StatusKind::No, Some(RefusalCode::Cannot), Text::literal("No mailbox can have that name"))
            }
            Self::Syntax(kind) => (StatusKind::Bad, None, Text::lossy(&sentence(&kind.to_string()))),
            Self::Line(LineFault::TooLong) => {
                (StatusKind::Bad, Some(RefusalCode::TooBig), Text::literal("Line too long"))
            }
            Self::Line(fault) => (StatusKind::Bad, None, Text::lossy(&sentence(&fault.to_string()))),
            // RFC 7888 §4.
            Self::LiteralTooLarge => (StatusKind::Bad, Some(RefusalCode::TooBig), Text::literal("Literal too large")),
            Self::UnaskedLiteralTooLarge => {
                (StatusKind::Bye, Some(RefusalCode::TooBig), Text::literal("Literal too large"))
            }
            Self::OtherProtocol => (StatusKind::Bye, None, Text::literal("This is a mail server")),
            Self::NotLoggedIn => (StatusKind::Bad, None, Text::literal("Log in first")),
            Self::AlreadyLoggedIn => (StatusKind::Bad, None, Text::literal("Already logged in")),
            Self::NoMailbox => (StatusKind::Bad, None, Text::literal("No mailbox selected")),
            // RFC 5530 §3.
            Self::InsecureLogin => {
                (StatusKind::No, Some(RefusalCode::PrivacyRequired), Text::literal("No login without TLS"))
            }
            Self::NoLogin => (StatusKind::No, None, Text::literal("LOGIN is not offered, use AUTHENTICATE")),
            Self::UnknownMechanism => (StatusKind::No, None, Text::literal("Unsupported authentication mechanism")),
            Self::NoStartTls => (StatusKind::Bad, None, Text::literal("STARTTLS is not offered")),
            Self::TlsActive => (StatusKind::Bad, None, Text::literal("TLS is active already")),
            Self::NotDone => (StatusKind::Bad, None, Text::literal("Expected DONE")),
            Self::AppendTail => (StatusKind::Bad, None, Text::literal("Expected the end of APPEND behind its message")),
        };
        let status = Status::new(kind, text);
        match code {
            Some(code) => status.with_code(Code::Refusal(code)),
            None => status,
        }
    }
}

/// Error texts begin in lower case, sentences do not.
fn sentence(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map_or_else(String::new, |first| first.to_uppercase().chain(chars).collect())
}

/// Why a session cannot go on, or was used wrongly.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The peer went in the middle of something.
    #[error(transparent)]
    Peer(#[from] PeerError),
    /// The caller made a mistake.
    #[error(transparent)]
    Usage(#[from] UsageError),
}

/// The peer has closed the connection where it should not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PeerError {
    /// A command had begun and had not ended.
    #[error("the peer closed the connection in the middle of a command")]
    InCommand,
    /// A login had begun and had not ended.
    #[error("the peer closed the connection in the middle of a login")]
    InAuth,
    /// A message had begun and had not ended: what has come of it is to be dropped (attack row T8).
    #[error("the peer closed the connection in the middle of a message")]
    InAppend,
    /// An answer was owed and cannot reach the peer (attack row C7).
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
    /// The answer does not fit the event: a credential for a SELECT, PREAUTH behind the greeting.
    #[error("the answer does not fit the event")]
    WrongAnswer,
    /// The session is over: nobody hears the answer (attack row C7).
    #[error("the session is closed")]
    Closed,
}
