//! The conversation, without socket, clock or storage: octets in, events out; answers in, octets out.
//!
//! One event asks, one answer replies; untagged responses go into the output before it. The session knows which command
//! is legal when, what has been enabled, and when octets are a message's. It knows no mailbox: what a client believes of
//! its mailbox is the view's to keep.
//!
//! ```text
//!             greeted                   logged in                  SELECT
//!  Greeting ----------> NotAuthenticated --------> Authenticated <========> Selected
//!                        |         ^                    |      CLOSE, NO     |
//!               STARTTLS |         | handshake done     |                    |
//!                        v         |                    v                    v
//!                        Handshake            LOGOUT, BYE, timeout: Closed, from every state
//! ```

mod answer;
mod auth;
mod commands;
mod config;
mod event;
mod reply;

use std::sync::Arc;

use bytes::BytesMut;
use mail_wire::foreign::is_foreign;
use mail_wire::machine::{Machine, RunningTimer, Timer, Timers, TlsInfo};
use mail_wire::sasl::{Dialogue, Failure};
use mail_wire::{CredentialQuery, UserName};

pub use answer::Answer;
#[cfg(feature = "server")]
pub(crate) use commands::has_modseq;
pub use config::Config;
pub use event::{Authenticated, Event, LoginFailure};

use crate::error::{Error, PeerError, Rejection, UsageError};
use crate::frame::FrameReader;
use crate::grammar::{Dialect, Tag};
use crate::response::{Status, StatusKind};

/// Where a session is (RFC 9051 §3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum SessionState {
    /// Nothing has been said.
    Greeting,
    /// Nobody has logged in.
    NotAuthenticated,
    /// STARTTLS was answered with yes, and the handshake is not done.
    Handshake,
    /// Somebody has logged in.
    Authenticated,
    /// A mailbox is selected.
    Selected,
    /// It is over.
    Closed,
}

/// What a client has enabled: by ENABLE (RFC 9051 §6.3.1), or CONDSTORE by a command that wants it (RFC 7162 §3.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub struct Enabled {
    /// IMAP4rev2: no `\Recent`, ESEARCH in place of SEARCH, names in UTF-8 (RFC 9051 Appendix E).
    pub rev2: bool,
    /// CONDSTORE: MODSEQ in every FETCH (RFC 7162 §3.1).
    pub condstore: bool,
}

/// One client's session, the server's side.
#[derive(Debug)]
pub struct ServerSession {
    config: Arc<Config>,
    state: SessionState,
    reader: FrameReader,
    input: Input,
    /// The event that waits for its answer, with what it will take to carry it out.
    owed: Owed,
    /// What comes next without the client's doing.
    pending: Option<Pending>,
    tls: Option<TlsInfo>,
    enabled: Enabled,
    errors: u32,
    rejected_logins: usize,
    /// Rises with every command and every answer: the clocks begin anew.
    activity: u64,
    /// Octets of messages that have come: rises with each block of them.
    progress: u64,
    mid_line: bool,
    /// A whole line has come, since the connection or TLS began.
    has_spoken: bool,
}

/// What the next octets are.
#[derive(Debug)]
enum Input {
    Commands,
    /// Responses of an AUTHENTICATE. Dropping it forgets all of it (attack row M17).
    Exchange(Tag, Box<Dialogue>),
    /// IDLE: the next line is DONE.
    Idle(Tag),
    /// The message of APPEND, and how many octets of it are to come.
    Message(Tag, u64),
    /// What stands behind it, up to the line's end.
    Tail(Tag),
    /// A message that was refused, and then the rest of its line.
    Discard(u64),
    DiscardTail,
}

