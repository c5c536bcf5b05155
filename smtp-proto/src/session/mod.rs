//! The conversation, seen from the server: octets in, events out; answers in, octets out. No socket, no clock, no storage.
//!
//! One event asks, one answer replies, and the session never speaks unasked. While an answer is owed, the next command
//! waits in the input; that is all there is to pipelining (RFC 2920).
//!
//! ```
//! use std::sync::Arc;
//! use bytes::BytesMut;
//! use smtp_proto::session::{Config, Event, Protocol, ServerSession};
//!
//! let config = Config::new("mail.example.org".parse()?, Protocol::Smtp);
//! let mut session = ServerSession::new(Arc::new(config));
//! let (mut input, mut output) = (BytesMut::from("EHLO client.example.net\r\nQUIT\r\n"), BytesMut::new());
//! while let Some(event) = session.next_event(&mut input)? {
//!     let answer = match &event {
//!         Event::Rcpt(rcpt) if rcpt.path.is_postmaster() => rcpt.accept(),
//!         _ => event.default_answer(),
//!     };
//!     if event.needs_answer() {
//!         session.answer(answer, &mut output)?;
//!     }
//! }
//! assert!(output.starts_with(b"220 mail.example.org ESMTP\r\n250-mail.example.org\r\n250-PIPELINING\r\n"));
//! assert!(output.ends_with(b"221 2.0.0 mail.example.org closing connection\r\n") && session.is_closed());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod answer;
mod auth;
mod bdat;
mod commands;
mod config;
mod data;
mod event;
mod owed;
mod rejection;
mod state;
mod trust;

use std::sync::Arc;

use bytes::BytesMut;
use mail_wire::line::LineReader;
use mail_wire::machine::{Machine, RunningTimer, Timer, Timers, TlsInfo};
use mail_wire::sasl::Identity;

pub use answer::Answer;
pub use config::{Config, Protocol, Timeouts};
pub use event::{Connected, DataBegin, EndOfChunk, EndOfData, Event, LoginFailure, StartTls};
pub use rejection::{Rejection, RejectionReason};
pub use trust::Trust;

use crate::command::{Hello, Mail, Submitter, Xclient, Xforward};
use crate::error::{Error, PeerError, UsageError};
use crate::grammar::EnhancedStatusCode as Status;
use crate::response::{Reply, ReplyCode};
use data::BodyPart;
use owed::Owed;
use state::State;

/// One connection's conversation.
///
/// It holds no octets but those of a login on its way; what has been read and not understood yet waits in the caller's
/// buffer, never more than one line of [`Limits`](crate::Limits).
#[derive(Debug)]
pub struct ServerSession {
    config: Arc<Config>,
    lines: LineReader,
    state: State,
    /// What the host has been asked and has not answered.
    owed: Owed,
    tls: Option<TlsInfo>,
    trust: Trust,
    /// What XCLIENT has said.
    overridden: Option<Box<Xclient>>,
    /// What XFORWARD has said of the message that comes next, or comes.
    forwarded: Option<Box<Xforward>>,
    /// A whole line has come, since the connection or TLS began.
    has_spoken: bool,
    /// Rises with every event and every answer: timers begin anew with it.
    activity: u64,
    /// A line has begun and has not ended, as far as was seen.
    mid_line: bool,
    /// The line that has begun is a BDAT: should it turn out to be none, octets of a message stand behind it all the same.
    announces_chunk: bool,
    /// Clear text that was thrown away when TLS began.
    dropped: usize,
    counts: Counts,
}

/// What is counted over a connection. TLS does not set it back.
#[derive(Debug, Clone, Copy, Default)]
struct Counts {
    errors: usize,
    unknown_commands: usize,
    /// Since the last message that came whole.
    idle_commands: usize,
    refused_recipients: usize,
    rejected_logins: usize,
    messages: usize,
}

