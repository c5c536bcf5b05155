//! What a host says to an event.

use mail_wire::CredentialAnswer;
use mail_wire::sasl::Identity;

use super::Trust;
use crate::response::Reply;

/// What a host says to an event. Most are made by the event itself: [`Rcpt::accept`](crate::command::Rcpt::accept),
/// [`Event::default_answer`](super::Event::default_answer).
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Answer {
    /// One reply. Its class says what becomes of the state: 2yz does it, 4yz and 5yz do not, 354 lets a message come, 421
    /// closes.
    ///
    /// At the end of a message by LMTP it answers for one recipient, the next in their order (RFC 2033 §4.2).
    Reply(Reply),
    /// One reply for each that is owed: the same as [`Reply`](Self::Reply), but for LMTP's end of a message, where it
    /// answers for all recipients that have had none yet.
    ToAll(Reply),
    /// What the host knows of a credential. Answers [`Event::Credentials`](super::Event::Credentials) only.
    Credential(CredentialAnswer),
    /// Greets a peer that may speak for others. Answers [`Event::Connected`](super::Event::Connected) only.
    GreetTrusted(Trust),
    /// Lets a trusted peer speak for somebody who has logged in elsewhere. Answers
    /// [`Event::Xclient`](super::Event::Xclient) only.
    LogIn(Identity),
    /// Yes, in the words of the session, which knows more than the event: the greeting, the list of extensions, the next
    /// challenge, the goodbye.
    Proceed,
}

impl Answer {
    /// Greets: what to say first, where nobody waits for [`Event::Connected`](super::Event::Connected) (the codec).
    pub const fn greeting() -> Self {
        Self::Proceed
    }
}

impl From<Reply> for Answer {
    fn from(reply: Reply) -> Self {
        Self::Reply(reply)
    }
}

impl From<CredentialAnswer> for Answer {
    fn from(answer: CredentialAnswer) -> Self {
        Self::Credential(answer)
    }
}
