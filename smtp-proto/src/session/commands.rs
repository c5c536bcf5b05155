//! Commands: found, parsed, and judged by what the state allows (RFC 5321 §4.1.4).

use bytes::BytesMut;
use mail_wire::foreign::is_foreign;

use super::owed::Owed;
use super::state::State;
use super::{DataBegin, Event, Protocol, Rejection, RejectionReason, ServerSession, StartTls};
use crate::command::{Bdat, BodyType, Command, Mail, OriginalRecipient, Rcpt, Verb};
use crate::grammar::Keyword;

impl ServerSession {
    /// The next command, or what is wrong with it.
    pub(super) fn next_command(&mut self, input: &mut BytesMut) -> Option<(Event, Owed)> {
        if !self.has_spoken && !self.lines.is_discarding() && is_foreign(input) {
            // It stays where it is: none of it is a command, and none of it is said back (attack row T9).
            let rejection = Rejection::of_command(RejectionReason::OtherProtocol, None);
            return Some(self.reject(rejection.out_of_step()));
        }
        let limit = self.line_limit(input);
        if !self.lines.is_discarding() {
            self.announces_chunk = starts_with_bdat(input);
        }
        let dialect = &self.config.dialect;
        let read = self.lines.read_line(input, limit, |line| {
            let command = Command::parse(line, dialect);
            let announced = command.is_err().then(|| Bdat::announced(line)).flatten();
            if let Ok(Command::Auth(_)) = command {
                // The parsed command keeps its copy secret; the read buffer is not to keep another (attack row A13).
                line.fill(0);
            }
            (command, announced)
        });
        self.mid_line = read.is_none() && self.lines.is_mid_line(input);
        let read = read?;
        self.has_spoken = true;
        let (command, announced) = match read {
            Ok(read) => read,
            Err(fault) => {
                let rejection = Rejection::of_command(RejectionReason::Line(fault), None);
                let rejection = if self.announces_chunk { rejection.out_of_step() } else { rejection };
                return Some(self.reject(rejection));
            }
        };
        Some(match command {
            Ok(Command::Bdat(bdat)) => return self.begin_chunk(bdat),
            Err(error) => match announced {
                Some(size) => return self.refuse_chunk(Bdat::new(size), Rejection::from(error).reason),
                None if self.is_strange(error.verb) => {
                    self.reject(Rejection::of_command(RejectionReason::NotTrusted, error.verb))
                }
                // Octets of a message come next, and nobody knows how many (attack row S8).
                None if self.announces_chunk => self.reject(Rejection::from(error).out_of_step()),
                None => self.reject(error.into()),
            },
            Ok(command) => {
                let verb = command.verb();
                match self.judge(command) {
                    Ok(accepted) => accepted,
                    Err(reason) => self.reject(Rejection::of_command(reason, Some(verb))),
                }
            }
        })
    }

    /// The session's own refusal, counted.
    pub(super) fn reject(&mut self, rejection: Rejection) -> (Event, Owed) {
        let limits = &self.config.limits;
        let counts = &mut self.counts;
        if rejection.is_error() && !self.state.excuses(&rejection) {
            counts.errors = counts.errors.saturating_add(1);
        }
        if rejection.reason == RejectionReason::UnknownCommand {
            counts.unknown_commands = counts.unknown_commands.saturating_add(1);
        }
        let of_mail = rejection.verb == Some(Verb::Mail) && matches!(self.state, State::Ready { .. });
        let too_many = counts.errors >= limits.errors || counts.unknown_commands >= limits.unknown_commands;
        let rejection = if rejection.is_error() && too_many { rejection.closing() } else { rejection };
        let closes = rejection.closes();
        (Event::Rejected(rejection), Owed::Rejected { of_mail, closes })
    }

