//! What the host can answer.

use bytes::Bytes;
use mail_wire::CredentialAnswer;

use super::Maildrop;
use crate::grammar::ResponseText;
use crate::response::Refusal;

/// The host's answer to an [`Event`](super::Event). Each event's documentation says which fit it.
#[derive(Debug)]
#[non_exhaustive]
pub enum Answer {
    /// `+OK`, and whatever the command asks for. A text replaces the session's own words, where these are for people;
    /// where clients read them (STAT, LIST, UIDL) there can be none.
    Ok(Option<ResponseText>),
    /// `-ERR`, perhaps with a code, perhaps closing the session.
    Refuse(Refusal),
    /// What the host knows of a credential. Nothing is sent by it.
    Credential(CredentialAnswer),
    /// The login has got its maildrop.
    Maildrop(Maildrop),
    /// The message is there: `+OK`. Its octets follow, then the end.
    Message,
    /// The next octets of the message.
    Octets(Bytes),
    /// The end of the message.
    End,
}

impl Answer {
    /// The session's own yes.
    pub const fn ok() -> Self {
        Self::Ok(None)
    }

    /// The greeting: for hosts that cannot wait for [`Event::Connected`](super::Event::Connected), since what they read
    /// with reads before it decodes.
    pub const fn greeting() -> Self {
        Self::Ok(None)
    }
}

impl From<Refusal> for Answer {
    fn from(refusal: Refusal) -> Self {
        Self::Refuse(refusal)
    }
}

impl From<CredentialAnswer> for Answer {
    fn from(answer: CredentialAnswer) -> Self {
        Self::Credential(answer)
    }
}

impl From<Maildrop> for Answer {
    fn from(maildrop: Maildrop) -> Self {
        Self::Maildrop(maildrop)
    }
}

impl From<Bytes> for Answer {
    fn from(octets: Bytes) -> Self {
        Self::Octets(octets)
    }
}
