//! What a session tells its host.

use bytes::Bytes;
use mail_wire::sasl::{Failure, Identity};
use mail_wire::{CredentialAnswer, CredentialQuery};

use super::{Answer, Rejection};
use crate::command::{Expn, Hello, Help, Mail, Noop, Rcpt, Vrfy};
use crate::grammar::EnhancedStatusCode as Status;
use crate::response::{Reply, ReplyCode};

/// What has come. Each asks for one answer, but for [`Data`](Self::Data) which asks for none, and the end of a message by
/// LMTP, which asks for one reply for each recipient.
///
/// A host that has nothing to say to an event gives the [default answer](Self::default_answer): `_ =>
/// event.default_answer()` is a whole server that takes no mail.
#[derive(Debug)]
#[non_exhaustive]
pub enum Event {
    /// Somebody is there. Greet, or refuse: 554, and the peer can only say QUIT (RFC 5321 §3.1); or 421, and it is over.
    Connected(Connected),
    /// The peer says who it is. Accepting it drops whatever message was begun (RFC 5321 §4.1.4).
    Hello(Hello),
    /// The peer wants TLS (RFC 3207). Once it has been told that all is ready, no event comes before
    /// [`tls_started`](super::ServerSession::tls_started).
    StartTls(StartTls),
    /// A message begins.
    Mail(Mail),
    /// It is for this one. A host that takes every recipient is an open relay (attack row R1).
    Rcpt(Rcpt),
    /// The peer wants to send the message: yes, or a refusal.
    DataBegin(DataBegin),
    /// Octets of the message, without stuffed dots, with CRLF line ends. Asks for no answer.
    ///
    /// Those of a message with BODY=BINARYMIME (RFC 3030 §3) are as they came: NULs and bare line ends among them.
    Data(Bytes),
    /// A chunk of the message is whole, and another comes (RFC 3030 §2). A refusal ends the message: every further chunk of
    /// it is refused.
    EndOfChunk(EndOfChunk),
    /// The message is whole. A 2yz takes it into keeping: say so when it is stored so that no crash takes it away, and not
    /// before (RFC 5321 §6.1).
    EndOfData(EndOfData),
    /// The peer gives up the message it had begun, if there was one.
    Rset,
    /// The peer is still there.
    Noop(Noop),
    /// The peer asks for a user.
    Vrfy(Vrfy),
    /// The peer asks for a list.
    Expn(Expn),
    /// The peer asks for help.
    Help(Help),
    /// The peer says goodbye. A message that it had begun is given up.
    Quit,
    /// The next challenge of a login is to be sent: only the default answer fits.
    Continue,
    /// A login needs to know something. Answer with a [`CredentialAnswer`], or refuse with a reply.
    Credentials(CredentialQuery),
    /// The peer has shown who it is, and becomes it with a 2yz answer.
    Authenticated(Identity),
    /// A login has come to nothing.
    AuthenticationFailed(LoginFailure),
    /// What has come is not to be carried out, and the session knows why.
    ///
    /// **If [`Rejection::ends_message`], this stands in the place of [`EndOfData`](Self::EndOfData)**: throw away what has
    /// come of the message.
    Rejected(Rejection),
}

impl Event {
    /// Whether it waits for an answer: all but [`Data`](Self::Data).
    pub fn needs_answer(&self) -> bool {
        !matches!(self, Self::Data(_))
    }

    /// What to say if there is nothing else to say: safe, correct, and negative where somebody has to decide.
    ///
    /// For [`Data`](Self::Data), which wants no answer, it is one that the session does not take.
    pub fn default_answer(&self) -> Answer {
        match self {
            Self::Connected(_) | Self::Hello(_) | Self::Continue | Self::Quit | Self::Data(_) => Answer::Proceed,
            Self::StartTls(start_tls) => start_tls.unavailable(),
            Self::Mail(mail) => mail.accept(),
            Self::Rcpt(_) => Reply::of(550, Status::permanent(7, 1), "relaying denied").into(),
            Self::DataBegin(begin) => begin.accept(),
            Self::EndOfChunk(end) => end.accept(),
            Self::EndOfData(_) => Answer::ToAll(Reply::of(451, Status::transient(3, 0), "not stored, try again later")),
            Self::Rset => Reply::of(250, Status::success(0, 0), "reset").into(),
            Self::Noop(_) => Reply::of(250, Status::success(0, 0), "ok").into(),
            // RFC 5321 §3.5.3 and §7.3: says nothing of whether there is such a user (attack row A2).
            Self::Vrfy(_) => Reply::of(252, Status::success(0, 0), "send some mail, I will try my best").into(),
            Self::Expn(_) => Reply::of(502, Status::permanent(5, 1), "EXPN is not implemented").into(),
            Self::Help(_) => Reply::of(214, Status::success(0, 0), "see RFC 5321").into(),
            Self::Credentials(_) => CredentialAnswer::Unavailable.into(),
            Self::Authenticated(_) => Reply::of(235, Status::success(7, 0), "authentication succeeded").into(),
            Self::AuthenticationFailed(failure) => failure.default_answer(),
            Self::Rejected(rejection) => rejection.default_answer(),
        }
    }

    /// The octets, if it is [`Data`](Self::Data).
    pub fn into_data(self) -> Option<Bytes> {
        match self {
            Self::Data(octets) => Some(octets),
            _ => None,
        }
    }
}

/// See [`Event::Connected`].
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct Connected;

