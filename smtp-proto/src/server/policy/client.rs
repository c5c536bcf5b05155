//! Who is at the other end.

use std::net::IpAddr;

use mail_wire::io::ConnectionId;
use mail_wire::machine::TlsInfo;
use mail_wire::sasl::Identity;

use crate::command::{Hello, Xforward};
use crate::session::{Protocol, ServerSession};

/// Who is at the other end of a connection, as far as it is known at the moment.
#[derive(Debug, Clone, Copy)]
pub struct Client<'a> {
    pub(in crate::server) session: &'a ServerSession,
    pub(in crate::server) id: ConnectionId,
    pub(in crate::server) address: IpAddr,
    pub(in crate::server) talked_early: bool,
}

impl<'a> Client<'a> {
    /// The connection's id: the one that stands in the log.
    pub fn id(&self) -> ConnectionId {
        self.id
    }

    /// Where it comes from: what a trusted proxy says (PROXY, XCLIENT), if there is one. IPv4 in its own form.
    pub fn address(&self) -> IpAddr {
        self.address.to_canonical()
    }

    /// What is spoken here.
    pub fn protocol(&self) -> Protocol {
        self.session.config().protocol
    }

    /// What it last called itself. `None` before its hello, and again after STARTTLS.
    pub fn hello(&self) -> Option<&'a Hello> {
        self.session.hello()
    }

    /// Who has logged in.
    pub fn identity(&self) -> Option<&'a Identity> {
        self.session.identity()
    }

    /// What the TLS handshake came to, if there was one.
    pub fn tls(&self) -> Option<&'a TlsInfo> {
        self.session.tls()
    }

    /// Where the message comes from that comes next, as a trusted peer says (XFORWARD).
    pub fn forwarded(&self) -> Option<&'a Xforward> {
        self.session.forwarded()
    }

    /// Whether it sent something before it was greeted (attack row C4). Only looked at where other servers' mail comes
    /// in, [`Protocol::Smtp`], without TLS from the first octet.
    pub fn talked_early(&self) -> bool {
        self.talked_early
    }
}
