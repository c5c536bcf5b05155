//! Every ceiling on octets and counts, and every time.

use std::time::Duration;

/// What a session takes at the most. The defaults are what the RFCs ask for, or what an attack row says.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// Octets of a command line, CRLF included: 255, which RFC 2449 §4 has every server take and no client exceed
    /// (attack row M1). RFC 5034 §4 sends a longer initial response after the challenge instead. A client that puts a
    /// long token behind `AUTH XOAUTH2` all the same wants this raised.
    pub command_line: usize,
    /// Octets of a line inside an AUTH exchange, CRLF included: 12,288 (RFC 5034 §4 sets none and points at the
    /// mechanisms; RFC 4954 §4 has this figure; attack row M16).
    pub auth_line: usize,
    /// Messages in a maildrop: 1,000,000. A session keeps 12 octets for each, and what unique-ids the store brings.
    pub maildrop_entries: usize,
    /// Accounts of which a server remembers that they have logged in lately: 100,000, a few hundred octets each. Only one
    /// that asks for an interval between logins (RFC 2449 §6.5) remembers any.
    pub login_intervals: usize,
    /// Octets of a listing that are written before the caller is given the chance to send them: 16 KiB. LIST of a
    /// million messages never stands in the output as a whole (attack row M13).
    pub listing_part: usize,
    /// Syntax and sequence errors after which the connection is closed: 10 (attack row C5).
    pub errors: u32,
    /// Failed logins after which the connection is closed: 10 (attack row A11).
    pub failed_logins: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            command_line: 255,
            auth_line: 12_288,
            maildrop_entries: 1_000_000,
            login_intervals: 100_000,
            listing_part: 16 * 1024,
            errors: 10,
            failed_logins: 10,
        }
    }
}

/// How long a session waits. The session owns no clock: whoever drives it asks for its timers.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Timeouts {
    /// How long a client may be silent: 10 minutes, the least that RFC 1939 §3 allows.
    pub idle: Duration,
    /// How long one line may take from its first octet to its CRLF: 1 minute (attack row C1).
    pub line: Duration,
    /// How long a connection may last without a login: 10 minutes (attack row C1). It ends a client that talks without
    /// logging in; shorter, it would be an inactivity timer below RFC 1939 §3's least.
    pub login: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self { idle: Duration::from_secs(600), line: Duration::from_secs(60), login: Duration::from_secs(600) }
    }
}
