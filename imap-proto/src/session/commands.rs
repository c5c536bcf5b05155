//! From octets to an event: what the client says, where it may say it.

use bytes::BytesMut;
use mail_wire::line::LineFault;
use mail_wire::sasl::Failure;

use super::{Enabled, Event, Input, Owed, Pending, ServerSession, SessionState, Then};
use crate::command::{AppendHead, Command, CommandBody, CommandError, FetchAttribute, SearchKey, StatusItem};
use crate::error::Rejection;
use crate::frame::{LiteralHead, Piece};
use crate::grammar::Tag;

impl ServerSession {
    /// Reads until something is an event.
    pub(super) fn read(&mut self, input: &mut BytesMut) -> Option<Event> {
        loop {
            match &mut self.input {
                Input::Message(tag, 0) => {
                    let tag = tag.clone();
                    self.input = Input::Tail(tag);
                }
                Input::Message(_, left) => {
                    if input.is_empty() {
                        return None;
                    }
                    let count = usize::try_from(*left).unwrap_or(usize::MAX).min(input.len());
                    *left = left.saturating_sub(count as u64);
                    self.progress = self.progress.wrapping_add(count as u64);
                    return Some(Event::AppendData(input.split_to(count).freeze()));
                }
                Input::Discard(0) => self.input = Input::DiscardTail,
                Input::Discard(left) => {
                    if input.is_empty() {
                        return None;
                    }
                    let count = usize::try_from(*left).unwrap_or(usize::MAX).min(input.len());
                    *left = left.saturating_sub(count as u64);
                    self.progress = self.progress.wrapping_add(count as u64);
                    bytes::Buf::advance(input, count);
                }
                _ => {
                    let piece = self.reader.next(input, self.line_limit());
                    self.mid_line = self.reader.is_mid_command(input);
                    let piece = piece?;
                    self.mid_line = false;
                    self.has_spoken = true;
                    self.activity = self.activity.wrapping_add(1);
                    let event = match piece {
                        Ok(Piece::Command(line)) => self.line(line),
                        Ok(Piece::Literal(head)) => self.literal(head),
                        Err(fault) => Some(self.faulty_line(fault)),
                    };
                    if event.is_some() {
                        return event;
                    }
                }
            }
        }
    }

    /// Octets of a line, CRLF included.
    fn line_limit(&self) -> usize {
        let limits = self.config.limits();
        match self.state {
            SessionState::Authenticated | SessionState::Selected => limits.line,
            // An AUTHENTICATE with an initial response is longer than other commands before the login may be.
            _ => limits.command_before_login.max(limits.auth_line),
        }
    }

    /// Octets of a command, literals included.
    fn command_limit(&self) -> usize {
        match self.state {
            SessionState::Authenticated | SessionState::Selected => self.config.limits().command,
            _ => self.config.limits().command_before_login,
        }
    }

    /// A whole command, or a line that something else waits for.
    pub(super) fn line(&mut self, mut line: BytesMut) -> Option<Event> {
        let event = match std::mem::replace(&mut self.input, Input::Commands) {
            Input::Exchange(tag, mut dialogue) => {
                // Base64 has no space in it: some clients give up with another command in place of `*`.
                if memchr::memchr(b' ', &line).is_some() {
                    self.pending = Some(Pending::Line(line));
                    return Some(self.fail(tag, Failure::Aborted));
                }
                let step = dialogue.line(&line);
                let pending = self.after(tag, Some(dialogue), step);
                self.raise(pending)
            }
            Input::Idle(tag) if line.eq_ignore_ascii_case(b"DONE") => {
                self.owed = Owed::Command(tag, "IDLE", Then::Nothing);
                Some(Event::Done)
            }
            Input::Idle(tag) => Some(self.reject(Some(tag), Rejection::NotDone)),
            Input::Tail(tag) if line.is_empty() => {
                self.owed = Owed::Command(tag, "APPEND", Then::Nothing);
                Some(Event::AppendEnd)
            }
            Input::Tail(tag) => Some(self.reject(Some(tag), Rejection::AppendTail)),
            Input::DiscardTail => None,
            // Some clients send one too many behind a literal.
            _ if line.is_empty() => None,
            _ => Some(self.command(&line)),
        };
        // Passwords pass through here, and the buffer lives on.
        line.fill(0);
        std::hint::black_box(&line);
        event
    }

