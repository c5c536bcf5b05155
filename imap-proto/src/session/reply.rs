//! From an answer to octets, and to the next state.

use bytes::BytesMut;

use super::{Answer, Input, Owed, ServerSession, SessionState, Then};
use crate::frame::LiteralHead;
use crate::grammar::Tag;
use crate::response::{Status, StatusKind, Text};

impl ServerSession {
    /// Carries an answer out. One that does not fit gives what is owed back, and nothing has been written.
    pub(super) fn reply(&mut self, owed: Owed, answer: Answer, out: &mut BytesMut) -> Result<(), Box<Owed>> {
        match (owed, answer) {
            (Owed::Prompt, Answer::Ok) => out.extend_from_slice(b"+ OK\r\n"),
            (Owed::Challenge(challenge), Answer::Ok) => line(out, &["+ ", &challenge]),
            (Owed::Password(tag, user), Answer::Credential(answer)) => {
                self.pending = Some(Self::after_password(tag, user, answer));
            }
            (Owed::Exchange, Answer::Credential(answer)) => self.pending = self.after_query(answer),
            (owed @ (Owed::Nothing | Owed::Prompt | Owed::Challenge(_) | Owed::Password(..) | Owed::Exchange), _)
            | (owed @ (Owed::Failed(_) | Owed::Rejected(..)), Answer::Ok)
            | (owed, Answer::Credential(_)) => return Err(Box::new(owed)),
            (Owed::Greeting, Answer::Status(status)) => self.greet(&status, out),
            (owed, Answer::Status(Status { kind: StatusKind::PreAuth, .. })) => return Err(Box::new(owed)),
            (owed, Answer::Status(status)) => self.say(owed, &status, out),
            (owed, Answer::Ok) => self.accept(owed, out),
        }
        Ok(())
    }

    /// The first words. NO has no place there: what is refused is told by BYE (RFC 9051 §7.1).
    fn greet(&mut self, status: &Status, out: &mut BytesMut) {
        match status.kind {
            StatusKind::Ok => {
                status.encode(None, out);
                self.state = SessionState::NotAuthenticated;
            }
            _ => {
                Status { kind: StatusKind::Bye, ..status.clone() }.encode(None, out);
                self.close();
            }
        }
    }

    /// The host's words.
    fn say(&mut self, owed: Owed, status: &Status, out: &mut BytesMut) {
        if status.kind == StatusKind::Bye {
            status.encode(None, out);
            return self.close();
        }
        let is_ok = status.kind == StatusKind::Ok;
        let closes = match &owed {
            Owed::Failed(_) => self.is_at_a_limit(),
            Owed::Rejected(_, rejection) => rejection.closes() || self.is_at_a_limit(),
            _ => false,
        };
        match owed {
            Owed::Capability(tag) | Owed::Id(tag) | Owed::Enable(tag, ..) | Owed::Logout(tag) | Owed::Failed(tag) => {
                status.encode(Some(&tag), out)
            }
            Owed::Rejected(tag, _) => status.encode(tag.as_ref(), out),
            Owed::StartTls(tag) => {
                status.encode(Some(&tag), out);
                if is_ok {
                    self.state = SessionState::Handshake;
                }
            }
            Owed::Authenticated(tag) => {
                status.encode(Some(&tag), out);
                if is_ok {
                    self.state = SessionState::Authenticated;
                }
            }
            Owed::Command(tag, _, then) => self.finish(&tag, then, status, out),
            Owed::Append(tag, head) => self.message(tag, head, Some(status), out),
            Owed::Nothing
            | Owed::Greeting
            | Owed::Prompt
            | Owed::Challenge(_)
            | Owed::Password(..)
            | Owed::Exchange => {}
        }
        if closes && !self.is_closed() {
            out.extend_from_slice(b"* BYE Too many errors\r\n");
            self.close();
        }
    }

