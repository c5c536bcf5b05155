//! What a policy says.

use mailstore_traits::{Flags, MailboxName};

use super::{HeaderEntry, HeaderField};
use crate::grammar::EnhancedStatusCode as Status;
use crate::response::{Reply, ReplyClass};

/// Whether a step may be taken.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Verdict {
    /// Yes.
    Accept,
    /// No, in these words: a 4yz or a 5yz.
    Refuse(Reply),
}

impl Verdict {
    /// No, in these words. Anything but a 4yz or a 5yz would tell the client that it was a yes; then it is 451.
    pub fn refuse(reply: Reply) -> Self {
        Self::Refuse(negative(reply))
    }

    /// Not now, come again: what greylisting says to a stranger's first try.
    pub fn try_again(text: &str) -> Self {
        Self::Refuse(Reply::of(450, Status::transient(7, 1), text))
    }

    /// The refusal, if it is one.
    pub(in crate::server) fn refusal(self) -> Option<Reply> {
        match self {
            Self::Accept => None,
            Self::Refuse(reply) => Some(negative(reply)),
        }
    }
}

/// What becomes of a message.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Disposition {
    /// Its recipients get it.
    Deliver(Delivery),
    /// Nobody gets it, and the client is told that all is well. For what is certain to be somebody's attack: anybody else
    /// would want to know.
    Discard,
    /// Nobody gets it, and the client is told so, for each recipient by LMTP: a 4yz or a 5yz.
    Refuse(Reply),
}

impl Disposition {
    /// As it is.
    pub fn deliver() -> Self {
        Self::Deliver(Delivery::new())
    }

    /// To nobody, in these words. What is no 4yz or 5yz becomes 451, as in [`Verdict::refuse`].
    pub fn refuse(reply: Reply) -> Self {
        Self::Refuse(negative(reply))
    }
}

impl From<Delivery> for Disposition {
    fn from(delivery: Delivery) -> Self {
        Self::Deliver(delivery)
    }
}

/// How a message is delivered: what is added to its header, what is taken out of it, where it goes.
///
/// Additions stand in front of the message with the trace fields and cost nothing more. Taking a field out, or putting
/// another in its place, copies the message inside the store once, for then its first octets are others.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Delivery {
    pub(in crate::server) fields: Vec<HeaderField>,
    pub(in crate::server) edits: Vec<(usize, Option<HeaderField>)>,
    pub(in crate::server) mailbox: Option<MailboxName>,
    pub(in crate::server) flags: Flags,
}

impl Delivery {
    /// As it is.
    pub fn new() -> Self {
        Self::default()
    }

    /// With this field in front, behind Return-Path and before Received (RFC 8601 §4.1 wants it there). Several stand in
    /// the order in which they are given.
    #[must_use]
    pub fn with_field(mut self, field: HeaderField) -> Self {
        self.fields.push(field);
        self
    }

    /// Without this one of its fields.
    #[must_use]
    pub fn without(mut self, entry: &HeaderEntry<'_>) -> Self {
        self.edits.push((entry.index(), None));
        self
    }

    /// With that field in the place of this one.
    #[must_use]
    pub fn replacing(mut self, entry: &HeaderEntry<'_>, field: HeaderField) -> Self {
        self.edits.push((entry.index(), Some(field)));
        self
    }

    /// Into that mailbox of each recipient's, where the directory says INBOX: a quarantine. It is made where there is
    /// none. Mail that the directory sends elsewhere goes there all the same.
    #[must_use]
    pub fn into_mailbox(mut self, mailbox: MailboxName) -> Self {
        self.mailbox = Some(mailbox);
        self
    }

    /// With these flags, besides those that the directory gives it.
    #[must_use]
    pub fn with_flags(mut self, flags: Flags) -> Self {
        self.flags = flags;
        self
    }
}

/// What has become of a message for one recipient.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Outcome {
    /// What the client will be told.
    pub reply: Reply,
}

impl Outcome {
    /// Whether it is in the recipient's mailbox.
    pub fn is_delivered(&self) -> bool {
        self.reply.class() == ReplyClass::Completion
    }
}

/// A refusal is a 4yz or a 5yz; something else in its place is a host's mistake, and the client is to come again.
fn negative(reply: Reply) -> Reply {
    match reply.class() {
        ReplyClass::TransientNegative | ReplyClass::PermanentNegative => reply,
        _ => Reply::of(451, Status::transient(3, 5), "mail system incorrectly configured"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_that_would_be_a_yes_is_a_come_again() {
        let yes = Reply::of(250, Status::success(0, 0), "ok");
        let Verdict::Refuse(reply) = Verdict::refuse(yes.clone()) else { panic!("a refusal") };
        assert_eq!(reply.code().value(), 451);
        assert_eq!(Verdict::Refuse(yes.clone()).refusal().unwrap().code().value(), 451);
        let Disposition::Refuse(reply) = Disposition::refuse(yes) else { panic!("a refusal") };
        assert_eq!(reply.code().value(), 451);
        let no = Reply::of(550, Status::permanent(7, 1), "no");
        assert_eq!(Verdict::refuse(no.clone()).refusal(), Some(no));
    }
}