/// Which answer is owed.
#[derive(Debug, Default)]
enum Owed {
    #[default]
    Nothing,
    Greeting,
    /// The continuation of a literal.
    Prompt,
    Challenge(String),
    Capability(Tag),
    Id(Tag),
    Enable(Tag, Enabled, Vec<&'static str>),
    StartTls(Tag),
    Password(Tag, UserName),
    Exchange,
    Authenticated(Tag),
    Failed(Tag),
    /// A command: its tag, its name, and what its OK does to the state.
    Command(Tag, &'static str, Then),
    /// The head of APPEND.
    Append(Tag, crate::frame::LiteralHead),
    Logout(Tag),
    Rejected(Option<Tag>, Rejection),
}

/// What comes after a command's OK.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Then {
    Nothing,
    /// SELECT: a mailbox is selected; with anything else none is.
    Select,
    /// CLOSE, UNSELECT: none is selected.
    Unselect,
    /// IDLE: a continuation, and DONE.
    Idle,
}

/// An event that waits for its turn.
#[derive(Debug)]
enum Pending {
    Challenge(String),
    Ask(CredentialQuery),
    Authenticated(Tag, Authenticated),
    Failed(Tag, Failure),
    /// A line that is a command and not what was waited for.
    Line(BytesMut),
}

/// The body's clock begins anew with so many octets (attack row C2).
const PROGRESS: u64 = 16 * 1024;

impl ServerSession {
    /// A session in which nothing has been said. The first event is [`Event::Connected`].
    pub fn new(config: Arc<Config>) -> Self {
        Self {
            config,
            state: SessionState::Greeting,
            reader: FrameReader::new(),
            input: Input::Commands,
            owed: Owed::Nothing,
            pending: None,
            tls: None,
            enabled: Enabled::default(),
            errors: 0,
            rejected_logins: 0,
            activity: 0,
            progress: 0,
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
        if let Some(pending) = self.pending.take()
            && let Some(event) = self.raise(pending)
        {
            return Ok(Some(event));
        }
        match self.state {
            SessionState::Greeting => {
                self.owed = Owed::Greeting;
                return Ok(Some(Event::Connected));
            }
            SessionState::NotAuthenticated | SessionState::Authenticated | SessionState::Selected => {}
            // Octets behind STARTTLS belong to the handshake and are not looked at (attack row T1).
            SessionState::Handshake | SessionState::Closed => return Ok(None),
        }
        if !self.has_spoken && self.reader.is_at_start() && is_foreign(input) {
            // It stays where it is: none of it is a command, and none of it is said back (attack row T9).
            return Ok(Some(self.reject(None, Rejection::OtherProtocol)));
        }
        Ok(self.read(input))
    }

    /// Encodes the answer to the last event, then moves the state.
    ///
    /// # Errors
    /// [`UsageError`] if nothing is owed, or if the answer does not fit the event. Nothing has been written then and the
    /// answer is still owed.
    pub fn answer(&mut self, answer: impl Into<Answer>, out: &mut BytesMut) -> Result<(), UsageError> {
        let owed = match std::mem::take(&mut self.owed) {
            Owed::Nothing => match self.state {
                SessionState::Closed => return Err(UsageError::Closed),
                SessionState::Greeting => Owed::Greeting,
                _ => return Err(UsageError::NoAnswerOwed),
            },
            owed => owed,
        };
        match self.reply(owed, answer.into(), out) {
            Ok(()) => {
                self.activity = self.activity.wrapping_add(1);
                Ok(())
            }
            Err(owed) => {
                self.owed = *owed;
                Err(UsageError::WrongAnswer)
            }
        }
    }

    /// The peer has sent its last octet. The session is closed.
    ///
    /// # Errors
    /// [`PeerError`] if that was in the middle of something.
    pub fn end_of_input(&mut self) -> Result<(), Error> {
        let error = match &self.input {
            _ if !matches!(self.owed, Owed::Nothing) || self.pending.is_some() => Some(PeerError::BeforeAnswer),
            Input::Exchange(..) => Some(PeerError::InAuth),
            Input::Message(..) | Input::Tail(_) => Some(PeerError::InAppend),
            Input::Discard(_) | Input::DiscardTail => Some(PeerError::InCommand),
            // Who goes while idling has said nothing by halves.
            Input::Commands | Input::Idle(_) => self.mid_line.then_some(PeerError::InCommand),
        };
        self.close();
        error.map_or(Ok(()), |error| Err(error.into()))
    }

    /// The timers that run: idle or body always, line inside a line, login before a login (attack rows C1, C2).
    pub fn timers(&self) -> Timers {
        let timeouts = self.config.timeouts();
        let logged_in = match self.state {
            SessionState::Closed => return Timers::none(),
            SessionState::Authenticated | SessionState::Selected => true,
            SessionState::Greeting | SessionState::NotAuthenticated | SessionState::Handshake => false,
        };
        let mut timers = Timers::none();
        if matches!(self.input, Input::Message(..) | Input::Tail(_) | Input::Discard(_) | Input::DiscardTail) {
            timers = timers.with(RunningTimer::new(Timer::Body, timeouts.body, self.progress / PROGRESS));
        } else {
            let idle = if logged_in { timeouts.idle } else { timeouts.idle_before_login };
            timers = timers.with(RunningTimer::new(Timer::Idle, idle, self.activity));
            if self.mid_line {
                timers = timers.with(RunningTimer::new(Timer::Line, timeouts.line, self.activity));
            }
        }
        if logged_in { timers } else { timers.with(RunningTimer::new(Timer::Login, timeouts.login, 0)) }
    }

    /// A timer has run out: says so, and closes (RFC 9051 §5.4, §7.1.5).
    pub fn handle_timeout(&mut self, timer: Timer, out: &mut BytesMut) {
        if self.state != SessionState::Handshake && !self.is_closed() {
            let text: &[u8] = match timer {
                Timer::Login => b"* BYE Too long without a login\r\n",
                Timer::Line | Timer::Body => b"* BYE Too slow\r\n",
                _ => b"* BYE Idle for too long\r\n",
            };
            out.extend_from_slice(text);
        }
        self.close();
    }

    /// The server is going down: says so and closes. Answers false while an answer is owed or a message is coming, and
    /// wants to be asked again after it.
    pub fn shut_down(&mut self, out: &mut BytesMut) -> bool {
        match self.state {
            SessionState::Closed => return true,
            // Clear text has no place between STARTTLS and the handshake.
            SessionState::Handshake => {}
            _ if !matches!(self.owed, Owed::Nothing) || self.pending.is_some() => return false,
            _ if matches!(self.input, Input::Message(..) | Input::Tail(_)) => return false,
            _ => out.extend_from_slice(b"* BYE Shutting down\r\n"),
        }
        self.close();
        true
    }

    /// The handshake is done, after STARTTLS or before all else. Clear text that is left in `input` is dropped, and the
    /// session begins again: nothing that was learned before counts (RFC 9051 §6.2.1, attack rows T1 and T3). There is no
    /// second greeting.
    pub fn tls_started(&mut self, tls: TlsInfo, input: &mut BytesMut) {
        input.clear();
        self.reader = FrameReader::new();
        self.input = Input::Commands;
        self.mid_line = false;
        self.has_spoken = false;
        self.owed = Owed::Nothing;
        self.pending = None;
        self.tls = Some(tls);
        self.enabled = Enabled::default();
        self.activity = self.activity.wrapping_add(1);
        if self.state == SessionState::Handshake {
            self.state = SessionState::NotAuthenticated;
        }
    }

    /// Where the session is.
    pub fn state(&self) -> SessionState {
        self.state
    }

    /// What the client has enabled.
    pub fn enabled(&self) -> Enabled {
        self.enabled
    }

    /// How names and strings are written to this client and read from it.
    pub fn dialect(&self) -> Dialect {
        Dialect { utf8: self.enabled.rev2 }
    }

    /// The tag of the command that waits for its answer: what ESEARCH repeats (RFC 4731 §3.1).
    pub fn tag(&self) -> Option<&Tag> {
        match &self.owed {
            Owed::Command(tag, ..) | Owed::Capability(tag) | Owed::Id(tag) | Owed::Enable(tag, ..) => Some(tag),
            Owed::Append(tag, _) | Owed::Logout(tag) | Owed::Authenticated(tag) | Owed::Failed(tag) => Some(tag),
            Owed::StartTls(tag) | Owed::Password(tag, _) => Some(tag),
            Owed::Rejected(tag, _) => tag.as_ref(),
            Owed::Nothing | Owed::Greeting | Owed::Prompt | Owed::Challenge(_) | Owed::Exchange => None,
        }
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
        self.state == SessionState::Closed
    }

    /// Says BYE in the host's words and ends the session, whether an answer is owed or not: what happens to a client that
    /// has asked for nothing, as in IDLE. The status is sent as BYE whatever its kind.
    pub fn bye(&mut self, status: &Status, out: &mut BytesMut) {
        if !self.is_closed() {
            Status { kind: StatusKind::Bye, ..status.clone() }.encode(None, out);
            self.close();
        }
    }

    /// The mailbox that was selected is gone: no command that wants one is legal until the next SELECT.
    pub fn unselect(&mut self) {
        if self.state == SessionState::Selected {
            self.state = SessionState::Authenticated;
        }
    }

    fn close(&mut self) {
        self.state = SessionState::Closed;
        self.input = Input::Commands;
        self.reader.abandon();
        self.owed = Owed::Nothing;
        self.pending = None;
        self.mid_line = false;
    }

    /// Whether there have been so many mistakes, or so many rejected logins, that the next refusal closes (attack rows A11
    /// and C5).
    fn is_at_a_limit(&self) -> bool {
        let limits = self.config.limits();
        let errors = match self.state {
            SessionState::Authenticated | SessionState::Selected => limits.errors,
            _ => limits.errors_before_login,
        };
        self.errors >= errors || self.rejected_logins >= limits.failed_logins
    }

    fn reject(&mut self, tag: Option<Tag>, rejection: Rejection) -> Event {
        if rejection.counts() {
            self.errors = self.errors.saturating_add(1);
        }
        self.owed = Owed::Rejected(tag, rejection);
        Event::Rejected(rejection)
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
