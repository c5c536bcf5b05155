//! States and transitions, and nothing else. RFC 5321 §4.1.4 and §4.3.2; RFC 3207 §4; RFC 4954 §4; RFC 2033 §4.
//!
//! State moves on the answer, not on the command: what is refused has not happened.
//!
//! ```text
//!            220               250 to EHLO             250 to MAIL
//!   Fresh ─────────► Greeted ─────────────► Ready ─────────────────► Transaction ◄─┐ 250 to RCPT
//!     │                 ▲                   ▲ │ ▲                     │   │   └────┘
//!     │ 554             │ TLS is there      │ │ │ 250 to RSET, EHLO   │   │ 354 to DATA
//!     ▼                 │                   │ │ └─────────────────────┘   ▼
//!  Refused          Handshake ◄─────────────┼─┤                         Data
//!                          220 to STARTTLS  │ │ AUTH                      │ all replies given
//!                                           │ ▼                           │
//!                                           │ Auth                        │
//!                                           ├──┘ 235, or a refusal        │
//!                                           └─────────────────────────────┘
//!   any ──► Closed: 221 to QUIT, 421, the peer goes away
//! ```
#![warn(clippy::wildcard_enum_match_arm)]

use mail_wire::sasl::{Dialogue, DialogueStep, Identity};

use super::data::Body;
use crate::command::Hello;

/// What is known of the peer once it has said hello.
#[derive(Debug)]
pub(super) struct Peer {
    pub(super) hello: Hello,
    /// Who has logged in. Only here, so that no login outlives what it belongs to (attack row A7).
    pub(super) identity: Option<Identity>,
}

/// A message that has a sender.
#[derive(Debug, Clone, Copy)]
pub(super) struct Transaction {
    pub(super) smtp_utf8: bool,
    /// How many recipients were accepted.
    pub(super) recipients: usize,
}

/// A login on its way.
#[derive(Debug)]
pub(super) struct Exchange {
    pub(super) dialogue: Dialogue,
    /// What it wants next; `None` while it waits for a line.
    pub(super) step: Option<DialogueStep>,
}

#[derive(Debug)]
pub(super) enum State {
    /// Nobody has spoken. `announced` once the host was told that somebody is there.
    Fresh {
        announced: bool,
    },
    /// Greeted with 554: only QUIT is left to say (RFC 5321 §3.1).
    Refused,
    /// No hello yet, or none since TLS began.
    Greeted,
    /// No message. `behind_refusal` if the last one was refused before it began: what is pipelined behind it comes out of
    /// order and is no fault of the peer's (RFC 2920 §3.1).
    Ready {
        peer: Peer,
        behind_refusal: bool,
    },
    Transaction(Peer, Transaction),
    /// The message comes, or has come whole and has not had all its replies.
    Data(Peer, Transaction, Body),
    Auth(Peer, Box<Exchange>),
    /// The peer was told to begin the handshake.
    Handshake,
    Closed,
}

impl State {
    pub(super) fn greeted(&mut self) {
        *self = Self::Greeted;
    }

    pub(super) fn refused(&mut self) {
        *self = Self::Refused;
    }

    pub(super) fn closed(&mut self) {
        *self = Self::Closed;
    }

    /// RFC 5321 §4.1.4: "clear all buffers and reset the state exactly as if a RSET command had been issued". A login stays.
    pub(super) fn said_hello(&mut self, hello: Hello) {
        let identity = self.take_peer().and_then(|peer| peer.identity);
        *self = Self::Ready { peer: Peer { hello, identity }, behind_refusal: false };
    }

    /// RSET, and the end of a message.
    pub(super) fn reset(&mut self) {
        self.make_ready(false);
    }

    pub(super) fn mail_refused(&mut self) {
        self.make_ready(true);
    }

    pub(super) fn mail_begun(&mut self, smtp_utf8: bool) {
        if let Some(peer) = self.take_peer() {
            *self = Self::Transaction(peer, Transaction { smtp_utf8, recipients: 0 });
        }
    }

    pub(super) fn recipient_accepted(&mut self) {
        if let Self::Transaction(_, transaction) = self {
            transaction.recipients = transaction.recipients.saturating_add(1);
        }
    }

    pub(super) fn data_begun(&mut self, body: Body) {
        match std::mem::replace(self, Self::Closed) {
            Self::Transaction(peer, transaction) => *self = Self::Data(peer, transaction, body),
            other @ (Self::Fresh { .. }
            | Self::Refused
            | Self::Greeted
            | Self::Ready { .. }
            | Self::Data(..)
            | Self::Auth(..)
            | Self::Handshake
            | Self::Closed) => *self = other,
        }
    }

    pub(super) fn auth_begun(&mut self, exchange: Exchange) {
        if let Some(peer) = self.take_peer() {
            *self = Self::Auth(peer, Box::new(exchange));
        }
    }

    /// With the one who has logged in, or as before.
    pub(super) fn auth_ended(&mut self, identity: Option<Identity>) {
        if let Some(mut peer) = self.take_peer() {
            peer.identity = identity.or(peer.identity);
            *self = Self::Ready { peer, behind_refusal: false };
        }
    }

    pub(super) fn handshake_begun(&mut self) {
        *self = Self::Handshake;
    }

    /// RFC 3207 §4.2: "the SMTP protocol is reset to the initial state". Nothing that was learned in clear is kept (attack
    /// row T3). With implicit TLS the greeting is still to come.
    pub(super) fn tls_begun(&mut self) {
        match self {
            Self::Fresh { .. } | Self::Closed => {}
            Self::Refused
            | Self::Greeted
            | Self::Ready { .. }
            | Self::Transaction(..)
            | Self::Data(..)
            | Self::Auth(..)
            | Self::Handshake => *self = Self::Greeted,
        }
    }

    pub(super) fn peer(&self) -> Option<&Peer> {
        match self {
            Self::Ready { peer, .. } | Self::Transaction(peer, _) | Self::Data(peer, ..) | Self::Auth(peer, _) => {
                Some(peer)
            }
            Self::Fresh { .. } | Self::Refused | Self::Greeted | Self::Handshake | Self::Closed => None,
        }
    }

    fn make_ready(&mut self, refused: bool) {
        if let Some(peer) = self.take_peer() {
            *self = Self::Ready { peer, behind_refusal: refused };
        }
    }

    /// Leaves `Closed` behind, unless there is no peer to take.
    fn take_peer(&mut self) -> Option<Peer> {
        match std::mem::replace(self, Self::Closed) {
            Self::Ready { peer, .. } | Self::Transaction(peer, _) | Self::Data(peer, ..) | Self::Auth(peer, _) => {
                Some(peer)
            }
            other @ (Self::Fresh { .. } | Self::Refused | Self::Greeted | Self::Handshake | Self::Closed) => {
                *self = other;
                None
            }
        }
    }
}
