//! The shape that every server's session has, so that one driver serves all three protocols.
//!
//! A machine has no socket, no clock and no storage. Octets go in and events come out; answers go in and octets come
//! out. It names the timers that run; whoever drives it owns the clock.

use std::fmt;
use std::time::Duration;

use bytes::BytesMut;
use mailstore_traits::ClientCertificate;

/// A clock that a session wants to have run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Timer {
    /// Nothing has come since the last answer.
    Idle,
    /// A line has begun and has not ended (attack row C1).
    Line,
    /// Nobody has logged in since the connection began.
    Login,
    /// A message body is coming, too slowly.
    Body,
}

impl Timer {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Idle, Self::Line, Self::Login, Self::Body];

    const fn index(self) -> usize {
        match self {
            Self::Idle => 0,
            Self::Line => 1,
            Self::Login => 2,
            Self::Body => 3,
        }
    }
}

/// A timer that runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct RunningTimer {
    /// Which.
    pub timer: Timer,
    /// How long it runs.
    pub after: Duration,
    /// A count of the machine's own: the timer begins anew whenever this differs from what it was.
    pub since: u64,
}

impl RunningTimer {
    /// A timer that has run since the machine's count stood there.
    pub const fn new(timer: Timer, after: Duration, since: u64) -> Self {
        Self { timer, after, since }
    }
}

/// The timers that run, at most one of each kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Timers([Option<RunningTimer>; Timer::ALL.len()]);

impl Timers {
    /// None runs.
    pub const fn none() -> Self {
        Self([None; Timer::ALL.len()])
    }

    /// This one runs too, in place of one of its kind.
    #[must_use]
    pub fn with(mut self, running: RunningTimer) -> Self {
        if let Some(slot) = self.0.get_mut(running.timer.index()) {
            *slot = Some(running);
        }
        self
    }

    /// Those that run.
    pub fn iter(&self) -> impl Iterator<Item = RunningTimer> + '_ {
        self.0.iter().flatten().copied()
    }

    /// The one of that kind, if it runs.
    pub fn get(&self, timer: Timer) -> Option<RunningTimer> {
        self.0.get(timer.index()).copied().flatten()
    }
}

/// What a handshake came to.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct TlsInfo {
    /// The version as RFC 8314 §4.3 writes it in a Received field: `TLSv1.3`.
    pub version: String,
    /// The cipher suite's IANA name: `TLS_AES_128_GCM_SHA256`.
    pub cipher: String,
    /// The name that the client asked for (SNI).
    pub server_name: Option<String>,
    /// What binds a login to this handshake, where it was one of TLS 1.3 (RFC 9266).
    pub exporter: Option<TlsExporter>,
    /// What the client showed, where it was asked to and the handshake has verified it.
    pub client_certificate: Option<ClientCertificate>,
}

/// 32 octets that both ends of a TLS 1.3 connection have and nobody else: the exporter's value for the label
/// `EXPORTER-Channel-Binding` and an empty context (RFC 9266 §2; RFC 8446 §7.5).
///
/// Only of TLS 1.3: below it, two connections can be made to have the same one (RFC 9266 §4).
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct TlsExporter([u8; 32]);

impl TlsExporter {
    /// The label to export by (RFC 9266 §2).
    pub const LABEL: &'static [u8] = b"EXPORTER-Channel-Binding";

    /// Takes what was exported.
    pub const fn new(octets: [u8; 32]) -> Self {
        Self(octets)
    }

    /// The octets.
    pub const fn octets(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Debug for TlsExporter {
    /// No secret (RFC 5056 §2), and in nobody's log all the same.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TlsExporter")
    }
}

impl TlsInfo {
    /// That version and that cipher suite.
    pub fn new(version: impl Into<String>, cipher: impl Into<String>) -> Self {
        Self {
            version: version.into(),
            cipher: cipher.into(),
            server_name: None,
            exporter: None,
            client_certificate: None,
        }
    }

    /// With the name that the client asked for.
    #[must_use]
    pub fn with_server_name(mut self, name: Option<String>) -> Self {
        self.server_name = name;
        self
    }

    /// With what binds a login to it.
    #[must_use]
    pub fn with_exporter(mut self, exporter: Option<TlsExporter>) -> Self {
        self.exporter = exporter;
        self
    }

    /// With what the client showed.
    #[must_use]
    pub fn with_client_certificate(mut self, certificate: Option<ClientCertificate>) -> Self {
        self.client_certificate = certificate;
        self
    }
}

/// A session seen by what drives it. The answers are each protocol's own and are not here.
pub trait Machine {
    /// What has come.
    type Event;
    /// What the host says to it.
    type Answer;
    /// A fault after which octets can no longer be trusted, or a mistake of the caller's.
    type Error: std::error::Error + Send + Sync + 'static;

    /// Takes octets off the front of `input` and gives what they mean. `None` means: more octets, please.
    ///
    /// # Errors
    /// The session is over, or the caller owes an answer.
    fn next_event(&mut self, input: &mut BytesMut) -> Result<Option<Self::Event>, Self::Error>;

    /// Encodes the answer to the last event, then moves the state.
    ///
    /// # Errors
    /// A mistake of the caller's: nothing is owed, or the answer does not fit the event. Nothing has been written then.
    fn answer(&mut self, answer: Self::Answer, out: &mut BytesMut) -> Result<(), Self::Error>;

    /// The peer has sent its last octet.
    ///
    /// # Errors
    /// It did so in the middle of something.
    fn end_of_input(&mut self) -> Result<(), Self::Error>;

    /// The timers that run.
    fn timers(&self) -> Timers;

    /// One has run out: says the parting words and closes.
    fn handle_timeout(&mut self, timer: Timer, out: &mut BytesMut);

    /// The server is going down. Says the parting words, closes, and answers true; answers false in the middle of a
    /// message or an answer, and wants to be asked again after the next event.
    fn shut_down(&mut self, out: &mut BytesMut) -> bool;

    /// The handshake is done. Drops what clear text is left in `input`, and begins again as the RFC says.
    fn tls_started(&mut self, tls: TlsInfo, input: &mut BytesMut);

    /// Whether the session is over: what has been written is to be sent, and the connection closed.
    fn is_closed(&self) -> bool;
}
