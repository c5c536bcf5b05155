//! What an IMAP server counts, under the names of [`mail_wire::io::metrics`]. No label comes from a client.

use mail_wire::io::metrics;
use mail_wire::sasl::Failure;

use super::PROTOCOL;
use crate::response::StatusKind;
use crate::session::{Authenticated, Event};

/// Counts what has come: commands, and logins that came to nothing.
pub(super) fn event(event: &Event) {
    if let Some(verb) = event.verb() {
        metrics::command(PROTOCOL, verb);
    }
    if let Event::AuthenticationFailed(failed) = event {
        let result = match failed.failure {
            Failure::Rejected => "rejected",
            Failure::Aborted => "aborted",
            Failure::Unavailable => "unavailable",
            _ => "malformed",
        };
        // An exchange that has failed is forgotten, its mechanism with it.
        metrics::login(PROTOCOL, "SASL", result);
    }
}

/// Counts a login that was proved: whether the account could be opened too.
pub(super) fn login(who: &Authenticated, opened: bool) {
    let mechanism = who.mechanism.map_or("LOGIN", |mechanism| mechanism.name());
    metrics::login(PROTOCOL, mechanism, if opened { "ok" } else { "unavailable" });
}

/// Counts what a command came to.
pub(super) fn answered(kind: StatusKind) {
    let class = match kind {
        StatusKind::Ok | StatusKind::PreAuth => "ok",
        StatusKind::No => "no",
        StatusKind::Bad => "bad",
        StatusKind::Bye => "bye",
    };
    metrics::reply(PROTOCOL, class);
}
