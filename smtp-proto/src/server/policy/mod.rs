//! What a host decides, in one place: whom to hear, from whom and for whom to take mail, and what becomes of a message.
//!
//! A [`Policy`] is asked at each step of the conversation, after the session has judged what the RFCs judge and the
//! [`Directory`](mailstore_traits::Directory) has said who is here. It says yes, or gives the reply to refuse with. Every
//! method has a default, so a policy is as long as what it has to say:
//!
//! ```
//! use mail_wire::io::Shutdown;
//! use mailstore_traits::memory::MemoryStore;
//! use smtp_proto::Reply;
//! use smtp_proto::command::Mail;
//! use smtp_proto::grammar::EnhancedStatusCode;
//! use smtp_proto::server::policy::{Client, Delivery, Disposition, HeaderField, Policy, StagedMessage, Verdict};
//! use smtp_proto::server::{Envelope, Server};
//!
//! #[derive(Clone, Default)]
//! struct House {
//!     /// A connection's own: each has a clone.
//!     messages: usize,
//! }
//!
//! impl Policy for House {
//!     async fn mail(&mut self, _: &Client<'_>, mail: &Mail) -> Verdict {
//!         match mail.path.address() {
//!             Some(address) if address.host().to_string() == "spam.example" => {
//!                 Verdict::refuse(Reply::of(550, EnhancedStatusCode::permanent(7, 1), "not from there"))
//!             }
//!             _ => Verdict::Accept,
//!         }
//!     }
//!
//!     async fn message(&mut self, _: &Client<'_>, _: &Envelope, message: &StagedMessage<'_>) -> Disposition {
//!         self.messages += 1;
//!         let value = format!("number {} of its connection, {} octets", self.messages, message.size());
//!         match HeaderField::new("X-House", &value) {
//!             Ok(field) => Delivery::new().with_field(field).into(),
//!             Err(_) => Disposition::deliver(),
//!         }
//!     }
//! }
//!
//! let store = MemoryStore::new().with_account("ada@example.org", "correct horse");
//! let server = Server::builder("mail.example.org").policy(House::default()).build(store);
//! # let _ = server;
//! ```
//!
//! # What it is asked, and when
//!
//! ```text
//!  connection ─► connected ─► hello ─► mail ─► rcpt … ─► data ─► (octets into the store) ─► message ─► delivered
//!                                        ▲                                                               │
//!                                        └───────────────────────── the next message ────────────────────┘
//!  the end, whoever makes it ─► disconnected
//! ```
//!
//! Each connection has a clone of the policy: what it learns at `mail` stands in its own fields at `message`; what all
//! connections share (a rate limiter, a resolver, a greylist) stands behind an `Arc`. The methods are async, and a
//! policy that waits makes its own connection wait, without a thread; one that has not answered within
//! [`policy_timeout`](crate::server::ServerBuilder::policy_timeout) is taken to be unwell, and the client is told to come
//! again. One that panics ends one connection, and the client comes again too.

mod client;
mod field;
mod message;
mod verdict;

pub use client::Client;
pub use field::{FieldName, HeaderField, InvalidField};
pub(in crate::server) use message::Staged;
pub use message::{Header, HeaderEntry, StagedMessage};
pub use verdict::{Delivery, Disposition, Outcome, Verdict};

use std::future::{Future, ready};

use crate::command::{Expn, Hello, Help, Mail, Rcpt, Vrfy};
use crate::grammar::EnhancedStatusCode as Status;
use crate::response::Reply;
use crate::server::Envelope;
use crate::session::Protocol;