impl Connected {
    /// `220`, the host's name and the protocol's.
    pub fn greet(&self) -> Answer {
        Answer::Proceed
    }

    /// A refusal: 554 lets the peer say QUIT and nothing else (RFC 5321 §3.1), 421 closes.
    pub fn refuse(&self, reply: Reply) -> Answer {
        reply.into()
    }
}

impl Hello {
    /// Yes, with the list of what the session carries out.
    pub fn accept(&self) -> Answer {
        Answer::Proceed
    }

    /// No.
    pub fn refuse(&self, reply: Reply) -> Answer {
        reply.into()
    }
}

/// See [`Event::StartTls`].
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct StartTls;

impl StartTls {
    /// `220`: begin the handshake.
    pub fn ready(&self) -> Answer {
        Reply::of(220, Status::success(0, 0), "ready to start TLS").into()
    }

    /// `454`: not now (RFC 3207 §4).
    pub fn unavailable(&self) -> Answer {
        Reply::of(454, Status::transient(7, 0), "TLS is not available for now").into()
    }
}

impl Mail {
    /// `250`.
    pub fn accept(&self) -> Answer {
        Reply::of(250, Status::success(1, 0), "sender ok").into()
    }

    /// No. The reply is a 4yz or a 5yz.
    pub fn refuse(&self, reply: Reply) -> Answer {
        reply.into()
    }
}

impl Rcpt {
    /// `250`: mail for this one will be taken.
    pub fn accept(&self) -> Answer {
        Reply::of(250, Status::success(1, 5), "recipient ok").into()
    }

    /// No. The reply is a 4yz or a 5yz.
    pub fn refuse(&self, reply: Reply) -> Answer {
        reply.into()
    }
}

/// See [`Event::DataBegin`].
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct DataBegin {
    /// Whether it comes by BDAT, in chunks (RFC 3030 §2), and not by DATA. Then nothing is written at this point: the
    /// octets come whatever the answer is, a refusal goes out behind the chunk's last octet, and is an
    /// [`Event::Rejected`] there.
    pub is_chunked: bool,
}

impl DataBegin {
    pub(super) const fn by_data() -> Self {
        Self { is_chunked: false }
    }

    pub(super) const fn by_bdat() -> Self {
        Self { is_chunked: true }
    }

    /// Let it come: `354`, or nothing for BDAT.
    pub fn accept(&self) -> Answer {
        if self.is_chunked {
            return Answer::Proceed;
        }
        let text = "start mail input; end with <CRLF>.<CRLF>";
        Reply::new(ReplyCode::known(354), None, crate::grammar::ReplyText::lossy(text)).into()
    }

    /// No. The reply is a 4yz or a 5yz.
    pub fn refuse(&self, reply: Reply) -> Answer {
        reply.into()
    }
}

/// See [`Event::EndOfChunk`].
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct EndOfChunk {
    /// How many octets the chunk had, as the peer counts them.
    pub octets: u64,
}

impl EndOfChunk {
    pub(super) const fn new(octets: u64) -> Self {
        Self { octets }
    }

    /// `250`: let the next one come. It says nothing of the message's being stored, and nothing has to be.
    pub fn accept(&self) -> Answer {
        Reply::of(250, Status::success(0, 0), &format!("{} octets received", self.octets)).into()
    }

    /// No. The reply is a 4yz or a 5yz, and the message is given up.
    pub fn refuse(&self, reply: Reply) -> Answer {
        reply.into()
    }
}

/// See [`Event::EndOfData`].
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct EndOfData {
    /// How many replies are owed: 1 for SMTP; for LMTP one for each recipient that was accepted, in the order of their
    /// RCPT commands (RFC 2033 §4.2).
    pub replies: usize,
}

impl EndOfData {
    pub(super) const fn new(replies: usize) -> Self {
        Self { replies }
    }

    /// `250` for one recipient, by LMTP; for all of them, by SMTP. The message is stored.
    pub fn accept(&self) -> Answer {
        Reply::of(250, Status::success(0, 0), "message accepted").into()
    }

    /// No, for one recipient by LMTP, for all of them by SMTP. The reply is a 4yz or a 5yz.
    pub fn refuse(&self, reply: Reply) -> Answer {
        reply.into()
    }
}

/// A login that has come to nothing.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct LoginFailure {
    /// Why.
    pub failure: Failure,
    /// How many logins were rejected on this connection, this one included. A host that lets a guesser wait does so before
    /// it answers (attack row A11).
    pub rejected: usize,
    /// Whether a limit is reached, so that the default answer closes.
    pub closes: bool,
}

impl LoginFailure {
    /// The reply that RFC 4954 §4 and §6 have for it, or 421.
    pub fn default_answer(&self) -> Answer {
        if self.closes {
            return Reply::of(421, Status::transient(7, 0), "too many errors, closing connection").into();
        }
        match self.failure {
            Failure::TooLong => Reply::of(500, Status::permanent(5, 6), "authentication exchange line is too long"),
            Failure::Aborted => Reply::of(501, Status::permanent(7, 0), "authentication aborted"),
            Failure::Rejected => Reply::of(535, Status::permanent(7, 8), "authentication credentials invalid"),
            Failure::Unavailable => Reply::of(454, Status::transient(7, 0), "authentication is unavailable for now"),
            // Failure::Malformed, and whatever may be added to it.
            _ => Reply::of(501, Status::permanent(5, 2), "cannot decode response"),
        }
        .into()
    }
}
