//! SASL (RFC 4422), the server's side: octets in, challenges out, and questions for whoever knows the users.
//!
//! [`ServerExchange`] is one exchange in raw octets; [`Dialogue`] is the same in lines of base64, as SMTP (RFC 4954
//! §4), POP3 (RFC 5034 §4) and IMAP (RFC 9051 §6.2.2) speak it. Neither has a clock or does I/O. An exchange never
//! knows whether a password is right: it asks with a [`CredentialQuery`], and goes on when it is
//! [supplied](Dialogue::supply) with the host's answer. Randomness comes from [`SaslConfig`] alone.
//!
//! ```
//! use std::sync::Arc;
//! use mail_wire::sasl::{Dialogue, DialogueStep, Mechanism, SaslConfig};
//! use mail_wire::{AccountId, CredentialAnswer, CredentialQuery};
//!
//! let config = Arc::new(SaslConfig::from_os_random());
//! // AUTH PLAIN AHRpbQB0YW5zdGFhZnRhbnN0YWFm
//! let (mut dialogue, step) = Dialogue::begin(Mechanism::Plain, Some(b"AHRpbQB0YW5zdGFhZnRhbnN0YWFm"), config);
//! let DialogueStep::Need(CredentialQuery::Password { user, password }) = step else { panic!("{step:?}") };
//! assert_eq!((user.as_str(), password.expose().as_str()), ("tim", "tanstaaftanstaaf"));
//! let step = dialogue.supply(CredentialAnswer::Accepted(AccountId::new("tim")));
//! assert!(matches!(step, DialogueStep::Success(identity) if identity.account.as_str() == "tim"));
//! ```
//!
//! # What an exchange promises
//!
//! - It fails closed. An answer that nobody asked for, one of the wrong kind, and a client's message while the host
//!   owes an answer, each end it with [`Failure::Rejected`].
//! - What has ended stays ended: from then on every call gives [`Failure::Rejected`].
//! - Unknown user, wrong password, stale token, forbidden identity: all are [`Failure::Rejected`] (attack row A1).
//! - A name with a control character or with octets that are not UTF-8 never reaches the host (attack row A8).
//! - To act as somebody else is a question of its own, [`CredentialQuery::Authorize`] (attack row A3).
//! - It owns all that it knows, and dropping it forgets (attack row M17). What was secret is wiped (attack row A13).
//!
//! # Names and passwords
//!
//! Both are prepared with SASLprep (RFC 4013) before the host sees them, as RFC 4616 §2 recommends and RFC 5802 §5.1
//! demands. A host prepares a password in the same way before it hashes it: [`prepare_password`].

pub mod apop;
mod config;
pub mod cram_md5;
mod dialogue;
mod exchange;
mod gs2;
mod login;
mod oauth;
mod plain;
mod prepare;
pub mod scram;

pub use config::SaslConfig;
pub use dialogue::{Dialogue, DialogueStep};
pub use exchange::ServerExchange;
pub use prepare::{MAX_CREDENTIAL, Unpreparable, prepare_password, prepare_user_name};

use std::fmt;
use std::str::FromStr;

use mailstore_traits::{AccountId, CredentialQuery, UserName};

/// A way to log in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Mechanism {
    /// PLAIN (RFC 4616): name and password in one message.
    Plain,
    /// LOGIN (draft-murchison-sasl-login-00): name and password in two. For old clients only.
    Login,
    /// SCRAM-SHA-256 (RFC 5802, RFC 7677): the password is proved and never sent.
    ScramSha256,
    /// OAUTHBEARER (RFC 7628): a bearer token.
    OauthBearer,
    /// XOAUTH2: a bearer token, in the form that came before RFC 7628.
    Xoauth2,
    /// CRAM-MD5 (RFC 2195): the password is proved and never sent, by means of 1997. For hosts that ask for it.
    CramMd5,
}

impl Mechanism {
    /// All of them, the strongest first: the order to offer them in.
    pub const ALL: [Self; 6] =
        [Self::ScramSha256, Self::OauthBearer, Self::Xoauth2, Self::Plain, Self::Login, Self::CramMd5];

