//! What servers count, through the [`metrics`] facade: without a recorder all of this is nothing.
//!
//! Every name, its labels and its meaning stand in [`ALL`]; [`describe`] tells them to the recorder. The functions here
//! record them. **No label's value comes from a peer**: each is a word of the program's own (`&'static str`), since a
//! counter for each word that somebody makes up is memory for each word that somebody makes up.
//!
//! | Label | Values |
//! | --- | --- |
//! | `protocol` | what the server calls itself in [`DriverOptions::protocol`](super::DriverOptions::protocol) |
//! | `reason` | `total`, `address`, `proxy`, `policy` |
//! | `direction` | `in`, `out` |
//! | `timer` | `idle`, `line`, `login`, `body`, `write`, `handshake`, `proxy`, `shutdown` |
//! | `command` | a verb of the protocol, in capitals, or `unknown` |
//! | `class` | `2xx` to `5xx`, or `ok`, `err`, `continue` |
//! | `mechanism` | a SASL mechanism's name; `USER` for POP3's USER and PASS; `SASL` where an exchange failed and is forgotten |

use std::time::{Duration, Instant};

use ::metrics::{Counter, Gauge, Histogram, Unit, counter, gauge, histogram};

use crate::machine::Timer;

/// Connections that a session has begun on.
pub const CONNECTIONS: &str = "pillarbox_connections_total";
/// Connections that are open.
pub const CONNECTIONS_OPEN: &str = "pillarbox_connections_open";
/// Connections that were turned away.
pub const CONNECTIONS_REFUSED: &str = "pillarbox_connections_refused_total";
/// How long connections were open.
pub const CONNECTION_SECONDS: &str = "pillarbox_connection_seconds";
/// Octets of the protocol, inside TLS.
pub const OCTETS: &str = "pillarbox_octets_total";
/// TLS handshakes.
pub const TLS_HANDSHAKES: &str = "pillarbox_tls_handshakes_total";
/// Deadlines that ran out.
pub const TIMEOUTS: &str = "pillarbox_timeouts_total";
/// Commands.
pub const COMMANDS: &str = "pillarbox_commands_total";
/// Replies.
pub const REPLIES: &str = "pillarbox_replies_total";
/// Messages.
pub const MESSAGES: &str = "pillarbox_messages_total";
/// How long the store took to keep a message.
pub const DELIVERY_SECONDS: &str = "pillarbox_delivery_seconds";
/// Logins.
pub const LOGINS: &str = "pillarbox_logins_total";

/// How a metric behaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum MetricKind {
    /// It rises.
    Counter,
    /// It rises and falls.
    Gauge,
    /// It counts by size.
    Histogram,
}

/// One of the metrics.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct Metric {
    /// What it is called.
    pub name: &'static str,
    /// How it behaves.
    pub kind: MetricKind,
    /// What it counts in.
    pub unit: Unit,
    /// The labels that every sample has.
    pub labels: &'static [&'static str],
    /// What it says, in a sentence.
    pub meaning: &'static str,
}

impl Metric {
    const fn new(
        name: &'static str,
        kind: MetricKind,
        unit: Unit,
        labels: &'static [&'static str],
        meaning: &'static str,
    ) -> Self {
        Self { name, kind, unit, labels, meaning }
    }
}

/// All of them.
pub const ALL: [Metric; 12] = {
    use MetricKind::{Counter, Gauge, Histogram};
    [
        Metric::new(CONNECTIONS, Counter, Unit::Count, &["protocol"], "Connections that were served."),
        Metric::new(CONNECTIONS_OPEN, Gauge, Unit::Count, &["protocol"], "Connections that are open."),
        Metric::new(
            CONNECTIONS_REFUSED,
            Counter,
            Unit::Count,
            &["protocol", "reason"],
            "Connections that were turned away before a session began.",
        ),
        Metric::new(
            CONNECTION_SECONDS,
            Histogram,
            Unit::Seconds,
            &["protocol"],
            "How long connections were open, when they end.",
        ),
        Metric::new(
            OCTETS,
            Counter,
            Unit::Bytes,
            &["protocol", "direction"],
            "Octets of the protocol, without what TLS adds.",
        ),
        Metric::new(
            TLS_HANDSHAKES,
            Counter,
            Unit::Count,
            &["protocol", "result"],
            "TLS handshakes: `ok`, `failed` or `timeout`.",
        ),
        Metric::new(
            TIMEOUTS,
            Counter,
            Unit::Count,
            &["protocol", "timer"],
            "Connections that a deadline ended, by the deadline.",
        ),
        Metric::new(
            COMMANDS,
            Counter,
            Unit::Count,
            &["protocol", "command"],
            "Commands by verb; what is no verb of the protocol is `unknown`.",
        ),
        Metric::new(REPLIES, Counter, Unit::Count, &["protocol", "class"], "Replies by class."),
        Metric::new(
            MESSAGES,
            Counter,
            Unit::Count,
            &["protocol", "result"],
            "Messages that were taken or handed out, by what became of them.",
        ),
        Metric::new(
            DELIVERY_SECONDS,
            Histogram,
            Unit::Seconds,
            &["protocol"],
            "How long the store took to keep a message, from its last octet to its reply.",
        ),
        Metric::new(
            LOGINS,
            Counter,
            Unit::Count,
            &["protocol", "mechanism", "result"],
            "Logins by mechanism and result.",
        ),
    ]
};

