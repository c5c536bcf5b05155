//! What can happen in a session.

use bytes::Bytes;
use mail_wire::sasl::{Failure, Mechanism};
use mail_wire::{AccountId, CredentialAnswer, CredentialQuery, UserName};

use super::{Answer, Enabled};
use crate::command::{AppendHead, CommandBody, IdField};
use crate::error::Rejection;
use crate::response::code::RefusalCode;
use crate::response::{Code, Status, StatusKind, Text};

/// What the client did. Every event wants one answer before the next one comes, but for
/// [`AppendData`](Self::AppendData).
///
/// Untagged responses go into the output before the answer is given; in IDLE at any time.
/// [`Answer::Status`] fits every event but [`Continue`](Self::Continue) and [`Credentials`](Self::Credentials).
#[derive(Debug)]
#[non_exhaustive]
pub enum Event {
    /// The connection is there. [`Answer::Ok`] greets; BYE closes it, and so does NO, which is sent as BYE.
    Connected,
    /// The session has more to say, and gives the caller the chance to send what is there: a continuation for a literal,
    /// the next challenge of a login. The only answer is [`Answer::Ok`].
    Continue,
    /// CAPABILITY. [`Answer::Ok`] tells what the configuration and the state allow.
    Capability,
    /// ID, with what the client tells of itself (RFC 2971 §3.1). [`Answer::Ok`] tells what the configuration says.
    Id(Option<Vec<IdField>>),
    /// ENABLE, with all that is enabled by [`Answer::Ok`] (RFC 9051 §6.3.1).
    Enable(Enabled),
    /// STARTTLS. After [`Answer::Ok`] the session reads nothing until the host has done the handshake and said so with
    /// [`ServerSession::tls_started`](super::ServerSession::tls_started).
    StartTls,
    /// A question about a credential. [`Answer::Credential`] answers it.
    Credentials(CredentialQuery),
    /// Somebody has proved to be who they are. [`Answer::Ok`] lets them in.
    Authenticated(Authenticated),
    /// A login has come to nothing. The answer is a refusal, [`LoginFailure::default_answer`] or the host's own.
    AuthenticationFailed(LoginFailure),
    /// A command for the host, in a state where it is legal. [`Answer::Ok`] is its tagged OK in the session's words.
    ///
    /// After the OK of SELECT a mailbox is selected; after its NO none is, and after that of CLOSE and UNSELECT (RFC 9051
    /// §6.3.2). After the OK of IDLE the session waits for DONE, and the host may tell news at any time.
    Command(CommandBody),
    /// DONE: IDLE is over. [`Answer::Ok`] is its tagged OK.
    Done,
    /// APPEND, before its message. [`Answer::Ok`] takes it; its octets follow as [`AppendData`](Self::AppendData). A NO
    /// refuses it, and no octet of it is told.
    Append(AppendHead),
    /// Octets of the message. No answer: what went wrong is told at its end.
    AppendData(Bytes),
    /// The message is whole. OK or NO is the tagged answer of APPEND. Whatever else comes after
    /// [`Append`](Self::Append) in place of this, the message is to be dropped.
    AppendEnd,
    /// LOGOUT. [`Answer::Ok`] says BYE and OK, and the session ends.
    Logout,
    /// The client did something wrong, and may go on. The answer is a refusal, the default one or the host's own.
    Rejected(Rejection),
}

/// Somebody who has logged in.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Authenticated {
    /// The account whose mailboxes are wanted.
    pub account: AccountId,
    /// The name that was given, prepared. `None` if a token alone said who it is.
    pub user: Option<UserName>,
    /// How; `None` by LOGIN.
    pub mechanism: Option<Mechanism>,
}

/// A login that has come to nothing.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct LoginFailure {
    /// Why.
    pub failure: Failure,
    /// How many logins were rejected on this connection, this one included. A host that lets a guesser wait does so before
    /// it answers (attack row A11).
    pub rejected: usize,
    /// Whether a limit is reached, so that the answer closes.
    pub closes: bool,
}

impl LoginFailure {
    /// The refusal that RFC 5530 §3 and RFC 9051 §6.2.2 have for it.
    pub fn default_answer(&self) -> Answer {
        let (kind, code, text) = match self.failure {
            Failure::Rejected => {
                (StatusKind::No, Some(RefusalCode::AuthenticationFailed), Text::literal("Authentication failed"))
            }
            Failure::Unavailable => {
                let text = Text::literal("Authentication is not available for now");
                (StatusKind::No, Some(RefusalCode::Unavailable), text)
            }
            Failure::Aborted => (StatusKind::Bad, None, Text::literal("Authentication aborted")),
            Failure::TooLong => (StatusKind::Bad, None, Text::literal("Response too long")),
            _ => (StatusKind::Bad, None, Text::literal("Malformed response")),
        };
        let status = Status::new(kind, text);
        Answer::Status(match code {
            Some(code) => status.with_code(Code::Refusal(code)),
            None => status,
        })
    }
}

impl Event {
    /// The answer of a host without a policy: correct, and negative where a mailbox is needed. A server that gives nothing
    /// but this one lets nobody in.
    pub fn default_answer(&self) -> Answer {
        let refuse =
            |text, code| Status::new(StatusKind::No, Text::literal(text)).with_code(Code::Refusal(code)).into();
        match self {
            Self::Connected | Self::Continue | Self::Capability | Self::Id(_) | Self::Enable(_) | Self::Logout => {
                Answer::Ok
            }
            Self::Done | Self::AppendData(_) | Self::Command(CommandBody::Noop) => Answer::Ok,
            Self::StartTls => refuse("TLS is not available", RefusalCode::Unavailable),
            Self::Credentials(_) => Answer::Credential(CredentialAnswer::Unavailable),
            Self::Authenticated(_) => refuse("Mailboxes not available", RefusalCode::Unavailable),
            Self::AuthenticationFailed(failure) => failure.default_answer(),
            Self::Command(_) | Self::Append(_) | Self::AppendEnd => refuse("Not possible here", RefusalCode::Cannot),
            Self::Rejected(rejection) => rejection.default_answer().into(),
        }
    }

    /// The command that it is, for counting: a word of ours, never the client's.
    pub fn verb(&self) -> Option<&'static str> {
        Some(match self {
            Self::Capability => "CAPABILITY",
            Self::Id(_) => "ID",
            Self::Enable(_) => "ENABLE",
            Self::StartTls => "STARTTLS",
            Self::Command(body) => super::commands::name_of(body),
            Self::Append(_) => "APPEND",
            Self::Logout => "LOGOUT",
            Self::Rejected(_) => "unknown",
            _ => return None,
        })
    }

    /// Whether an answer is owed before the next event.
    pub const fn needs_answer(&self) -> bool {
        !matches!(self, Self::AppendData(_))
    }
}
