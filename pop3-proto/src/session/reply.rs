//! From an answer to octets, and to the next state.

use std::fmt::Write as _;

use bytes::BytesMut;

use super::listing::{Listing, ListingKind, write_line};
use super::maildrop::OpenMaildrop;
use super::message::Transfer;
use super::utf8::Utf8Support;
use super::{Answer, Owed, Pending, ServerSession};
use crate::error::UsageError;
use crate::grammar::ResponseText;
use crate::response::{DropListing, Refusal, Response};

impl ServerSession {
    /// Carries an answer out, and gives what is owed next. On an error nothing has been written and nothing has changed.
    pub(super) fn reply(&mut self, owed: &mut Owed, answer: Answer, out: &mut BytesMut) -> Result<Owed, UsageError> {
        match (&mut *owed, answer) {
            (Owed::Transfer(transfer), Answer::Octets(octets)) => {
                transfer.octets(&octets, out)?;
                return Ok(std::mem::take(owed));
            }
            (Owed::Transfer(transfer), Answer::End) => transfer.end(out)?,
            (Owed::Message(entry, lines), Answer::Message) => {
                match lines {
                    Some(_) => say(out, "top of message follows"),
                    None => say(out, format_args!("{} octets", entry.size)),
                }
                return Ok(Owed::Transfer(Box::new(Transfer::new(entry.size, *lines, self.sends_ascii_headers()))));
            }
            (Owed::Password(user), Answer::Credential(answer)) => {
                self.pending = Some(Self::after_password(user, answer));
            }
            (Owed::Exchange, Answer::Credential(answer)) => self.pending = Some(self.after_query(answer)),
            (Owed::Authenticated, Answer::Maildrop(maildrop)) => {
                let maildrop = OpenMaildrop::new(maildrop);
                say(out, Held(maildrop.listing()));
                self.state.logged_in(maildrop);
            }
            (Owed::Challenge(challenge), Answer::Ok(None)) => {
                out.extend_from_slice(b"+ ");
                out.extend_from_slice(challenge.as_bytes());
                out.extend_from_slice(b"\r\n");
            }
            (Owed::Rest(listing), Answer::Ok(None)) => {
                let listing = *listing;
                self.write_listing(listing, out);
            }
            (Owed::Transfer(_) | Owed::Challenge(_) | Owed::Rest(_) | Owed::Password(_) | Owed::Exchange, _) => {
                return Err(UsageError::WrongAnswer);
            }
            (owed, Answer::Refuse(refusal)) => self.refuse(owed, &refusal, out),
            (
                Owed::Nothing
                | Owed::Message(..)
                | Owed::Authenticated
                | Owed::Failed
                | Owed::Rejected
                | Owed::LastWord,
                _,
            ) => {
                return Err(UsageError::WrongAnswer);
            }
            (owed, Answer::Ok(text)) => self.accept(owed, text, out)?,
            _ => return Err(UsageError::WrongAnswer),
        }
        Ok(Owed::Nothing)
    }

    /// Whether there have been so many mistakes, or so many rejected logins, that the next refusal closes (attack rows A11
    /// and C5).
    pub(super) fn is_at_a_limit(&self) -> bool {
        let limits = self.config.limits();
        self.errors >= limits.errors || self.rejected_logins >= limits.failed_logins
    }

    fn refuse(&mut self, owed: &Owed, refusal: &Refusal, out: &mut BytesMut) {
        refusal.response().encode(out);
        let closes = match owed {
            Owed::Greeting | Owed::Quit(_) | Owed::LastWord => true,
            Owed::Failed | Owed::Rejected => self.is_at_a_limit(),
            _ => false,
        };
        if closes || refusal.closes {
            self.close();
        }
    }

    fn accept(&mut self, owed: &Owed, text: Option<ResponseText>, out: &mut BytesMut) -> Result<(), UsageError> {
        // What clients read is not the host's to word.
        if text.is_some() && matches!(owed, Owed::Stat | Owed::One(..)) {
            return Err(UsageError::WrongAnswer);
        }
        let Some(text) = text else {
            self.say_ok(owed, out);
            self.carry_out(owed, out);
            return Ok(());
        };
        if matches!(owed, Owed::Greeting) && text.as_str().contains('<') {
            return Err(UsageError::TimestampInGreeting);
        }
        let text = match (owed, &self.timestamp) {
            // A text that leaves no room is left out: without the timestamp nobody could use APOP.
            (Owed::Greeting, Some(timestamp)) => {
                ResponseText::new(format!("{text} {timestamp}")).unwrap_or_else(|_| ResponseText::lossy(timestamp))
            }
            _ => text,
        };
        Response::ok(Some(text)).encode(out);
        self.carry_out(owed, out);
        Ok(())
    }