/// Tells the recorder what each metric means. Call it once, after the recorder has been installed.
pub fn describe() {
    for metric in ALL {
        let Metric { name, kind, unit, meaning, .. } = metric;
        match kind {
            MetricKind::Counter => ::metrics::describe_counter!(name, unit, meaning),
            MetricKind::Gauge => ::metrics::describe_gauge!(name, unit, meaning),
            MetricKind::Histogram => ::metrics::describe_histogram!(name, unit, meaning),
        }
    }
}

/// A counter by protocol and one more label. For what every message counts, the name and its labels are made when the
/// program is; for the rest each time, with an allocation.
macro_rules! ready_counter {
    ($name:expr, $protocol:ident, $label:literal => $value:ident, [$($known:literal),+]) => {
        match ($protocol, $value) {
            $(
                ("smtp", $known) => counter!($name, "protocol" => "smtp", $label => $known),
                ("submission", $known) => counter!($name, "protocol" => "submission", $label => $known),
                ("lmtp", $known) => counter!($name, "protocol" => "lmtp", $label => $known),
            )+
            (protocol, value) => counter!($name, "protocol" => protocol, $label => value),
        }
    };
}

/// A command has come. `verb` is one of the protocol's, in capitals, or `unknown`; never what the peer wrote.
pub fn command(protocol: &'static str, verb: &'static str) {
    ready_counter!(COMMANDS, protocol, "command" => verb, ["MAIL", "RCPT", "DATA"]).increment(1);
}

/// A reply has been given: `2xx` to `5xx`, or `ok`, `err`, `continue`.
pub fn reply(protocol: &'static str, class: &'static str) {
    ready_counter!(REPLIES, protocol, "class" => class, ["2xx", "3xx"]).increment(1);
}

/// The class of a reply with a code of three digits.
pub const fn reply_class(code: u16) -> &'static str {
    match code / 100 {
        1 => "1xx",
        2 => "2xx",
        3 => "3xx",
        4 => "4xx",
        5 => "5xx",
        _ => "other",
    }
}

/// Something has become of a message: `delivered`, `refused`, `deferred`, `retrieved`, `deleted`.
pub fn message(protocol: &'static str, result: &'static str) {
    messages(protocol, result, 1);
}

/// The same has become of several.
pub fn messages(protocol: &'static str, result: &'static str, count: u64) {
    ready_counter!(MESSAGES, protocol, "result" => result, ["delivered"]).increment(count);
}

/// A message was kept, or was not, after so long.
pub fn delivery(protocol: &'static str, took: Duration) {
    histogram!(DELIVERY_SECONDS, "protocol" => protocol).record(took);
}

/// A login has ended: `ok`, `rejected`, `aborted`, `unavailable`, `malformed`. `mechanism` is a mechanism's name,
/// `USER`, or `SASL`.
pub fn login(protocol: &'static str, mechanism: &'static str, result: &'static str) {
    counter!(LOGINS, "protocol" => protocol, "mechanism" => mechanism, "result" => result).increment(1);
}

/// A connection was turned away.
pub(super) fn refused(protocol: &'static str, reason: &'static str) {
    counter!(CONNECTIONS_REFUSED, "protocol" => protocol, "reason" => reason).increment(1);
}

/// A deadline has run out.
pub(super) fn timeout(protocol: &'static str, timer: &'static str) {
    counter!(TIMEOUTS, "protocol" => protocol, "timer" => timer).increment(1);
}

/// A handshake has ended: `ok`, `failed` or `timeout`.
pub(super) fn handshake(protocol: &'static str, result: &'static str) {
    counter!(TLS_HANDSHAKES, "protocol" => protocol, "result" => result).increment(1);
}

pub(super) const fn timer_name(timer: Timer) -> &'static str {
    match timer {
        Timer::Idle => "idle",
        Timer::Line => "line",
        Timer::Login => "login",
        Timer::Body => "body",
    }
}

/// A connection that is open for as long as this lives, and its counters, looked up once.
pub(super) struct OpenConnection {
    pub(super) octets_in: Counter,
    pub(super) octets_out: Counter,
    open: Gauge,
    seconds: Histogram,
    since: Instant,
}

impl OpenConnection {
    pub(super) fn begin(protocol: &'static str) -> Self {
        counter!(CONNECTIONS, "protocol" => protocol).increment(1);
        let open = gauge!(CONNECTIONS_OPEN, "protocol" => protocol);
        open.increment(1.0);
        Self {
            octets_in: counter!(OCTETS, "protocol" => protocol, "direction" => "in"),
            octets_out: counter!(OCTETS, "protocol" => protocol, "direction" => "out"),
            open,
            seconds: histogram!(CONNECTION_SECONDS, "protocol" => protocol),
            since: Instant::now(),
        }
    }
}

impl Drop for OpenConnection {
    fn drop(&mut self) {
        self.open.decrement(1.0);
        self.seconds.record(self.since.elapsed());
    }
}

impl std::fmt::Debug for OpenConnection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("OpenConnection")
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn every_metric_is_named_once_for_what_it_is() {
        assert_eq!(ALL.iter().map(|metric| metric.name).collect::<HashSet<_>>().len(), ALL.len());
        for Metric { name, kind, unit, labels, meaning } in ALL {
            assert!(name.starts_with("pillarbox_") && meaning.ends_with('.'), "{name}");
            assert_eq!(labels.first(), Some(&"protocol"), "{name}");
            assert_eq!(name.ends_with("_total"), kind == MetricKind::Counter, "{name}");
            assert_eq!(name.ends_with("_seconds"), unit == Unit::Seconds, "{name}");
        }
    }
}