/// A host's decisions about mail. See the [module](self).
///
/// A refusal is a 4yz (come again: greylisting, a rate limit, trouble of the host's own) or a 5yz (do not); 421 closes the
/// connection as well. A reply of another class is not a refusal, and becomes 451.
pub trait Policy: Clone + Send + Sync + 'static {
    /// Somebody is there and has not been greeted. A refusal with 554 lets the client say QUIT and nothing else (RFC 5321
    /// §3.1); with 421 it closes.
    ///
    /// By default a client that talks before it is greeted is refused on a listener for other servers' mail
    /// ([`Protocol::Smtp`], attack row C4): those that follow RFC 5321 §3.1 wait. A policy with a `connected` of its own
    /// asks [`refuse_early_talkers`] too.
    fn connected(&mut self, client: &Client<'_>) -> impl Future<Output = Verdict> + Send {
        ready(refuse_early_talkers(client))
    }

    /// The client says who it is. Once on a connection, again after STARTTLS, and whenever it likes.
    fn hello(&mut self, client: &Client<'_>, hello: &Hello) -> impl Future<Output = Verdict> + Send {
        let _ = (client, hello);
        ready(Verdict::Accept)
    }

    /// A message begins. [`Client::identity`] is who sends it, where somebody has logged in.
    fn mail(&mut self, client: &Client<'_>, mail: &Mail) -> impl Future<Output = Verdict> + Send {
        let _ = (client, mail);
        ready(Verdict::Accept)
    }

    /// It is for this one, whom the directory knows: no policy can make a relay of a server, and none hears of
    /// addresses that do not exist. `envelope` is what has been taken so far, without this recipient.
    fn rcpt(&mut self, client: &Client<'_>, envelope: &Envelope, rcpt: &Rcpt) -> impl Future<Output = Verdict> + Send {
        let _ = (client, envelope, rcpt);
        ready(Verdict::Accept)
    }

    /// All recipients are named and the client wants to send the message.
    fn data(&mut self, client: &Client<'_>, envelope: &Envelope) -> impl Future<Output = Verdict> + Send {
        let _ = (client, envelope);
        ready(Verdict::Accept)
    }

    /// The message has come whole, stands in the store and is nobody's yet. Look at it, and say what becomes of it.
    fn message(
        &mut self,
        client: &Client<'_>,
        envelope: &Envelope,
        message: &StagedMessage<'_>,
    ) -> impl Future<Output = Disposition> + Send {
        let _ = (client, envelope, message);
        ready(Disposition::deliver())
    }

    /// What has become of it, for each recipient in the order of the envelope, before the client is told. A host that
    /// offers DSN sends the reports of success that NOTIFY asked for from here (RFC 3461 §5.2).
    fn delivered(
        &mut self,
        client: &Client<'_>,
        envelope: &Envelope,
        outcomes: &[Outcome],
    ) -> impl Future<Output = ()> + Send {
        let _ = (client, envelope, outcomes);
        ready(())
    }

    /// The client asks whether there is such a user. `None` is 252, which says nothing (RFC 5321 §3.5.3, §7.3; attack
    /// row A2).
    fn vrfy(&mut self, client: &Client<'_>, vrfy: &Vrfy) -> impl Future<Output = Option<Reply>> + Send {
        let _ = (client, vrfy);
        ready(None)
    }

    /// The client asks who is on a list. `None` is 502.
    fn expn(&mut self, client: &Client<'_>, expn: &Expn) -> impl Future<Output = Option<Reply>> + Send {
        let _ = (client, expn);
        ready(None)
    }

    /// The client asks for help. `None` is 214 and the number of an RFC.
    fn help(&mut self, client: &Client<'_>, help: &Help) -> impl Future<Output = Option<Reply>> + Send {
        let _ = (client, help);
        ready(None)
    }

    /// The connection is over, in good order or not. Not called for a connection whose handler was cut off by a panic or
    /// at the end of a shutdown's grace: what must not leak is given back by `Drop`.
    fn disconnected(self, client: &Client<'_>) -> impl Future<Output = ()> + Send {
        let _ = client;
        ready(())
    }
}

/// What [`Policy::connected`] says unless a policy says something else: 554 to a client that sends other servers' mail and
/// does not wait to be greeted.
pub fn refuse_early_talkers(client: &Client<'_>) -> Verdict {
    match client.protocol() == Protocol::Smtp && client.talked_early() {
        true => Verdict::refuse(Reply::of(554, Status::permanent(5, 1), "you talk before the greeting")),
        false => Verdict::Accept,
    }
}

/// No policy: every method at its default.
#[derive(Debug, Clone, Copy, Default)]
#[non_exhaustive]
pub struct NoPolicy;

impl Policy for NoPolicy {}
