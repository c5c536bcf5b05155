//! What a POP3 server counts, under the names of [`mail_wire::io::metrics`]. No label comes from a client.

use mail_wire::io::metrics;
use mail_wire::sasl::Failure;

use super::PROTOCOL;
use crate::session::{Authenticated, Event};

/// What has to be remembered of a session to count its logins.
#[derive(Debug, Default)]
pub(super) struct Tally {
    /// The last name was given by USER, so what fails next is its PASS.
    by_name: bool,
}

impl Tally {
    /// Counts what has come: commands, and logins that came to nothing.
    pub(super) fn event(&mut self, event: &Event) {
        if let Some(verb) = verb(event) {
            metrics::command(PROTOCOL, verb);
        }
        match event {
            Event::User(_) => self.by_name = true,
            Event::AuthenticationFailed(failed) => {
                // An exchange that has failed is forgotten, its mechanism with it.
                let mechanism = if std::mem::take(&mut self.by_name) { "USER" } else { "SASL" };
                metrics::login(PROTOCOL, mechanism, result(&failed.failure));
            }
            _ => {}
        }
    }

    /// Counts a login that was proved: whether its maildrop could be opened too.
    pub(super) fn login(&mut self, who: &Authenticated, opened: bool) {
        let mechanism = who.mechanism.map_or("USER", |mechanism| mechanism.name());
        metrics::login(PROTOCOL, mechanism, if opened { "ok" } else { "unavailable" });
    }

    /// Counts the reply, if what was written begins one and does not go on with one.
    pub(super) fn written(&mut self, octets: &[u8]) {
        let class = match octets {
            [b'+', b'O', b'K', ..] => "ok",
            [b'-', b'E', b'R', b'R', ..] => "err",
            [b'+', b' ', ..] => "continue",
            _ => return,
        };
        metrics::reply(PROTOCOL, class);
    }
}

/// The command that an event is. PASS and AUTH are none here: they are counted as logins.
fn verb(event: &Event) -> Option<&'static str> {
    Some(match event {
        Event::Capa => "CAPA",
        Event::StartTls => "STLS",
        Event::User(_) => "USER",
        Event::Stat => "STAT",
        Event::List { .. } => "LIST",
        Event::Uidl { .. } => "UIDL",
        Event::Retrieve { .. } => "RETR",
        Event::Top { .. } => "TOP",
        Event::Dele { .. } => "DELE",
        Event::Noop => "NOOP",
        Event::Rset => "RSET",
        Event::Quit { .. } => "QUIT",
        Event::Rejected(_) => "unknown",
        _ => return None,
    })
}

fn result(failure: &Failure) -> &'static str {
    match failure {
        Failure::Rejected => "rejected",
        Failure::Aborted => "aborted",
        Failure::Unavailable => "unavailable",
        _ => "malformed",
    }
}