/// Where a session stands, for logs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Phase {
    /// Nobody has spoken.
    Fresh,
    /// The peer was refused and may say QUIT.
    Refused,
    /// Greeted; no hello yet.
    Greeted,
    /// Between messages.
    Ready,
    /// A message has a sender.
    Transaction,
    /// A message comes, or a chunk of it.
    Data,
    /// Between two chunks of a message.
    Chunking,
    /// A chunk comes that was refused.
    Discarding,
    /// A login is on its way.
    Authenticating,
    /// The TLS handshake is due.
    Handshake,
    /// It is over.
    Closed,
}

/// What comes of what has been read.
#[allow(clippy::large_enum_variant, reason = "it lives for one call and is never kept")]
enum Step {
    Event(Event, Owed),
    MoreInput,
    /// The state has moved, and the input is to be looked at in the new one.
    Again,
}

impl From<Option<(Event, Owed)>> for Step {
    fn from(next: Option<(Event, Owed)>) -> Self {
        next.map_or(Self::MoreInput, |(event, owed)| Self::Event(event, owed))
    }
}

impl ServerSession {
    /// A session before the first octet. For implicit TLS (RFC 8314 §3.3), call [`tls_started`](Self::tls_started) first.
    pub fn new(config: Arc<Config>) -> Self {
        Self {
            config: config.consistent(),
            lines: LineReader::new(),
            state: State::Fresh { announced: false },
            owed: Owed::Greeting,
            tls: None,
            trust: Trust::none(),
            overridden: None,
            forwarded: None,
            has_spoken: false,
            activity: 0,
            mid_line: false,
            announces_chunk: false,
            dropped: 0,
            counts: Counts::default(),
        }
    }

    /// Takes octets off the front of `input` and gives what they mean. `None` means: more octets, please; or that nothing
    /// comes before [`tls_started`](Self::tls_started); or that the session is over.
    ///
    /// The first event is [`Event::Connected`], without a single octet.
    ///
    /// # Errors
    /// [`UsageError::AnswerOwed`] while the last event waits for its answer.
    pub fn next_event(&mut self, input: &mut BytesMut) -> Result<Option<Event>, Error> {
        if let State::Fresh { announced } = &mut self.state
            && !std::mem::replace(announced, true)
        {
            return Ok(Some(Event::Connected(Connected)));
        }
        if matches!(self.state, State::Closed | State::Handshake) {
            return Ok(None);
        }
        if !matches!(self.owed, Owed::Nothing) {
            return Err(UsageError::AnswerOwed.into());
        }
        let event = loop {
            let (before, in_body) = (input.len(), self.state.is_in_body());
            let next = self.advance(input);
            if in_body && input.len() < before {
                // A peer that sends is not idle, whether its octets are given or not.
                self.activity = self.activity.wrapping_add(1);
            }
            match next {
                Step::Event(event, owed) => break Some((event, owed)),
                Step::MoreInput => break None,
                Step::Again => {}
            }
        };
        Ok(event.map(|(event, owed)| {
            self.activity = self.activity.wrapping_add(1);
            self.owed = owed;
            event
        }))
    }