    /// What extensions add to a line's length is theirs to say; an AUTH command with an initial response may be as long as
    /// the lines of the login that follow it (RFC 4954 §4).
    fn line_limit(&self, input: &[u8]) -> usize {
        let (limits, extensions) = (&self.config.limits, self.config.dialect.extensions);
        let is_auth = input.get(..5).is_some_and(|start| start.eq_ignore_ascii_case(b"AUTH "));
        if is_auth && self.auth_is_open() {
            // AUTH, a name of 20 octets at the most, two spaces and CRLF stand around the response.
            return limits.auth_line.saturating_add(28);
        }
        limits.command_line.saturating_add(extensions.line_length())
    }

    fn judge(&mut self, command: Command) -> Result<(Event, Owed), RejectionReason> {
        if matches!(self.state, State::Refused) && command != Command::Quit {
            return Err(RejectionReason::Sequence);
        }
        if self.is_one_idle_command_too_many(&command) {
            return Err(RejectionReason::TooManyIdleCommands);
        }
        match command {
            Command::Hello(hello) if !self.config.protocol.is_opened_by(hello.verb()) => {
                Err(RejectionReason::WrongProtocol)
            }
            Command::Hello(hello) => Ok((Event::Hello(hello.clone()), Owed::Hello(hello))),
            Command::Mail(mail) => {
                self.judge_mail(&mail)?;
                let (smtp_utf8, binary) = (mail.smtp_utf8, mail.body == Some(BodyType::BinaryMime));
                Ok((Event::Mail(mail), Owed::Mail { smtp_utf8, binary }))
            }
            Command::Rcpt(rcpt) => {
                self.judge_rcpt(&rcpt)?;
                Ok((Event::Rcpt(rcpt), Owed::Rcpt))
            }
            Command::Data => match &self.state {
                // RFC 2033 §4.2 demands 503 where there is no recipient; RFC 5321 §4.1.1.4 allows it.
                // RFC 3030 §3: "BINARYMIME cannot be used with the DATA command".
                State::Transaction(_, transaction) if transaction.recipients > 0 && !transaction.binary => {
                    Ok((Event::DataBegin(DataBegin::by_data()), Owed::Data))
                }
                _ => Err(RejectionReason::Sequence),
            },
            Command::StartTls => {
                self.judge_starttls()?;
                Ok((Event::StartTls(StartTls), Owed::StartTls))
            }
            Command::Auth(auth) => self.judge_auth(&auth),
            Command::Xclient(xclient) => self.judge_xclient(xclient),
            Command::Xforward(xforward) => self.judge_xforward(xforward),
            // RFC 5321 §4.1.4: these at any time, a hello or not.
            Command::Rset => Ok((Event::Rset, Owed::Rset)),
            Command::Noop(noop) => Ok((Event::Noop(noop), Owed::Query)),
            Command::Vrfy(vrfy) => Ok((Event::Vrfy(vrfy), Owed::Query)),
            Command::Expn(expn) => Ok((Event::Expn(expn), Owed::Query)),
            Command::Help(help) => Ok((Event::Help(help), Owed::Query)),
            Command::Quit => Ok((Event::Quit, Owed::Quit)),
            // Begun before it gets here: whatever is wrong with it, octets come behind it.
            Command::Bdat(_) => Err(RejectionReason::Sequence),
        }
    }

    /// Whether that is not for this peer to say, be it right or wrong.
    fn is_strange(&self, verb: Option<Verb>) -> bool {
        (verb == Some(Verb::Xclient) && !self.trust.xclient) || (verb == Some(Verb::Xforward) && !self.trust.xforward)
    }

    /// Counts what brings no message nearer.
    fn is_one_idle_command_too_many(&mut self, command: &Command) -> bool {
        let is_idle = matches!(
            command,
            Command::Hello(_)
                | Command::Rset
                | Command::Noop(_)
                | Command::Help(_)
                | Command::Vrfy(_)
                | Command::Expn(_)
        );
        if !is_idle || self.config.protocol == Protocol::Lmtp {
            return false;
        }
        self.counts.idle_commands = self.counts.idle_commands.saturating_add(1);
        self.counts.idle_commands > self.config.limits.idle_commands
    }

