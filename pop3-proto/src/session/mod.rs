//! The conversation, without socket, clock or storage: octets in, events out; answers in, octets out.
//!
//! One event asks, one answer replies. The session keeps message numbers, sizes, unique-ids and deletion marks, cuts TOP,
//! and stuffs dots; the host knows users and mail.

mod answer;
mod auth;
mod commands;
mod config;
mod event;
mod listing;
mod maildrop;
mod message;
mod reply;
mod state;
mod timestamp;
mod utf8;

use std::sync::Arc;

use bytes::BytesMut;
use mail_wire::foreign::is_foreign;
use mail_wire::line::LineReader;
use mail_wire::machine::{Machine, RunningTimer, Timer, Timers, TlsInfo};
use mail_wire::sasl::Failure;
use mail_wire::{CredentialQuery, UserName};

use crate::error::{Error, PeerError, Rejection, UsageError};
use crate::grammar::ResponseText;
use crate::response::{DropListing, Refusal, ResponseCode};
pub use answer::Answer;
pub use config::Config;
pub use event::{Authenticated, Event, LoginFailure};
use listing::{Listing, ListingKind};
use maildrop::Entry;
pub use maildrop::{Maildrop, MaildropFull};
use message::Transfer;
pub use state::SessionState;
use state::State;
pub use utf8::{RawHeader, Utf8Support};

/// One client's session, the server's side.
#[derive(Debug)]
pub struct ServerSession {
    config: Arc<Config>,
    state: State,
    reader: LineReader,
    /// The event that waits for its answer, with what it will take to carry it out.
    owed: Owed,
    /// What comes next without the client's doing.
    pending: Option<Pending>,
    tls: Option<TlsInfo>,
    /// What APOP's digest is made of, where APOP is offered.
    timestamp: Option<String>,
    /// The client has said UTF8 (RFC 6856 §2.1).
    utf8: bool,
    errors: u32,
    rejected_logins: usize,
    /// Rises with every line and every answer: the clocks begin anew.
    activity: u64,
    mid_line: bool,
    /// A whole line has come, since the connection or TLS began.
    has_spoken: bool,
}

/// Which answer is owed.
#[derive(Debug, Default)]
enum Owed {
    #[default]
    Nothing,
    Greeting,
    Capa,
    Utf8,
    StartTls,
    Challenge(String),
    User(Option<UserName>),
    Password(UserName),
    Exchange,
    Authenticated,
    Failed,
    Stat,
    One(ListingKind, Entry),
    /// A listing before its first line.
    All(ListingKind),
    /// A listing behind it.
    Rest(Listing),
    Dele(Entry),
    Noop,
    Rset,
    /// A message before its first line, and how many lines TOP wants of it.
    Message(Entry, Option<u64>),
    /// A message behind it.
    Transfer(Box<Transfer>),
    Quit(Option<DropListing>),
    Rejected,
    /// A rejection that ends the session, whatever it is answered with.
    LastWord,
}

/// An event that waits for its turn.
#[derive(Debug)]
enum Pending {
    Challenge(String),
    Ask(CredentialQuery),
    Authenticated(Authenticated),
    Failed(Failure),
    Rest(Listing),
}

impl ServerSession {
    /// A session in which nothing has been said. The first event is [`Event::Connected`].
    pub fn new(config: Arc<Config>) -> Self {
        Self {
            timestamp: config.apop_timestamp(),
            config,
            state: State::Greeting,
            reader: LineReader::new(),
            owed: Owed::Nothing,
            pending: None,
            tls: None,
            utf8: false,
            errors: 0,
            rejected_logins: 0,
            activity: 0,
            mid_line: false,
            has_spoken: false,
        }
    }