    /// Its registered name (RFC 4422 §3.1).
    pub const fn name(self) -> &'static str {
        match self {
            Self::Plain => "PLAIN",
            Self::Login => "LOGIN",
            Self::ScramSha256 => "SCRAM-SHA-256",
            Self::OauthBearer => "OAUTHBEARER",
            Self::Xoauth2 => "XOAUTH2",
            Self::CramMd5 => "CRAM-MD5",
        }
    }

    /// Whether who listens can log in with what was heard, be it a password or a token: not to be offered without TLS
    /// (RFC 4616 §5, RFC 6750 §5.3). True of CRAM-MD5 too: what is heard of it is a password to whoever has a
    /// dictionary and an afternoon.
    pub const fn is_plaintext(self) -> bool {
        !matches!(self, Self::ScramSha256)
    }
}

impl fmt::Display for Mechanism {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The name of a mechanism that is not carried out here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("unknown SASL mechanism")]
pub struct UnknownMechanism;

impl FromStr for Mechanism {
    type Err = UnknownMechanism;

    /// Case does not matter: that is how SMTP and POP3 (RFC 4954 §4, RFC 5034 §4) and IMAP (RFC 9051 §9) write names.
    fn from_str(name: &str) -> Result<Self, UnknownMechanism> {
        Self::ALL.into_iter().find(|mechanism| mechanism.name().eq_ignore_ascii_case(name)).ok_or(UnknownMechanism)
    }
}

/// Who has logged in.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Identity {
    /// The account to act for: the one asked for, if the client asked to act as somebody else and may.
    pub account: AccountId,
    /// The name that was given at login, prepared. `None` if a token alone said who it is.
    pub user: Option<UserName>,
    /// How.
    pub mechanism: Mechanism,
}

impl Identity {
    /// Somebody who has logged in.
    pub fn new(account: AccountId, user: Option<UserName>, mechanism: Mechanism) -> Self {
        Self { account, user, mechanism }
    }
}

/// Why an exchange came to nothing. Its text holds nothing that a peer sent and nothing secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum Failure {
    /// Not base64, or not the mechanism's syntax. SMTP `501 5.5.2`, IMAP `BAD`.
    #[error("malformed response")]
    Malformed,
    /// Longer than [`SaslConfig::max_response`]. SMTP `500 5.5.6`.
    #[error("response too long")]
    TooLong,
    /// The client sent `*`. SMTP `501`, IMAP `BAD`.
    #[error("aborted by the client")]
    Aborted,
    /// Not let in, whatever the reason (attack row A1). SMTP `535 5.7.8`, IMAP `NO [AUTHENTICATIONFAILED]`, POP3
    /// `-ERR [AUTH]`. This is the one to count against guessing (attack row A11).
    #[error("authentication failed")]
    Rejected,
    /// The host cannot say now. SMTP `454 4.7.0`, IMAP `NO [UNAVAILABLE]`, POP3 `-ERR [SYS/TEMP]`.
    #[error("authentication is unavailable for now")]
    Unavailable,
}

/// What an exchange wants next, in raw octets.
#[derive(Debug)]
#[non_exhaustive]
pub enum Step {
    /// To send this, perhaps nothing, and to have the client's response by [`ServerExchange::step`].
    Challenge(Vec<u8>),
    /// An answer to this, by [`ServerExchange::supply`].
    Need(CredentialQuery),
    /// Nothing: it is over, and this is who it is.
    Success(Identity),
    /// Nothing: it is over. The connection may try again.
    Failure(Failure),
}

impl From<Failure> for Step {
    fn from(failure: Failure) -> Self {
        Self::Failure(failure)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_found_in_any_case() {
        for mechanism in Mechanism::ALL {
            assert_eq!(mechanism.name().parse(), Ok(mechanism));
            assert_eq!(mechanism.name().to_lowercase().parse(), Ok(mechanism));
        }
        for unknown in ["", "PLAI", "PLAIN ", "SCRAM-SHA-256-PLUS", "SCRAM-SHA-1", "ANONYMOUS"] {
            assert_eq!(unknown.parse::<Mechanism>(), Err(UnknownMechanism), "{unknown:?}");
        }
    }

    #[test]
    fn only_scram_may_be_offered_without_tls() {
        let open: Vec<_> = Mechanism::ALL.into_iter().filter(|mechanism| !mechanism.is_plaintext()).collect();
        assert_eq!(open, [Mechanism::ScramSha256]);
    }
}
