//! What the host has been asked, and what its answer does.

use mail_wire::CredentialAnswer;
use mail_wire::sasl::Identity;

use super::data::Body;
use super::{Answer, ServerSession, Trust};
use crate::command::{Bdat, Hello, Xclient, Xforward};
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
    Xclient(Box<Xclient>),
    Xforward(Box<Xforward>),
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
    /// A greeting, to somebody who may speak for others.
    Trusted(Reply, Trust),
    /// A new greeting, to somebody who speaks for one who has logged in.
    LogIn(Reply, Identity),
}

impl ServerSession {
    /// What an answer comes to; `None` if it does not fit.
    pub(super) fn resolve(&self, owed: &Owed, answer: Answer) -> Option<Resolved> {
        let (reply, to_all) = match (owed, answer) {
            (Owed::Credential, Answer::Credential(answer)) => return Some(Resolved::Credential(answer)),
            (Owed::Challenge(text), Answer::Proceed) => return Some(Resolved::Challenge(text.clone())),
            (Owed::Chunk(bdat), Answer::Proceed) => return Some(Resolved::Chunk(*bdat, None)),
            (Owed::Greeting, Answer::GreetTrusted(trust)) => {
                return self.own_words(owed).map(|reply| Resolved::Trusted(reply, trust));
            }
            (Owed::Xclient(_), Answer::LogIn(identity)) => {
                return self.own_words(owed).map(|reply| Resolved::LogIn(reply, identity));
            }
            (_, Answer::GreetTrusted(_) | Answer::LogIn(_)) => return None,
            (_, Answer::Proceed) => (self.own_words(owed)?, false),
            // The session's list of extensions is the true one: a host gives the words behind the name, and no more.
            (Owed::Greeting | Owed::Hello(_) | Owed::Xclient(_), Answer::Reply(reply) | Answer::ToAll(reply))
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
        let ends_message = matches!(owed, Owed::EndOfData { .. } | Owed::RejectedMessage { .. });
        let ends_all =
            matches!(owed, Owed::Hello(_) | Owed::Rset | Owed::Xclient(_)) && reply.class() == ReplyClass::Completion;
        self.settle(owed, reply, count);
        // XFORWARD is of one message: it ends with the message, and with what drops it.
        if ends_all || (ends_message && !self.state.is_in_message()) {
            self.forwarded = None;
        }
    }

    fn settle(&mut self, owed: Owed, reply: &Reply, count: usize) {
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
            // A greylisted recipient will be taken when it is named again, and is nobody's guess.
            Owed::Rcpt if reply.class() == ReplyClass::PermanentNegative => {
                self.counts.refused_recipients = self.counts.refused_recipients.saturating_add(1);
            }
            Owed::Rcpt => {}
            Owed::Data if yes => {
                let body = Body::new(self.config.line_ends, self.config.limits.message_size);
                self.state.data_begun(body);
            }
            Owed::EndOfData { left } if left > count => self.owed = Owed::EndOfData { left: left - count },
            Owed::RejectedMessage { left } if left > count => {
                self.owed = Owed::RejectedMessage { left: left - count };
            }
            Owed::EndOfChunk => self.state.chunk_ended(yes),
            Owed::EndOfData { .. } => {
                self.counts.idle_commands = 0;
                self.state.message_ended();
            }
            Owed::RejectedMessage { .. } => self.state.message_ended(),
            Owed::Rset if yes => self.state.reset(),
            Owed::Quit => self.state.closed(),
            Owed::Xclient(xclient) if yes => {
                let known = self.overridden.take().map(|known| *known).unwrap_or_default();
                self.overridden = Some(Box::new(xclient.over(known)));
                self.state.greeted();
            }
            Owed::Xforward(xforward) if yes => {
                let known = self.forwarded.take().map(|known| *known).unwrap_or_default();
                self.forwarded = Some(Box::new(xforward.over(known)));
            }
            Owed::Authenticated(identity) => self.state.auth_ended(yes.then_some(identity)),
            // A host that says no in its own words has refused a login all the same (attack row A11).
            Owed::Credential if reply.class() == ReplyClass::PermanentNegative => {
                self.counts.rejected_logins = self.counts.rejected_logins.saturating_add(1);
                match self.counts.rejected_logins >= self.config.limits.failed_logins {
                    true => self.state.closed(),
                    false => self.state.auth_ended(None),
                }
            }
            Owed::Challenge(_) | Owed::Credential | Owed::LoginFailed => self.state.auth_ended(None),
            Owed::Hello(_)
            | Owed::StartTls
            | Owed::Data
            | Owed::Chunk(_)
            | Owed::Xclient(_)
            | Owed::Xforward(_)
            | Owed::Rset
            | Owed::Query
            | Owed::Rejected { .. }
            | Owed::Nothing => {}
        }
    }

    fn own_words(&self, owed: &Owed) -> Option<Reply> {
        match owed {
            Owed::Greeting | Owed::Xclient(_) => {
                Some(self.named(owed, ReplyText::lossy(self.config.protocol.greeting())))
            }
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
        offer(extensions.limits, &self.limits_line());
        offer(extensions.require_tls && self.tls.is_some(), "REQUIRETLS");
        offer(extensions.dsn, "DSN");
        if let Some(profile) = extensions.mt_priority {
            offer(true, &format!("MT-PRIORITY {}", profile.as_str()));
        }
        if let Some(minimum) = extensions.deliver_by {
            offer(true, &if minimum == 0 { "DELIVERBY".to_owned() } else { format!("DELIVERBY {minimum}") });
        }
        if let Some(most) = extensions.future_release {
            offer(true, &format!("FUTURERELEASE {} {}", most.max_interval, most.max_date_time));
        }
        offer(extensions.rrvs, "RRVS");
        offer(self.trust.xclient, Xclient::offer(self.trust.login));
        offer(self.trust.xforward, Xforward::OFFER);
        offer(self.starttls_is_open(), "STARTTLS");
        if self.auth_is_open() {
            let possible = self.config.mechanisms.iter().filter(|mechanism| mechanism.is_possible(self.tls.as_ref()));
            let names: Vec<_> = possible.map(|mechanism| mechanism.name()).collect();
            offer(true, &format!("AUTH {}", names.join(" ")));
        }
        lines.extend(self.config.ehlo_lines.iter().cloned());
        lines
    }

    /// RFC 9422: what holds for this client at this moment, from where it is enforced. A client that has to log in first
    /// is told of no number of messages, for none holds once it has.
    fn limits_line(&self) -> String {
        let limits = &self.config.limits;
        let messages = match self.is_stranger() && !self.config.mail_needs_auth {
            true => format!(" MAILMAX={}", limits.messages),
            false => String::new(),
        };
        format!("LIMITS RCPTMAX={}{messages}", limits.recipients)
    }

    /// RFC 3207 §4.2: not offered again once TLS is there.
    fn starttls_is_open(&self) -> bool {
        self.config.starttls && self.tls.is_none()
    }

    /// RFC 4954 §4: not offered in clear where a login needs TLS (attack row T7), nor to who has logged in.
    pub(super) fn auth_is_open(&self) -> bool {
        self.config.mechanisms.iter().any(|mechanism| mechanism.is_possible(self.tls.as_ref()))
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
                    | Self::Xclient(_)
                    | Self::Xforward(_)
            ),
        }
    }
}