    /// A line that is none. Inside an exchange it ends the exchange and nothing else (attack row M16).
    fn faulty_line(&mut self, fault: LineFault) -> Event {
        match (std::mem::replace(&mut self.input, Input::Commands), fault) {
            (Input::Exchange(tag, _), LineFault::TooLong) => self.fail(tag, Failure::TooLong),
            (Input::Exchange(tag, _), _) => self.fail(tag, Failure::Malformed),
            (Input::Idle(tag) | Input::Tail(tag), _) => self.reject(Some(tag), fault.into()),
            _ => self.reject(None, fault.into()),
        }
    }

    /// A literal is announced: the message of APPEND, a part of a command, or too much.
    fn literal(&mut self, head: LiteralHead) -> Option<Event> {
        let limits = self.config.limits();
        let (append_limit, discard_limit, literals) = (limits.append, limits.discard, limits.literals);
        match std::mem::replace(&mut self.input, Input::Commands) {
            Input::Commands => {}
            // What is waited for has no literals; the line is what it is.
            Input::Exchange(tag, _) => return Some(self.give_up(head, |this| this.fail(tag, Failure::Malformed))),
            Input::Idle(tag) => return Some(self.give_up(head, |this| this.reject(Some(tag), Rejection::NotDone))),
            // RFC 3502 would have another message here.
            _ if !head.waits => return Some(self.give_up(head, |this| this.reject(None, Rejection::AppendTail))),
            Input::Tail(tag) => {
                self.reader.abandon();
                return Some(self.reject(Some(tag), Rejection::AppendTail));
            }
            _ => {
                self.reader.abandon();
                return None;
            }
        }
        let so_far = self.reader.so_far();
        if matches!(self.state, SessionState::Authenticated | SessionState::Selected) {
            match AppendHead::parse(so_far, self.dialect(), self.config.limits()) {
                Ok(Some(append)) => {
                    self.reader.abandon();
                    return Some(self.append(append, append_limit, discard_limit));
                }
                // One that is wrong before its message is refused before it; what comes unasked is no command.
                Err(CommandError { tag, kind }) => {
                    return Some(self.give_up(head, |this| this.reject(tag, kind.into())));
                }
                Ok(None) => {}
            }
        }
        let room = self.command_limit().saturating_sub(so_far.len());
        match usize::try_from(head.octets) {
            Ok(octets) if octets <= room && self.reader.literals() < literals => {
                self.reader.take_literal(octets);
                if !head.waits {
                    return None;
                }
                self.owed = Owed::Prompt;
                Some(Event::Continue)
            }
            _ if head.waits => {
                let tag = tag_of(so_far);
                self.reader.abandon();
                Some(self.reject(tag, Rejection::LiteralTooLarge))
            }
            _ => {
                self.reader.abandon();
                Some(self.reject(None, Rejection::UnaskedLiteralTooLarge))
            }
        }
    }

    /// Gives a command up at a literal. One that comes unasked is swallowed if it is small and ends the session if it is
    /// not: its octets are never read as commands (attack row M6).
    fn give_up(&mut self, head: LiteralHead, raise: impl FnOnce(&mut Self) -> Event) -> Event {
        self.reader.abandon();
        if head.waits {
            return raise(self);
        }
        if head.octets > self.config.limits().discard {
            return self.reject(None, Rejection::UnaskedLiteralTooLarge);
        }
        self.input = Input::Discard(head.octets);
        raise(self)
    }

    fn append(&mut self, append: AppendHead, limit: u64, discard: u64) -> Event {
        let head = append.literal;
        if head.octets > limit {
            if head.waits {
                return self.reject(Some(append.tag), Rejection::LiteralTooLarge);
            }
            if head.octets > discard {
                return self.reject(None, Rejection::UnaskedLiteralTooLarge);
            }
            self.input = Input::Discard(head.octets);
            return self.reject(Some(append.tag), Rejection::LiteralTooLarge);
        }
        self.owed = Owed::Append(append.tag.clone(), head);
        Event::Append(append)
    }