    /// The session's own words.
    fn accept(&mut self, owed: Owed, out: &mut BytesMut) {
        match owed {
            Owed::Greeting => {
                let capabilities = self.config.capabilities(self.tls.as_ref(), false);
                line(out, &["* OK [CAPABILITY ", &capabilities, "] ", self.config.host_name(), " ready"]);
                self.state = SessionState::NotAuthenticated;
            }
            Owed::Capability(tag) => {
                let logged_in = matches!(self.state, SessionState::Authenticated | SessionState::Selected);
                line(out, &["* CAPABILITY ", &self.config.capabilities(self.tls.as_ref(), logged_in)]);
                completed(&tag, "CAPABILITY", out);
            }
            Owed::Id(tag) => {
                let logged_in = matches!(self.state, SessionState::Authenticated | SessionState::Selected);
                self.write_id(logged_in, out);
                completed(&tag, "ID", out);
            }
            Owed::Enable(tag, enabled, told) => {
                self.enabled.rev2 |= enabled.rev2;
                self.enabled.condstore |= enabled.condstore;
                out.extend_from_slice(b"* ENABLED");
                for name in told {
                    out.extend_from_slice(b" ");
                    out.extend_from_slice(name.as_bytes());
                }
                out.extend_from_slice(b"\r\n");
                completed(&tag, "ENABLE", out);
            }
            Owed::StartTls(tag) => {
                line(out, &[tag.as_str(), " OK Begin TLS negotiation now"]);
                self.state = SessionState::Handshake;
            }
            Owed::Authenticated(tag) => {
                let capabilities = self.config.capabilities(self.tls.as_ref(), true);
                line(out, &[tag.as_str(), " OK [CAPABILITY ", &capabilities, "] Logged in"]);
                self.state = SessionState::Authenticated;
            }
            Owed::Command(tag, name, then) => {
                let text = match then {
                    Then::Idle => Text::literal("idling"),
                    _ => Text::lossy(&format!("{name} completed")),
                };
                let status = Status::new(StatusKind::Ok, text);
                self.finish(&tag, then, &status, out);
            }
            Owed::Append(tag, head) => self.message(tag, head, None, out),
            Owed::Logout(tag) => {
                line(out, &["* BYE ", self.config.host_name(), " logging out"]);
                completed(&tag, "LOGOUT", out);
                self.close();
            }
            Owed::Nothing
            | Owed::Prompt
            | Owed::Challenge(_)
            | Owed::Password(..)
            | Owed::Exchange
            | Owed::Failed(_)
            | Owed::Rejected(..) => {}
        }
    }

    /// The end of a command, and what follows from it.
    fn finish(&mut self, tag: &Tag, then: Then, status: &Status, out: &mut BytesMut) {
        let is_ok = status.kind == StatusKind::Ok;
        match then {
            Then::Idle if is_ok => {
                line(out, &["+ ", status.text.as_str()]);
                self.input = Input::Idle(tag.clone());
                return;
            }
            Then::Select if is_ok => self.state = SessionState::Selected,
            // A SELECT that fails has let the other mailbox go all the same (RFC 9051 §6.3.2); one that is BAD was none.
            Then::Select if status.kind == StatusKind::No => self.state = SessionState::Authenticated,
            Then::Unselect if is_ok => self.state = SessionState::Authenticated,
            _ => {}
        }
        status.encode(Some(tag), out);
    }

    /// The message of APPEND is taken, or not.
    fn message(&mut self, tag: Tag, head: LiteralHead, refused: Option<&Status>, out: &mut BytesMut) {
        match refused.filter(|status| status.kind != StatusKind::Ok) {
            Some(status) => {
                status.encode(Some(&tag), out);
                if !head.waits {
                    // They come all the same, and are never read as commands (attack row M6).
                    self.input = Input::Discard(head.octets);
                }
            }
            None => {
                if head.waits {
                    out.extend_from_slice(b"+ Ready for the message\r\n");
                }
                self.input = Input::Message(tag, head.octets);
            }
        }
    }

    /// `None` before the login: a version tells an attacker what to try (attack row R7).
    fn write_id(&self, logged_in: bool, out: &mut BytesMut) {
        let fields = if logged_in { self.config.id() } else { &[] };
        if fields.is_empty() {
            return out.extend_from_slice(b"* ID NIL\r\n");
        }
        out.extend_from_slice(b"* ID (");
        for (at, (name, value)) in fields.iter().enumerate() {
            if at > 0 {
                out.extend_from_slice(b" ");
            }
            quoted(name, out);
            out.extend_from_slice(b" ");
            quoted(value, out);
        }
        out.extend_from_slice(b")\r\n");
    }
}

fn completed(tag: &Tag, name: &str, out: &mut BytesMut) {
    line(out, &[tag.as_str(), " OK ", name, " completed"]);
}

fn line(out: &mut BytesMut, pieces: &[&str]) {
    pieces.iter().for_each(|piece| out.extend_from_slice(piece.as_bytes()));
    out.extend_from_slice(b"\r\n");
}

/// Printable ASCII between quotes; the configuration has seen to it that it is no more.
fn quoted(text: &str, out: &mut BytesMut) {
    out.extend_from_slice(b"\"");
    for octet in text.bytes() {
        if matches!(octet, b'"' | b'\\') {
            out.extend_from_slice(b"\\");
        }
        out.extend_from_slice(&[octet]);
    }
    out.extend_from_slice(b"\"");
}
