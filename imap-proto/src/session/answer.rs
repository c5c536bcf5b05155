//! What the host can answer.

use mail_wire::CredentialAnswer;

use crate::response::Status;

/// The host's answer to an [`Event`](super::Event). Each event's documentation says which fit it.
#[derive(Debug)]
#[non_exhaustive]
pub enum Answer {
    /// Yes, in the session's own words.
    Ok,
    /// These words, tagged where the event came by a command: OK, NO or BAD. With BYE they are untagged, and the session
    /// ends.
    Status(Status),
    /// What the host knows of a credential. Nothing is sent by it.
    Credential(CredentialAnswer),
}

impl Answer {
    /// The greeting: for hosts that cannot wait for [`Event::Connected`](super::Event::Connected), since what they read
    /// with reads before it decodes.
    pub const fn greeting() -> Self {
        Self::Ok
    }
}

impl From<Status> for Answer {
    fn from(status: Status) -> Self {
        Self::Status(status)
    }
}

impl From<CredentialAnswer> for Answer {
    fn from(answer: CredentialAnswer) -> Self {
        Self::Credential(answer)
    }
}