    /// The session's own words. They are those of RFC 1939's examples, where it has some.
    fn say_ok(&self, owed: &Owed, out: &mut BytesMut) {
        let host = self.config.host_name();
        let maildrop = self.state.maildrop();
        let listing = maildrop.map_or(DropListing::new(0, 0), OpenMaildrop::listing);
        match owed {
            Owed::Greeting => match &self.timestamp {
                Some(timestamp) => say(out, format_args!("POP3 server ready {timestamp}")),
                None => say(out, format_args!("{host} POP3 server ready")),
            },
            Owed::Capa => say(out, "Capability list follows"),
            Owed::Utf8 => say(out, "UTF-8 mode on"),
            Owed::StartTls => say(out, "Begin TLS negotiation"),
            Owed::User(_) => say(out, "send PASS"),
            Owed::Stat => say(out, listing),
            Owed::All(ListingKind::Scan) => {
                say(out, format_args!("{} messages ({} octets)", listing.messages, listing.octets));
            }
            Owed::All(ListingKind::UniqueId) => say(out, "unique-id listing follows"),
            Owed::One(kind, entry) => {
                if let Some(maildrop) = maildrop {
                    out.extend_from_slice(b"+OK ");
                    write_line(*kind, maildrop, *entry, out);
                }
            }
            Owed::Dele(entry) => say(out, format_args!("message {} deleted", entry.number)),
            Owed::Rset => {
                let held = maildrop.map_or(listing, OpenMaildrop::unmarked_listing);
                say(out, Held(held));
            }
            Owed::Quit(None) => say(out, format_args!("{host} POP3 server signing off")),
            Owed::Quit(Some(left)) if left.messages == 0 => {
                say(out, format_args!("{host} POP3 server signing off (maildrop empty)"));
            }
            Owed::Quit(Some(left)) => {
                let plural = if left.messages == 1 { "" } else { "s" };
                say(out, format_args!("{host} POP3 server signing off ({} message{plural} left)", left.messages));
            }
            _ => Response::ok(None).encode(out),
        }
    }

    /// What an event that was answered with yes comes to, behind the first line.
    fn carry_out(&mut self, owed: &Owed, out: &mut BytesMut) {
        match owed {
            Owed::Greeting => self.state.greeted(),
            Owed::Capa => {
                let user = self.state.maildrop().map(OpenMaildrop::promises);
                for capability in self.config.capabilities(self.tls.as_ref(), user) {
                    capability.encode(out);
                }
                out.extend_from_slice(b".\r\n");
            }
            Owed::Utf8 => self.utf8 = true,
            Owed::StartTls => self.state.handshaking(),
            Owed::User(user) => self.state.named(user.clone()),
            Owed::All(kind) => self.write_listing(Listing::new(*kind), out),
            Owed::Dele(entry) => {
                if let Some(maildrop) = self.state.maildrop_mut() {
                    maildrop.mark(*entry);
                }
            }
            Owed::Rset => {
                if let Some(maildrop) = self.state.maildrop_mut() {
                    maildrop.unmark_all();
                }
            }
            Owed::Quit(_) => self.close(),
            _ => {}
        }
    }

    /// Whether raw UTF-8 in a header is kept from a client that has not asked for it (RFC 6856 §2.1).
    fn sends_ascii_headers(&self) -> bool {
        !self.utf8 && matches!(self.config.utf8(), Utf8Support::Substitute | Utf8Support::Refuse)
    }

    fn write_listing(&mut self, listing: Listing, out: &mut BytesMut) {
        let octets = self.config.limits().listing_part.max(1);
        let left = self.state.maildrop().and_then(|maildrop| listing.write_part(maildrop, octets, out));
        self.pending = left.map(Pending::Rest);
    }
}

/// `+OK`, and words of this crate's own.
fn say(out: &mut BytesMut, words: impl std::fmt::Display) {
    // Writing into a buffer does not fail.
    let _ = write!(out, "+OK {words}\r\n");
}

/// What a maildrop holds, in the words of RFC 1939 §7 and §10.
struct Held(DropListing);

impl std::fmt::Display for Held {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let DropListing { messages, octets } = self.0;
        let plural = if messages == 1 { "" } else { "s" };
        write!(f, "maildrop has {messages} message{plural} ({octets} octets)")
    }
}