    fn command(&mut self, frame: &[u8]) -> Event {
        let parsed = Command::parse(frame, self.dialect(), self.config.limits());
        let logged_in = matches!(self.state, SessionState::Authenticated | SessionState::Selected);
        // Only AUTHENTICATE may be longer.
        if !logged_in
            && frame.len() > self.config.limits().command_before_login
            && !matches!(&parsed, Ok(Command { body: CommandBody::Authenticate(_), .. }))
        {
            return self.reject(tag_of(frame), Rejection::Line(LineFault::TooLong));
        }
        match parsed {
            Ok(Command { tag, body }) => match self.legal(&tag, body) {
                Ok(event) => event,
                Err(rejection) => self.reject(Some(tag), rejection),
            },
            Err(CommandError { tag, kind }) => self.reject(tag, kind.into()),
        }
    }

    /// A command in the state that it belongs to (RFC 9051 §3, §6).
    fn legal(&mut self, tag: &Tag, body: CommandBody) -> Result<Event, Rejection> {
        let logged_in = matches!(self.state, SessionState::Authenticated | SessionState::Selected);
        match body {
            CommandBody::Capability => {
                self.owed = Owed::Capability(tag.clone());
                return Ok(Event::Capability);
            }
            CommandBody::Logout => {
                self.owed = Owed::Logout(tag.clone());
                return Ok(Event::Logout);
            }
            CommandBody::Id(fields) => {
                self.owed = Owed::Id(tag.clone());
                return Ok(Event::Id(fields));
            }
            CommandBody::Noop => {
                self.owed = Owed::Command(tag.clone(), "NOOP", Then::Nothing);
                return Ok(Event::Command(CommandBody::Noop));
            }
            CommandBody::StartTls | CommandBody::Authenticate(_) | CommandBody::Login(_) if logged_in => {
                return Err(Rejection::AlreadyLoggedIn);
            }
            CommandBody::StartTls => {
                return match self.tls {
                    Some(_) => Err(Rejection::TlsActive),
                    None if !self.config.offers_start_tls() => Err(Rejection::NoStartTls),
                    None => {
                        self.owed = Owed::StartTls(tag.clone());
                        Ok(Event::StartTls)
                    }
                };
            }
            CommandBody::Authenticate(authenticate) => return self.authenticate(tag, &authenticate),
            CommandBody::Login(login) => return self.log_in(tag, &login),
            _ if !logged_in => return Err(Rejection::NotLoggedIn),
            CommandBody::Enable(names) => return Ok(self.enable(tag, &names)),
            _ => {}
        }
        let (name, then, wants_mailbox) = traits_of(&body);
        if wants_mailbox && self.state != SessionState::Selected {
            return Err(Rejection::NoMailbox);
        }
        if wants_condstore(&body) {
            self.enabled.condstore = true;
        }
        self.owed = Owed::Command(tag.clone(), name, then);
        Ok(Event::Command(body))
    }

    /// What is not known is passed over (RFC 5161 §3.1).
    fn enable(&mut self, tag: &Tag, names: &[Box<str>]) -> Event {
        let (mut enabled, mut told) = (Enabled::default(), Vec::new());
        let mut wanted = |name: &'static str, slot: &mut bool, already: bool| {
            *slot = names.iter().any(|asked| asked.eq_ignore_ascii_case(name));
            if *slot && !already {
                told.push(name);
            }
        };
        wanted("IMAP4rev2", &mut enabled.rev2, self.enabled.rev2);
        wanted("CONDSTORE", &mut enabled.condstore, self.enabled.condstore);
        self.owed = Owed::Enable(tag.clone(), enabled, told);
        Event::Enable(enabled)
    }
}

/// The tag that octets begin with.
fn tag_of(frame: &[u8]) -> Option<Tag> {
    let tag = frame.split(|&octet| octet == b' ').next()?;
    Tag::new(std::str::from_utf8(tag).ok()?)
}