    /// Takes octets off the front of `input` and gives what they mean. `None` means: more octets, please.
    ///
    /// # Errors
    /// [`UsageError::AnswerOwed`] if the last event has not been answered.
    pub fn next_event(&mut self, input: &mut BytesMut) -> Result<Option<Event>, Error> {
        if !matches!(self.owed, Owed::Nothing) {
            return Err(UsageError::AnswerOwed.into());
        }
        if let Some(pending) = self.pending.take() {
            return Ok(Some(self.raise(pending)));
        }
        match self.state.kind() {
            SessionState::Greeting => {
                self.owed = Owed::Greeting;
                return Ok(Some(Event::Connected));
            }
            SessionState::Authorization | SessionState::Transaction => {}
            // Octets behind STLS belong to the handshake and are not looked at (attack row T1).
            SessionState::Handshake | SessionState::Update | SessionState::Closed => return Ok(None),
        }
        if !self.has_spoken && !self.reader.is_discarding() && is_foreign(input) {
            // It stays where it is: none of it is a command, and none of it is said back (attack row T9).
            self.owed = Owed::LastWord;
            return Ok(Some(Event::Rejected(Rejection::OtherProtocol)));
        }
        let limits = self.config.limits();
        let limit = if self.state.exchange().is_some() { limits.auth_line } else { limits.command_line };
        let Some(line) = self.reader.next_line(input, limit) else {
            self.mid_line = self.reader.is_mid_line(input);
            return Ok(None);
        };
        self.mid_line = false;
        self.has_spoken = true;
        self.activity = self.activity.wrapping_add(1);
        Ok(Some(match line {
            Ok(mut line) => {
                let event = self.line(&line);
                // Passwords pass through here, and the buffer lives on.
                line.fill(0);
                std::hint::black_box(&line);
                event
            }
            Err(fault) => self.faulty_line(fault),
        }))
    }

    /// Encodes the answer to the last event, then moves the state.
    ///
    /// # Errors
    /// [`UsageError`] if nothing is owed, or if the answer does not fit the event. Nothing has been written then and the
    /// answer is still owed.
    pub fn answer(&mut self, answer: impl Into<Answer>, out: &mut BytesMut) -> Result<(), UsageError> {
        let mut owed = match std::mem::take(&mut self.owed) {
            Owed::Nothing => match self.state.kind() {
                SessionState::Closed => return Err(UsageError::Closed),
                SessionState::Greeting => Owed::Greeting,
                _ => return Err(UsageError::NoAnswerOwed),
            },
            owed => owed,
        };
        match self.reply(&mut owed, answer.into(), out) {
            Ok(next) => {
                self.owed = next;
                self.activity = self.activity.wrapping_add(1);
                Ok(())
            }
            Err(error) => {
                self.owed = owed;
                Err(error)
            }
        }
    }

    /// Whether the message that is being given wants more octets. RETR wants all, TOP no more than its lines.
    pub fn wants_octets(&self) -> bool {
        matches!(&self.owed, Owed::Transfer(transfer) if transfer.wants_octets())
    }

    /// Whether the client has said UTF8 (RFC 6856 §2.1).
    pub fn is_utf8(&self) -> bool {
        self.utf8
    }

    /// Whether RETR and TOP of a message with octets above 127 in its header ([`RawHeader`]) are to be refused with
    /// [`ResponseCode::Utf8`]: the client has not said UTF8, and [`Utf8Support::Refuse`] is what was chosen.
    pub fn must_refuse_raw_header(&self) -> bool {
        !self.utf8 && self.config.utf8() == Utf8Support::Refuse
    }

    /// The peer has sent its last octet. The session is closed, and no message is removed (attack row P7).
    ///
    /// # Errors
    /// [`PeerError`] if that was in the middle of something.
    pub fn end_of_input(&mut self) -> Result<(), Error> {
        let error = if !matches!(self.owed, Owed::Nothing) || self.pending.is_some() {
            Some(PeerError::BeforeAnswer)
        } else if self.state.exchange().is_some() {
            Some(PeerError::InAuth)
        } else {
            self.mid_line.then_some(PeerError::InCommand)
        };
        self.close();
        error.map_or(Ok(()), |error| Err(error.into()))
    }

    /// The timers that run: idle always, line inside a line, login before a login (attack row C1).
    pub fn timers(&self) -> Timers {
        let timeouts = self.config.timeouts();
        let mut timers = match self.state.kind() {
            SessionState::Closed => return Timers::none(),
            _ => Timers::none().with(RunningTimer::new(Timer::Idle, timeouts.idle, self.activity)),
        };
        if self.mid_line {
            timers = timers.with(RunningTimer::new(Timer::Line, timeouts.line, self.activity));
        }
        match self.state.kind() {
            SessionState::Greeting | SessionState::Authorization | SessionState::Handshake => {
                timers.with(RunningTimer::new(Timer::Login, timeouts.login, 0))
            }
            _ => timers,
        }
    }