    /// Writes the answer to the last event to `out`, and *then* moves the state.
    ///
    /// At the end of a message by LMTP it is called once for each recipient, or once with [`Answer::ToAll`];
    /// [`replies_owed`](Self::replies_owed) says how many are left.
    ///
    /// # Errors
    /// [`UsageError`] if no answer is owed, if this one does not fit, or if the session is over and nobody hears it. Then
    /// nothing is written, and nothing has changed.
    pub fn answer(&mut self, answer: impl Into<Answer>, out: &mut BytesMut) -> Result<(), UsageError> {
        if matches!(self.state, State::Closed) {
            return Err(UsageError::Closed);
        }
        let answer = answer.into();
        match std::mem::replace(&mut self.owed, Owed::Nothing) {
            Owed::Nothing => return Err(UsageError::NoAnswerOwed),
            owed => match self.resolve(&owed, answer) {
                Some(owed::Resolved::Challenge(text)) => {
                    out.extend_from_slice(b"334 ");
                    out.extend_from_slice(text.as_bytes());
                    out.extend_from_slice(b"\r\n");
                }
                Some(owed::Resolved::Credential(answer)) => self.supply(answer),
                Some(owed::Resolved::Chunk(bdat, None)) => self.accept_chunks(bdat),
                Some(owed::Resolved::Chunk(bdat, Some(reply))) => {
                    self.refuse_chunk(bdat, RejectionReason::Refused(reply));
                }
                Some(owed::Resolved::Trusted(reply, trust)) => {
                    self.trust = trust;
                    self.write(&owed, &reply, out);
                    self.move_on(owed, &reply, 1);
                }
                Some(owed::Resolved::LogIn(reply, identity)) => {
                    self.write(&owed, &reply, out);
                    self.move_on(owed, &reply, 1);
                    self.state.logged_in_elsewhere(identity);
                }
                Some(owed::Resolved::Replies(reply, count)) => {
                    for _ in 0..count {
                        self.write(&owed, &reply, out);
                    }
                    self.move_on(owed, &reply, count);
                }
                None => {
                    self.owed = owed;
                    return Err(UsageError::WrongAnswer);
                }
            },
        }
        self.activity = self.activity.wrapping_add(1);
        Ok(())
    }

    /// How many answers the last event still waits for: more than 1 only at the end of a message by LMTP.
    pub fn replies_owed(&self) -> usize {
        match self.owed {
            Owed::Nothing => 0,
            Owed::EndOfData { left } | Owed::RejectedMessage { left } => left,
            _ => 1,
        }
    }

    /// The peer has sent its last octet. The session is over: an answer that is still owed would be heard by nobody, and
    /// is a [`UsageError::Closed`] from here on.
    ///
    /// # Errors
    /// [`PeerError`] if it did so in the middle of something. A message of which the end has not come did not happen.
    pub fn end_of_input(&mut self) -> Result<(), Error> {
        let owed = std::mem::replace(&mut self.owed, Owed::Nothing);
        let gone = match (&self.state, owed) {
            (State::Closed | State::Fresh { .. } | State::Handshake, _) => Ok(()),
            (_, owed) if !matches!(owed, Owed::Nothing) => Err(PeerError::BeforeAnswer),
            (state, _) if state.measure().is_some() => Err(PeerError::InData),
            (State::Auth(..), _) => Err(PeerError::InAuth),
            _ if self.mid_line => Err(PeerError::InCommand),
            _ => Ok(()),
        };
        self.state.closed();
        gone.map_err(Error::from)
    }

    /// The timers that run. While the host owes an answer the peer is not waited for, and only the time to the login
    /// goes on.
    pub fn timers(&self) -> Timers {
        let mut timers = Timers::none();
        if matches!(self.state, State::Closed) {
            return timers;
        }
        let Timeouts { idle, line, login, body } = self.config.timeouts;
        if self.config.mail_needs_auth && self.identity().is_none() {
            timers = timers.with(RunningTimer::new(Timer::Login, login, 0));
        }
        if matches!(self.state, State::Handshake) || !matches!(self.owed, Owed::Nothing) {
            return timers;
        }
        timers = timers.with(RunningTimer::new(Timer::Idle, idle, self.activity));
        if self.mid_line {
            timers = timers.with(RunningTimer::new(Timer::Line, line, self.activity));
        }
        if let Some(measure) = self.state.measure() {
            // A new message begins anew, however many of them are pipelined in one read.
            let blocks = measure.taken() / Timeouts::BODY_BLOCK;
            let since = (self.counts.messages as u64).wrapping_shl(32).wrapping_add(blocks);
            timers = timers.with(RunningTimer::new(Timer::Body, body, since));
        }
        timers
    }

    /// A timer has run out: says 421 and closes (RFC 5321 §4.5.3.2). A message that was on its way did not happen, and
    /// nothing more of it is looked at (attack row S9).
    pub fn handle_timeout(&mut self, timer: Timer, out: &mut BytesMut) {
        let text = match timer {
            Timer::Login => "no login in time",
            _ => "timeout",
        };
        self.part(Reply::of(421, Status::transient(4, 2), &format!("{} {text}", self.config.host_name)), out);
    }

