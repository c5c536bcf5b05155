//! Every ceiling on octets and counts, and every time.

use std::time::Duration;

/// What a session takes at the most.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// Octets of a command before the login, literals included: 8 KiB (attack rows M1, M5).
    pub command_before_login: usize,
    /// Octets of a command after the login, literals included, the message of APPEND not: 128 KiB. Clients send sets of
    /// UIDs of tens of KiB (attack rows M1, M5).
    pub command: usize,
    /// Octets of a line after the login, from one literal to the next: 64 KiB (attack row M1).
    pub line: usize,
    /// Octets of a line inside AUTHENTICATE, and of one with an initial response, CRLF included: 12,288 and the words
    /// before it (RFC 4959 has no figure, RFC 4954 §4 has this one; attack row M16).
    pub auth_line: usize,
    /// Literals in a command: 100 (attack row M5).
    pub literals: usize,
    /// Octets of a message that APPEND brings: 50 MiB (attack rows M4, M5).
    pub append: u64,
    /// Octets of a refused `{n+}` literal that are read and thrown away; above it the connection closes: 64 MiB (attack
    /// row M6).
    pub discard: u64,
    /// Ranges in a set of messages: 10,000 (attack row M8).
    pub sequence_set_items: usize,
    /// Depth of SEARCH keys: 50 (attack row M7).
    pub search_depth: usize,
    /// SEARCH keys in a command: 1,000 (attack row M7).
    pub search_keys: usize,
    /// Items in any other list of a command: 1,000 (attack row M7).
    pub list_items: usize,
    /// Octets of a pattern of LIST: 1,000, as long as a name can be (attack row M9).
    pub pattern: usize,
    /// Syntax and sequence errors after which the connection is closed: 20. Clients probe more than those of other
    /// protocols do (attack row C5).
    pub errors: u32,
    /// The same before the login: 10 (attack row C5).
    pub errors_before_login: u32,
    /// Failed logins after which the connection is closed: 10 (attack row A11).
    pub failed_logins: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            command_before_login: 8 * 1024,
            command: 128 * 1024,
            line: 64 * 1024,
            auth_line: 12_288 + 64,
            literals: 100,
            append: 50 * 1024 * 1024,
            discard: 64 * 1024 * 1024,
            sequence_set_items: 10_000,
            search_depth: 50,
            search_keys: 1000,
            list_items: 1000,
            pattern: 1000,
            errors: 20,
            errors_before_login: 10,
            failed_logins: 10,
        }
    }
}

/// How long a session waits. The session owns no clock: whoever drives it asks for its timers.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Timeouts {
    /// How long a client may be silent after the login: 30 minutes, the least that RFC 9051 §5.4 allows.
    pub idle: Duration,
    /// How long a client may be silent before the login: 1 minute.
    pub idle_before_login: Duration,
    /// How long one line may take from its first octet to its CRLF: 1 minute (attack row C1).
    pub line: Duration,
    /// How long a connection may last without a login: 3 minutes (attack row C1).
    pub login: Duration,
    /// How long a message of APPEND may make no progress: 2 minutes (attack row C2).
    pub body: Duration,
    /// How often IDLE says that the server is there: every 2 minutes, or never. Boxes on the way forget connections on
    /// which nothing is said.
    pub still_here: Option<Duration>,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            idle: Duration::from_secs(30 * 60),
            idle_before_login: Duration::from_secs(60),
            line: Duration::from_secs(60),
            login: Duration::from_secs(180),
            body: Duration::from_secs(120),
            still_here: Some(Duration::from_secs(120)),
        }
    }
}
