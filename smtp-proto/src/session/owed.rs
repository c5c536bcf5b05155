//! What the host has been asked, and what its answer does.

use mail_wire::CredentialAnswer;
use mail_wire::sasl::{Identity, Mechanism};

use super::data::Body;
use super::{Answer, ServerSession};
use crate::command::{Bdat, Hello};
use crate::grammar::{EnhancedStatusCode as Status, ReplyText};
use crate::response::{Reply, ReplyClass, ReplyCode};

/// An answer that is due, with whatever the command carried that the answer puts to use.
#[derive(Debug)]
pub(super) enum Owed {
    Nothing,
    Greeting,
    Hello(Hello),
    StartTls,
    Mail {
        smtp_utf8: bool,
        binary: bool,
    },
    Rcpt,
    Data,
    /// The first BDAT of a message. Nothing is written before its octets have come (RFC 3030 §2).
    Chunk(Bdat),
    EndOfChunk,
    EndOfData {
        left: usize,
    },
    Rset,
    Quit,
    /// NOOP, VRFY, EXPN, HELP: an answer and no more.
    Query,
    Challenge(String),
    Credential,
    Authenticated(Identity),
    LoginFailed,
    /// `of_mail` if it was MAIL that was rejected; `closes` if it is the session's last word, whatever the answer.
    Rejected {
        of_mail: bool,
        closes: bool,
    },
    RejectedMessage {
        left: usize,
    },
}

/// An answer that fits.
pub(super) enum Resolved {
    Replies(Reply, usize),
    Challenge(String),
    Credential(CredentialAnswer),
    /// Whether a message in chunks may come, and what is said once its first chunk has come if it may not.
    Chunk(Bdat, Option<Reply>),
}

impl ServerSession {
    /// What an answer comes to; `None` if it does not fit.
    pub(super) fn resolve(&self, owed: &Owed, answer: Answer) -> Option<Resolved> {
        let (reply, to_all) = match (owed, answer) {
            (Owed::Credential, Answer::Credential(answer)) => return Some(Resolved::Credential(answer)),
            (Owed::Challenge(text), Answer::Proceed) => return Some(Resolved::Challenge(text.clone())),
            (Owed::Chunk(bdat), Answer::Proceed) => return Some(Resolved::Chunk(*bdat, None)),
            (_, Answer::Proceed) => (self.own_words(owed)?, false),
            // The session's list of extensions is the true one: a host gives the words behind the name, and no more.
            (Owed::Greeting | Owed::Hello(_), Answer::Reply(reply) | Answer::ToAll(reply))
                if reply.class() == ReplyClass::Completion =>
            {
                (self.named(owed, reply.lines().first().cloned().unwrap_or_default()), false)
            }
            (_, Answer::Reply(reply)) => (reply, false),
            (_, Answer::ToAll(reply)) => (reply, true),
            (_, Answer::Credential(_)) => return None,
        };
        if reply.code() != ReplyCode::CLOSING && !owed.takes(&reply) {
            return None;
        }
        if let (Owed::Chunk(bdat), false) = (owed, reply.code() == ReplyCode::CLOSING) {
            return Some(Resolved::Chunk(*bdat, Some(reply).filter(|reply| reply.class() != ReplyClass::Intermediate)));
        }
        let count = match owed {
            Owed::EndOfData { left } | Owed::RejectedMessage { left } if to_all => *left,
            _ => 1,
        };
        Some(Resolved::Replies(reply, count))
    }

    /// The reply has been written, so often: what becomes of the session.
    pub(super) fn move_on(&mut self, owed: Owed, reply: &Reply, count: usize) {
        if reply.code() == ReplyCode::CLOSING {
            return self.state.closed();
        }
        let yes = matches!(reply.class(), ReplyClass::Completion | ReplyClass::Intermediate);
        match owed {
            Owed::Greeting if yes => self.state.greeted(),
            Owed::Greeting => self.state.refused(),
            Owed::Hello(hello) if yes => self.state.said_hello(hello),
            Owed::StartTls if yes => self.state.handshake_begun(),
            Owed::Mail { smtp_utf8, binary } if yes => {
                self.counts.messages = self.counts.messages.saturating_add(1);
                self.state.mail_begun(smtp_utf8, binary);
            }
            Owed::Rejected { closes: true, .. } => self.state.closed(),
            Owed::Mail { .. } | Owed::Rejected { of_mail: true, .. } => self.state.mail_refused(),
            Owed::Rcpt if yes => self.state.recipient_accepted(),
            Owed::Rcpt => self.counts.refused_recipients = self.counts.refused_recipients.saturating_add(1),
            Owed::Data if yes => {
                let body = Body::new(self.config.line_ends, self.config.limits.message_size);
                self.state.data_begun(body);
            }
            Owed::EndOfData { left } if left > count => self.owed = Owed::EndOfData { left: left - count },
            Owed::RejectedMessage { left } if left > count => {
                self.owed = Owed::RejectedMessage { left: left - count };
            }
            Owed::EndOfChunk => self.state.chunk_ended(yes),
            Owed::EndOfData { .. } | Owed::RejectedMessage { .. } => self.state.message_ended(),
            Owed::Rset if yes => self.state.reset(),
            Owed::Quit => self.state.closed(),
            Owed::Authenticated(identity) => self.state.auth_ended(yes.then_some(identity)),
            Owed::Challenge(_) | Owed::Credential | Owed::LoginFailed => self.state.auth_ended(None),
            Owed::Hello(_)
            | Owed::StartTls
            | Owed::Data
            | Owed::Chunk(_)
            | Owed::Rset
            | Owed::Query
            | Owed::Rejected { .. }
            | Owed::Nothing => {}
        }
    }