    /// The server goes down: says 421, closes, and answers true; or answers false in the middle of a message or of an
    /// answer, and wants to be asked again once the next event has been answered.
    pub fn shut_down(&mut self, out: &mut BytesMut) -> bool {
        let busy = match &self.state {
            // Between two chunks of a message it may go: RFC 3030 §2 has an imminent shutdown told there.
            state if state.is_in_body() => true,
            State::Auth(_, exchange) => exchange.step.is_some(),
            _ => false,
        };
        let answer_owed = !matches!(self.owed, Owed::Nothing | Owed::Greeting);
        if matches!(self.state, State::Closed) {
            return true;
        }
        if busy || answer_owed {
            return false;
        }
        let text = format!("{} shutting down", self.config.host_name);
        self.part(Reply::of(421, Status::transient(3, 2), &text), out);
        true
    }

    /// The TLS handshake is done. What clear text is left in `input` is thrown away and counted (attack row T1), and the
    /// session begins anew: the peer has to say EHLO again, and whatever it said before is forgotten (RFC 3207 §4.2).
    ///
    /// Called before the first event it means implicit TLS; the greeting comes then.
    pub fn tls_started(&mut self, tls: TlsInfo, input: &mut BytesMut) {
        self.dropped = self.dropped.saturating_add(input.len());
        input.clear();
        self.lines = LineReader::new();
        self.mid_line = false;
        self.announces_chunk = false;
        self.has_spoken = false;
        // The trust stays: the peer did not say it. What the peer said of others goes with all else that it said.
        self.overridden = None;
        self.forwarded = None;
        self.activity = self.activity.wrapping_add(1);
        if !matches!(self.state, State::Fresh { .. }) {
            self.owed = Owed::Nothing;
        }
        self.state.tls_begun();
        self.tls = Some(tls);
    }

    /// Whether it is over: what was written is to be sent, and the connection closed.
    pub fn is_closed(&self) -> bool {
        matches!(self.state, State::Closed)
    }

    /// Where it stands.
    pub fn state(&self) -> Phase {
        match self.state {
            State::Fresh { .. } => Phase::Fresh,
            State::Refused => Phase::Refused,
            State::Greeted { .. } => Phase::Greeted,
            State::Ready { .. } => Phase::Ready,
            State::Transaction(..) => Phase::Transaction,
            State::Data(..) | State::Chunk(..) => Phase::Data,
            State::Chunking(..) => Phase::Chunking,
            State::Discarding(_) => Phase::Discarding,
            State::Auth(..) => Phase::Authenticating,
            State::Handshake => Phase::Handshake,
            State::Closed => Phase::Closed,
        }
    }

    /// What it was told at its beginning.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// What the peer says that it is, since it last said hello.
    pub fn hello(&self) -> Option<&Hello> {
        self.state.peer().map(|peer| &peer.hello)
    }

    /// Who has logged in.
    pub fn identity(&self) -> Option<&Identity> {
        self.state.identity()
    }