/// What a command is called, what its OK does, and whether it wants a mailbox to be selected.
fn traits_of(body: &CommandBody) -> (&'static str, Then, bool) {
    use crate::grammar::Numbering::Uid;
    match body {
        CommandBody::Select(select) if select.read_only => ("EXAMINE", Then::Select, false),
        CommandBody::Select(_) => ("SELECT", Then::Select, false),
        CommandBody::Create(_) => ("CREATE", Then::Nothing, false),
        CommandBody::Delete(_) => ("DELETE", Then::Nothing, false),
        CommandBody::Rename(_) => ("RENAME", Then::Nothing, false),
        CommandBody::Subscribe(_) => ("SUBSCRIBE", Then::Nothing, false),
        CommandBody::Unsubscribe(_) => ("UNSUBSCRIBE", Then::Nothing, false),
        CommandBody::List(_) => ("LIST", Then::Nothing, false),
        CommandBody::Lsub(_) => ("LSUB", Then::Nothing, false),
        CommandBody::Namespace => ("NAMESPACE", Then::Nothing, false),
        CommandBody::Status(_) => ("STATUS", Then::Nothing, false),
        CommandBody::Idle => ("IDLE", Then::Idle, false),
        CommandBody::Check => ("CHECK", Then::Nothing, true),
        CommandBody::Close => ("CLOSE", Then::Unselect, true),
        CommandBody::Unselect => ("UNSELECT", Then::Unselect, true),
        CommandBody::Expunge(None) => ("EXPUNGE", Then::Nothing, true),
        CommandBody::Expunge(Some(_)) => ("UID EXPUNGE", Then::Nothing, true),
        CommandBody::Search(search) if search.numbering == Uid => ("UID SEARCH", Then::Nothing, true),
        CommandBody::Search(_) => ("SEARCH", Then::Nothing, true),
        CommandBody::Fetch(fetch) if fetch.numbering == Uid => ("UID FETCH", Then::Nothing, true),
        CommandBody::Fetch(_) => ("FETCH", Then::Nothing, true),
        CommandBody::Store(store) if store.numbering == Uid => ("UID STORE", Then::Nothing, true),
        CommandBody::Store(_) => ("STORE", Then::Nothing, true),
        CommandBody::Copy(copy) if copy.numbering == Uid => ("UID COPY", Then::Nothing, true),
        CommandBody::Copy(_) => ("COPY", Then::Nothing, true),
        CommandBody::Move(moved) if moved.numbering == Uid => ("UID MOVE", Then::Nothing, true),
        CommandBody::Move(_) => ("MOVE", Then::Nothing, true),
        // Those that never come here.
        CommandBody::Capability
        | CommandBody::Noop
        | CommandBody::Logout
        | CommandBody::StartTls
        | CommandBody::Authenticate(_)
        | CommandBody::Login(_)
        | CommandBody::Enable(_)
        | CommandBody::Id(_) => ("Command", Then::Nothing, false),
    }
}

/// What a command is called.
pub(super) fn name_of(body: &CommandBody) -> &'static str {
    traits_of(body).0
}

/// Whether a command enables CONDSTORE by being said (RFC 7162 §3.1).
fn wants_condstore(body: &CommandBody) -> bool {
    match body {
        CommandBody::Select(select) => select.condstore,
        CommandBody::Status(status) => status.items.contains(&StatusItem::HighestModSeq),
        CommandBody::List(list) => {
            list.returns.as_ref().is_some_and(|returns| returns.status.contains(&StatusItem::HighestModSeq))
        }
        CommandBody::Fetch(fetch) => {
            fetch.changed_since.is_some() || fetch.attributes.contains(&FetchAttribute::ModSeq)
        }
        CommandBody::Store(store) => store.unchanged_since.is_some(),
        CommandBody::Search(search) => has_modseq(&search.keys),
        _ => false,
    }
}

/// Whether MODSEQ stands anywhere among the keys. Their depth is the parser's to bound; here no call is nested.
pub(crate) fn has_modseq(keys: &[SearchKey]) -> bool {
    let mut left: Vec<&SearchKey> = keys.iter().collect();
    while let Some(key) = left.pop() {
        match key {
            SearchKey::ModSeq(_) => return true,
            SearchKey::Not(key) => left.push(key),
            SearchKey::Or(one, other) => left.extend([&**one, &**other]),
            SearchKey::And(keys) => left.extend(keys),
            _ => {}
        }
    }
    false
}
