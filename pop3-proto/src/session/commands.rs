//! From a line to an event: what the client says, where it may say it.

use mail_wire::line::LineFault;
use mail_wire::sasl::Failure;

use super::listing::ListingKind;
use super::maildrop::Entry;
use super::state::Login;
use super::{Event, Owed, Pending, ServerSession, SessionState};
use crate::command::Command;
use crate::error::Rejection;
use crate::grammar::MessageNumber;

impl ServerSession {
    /// A line without its CRLF.
    pub(super) fn line(&mut self, line: &[u8]) -> Event {
        if let Some(dialogue) = self.state.exchange() {
            let step = dialogue.line(line);
            let pending = self.after(step);
            return self.raise(pending);
        }
        match Command::parse(line) {
            Ok(command) => self.command(command).unwrap_or_else(|rejection| self.reject(rejection)),
            Err(error) => {
                self.state.take_login();
                self.reject(error.into())
            }
        }
    }

    /// A line that is none. Inside an exchange it ends the exchange and nothing else (attack row M16).
    pub(super) fn faulty_line(&mut self, fault: LineFault) -> Event {
        match (self.state.take_login(), fault) {
            (Login::Exchange(_), LineFault::TooLong) => self.raise(Pending::Failed(Failure::TooLong)),
            (Login::Exchange(_), _) => self.raise(Pending::Failed(Failure::Malformed)),
            _ => self.reject(fault.into()),
        }
    }

    fn command(&mut self, command: Command) -> Result<Event, Rejection> {
        let login = self.state.take_login();
        match command {
            // In no state, and without a word about which.
            Command::Lang(_) => return Err(Rejection::NoLang),
            Command::Capa => {
                self.owed = Owed::Capa;
                return Ok(Event::Capa);
            }
            Command::Quit => {
                let quit = self.state.quit();
                let (delete, left) = quit.map_or((Vec::new(), None), |(keys, left)| (keys, Some(left)));
                self.owed = Owed::Quit(left);
                return Ok(Event::Quit { delete });
            }
            _ => {}
        }
        match self.state.kind() {
            SessionState::Transaction => self.transaction(command),
            _ => self.authorization(command, login),
        }
    }

    fn authorization(&mut self, command: Command, login: Login) -> Result<Event, Rejection> {
        match command {
            Command::User(name) => self.user(name),
            Command::Pass(password) => self.pass(login, &password),
            Command::Auth(auth) => self.auth(&auth),
            Command::Apop(apop) => self.apop(apop),
            Command::Stls => match self.tls {
                Some(_) => Err(Rejection::TlsActive),
                None if self.utf8 => Err(Rejection::Utf8Active),
                None if !self.config.offers_start_tls() => Err(Rejection::NoStartTls),
                None => {
                    self.owed = Owed::StartTls;
                    Ok(Event::StartTls)
                }
            },
            Command::Utf8 if !self.config.utf8().is_offered() => Err(Rejection::NoUtf8),
            Command::Utf8 => {
                self.owed = Owed::Utf8;
                Ok(Event::Utf8)
            }
            _ => Err(Rejection::NotLoggedIn),
        }
    }

    fn transaction(&mut self, command: Command) -> Result<Event, Rejection> {
        let (owed, event) = match command {
            Command::Stat => (Owed::Stat, Event::Stat),
            Command::List(number) => {
                (self.listing(ListingKind::Scan, number)?, Event::List { number: number.map(MessageNumber::value) })
            }
            Command::Uidl(number) => {
                (self.listing(ListingKind::UniqueId, number)?, Event::Uidl { number: number.map(MessageNumber::value) })
            }
            Command::Retr(number) => {
                let entry = self.find(number)?;
                let Entry { number, key, size } = entry;
                (Owed::Message(entry, None), Event::Retrieve { number, key, size })
            }
            Command::Top(number, lines) => {
                let entry = self.find(number)?;
                let (Entry { number, key, size }, lines) = (entry, lines.value());
                (Owed::Message(entry, Some(lines)), Event::Top { number, key, size, lines })
            }
            Command::Dele(number) => {
                let entry = self.find(number)?;
                (Owed::Dele(entry), Event::Dele { number: entry.number, key: entry.key })
            }
            Command::Noop => (Owed::Noop, Event::Noop),
            Command::Rset => (Owed::Rset, Event::Rset),
            _ => return Err(Rejection::AlreadyLoggedIn),
        };
        self.owed = owed;
        Ok(event)
    }

    fn listing(&self, kind: ListingKind, number: Option<MessageNumber>) -> Result<Owed, Rejection> {
        match number {
            Some(number) => self.find(number).map(|entry| Owed::One(kind, entry)),
            None => Ok(Owed::All(kind)),
        }
    }

    fn find(&self, number: MessageNumber) -> Result<Entry, Rejection> {
        self.state.maildrop().ok_or(Rejection::NotLoggedIn)?.find(number)
    }

    fn reject(&mut self, rejection: Rejection) -> Event {
        if rejection.counts() {
            self.errors = self.errors.saturating_add(1);
        }
        self.owed = Owed::Rejected;
        Event::Rejected(rejection)
    }
}