    /// Whom to believe to have first submitted a message: what MAIL's `AUTH=` said if the client has logged in, and
    /// [`Submitter::Unknown`] if it said anything without (RFC 4954 §5). Whether an account is to be believed that speaks
    /// for others is the host's to say.
    pub fn submitter<'a>(&self, mail: &'a Mail) -> Option<&'a Submitter> {
        let said = mail.submitter.as_ref()?;
        Some(if self.identity().is_some() { said } else { &Submitter::Unknown })
    }

    /// What the handshake came to, if there was one.
    pub fn tls(&self) -> Option<&TlsInfo> {
        self.tls.as_ref()
    }

    /// Octets of clear text that were thrown away when TLS began. More than none of them is somebody's attack, or a very
    /// wrong client.
    pub fn clear_text_dropped(&self) -> usize {
        self.dropped
    }

    /// The next step in what has been read.
    fn advance(&mut self, input: &mut BytesMut) -> Step {
        let is_lmtp = self.config.protocol == Protocol::Lmtp;
        let part = match &mut self.state {
            State::Data(_, _, body) => body.next(input),
            State::Chunk(_, _, body, chunk) => body.next(chunk, input),
            State::Discarding(discarding) => {
                let replies = discarding.replies;
                return match discarding.swallow(input) {
                    false => Step::MoreInput,
                    true if replies == 0 => {
                        self.state.message_ended();
                        Step::Again
                    }
                    true => {
                        let rejection = discarding.rejection.clone();
                        Step::Event(Event::Rejected(rejection), Owed::RejectedMessage { left: replies })
                    }
                };
            }
            State::Auth(..) => return self.next_of_login(input).into(),
            State::Fresh { .. }
            | State::Refused
            | State::Greeted { .. }
            | State::Ready { .. }
            | State::Transaction(..)
            | State::Chunking(..)
            | State::Handshake
            | State::Closed => {
                return match self.next_command(input) {
                    // BDAT: what comes next is its octets.
                    None if self.state.is_in_body() => Step::Again,
                    next => next.into(),
                };
            }
        };
        let chunk = match &self.state {
            State::Chunk(_, _, _, chunk) if !chunk.last => Some(chunk.size),
            _ => None,
        };
        let replies = if is_lmtp && chunk.is_none() { self.state.recipients().unwrap_or(1) } else { 1 };
        match (part, chunk) {
            (None, _) => Step::MoreInput,
            (Some(BodyPart::Octets(octets)), _) => Step::Event(Event::Data(octets), Owed::Nothing),
            (Some(BodyPart::End(Ok(()))), Some(size)) => {
                Step::Event(Event::EndOfChunk(EndOfChunk::new(size)), Owed::EndOfChunk)
            }
            (Some(BodyPart::End(Ok(()))), None) => {
                Step::Event(Event::EndOfData(EndOfData::new(replies)), Owed::EndOfData { left: replies })
            }
            (Some(BodyPart::End(Err(reason))), _) => {
                let rejection = Rejection::of_message(reason);
                Step::Event(Event::Rejected(rejection), Owed::RejectedMessage { left: replies })
            }
        }
    }

    /// Parting words, and the end.
    fn part(&mut self, reply: Reply, out: &mut BytesMut) {
        if !matches!(self.state, State::Closed | State::Handshake) {
            self.write(&Owed::Nothing, &reply, out);
        }
        self.owed = Owed::Nothing;
        self.state.closed();
    }

    /// RFC 2034 §3: greetings and the replies to EHLO carry no enhanced code, nor does a 3yz.
    fn write(&self, owed: &Owed, reply: &Reply, out: &mut BytesMut) {
        let plain = !self.config.dialect.extensions.enhanced_status_codes
            || matches!(owed, Owed::Greeting | Owed::Hello(_) | Owed::Xclient(_))
            || reply.code() == ReplyCode::known(354);
        if plain { reply.clone().without_status().encode(out) } else { reply.encode(out) }
    }
}

impl Machine for ServerSession {
    type Event = Event;
    type Answer = Answer;
    type Error = Error;

    fn next_event(&mut self, input: &mut BytesMut) -> Result<Option<Event>, Error> {
        Self::next_event(self, input)
    }

    fn answer(&mut self, answer: Answer, out: &mut BytesMut) -> Result<(), Error> {
        Ok(self.answer(answer, out)?)
    }

    fn end_of_input(&mut self) -> Result<(), Error> {
        Self::end_of_input(self)
    }

    fn timers(&self) -> Timers {
        Self::timers(self)
    }

    fn handle_timeout(&mut self, timer: Timer, out: &mut BytesMut) {
        Self::handle_timeout(self, timer, out);
    }

    fn shut_down(&mut self, out: &mut BytesMut) -> bool {
        Self::shut_down(self, out)
    }

    fn tls_started(&mut self, tls: TlsInfo, input: &mut BytesMut) {
        Self::tls_started(self, tls, input);
    }

    fn is_closed(&self) -> bool {
        Self::is_closed(self)
    }
}
