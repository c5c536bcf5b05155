//! Peers that speak for others: XCLIENT and XFORWARD, and whom a host lets say them (attack row R2).

use super::owed::Owed;
use super::state::State;
use super::{Event, RejectionReason, ServerSession};
use crate::command::{Xclient, Xforward};

/// What a host lets a peer say of others. Nothing, unless the answer to [`Event::Connected`] says otherwise.
///
/// It is the host's judgement of the connection, by its address most likely, and not of anything that the peer has said:
/// it outlasts STARTTLS, which drops what the peer has said (RFC 3207 §4.2), and XCLIENT, which must not reach its own
/// access control.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Trust {
    /// XCLIENT: whose connection this is.
    pub xclient: bool,
    /// XFORWARD: where the next message came from.
    pub xforward: bool,
    /// XCLIENT's LOGIN: as whom its client has logged in, somewhere else. Without [`xclient`](Self::xclient) it says
    /// nothing. A host that grants it answers such an XCLIENT with [`Xclient::accept_as`].
    pub login: bool,
}

impl Trust {
    /// In nothing.
    pub const fn none() -> Self {
        Self { xclient: false, xforward: false, login: false }
    }

    /// In XCLIENT.
    #[must_use]
    pub const fn with_xclient(self) -> Self {
        Self { xclient: true, ..self }
    }

    /// In XFORWARD.
    #[must_use]
    pub const fn with_xforward(self) -> Self {
        Self { xforward: true, ..self }
    }

    /// In XCLIENT's LOGIN.
    #[must_use]
    pub const fn with_login(self) -> Self {
        Self { login: true, ..self }
    }
}

impl ServerSession {
    /// "At any time, except in the middle of a mail delivery transaction."
    pub(super) fn judge_xclient(&self, xclient: Xclient) -> Result<(Event, Owed), RejectionReason> {
        if !self.trust.xclient || (xclient.login.is_some() && !self.trust.login) {
            return Err(RejectionReason::NotTrusted);
        }
        match self.state {
            State::Greeted { .. } | State::Ready { .. } => {
                Ok((Event::Xclient(xclient.clone()), Owed::Xclient(Box::new(xclient))))
            }
            _ => Err(RejectionReason::Sequence),
        }
    }

    /// After EHLO, which tells of it, and between messages.
    pub(super) fn judge_xforward(&self, xforward: Xforward) -> Result<(Event, Owed), RejectionReason> {
        match self.state {
            _ if !self.trust.xforward => Err(RejectionReason::NotTrusted),
            State::Ready { .. } => Ok((Event::Xforward(xforward.clone()), Owed::Xforward(Box::new(xforward)))),
            _ => Err(RejectionReason::Sequence),
        }
    }

    /// What this host lets the peer say of others.
    pub fn trust(&self) -> Trust {
        self.trust
    }

    /// What a trusted peer has said by XCLIENT of the client that it speaks for, all of its commands taken together. It
    /// lasts for the connection, or until STARTTLS.
    pub fn overridden_peer(&self) -> Option<&Xclient> {
        self.overridden.as_deref()
    }

    /// What a trusted peer has said by XFORWARD of where the message came from that it is about to send or is sending,
    /// all of its commands taken together. It ends with that message.
    pub fn forwarded(&self) -> Option<&Xforward> {
        self.forwarded.as_deref()
    }
}