    fn judge_mail(&self, mail: &Mail) -> Result<(), RejectionReason> {
        let limits = &self.config.limits;
        let State::Ready { peer, .. } = &self.state else { return Err(RejectionReason::Sequence) };
        if self.config.mail_needs_auth && peer.identity.is_none() {
            return Err(RejectionReason::AuthRequired);
        }
        if self.is_stranger() && self.counts.messages >= limits.messages {
            return Err(RejectionReason::TooManyMessages);
        }
        if mail.require_tls && self.tls.is_none() {
            // RFC 8689 §2: "The session itself MUST employ TLS transmission". It was not offered; where TLS is to be had,
            // the refusal says how.
            return Err(match (self.config.starttls, "REQUIRETLS".parse::<Keyword>()) {
                (false, Ok(keyword)) => RejectionReason::UnknownParameter(keyword),
                _ => RejectionReason::EncryptionRequired,
            });
        }
        if mail.submitter.is_some()
            && !self.auth_is_open()
            && peer.identity.is_none()
            && let Ok(keyword) = "AUTH".parse::<Keyword>()
        {
            return Err(RejectionReason::UnknownParameter(keyword));
        }
        if mail.size.is_some_and(|size| size > limits.message_size) {
            return Err(RejectionReason::MessageTooBig);
        }
        Ok(())
    }

    /// Whether the messages of this peer are counted (attack row M3).
    pub(super) fn is_stranger(&self) -> bool {
        self.identity().is_none() && self.config.protocol != Protocol::Lmtp
    }

    fn judge_rcpt(&self, rcpt: &Rcpt) -> Result<(), RejectionReason> {
        let limits = &self.config.limits;
        let State::Transaction(_, transaction) = &self.state else { return Err(RejectionReason::Sequence) };
        let is_ascii = rcpt.path.is_ascii() && rcpt.original.as_ref().is_none_or(OriginalRecipient::is_ascii);
        if !is_ascii && !transaction.smtp_utf8 {
            return Err(RejectionReason::NonAsciiAddress);
        }
        if transaction.recipients >= limits.recipients {
            return Err(RejectionReason::TooManyRecipients);
        }
        if self.counts.refused_recipients >= limits.refused_recipients {
            return Err(RejectionReason::TooManyRefusedRecipients);
        }
        Ok(())
    }

    /// Not in a transaction, not twice, not after a login (attack row T4); and only after EHLO, which tells of it.
    fn judge_starttls(&self) -> Result<(), RejectionReason> {
        match &self.state {
            _ if !self.config.starttls => Err(RejectionReason::NotImplemented),
            State::Ready { peer, .. } if self.tls.is_none() && peer.identity.is_none() && peer.hello.is_extended() => {
                Ok(())
            }
            _ => Err(RejectionReason::Sequence),
        }
    }
}

impl State {
    /// A pipelined group goes on behind a MAIL that was refused, or with recipients that were all refused (RFC 2920
    /// §3.1): what comes out of order for that reason is not counted as an error.
    fn excuses(&self, rejection: &Rejection) -> bool {
        let Rejection { reason: RejectionReason::Sequence, verb: Some(verb), .. } = rejection else { return false };
        match self {
            Self::Ready { behind_refusal, .. } => {
                *behind_refusal && matches!(verb, Verb::Rcpt | Verb::Data | Verb::Bdat)
            }
            Self::Transaction(_, transaction) => matches!(verb, Verb::Data | Verb::Bdat) && transaction.recipients == 0,
            // RFC 3030 §2: "MUST be prepared to accept and discard additional BDAT chunks already in the pipeline after the
            // failed BDAT".
            Self::Chunking(_, _, None) => *verb == Verb::Bdat,
            _ => false,
        }
    }
}

fn starts_with_bdat(line: &[u8]) -> bool {
    match line.split_at_checked(4) {
        Some((verb, [next, ..])) => verb.eq_ignore_ascii_case(b"BDAT") && !next.is_ascii_alphanumeric(),
        _ => false,
    }
}
