//! What can happen in a session.

use mail_wire::sasl::{Failure, Mechanism};
use mail_wire::{AccountId, CredentialAnswer, CredentialQuery, UserName};

use super::Answer;
use crate::error::Rejection;
use crate::grammar::ResponseText;
use crate::response::{Refusal, ResponseCode};

/// What the client did. Every event wants one answer before the next one comes; only a message is answered in parts.
///
/// [`Answer::Refuse`] fits every event but [`Continue`](Self::Continue) and [`Credentials`](Self::Credentials).
#[derive(Debug)]
#[non_exhaustive]
pub enum Event {
    /// The connection is there. [`Answer::Ok`] greets; a refusal closes it.
    Connected,
    /// CAPA (RFC 2449 §5). [`Answer::Ok`] tells what the configuration and the state allow.
    Capa,
    /// UTF8 (RFC 6856 §2.1). [`Answer::Ok`] turns UTF-8 mode on until the session ends; a refusal does not.
    Utf8,
    /// STLS (RFC 2595 §4). After [`Answer::Ok`] the session reads nothing until the host has done the handshake and said
    /// so with [`ServerSession::tls_started`](super::ServerSession::tls_started).
    StartTls,
    /// The session has more to say, and gives the caller the chance to send what is there: the next prompt of a login,
    /// the next part of a listing. The only answer is [`Answer::Ok`] without a text.
    Continue,
    /// USER (RFC 1939 §7). [`Answer::Ok`], whoever it is: a refusal tells who exists (attack row A2).
    User(UserName),
    /// A question about a credential. [`Answer::Credential`] answers it.
    Credentials(CredentialQuery),
    /// Somebody has proved to be who they are. [`Answer::Maildrop`] lets them in; a refusal with
    /// [`ResponseCode::InUse`], [`ResponseCode::LoginDelay`] or a `SYS` code does not.
    Authenticated(Authenticated),
    /// A login has come to nothing. The only answer is a refusal, the default one or the host's own; the host may wait
    /// before it gives it (attack row A11).
    AuthenticationFailed(LoginFailure),
    /// STAT. [`Answer::Ok`] tells.
    Stat,
    /// LIST, of one message or of all. [`Answer::Ok`] tells, in parts where it is long.
    List {
        /// The one message.
        number: Option<u32>,
    },
    /// UIDL, of one message or of all. [`Answer::Ok`] tells, in parts where it is long.
    Uidl {
        /// The one message.
        number: Option<u32>,
    },
    /// RETR. [`Answer::Message`], then [`Answer::Octets`] as many as are needed, then [`Answer::End`]. If the message has
    /// gone, a refusal; it keeps its number (attack row P7). If it goes wrong in the middle, nothing but closing the
    /// connection is left: what is short must not look whole.
    Retrieve {
        /// Its number.
        number: u32,
        /// The host's key for it.
        key: u32,
        /// How many octets have to come: what LIST says.
        size: u64,
    },
    /// TOP. As RETR, but [`ServerSession::wants_octets`](super::ServerSession::wants_octets) says when it is enough; the
    /// session cuts.
    Top {
        /// Its number.
        number: u32,
        /// The host's key for it.
        key: u32,
        /// How many octets the whole message has.
        size: u64,
        /// How many lines of its body are wanted.
        lines: u64,
    },
    /// DELE. [`Answer::Ok`] marks the message; nothing is removed yet.
    Dele {
        /// Its number.
        number: u32,
        /// The host's key for it.
        key: u32,
    },
    /// NOOP. [`Answer::Ok`]
    Noop,
    /// RSET. [`Answer::Ok`] takes all marks away.
    Rset,
    /// QUIT. The host removes these and then answers [`Answer::Ok`], or a refusal if some of them are still there. The
    /// session ends with either. Empty before login. No other event removes anything (attack row P7).
    Quit {
        /// The keys of the messages that are marked, in the order of their numbers.
        delete: Vec<u32>,
    },
    /// The client did something wrong, and may go on. The answer is a refusal, the default one or the host's own.
    Rejected(Rejection),
}

/// Somebody who has logged in.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Authenticated {
    /// The account whose maildrop is wanted.
    pub account: AccountId,
    /// The name that was given, prepared. `None` if a token alone said who it is.
    pub user: Option<UserName>,
    /// How; `None` by USER and PASS.
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
    /// The refusal that RFC 2449 §8 and RFC 3206 §4 have for it.
    pub fn default_answer(&self) -> Answer {
        let (text, code) = match self.failure {
            Failure::Rejected => ("authentication failed", Some(ResponseCode::Auth)),
            Failure::Unavailable => ("authentication is not available for now", Some(ResponseCode::SysTemp)),
            Failure::Aborted => ("authentication aborted", None),
            Failure::TooLong => ("response too long", None),
            _ => ("malformed response", None),
        };
        Answer::Refuse(Refusal { code, ..Refusal::new(ResponseText::literal(text)) })
    }
}

impl Event {
    /// The answer of a host without a policy: correct, and negative where a policy is needed. A server that gives
    /// nothing but this one lets nobody in.
    pub fn default_answer(&self) -> Answer {
        let refuse = |text, code: Option<ResponseCode>| {
            let refusal = Refusal::new(ResponseText::literal(text));
            Answer::Refuse(Refusal { code, ..refusal })
        };
        match self {
            Self::Connected
            | Self::Capa
            | Self::Utf8
            | Self::Continue
            | Self::User(_)
            | Self::Stat
            | Self::List { .. }
            | Self::Uidl { .. }
            | Self::Dele { .. }
            | Self::Noop
            | Self::Rset => Answer::ok(),
            Self::StartTls => refuse("TLS is not available", None),
            Self::Credentials(_) => Answer::Credential(CredentialAnswer::Unavailable),
            Self::Authenticated(_) => refuse("maildrop not available", Some(ResponseCode::SysTemp)),
            Self::AuthenticationFailed(failure) => failure.default_answer(),
            Self::Retrieve { .. } | Self::Top { .. } => refuse("message not available", None),
            Self::Quit { delete } if delete.is_empty() => Answer::ok(),
            Self::Quit { .. } => refuse("some deleted messages not removed", Some(ResponseCode::SysTemp)),
            Self::Rejected(rejection) => Answer::Refuse(rejection.default_answer()),
        }
    }

    /// Whether an answer is owed before the next event: always, in this protocol. It is here because the sessions of
    /// all three protocols have it.
    pub const fn needs_answer(&self) -> bool {
        true
    }
}