    /// A timer has run out: the session is closed in silence, and no message is removed. "The server should close the TCP
    /// connection without removing any messages or sending any response to the client" (RFC 1939 §3).
    pub fn handle_timeout(&mut self, _timer: Timer, _out: &mut BytesMut) {
        self.close();
    }

    /// The server is going down: says so and closes, without removing a message. Answers false while an answer is owed or
    /// under way, and wants to be asked again after it.
    pub fn shut_down(&mut self, out: &mut BytesMut) -> bool {
        match self.state.kind() {
            SessionState::Closed => return true,
            // Clear text has no place between STLS and the handshake.
            SessionState::Handshake => {}
            _ if !matches!(self.owed, Owed::Nothing) || self.pending.is_some() => return false,
            _ => {
                let refusal = Refusal::new(ResponseText::literal("shutting down")).with_code(ResponseCode::SysTemp);
                refusal.response().encode(out);
            }
        }
        self.close();
        true
    }

    /// The handshake is done, after STLS or before all else. Clear text that is left in `input` is dropped, and the
    /// session begins again: nothing that was learned before counts (RFC 2595 §4, attack rows T1 and T3). There is no
    /// second greeting.
    pub fn tls_started(&mut self, tls: TlsInfo, input: &mut BytesMut) {
        input.clear();
        self.reader = LineReader::new();
        self.mid_line = false;
        self.has_spoken = false;
        self.owed = Owed::Nothing;
        self.pending = None;
        self.tls = Some(tls);
        self.utf8 = false;
        self.activity = self.activity.wrapping_add(1);
        self.state.encrypted();
    }

    /// Where the session is.
    pub fn state(&self) -> SessionState {
        self.state.kind()
    }

    /// What the handshake came to, inside TLS.
    pub fn tls(&self) -> Option<&TlsInfo> {
        self.tls.as_ref()
    }

    /// What the sessions of this server have in common.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// Whether the session is over: what has been written is to be sent, and the connection closed.
    pub fn is_closed(&self) -> bool {
        self.state.kind() == SessionState::Closed
    }

    fn close(&mut self) {
        self.state.close();
        self.owed = Owed::Nothing;
        self.pending = None;
        self.mid_line = false;
    }

    fn raise(&mut self, pending: Pending) -> Event {
        match pending {
            Pending::Challenge(challenge) => {
                self.owed = Owed::Challenge(challenge);
                Event::Continue
            }
            Pending::Ask(query) => {
                // USER and PASS have set what they owe themselves.
                if self.state.exchange().is_some() {
                    self.owed = Owed::Exchange;
                }
                Event::Credentials(query)
            }
            Pending::Authenticated(who) => {
                self.owed = Owed::Authenticated;
                Event::Authenticated(who)
            }
            Pending::Failed(failure) => {
                match failure {
                    Failure::Rejected => self.rejected_logins = self.rejected_logins.saturating_add(1),
                    // Who changes their mind, or comes when the host cannot say, has done nothing wrong.
                    Failure::Aborted | Failure::Unavailable => {}
                    _ => self.errors = self.errors.saturating_add(1),
                }
                self.owed = Owed::Failed;
                let closes = self.is_at_a_limit();
                Event::AuthenticationFailed(LoginFailure { failure, rejected: self.rejected_logins, closes })
            }
            Pending::Rest(listing) => {
                self.owed = Owed::Rest(listing);
                Event::Continue
            }
        }
    }
}

impl Machine for ServerSession {
    type Event = Event;
    type Answer = Answer;
    type Error = Error;

    fn next_event(&mut self, input: &mut BytesMut) -> Result<Option<Event>, Error> {
        self.next_event(input)
    }

    fn answer(&mut self, answer: Answer, out: &mut BytesMut) -> Result<(), Error> {
        Ok(self.answer(answer, out)?)
    }

    fn end_of_input(&mut self) -> Result<(), Error> {
        self.end_of_input()
    }

    fn timers(&self) -> Timers {
        self.timers()
    }

    fn handle_timeout(&mut self, timer: Timer, out: &mut BytesMut) {
        self.handle_timeout(timer, out);
    }

    fn shut_down(&mut self, out: &mut BytesMut) -> bool {
        self.shut_down(out)
    }

    fn tls_started(&mut self, tls: TlsInfo, input: &mut BytesMut) {
        self.tls_started(tls, input);
    }

    fn is_closed(&self) -> bool {
        self.is_closed()
    }
}