    fn own_words(&self, owed: &Owed) -> Option<Reply> {
        match owed {
            Owed::Greeting => Some(self.named(owed, ReplyText::lossy(self.config.protocol.greeting()))),
            Owed::Hello(_) => Some(self.named(owed, ReplyText::default())),
            Owed::Quit => {
                let text = format!("{} closing connection", self.config.host_name);
                Some(Reply::of(221, Status::success(0, 0), &text))
            }
            _ => None,
        }
    }

    /// A greeting, or the reply to a hello: this host's name first (RFC 5321 §4.2), then the words, then what is offered.
    fn named(&self, owed: &Owed, words: ReplyText) -> Reply {
        let text = format!("{} {words}", self.config.host_name);
        let first = ReplyText::lossy(text.trim_end());
        match owed {
            Owed::Hello(hello) => {
                let reply = Reply::new(ReplyCode::known(250), None, first);
                if hello.is_extended() { self.offers().into_iter().fold(reply, Reply::with_line) } else { reply }
            }
            _ => Reply::new(ReplyCode::known(220), None, first),
        }
    }

    /// Exactly what is carried out at this moment on this connection.
    fn offers(&self) -> Vec<ReplyText> {
        let extensions = self.config.dialect.extensions;
        let mut lines = Vec::new();
        let mut offer = |on: bool, line: &str| {
            if on {
                lines.push(ReplyText::lossy(line));
            }
        };
        offer(extensions.pipelining, "PIPELINING");
        offer(extensions.size, &format!("SIZE {}", self.config.limits.message_size));
        offer(extensions.eight_bit_mime, "8BITMIME");
        offer(extensions.enhanced_status_codes, "ENHANCEDSTATUSCODES");
        offer(extensions.smtp_utf8, "SMTPUTF8");
        offer(extensions.chunking, "CHUNKING");
        offer(extensions.binary_mime, "BINARYMIME");
        offer(self.starttls_is_open(), "STARTTLS");
        if self.auth_is_open() {
            let names: Vec<_> = self.config.mechanisms.iter().map(|mechanism: &Mechanism| mechanism.name()).collect();
            offer(true, &format!("AUTH {}", names.join(" ")));
        }
        lines.extend(self.config.ehlo_lines.iter().cloned());
        lines
    }

    /// RFC 3207 §4.2: not offered again once TLS is there.
    fn starttls_is_open(&self) -> bool {
        self.config.starttls && self.tls.is_none()
    }

    /// RFC 4954 §4: not offered in clear where a login needs TLS (attack row T7), nor to who has logged in.
    pub(super) fn auth_is_open(&self) -> bool {
        !self.config.mechanisms.is_empty()
            && (self.tls.is_some() || !self.config.auth_needs_tls)
            && self.identity().is_none()
    }
}

impl Owed {
    /// Whether a reply of that class says anything here.
    fn takes(&self, reply: &Reply) -> bool {
        match reply.class() {
            ReplyClass::TransientNegative | ReplyClass::PermanentNegative => !matches!(self, Self::Nothing),
            ReplyClass::Intermediate => matches!(self, Self::Data | Self::Chunk(_)) && reply.code().value() == 354,
            ReplyClass::Completion => matches!(
                self,
                Self::Greeting
                    | Self::Hello(_)
                    | Self::StartTls
                    | Self::Mail { .. }
                    | Self::Rcpt
                    | Self::EndOfChunk
                    | Self::EndOfData { .. }
                    | Self::Rset
                    | Self::Quit
                    | Self::Query
                    | Self::Authenticated(_)
            ),
        }
    }
}
