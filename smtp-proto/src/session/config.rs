//! What a session is told before it begins.

use std::sync::Arc;
use std::time::Duration;

use mail_wire::dot::LineEndPolicy;
use mail_wire::sasl::{Mechanism, SaslConfig};

use crate::command::{Dialect, Verb};
use crate::grammar::{Domain, Host, ReplyText};
use crate::limits::Limits;

/// Which of the three it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum Protocol {
    /// SMTP between servers, port 25 (RFC 5321).
    #[default]
    Smtp,
    /// LMTP, from a host's own queue to its mailboxes (RFC 2033): LHLO, and a reply for each recipient.
    Lmtp,
    /// Submission by a user's mail program, ports 587 and 465 (RFC 6409, RFC 8314): nobody sends without a login.
    Submission,
}

impl Protocol {
    /// Whether a session of this kind is opened by that verb.
    pub(crate) fn is_opened_by(self, verb: Verb) -> bool {
        match self {
            Self::Lmtp => verb == Verb::Lhlo,
            Self::Smtp | Self::Submission => matches!(verb, Verb::Ehlo | Verb::Helo),
        }
    }

    /// What a greeting calls it.
    pub(crate) fn greeting(self) -> &'static str {
        match self {
            Self::Lmtp => "LMTP",
            Self::Smtp | Self::Submission => "ESMTP",
        }
    }
}

/// What a session is told before it begins. One for all sessions of a listener.
///
/// ```
/// # use smtp_proto::session::{Config, Protocol};
/// let mut config = Config::new("mail.example.org".parse()?, Protocol::Smtp);
/// config.starttls = true;
/// config.limits.message_size = 50 * 1024 * 1024;
/// # Ok::<(), smtp_proto::ParseError>(())
/// ```
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Config {
    /// Which of the three it is.
    pub protocol: Protocol,
    /// What the server calls itself, in its greeting and wherever RFC 5321 §4.2 has a reply begin with its name.
    pub host_name: Host,
    /// Whether STARTTLS is offered (RFC 3207). Whoever drives the session then has to be able to carry it out.
    pub starttls: bool,
    /// Whether a login needs TLS: true. AUTH is then neither offered nor taken in clear (RFC 4954 §4; attack row T7).
    pub auth_needs_tls: bool,
    /// Whether mail is taken only after a login: true for [`Protocol::Submission`] (RFC 6409 §4.3).
    pub mail_needs_auth: bool,
    /// The mechanisms that a login can use, in the order to offer them. AUTH is offered if there are any.
    pub mechanisms: Vec<Mechanism>,
    /// What the exchanges need; made from the system's randomness.
    pub sasl: Arc<SaslConfig>,
    /// Extensions, leniencies, parameters of the host's own.
    pub dialect: Dialect,
    /// More lines of the reply to EHLO, for extensions that the host carries out by its own parameters.
    pub ehlo_lines: Vec<ReplyText>,
    /// What to do with a CR or LF that stands alone in a message (attack row S3).
    pub line_ends: LineEndPolicy,
    /// The ceilings.
    pub limits: Limits,
    /// The clocks.
    pub timeouts: Timeouts,
}

impl Config {
    /// The defaults of that protocol, without TLS and without logins.
    pub fn new(host_name: Domain, protocol: Protocol) -> Self {
        Self {
            protocol,
            host_name: host_name.into(),
            starttls: false,
            auth_needs_tls: true,
            mail_needs_auth: protocol == Protocol::Submission,
            mechanisms: Vec::new(),
            sasl: Arc::new(SaslConfig::from_os_random()),
            dialect: Dialect::default(),
            ehlo_lines: Vec::new(),
            line_ends: LineEndPolicy::default(),
            limits: Limits::default(),
            timeouts: Timeouts::default(),
        }
    }

    /// RFC 6531 §3.1: SMTPUTF8 is not offered without 8BITMIME. RFC 3030 §3: nor is BINARYMIME, whose value the parameter
    /// BODY has from it, nor without CHUNKING. RFC 4865: FUTURERELEASE is for submission. RFC 4954 §5: `AUTH=` comes with
    /// AUTH.
    pub(crate) fn consistent(mut self: Arc<Self>) -> Arc<Self> {
        let mut extensions = self.dialect.extensions;
        extensions.smtp_utf8 &= extensions.eight_bit_mime;
        extensions.binary_mime &= extensions.eight_bit_mime && extensions.chunking;
        extensions.auth = !self.mechanisms.is_empty();
        if self.protocol != Protocol::Submission {
            extensions.future_release = None;
        }
        if extensions != self.dialect.extensions {
            Arc::make_mut(&mut self).dialect.extensions = extensions;
        }
        self
    }
}

/// How long a session waits for its peer. It has no clock itself: it says which timers run, and is told when one ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Timeouts {
    /// For the next command, or the next octets of a message: 5 minutes (RFC 5321 §4.5.3.2.7).
    pub idle: Duration,
    /// From a line's first octet to its last: 1 minute (attack row C1).
    pub line: Duration,
    /// From the connection to the login, where mail is only taken after one: 10 minutes (attack row C1).
    pub login: Duration,
    /// For each [`BODY_BLOCK`](Self::BODY_BLOCK) octets of a message: 10 minutes (attack row C2).
    pub body: Duration,
}

impl Timeouts {
    /// How much of a message has to come in the time of [`body`](Self::body): 64 KiB.
    pub const BODY_BLOCK: u64 = 64 * 1024;
}

impl Default for Timeouts {
    fn default() -> Self {
        let minutes = |minutes: u64| Duration::from_secs(60 * minutes);
        Self { idle: minutes(5), line: minutes(1), login: minutes(10), body: minutes(10) }
    }
}
