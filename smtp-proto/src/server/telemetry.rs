//! What of a conversation is counted ([`metrics`]): words of this crate's own, never a peer's.

use std::time::Duration;

use mail_wire::io::metrics;
use mail_wire::sasl::Failure;

use crate::command::Verb;
use crate::response::{Reply, ReplyClass};
use crate::session::Event;

/// Counts the command that an event comes from. Octets of a message, and the steps of a login behind its first, come from
/// none.
pub(super) fn command(protocol: &'static str, event: &Event) {
    let verb = match event {
        Event::Hello(hello) => hello.verb(),
        Event::StartTls(_) => Verb::StartTls,
        Event::Mail(_) => Verb::Mail,
        Event::Rcpt(_) => Verb::Rcpt,
        // The last chunk's command is the end of the message, and the first one's its beginning.
        Event::DataBegin(begin) if begin.is_chunked => Verb::Bdat,
        Event::EndOfChunk(_) => Verb::Bdat,
        Event::DataBegin(_) => Verb::Data,
        Event::Rset => Verb::Rset,
        Event::Noop(_) => Verb::Noop,
        Event::Vrfy(_) => Verb::Vrfy,
        Event::Expn(_) => Verb::Expn,
        Event::Help(_) => Verb::Help,
        Event::Quit => Verb::Quit,
        Event::Rejected(rejection) if rejection.ends_message() => return,
        Event::Rejected(rejection) => match rejection.verb {
            Some(verb) => verb,
            None => return metrics::command(protocol, "unknown"),
        },
        _ => return,
    };
    metrics::command(protocol, verb.as_str());
}

/// Counts the replies that have just been written, by the first octet of each line that ends one.
pub(super) fn replies(protocol: &'static str, written: &[u8]) {
    for line in written.split_inclusive(|&octet| octet == b'\n') {
        if let [class, _, _, b' ', ..] = line {
            let code = u16::from(class.saturating_sub(b'0')).saturating_mul(100);
            metrics::reply(protocol, metrics::reply_class(code));
        }
    }
}

/// Counts a login that came to nothing. An exchange that has failed is forgotten, its mechanism with it.
pub(super) fn failed_login(protocol: &'static str, failure: Failure) {
    let result = match failure {
        Failure::Rejected => "rejected",
        Failure::Unavailable => "unavailable",
        Failure::Aborted => "aborted",
        _ => "malformed",
    };
    metrics::login(protocol, "SASL", result);
}

/// Counts what has become of a message, once for each of its replies, and how long the store took for it.
pub(super) fn message(protocol: &'static str, replies: &[Reply], took: Option<Duration>) {
    for reply in replies {
        let result = match reply.class() {
            ReplyClass::Completion => "delivered",
            ReplyClass::PermanentNegative => "refused",
            _ => "deferred",
        };
        metrics::message(protocol, result);
    }
    if let Some(took) = took {
        metrics::delivery(protocol, took);
    }
}
