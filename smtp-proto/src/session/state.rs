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
//!
//!                 yes to BDAT         its last octet has come, 250
//!   Transaction ──────────────► Chunk ────────────────────────────► Chunking
//!                               │   ▲                                  │
//!     Ready ◄───────────────────┘   └──────────────────────────────────┘
//!             LAST, all replies given               BDAT
//!
//!   A chunk that fails leaves `Chunking` without its body: every other fails too, up to RSET, EHLO or LAST (RFC 3030 §2).
//!
//!   any ──► Discarding ──► where it was: a BDAT that is refused, until its octets have come and the reply is given
//!   any ──► Closed: 221 to QUIT, 421, the peer goes away
//! ```
#![warn(clippy::wildcard_enum_match_arm)]

use mail_wire::dot::LineEndPolicy;
use mail_wire::sasl::{Dialogue, DialogueStep, Identity};

use super::bdat::{Chunk, ChunkedBody, Discarding};
use super::data::{Body, Measure};
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
    /// BODY=BINARYMIME: it comes by BDAT or not at all (RFC 3030 §3).
    pub(super) binary: bool,
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
    /// Between two chunks of a message. `None` once one of them has failed: whatever comes behind it would make a message
    /// with a hole.
    Chunking(Peer, Transaction, Option<ChunkedBody>),
    /// A chunk comes, or has come whole and has not had all its replies.
    Chunk(Peer, Transaction, ChunkedBody, Chunk),
    /// A chunk comes that is not wanted, or it has come whole and has not had its reply.
    Discarding(Box<Discarding>),
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

    pub(super) fn mail_begun(&mut self, smtp_utf8: bool, binary: bool) {
        if let Some(peer) = self.take_peer() {
            *self = Self::Transaction(peer, Transaction { smtp_utf8, binary, recipients: 0 });
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
            | Self::Chunking(..)
            | Self::Chunk(..)
            | Self::Discarding(_)
            | Self::Auth(..)
            | Self::Handshake
            | Self::Closed) => *self = other,
        }
    }

    pub(super) fn chunking_begun(&mut self, policy: LineEndPolicy, limit: u64) {
        if let Some((peer, transaction)) = self.take_transaction() {
            let body = ChunkedBody::new(policy, transaction.binary, limit);
            *self = Self::Chunking(peer, transaction, Some(body));
        }
    }

    pub(super) fn chunk_begun(&mut self, chunk: Chunk) {
        match std::mem::replace(self, Self::Closed) {
            Self::Chunking(peer, transaction, Some(body)) => *self = Self::Chunk(peer, transaction, body, chunk),
            other @ (Self::Fresh { .. }
            | Self::Refused
            | Self::Greeted
            | Self::Ready { .. }
            | Self::Transaction(..)
            | Self::Data(..)
            | Self::Chunking(..)
            | Self::Chunk(..)
            | Self::Discarding(_)
            | Self::Auth(..)
            | Self::Handshake
            | Self::Closed) => *self = other,
        }
    }

    /// A chunk that is not the last has come whole and is `kept`, or it is not.
    pub(super) fn chunk_ended(&mut self, kept: bool) {
        match std::mem::replace(self, Self::Closed) {
            Self::Chunk(peer, transaction, body, _) => *self = Self::Chunking(peer, transaction, kept.then_some(body)),
            other @ (Self::Fresh { .. }
            | Self::Refused
            | Self::Greeted
            | Self::Ready { .. }
            | Self::Transaction(..)
            | Self::Data(..)
            | Self::Chunking(..)
            | Self::Discarding(_)
            | Self::Auth(..)
            | Self::Handshake
            | Self::Closed) => *self = other,
        }
    }

    /// Takes out what is left of this state once a chunk has been refused. A message loses that chunk and cannot be made
    /// whole, and the last chunk ends it for good; without a message nothing changes.
    pub(super) fn after_failed_chunk(&mut self, last: bool) -> Self {
        match std::mem::replace(self, Self::Closed) {
            Self::Transaction(peer, _) | Self::Chunking(peer, ..) if last => {
                Self::Ready { peer, behind_refusal: false }
            }
            Self::Transaction(peer, transaction) | Self::Chunking(peer, transaction, _) => {
                Self::Chunking(peer, transaction, None)
            }
            other @ (Self::Fresh { .. }
            | Self::Refused
            | Self::Greeted
            | Self::Ready { .. }
            | Self::Data(..)
            | Self::Chunk(..)
            | Self::Discarding(_)
            | Self::Auth(..)
            | Self::Handshake
            | Self::Closed) => other,
        }
    }

    pub(super) fn discarding_begun(&mut self, discarding: Discarding) {
        *self = Self::Discarding(Box::new(discarding));
    }

    /// All replies have been given that a message's end asks for, or a refusal in its place or in that of a chunk.
    pub(super) fn message_ended(&mut self) {
        match std::mem::replace(self, Self::Closed) {
            Self::Discarding(discarding) => *self = discarding.then,
            Self::Chunk(peer, transaction, _, Chunk { last: false, .. }) => {
                *self = Self::Chunking(peer, transaction, None);
            }
            other @ (Self::Fresh { .. }
            | Self::Refused
            | Self::Greeted
            | Self::Ready { .. }
            | Self::Transaction(..)
            | Self::Data(..)
            | Self::Chunking(..)
            | Self::Chunk(..)
            | Self::Auth(..)
            | Self::Handshake
            | Self::Closed) => {
                *self = other;
                self.reset();
            }
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
            | Self::Chunking(..)
            | Self::Chunk(..)
            | Self::Discarding(_)
            | Self::Auth(..)
            | Self::Handshake => *self = Self::Greeted,
        }
    }

    pub(super) fn peer(&self) -> Option<&Peer> {
        match self {
            Self::Ready { peer, .. }
            | Self::Transaction(peer, _)
            | Self::Data(peer, ..)
            | Self::Chunking(peer, ..)
            | Self::Chunk(peer, ..)
            | Self::Auth(peer, _) => Some(peer),
            Self::Discarding(discarding) => discarding.then.peer(),
            Self::Fresh { .. } | Self::Refused | Self::Greeted | Self::Handshake | Self::Closed => None,
        }
    }

    /// The message that was begun.
    fn transaction(&self) -> Option<&Transaction> {
        match self {
            Self::Transaction(_, transaction)
            | Self::Data(_, transaction, _)
            | Self::Chunking(_, transaction, _)
            | Self::Chunk(_, transaction, ..) => Some(transaction),
            Self::Discarding(discarding) => discarding.then.transaction(),
            Self::Fresh { .. }
            | Self::Refused
            | Self::Greeted
            | Self::Ready { .. }
            | Self::Auth(..)
            | Self::Handshake
            | Self::Closed => None,
        }
    }

    pub(super) fn is_in_message(&self) -> bool {
        self.transaction().is_some()
    }

    /// How many recipients the message has that was begun; none for what was pipelined behind a MAIL that was refused.
    pub(super) fn recipients(&self) -> Option<usize> {
        let refused = matches!(self, Self::Ready { behind_refusal: true, .. });
        self.transaction().map(|transaction| transaction.recipients).or(refused.then_some(0))
    }

    /// The message that octets on the wire belong to, and how much of it has come. Between two chunks it is as much on its
    /// way as within one.
    pub(super) fn measure(&self) -> Option<&Measure> {
        match self {
            Self::Data(_, _, body) => Some(body.measure()),
            Self::Chunk(_, _, body, _) | Self::Chunking(_, _, Some(body)) => Some(body.measure()),
            Self::Discarding(discarding) => Some(discarding.measure()),
            Self::Fresh { .. }
            | Self::Refused
            | Self::Greeted
            | Self::Ready { .. }
            | Self::Transaction(..)
            | Self::Chunking(_, _, None)
            | Self::Auth(..)
            | Self::Handshake
            | Self::Closed => None,
        }
    }

    /// Whether the next octets are a message's, and no command.
    pub(super) fn is_in_body(&self) -> bool {
        matches!(self, Self::Data(..) | Self::Chunk(..) | Self::Discarding(_))
    }

    fn make_ready(&mut self, refused: bool) {
        if let Some(peer) = self.take_peer() {
            *self = Self::Ready { peer, behind_refusal: refused };
        }
    }

    /// Leaves `Closed` behind, unless there is no message that has recipients and no octet yet.
    fn take_transaction(&mut self) -> Option<(Peer, Transaction)> {
        let Self::Transaction(_, transaction) = *self else { return None };
        self.take_peer().map(|peer| (peer, transaction))
    }

    /// Leaves `Closed` behind, unless there is no peer to take.
    fn take_peer(&mut self) -> Option<Peer> {
        match std::mem::replace(self, Self::Closed) {
            Self::Ready { peer, .. }
            | Self::Transaction(peer, _)
            | Self::Data(peer, ..)
            | Self::Chunking(peer, ..)
            | Self::Chunk(peer, ..)
            | Self::Auth(peer, _) => Some(peer),
            other @ (Self::Fresh { .. }
            | Self::Refused
            | Self::Greeted
            | Self::Discarding(_)
            | Self::Handshake
            | Self::Closed) => {
                *self = other;
                None
            }
        }
    }
}
