//! From a command to octets, as a client sends them.

use bytes::{Bytes, BytesMut};
use mailstore_traits::Timestamp;

use super::{Command, CommandBody};
use crate::frame::LiteralHead;
use crate::grammar::{Dialect, Mailbox, MessageSet, SeqBound};
use crate::response::write;

/// How a client announces its literals.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Literals {
    /// `{n}`: it waits for a continuation before each.
    Synchronizing,
    /// `{n+}`: it does not. Only to a server that has told LITERAL+ (RFC 7888 §4).
    NonSynchronizing,
}

/// A command in octets, with the places where the client has to wait.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Encoded {
    octets: Bytes,
    waits: Vec<usize>,
}

impl Encoded {
    /// All octets: what the server's parser reads, and CRLF behind it.
    pub fn octets(&self) -> &Bytes {
        &self.octets
    }

    /// What is sent at once each; after each but the last a continuation is waited for.
    pub fn fragments(&self) -> impl Iterator<Item = Bytes> + '_ {
        let ends = self.waits.iter().copied().chain([self.octets.len()]);
        let mut from = 0;
        ends.map(move |end| {
            let fragment = self.octets.get(from..end).map(|slice| self.octets.slice_ref(slice)).unwrap_or_default();
            from = end;
            fragment
        })
    }
}

impl Command {
    /// Writes the command with its CRLF. What no string may hold, NUL, is left out.
    pub fn encode(&self, dialect: Dialect, literals: Literals) -> Encoded {
        let mut to = Writer { out: BytesMut::new(), waits: Vec::new(), dialect, literals };
        to.text(self.tag.as_str());
        to.text(" ");
        self.body.write(&mut to);
        to.text("\r\n");
        Encoded { octets: to.out.freeze(), waits: to.waits }
    }
}

impl super::AppendHead {
    /// Writes the command up to the octets of its message, for which a client waits as
    /// [`literal`](super::AppendHead::literal) says.
    pub fn encode(&self, dialect: Dialect) -> Encoded {
        let literals = if self.literal.waits { Literals::Synchronizing } else { Literals::NonSynchronizing };
        let mut to = Writer { out: BytesMut::new(), waits: Vec::new(), dialect, literals };
        to.text(self.tag.as_str());
        to.text(" APPEND ");
        to.mailbox(&self.mailbox);
        if !self.flags.is_empty() {
            to.text(" ");
            write::flags(&self.flags, false, &mut to.out);
        }
        if let Some(date) = self.date {
            to.text(" ");
            to.date_time(date);
        }
        to.text(" ");
        to.literal_head(self.literal);
        Encoded { octets: to.out.freeze(), waits: to.waits }
    }
}

/// Where a command is written to.
pub(super) struct Writer {
    pub(super) out: BytesMut,
    waits: Vec<usize>,
    dialect: Dialect,
    literals: Literals,
}

impl Writer {
    pub(super) fn text(&mut self, text: &str) {
        self.out.extend_from_slice(text.as_bytes());
    }

    pub(super) fn dialect(&self) -> Dialect {
        self.dialect
    }

    pub(super) fn number(&mut self, number: u64) {
        write::number(number, &mut self.out);
    }

    pub(super) fn date_time(&mut self, moment: Timestamp) {
        write::date_time(moment, &mut self.out);
    }

    pub(super) fn astring(&mut self, text: &[u8]) {
        self.string_as(text, write::astring);
    }

    pub(super) fn string(&mut self, text: &[u8]) {
        self.string_as(text, write::string);
    }

    /// Writes it; where it came out as a literal, announces that in the client's way.
    fn string_as(&mut self, text: &[u8], write: impl FnOnce(&[u8], Dialect, &mut BytesMut)) {
        let before = self.out.len();
        write(text, self.dialect, &mut self.out);
        if self.out.get(before) == Some(&b'{') {
            let nuls = memchr::memchr_iter(0, text).count();
            self.out.truncate(before);
            let octets = text.len().saturating_sub(nuls) as u64;
            self.literal_head(LiteralHead { octets, waits: self.literals == Literals::Synchronizing });
            text.split(|&octet| octet == 0).for_each(|piece| self.out.extend_from_slice(piece));
        }
    }

    fn literal_head(&mut self, head: LiteralHead) {
        self.text("{");
        self.number(head.octets);
        self.text(if head.waits { "}\r\n" } else { "+}\r\n" });
        if head.waits {
            self.waits.push(self.out.len());
        }
    }

    pub(super) fn mailbox(&mut self, mailbox: &Mailbox) {
        let encoded = mailbox.encoded(self.dialect);
        self.astring(&encoded);
    }

    /// A pattern, always as a string: one of our own needs no exceptions for wildcards.
    pub(super) fn pattern(&mut self, pattern: &str) {
        let encoded = Mailbox::new(pattern).encoded(self.dialect);
        self.string(&encoded);
    }

    pub(super) fn messages(&mut self, set: &MessageSet) {
        match set {
            MessageSet::Saved => self.text("$"),
            MessageSet::Set(set) => {
                for (at, &(first, last)) in set.ranges().iter().enumerate() {
                    if at > 0 {
                        self.text(",");
                    }
                    self.bound(first);
                    if first != last {
                        self.text(":");
                        self.bound(last);
                    }
                }
            }
        }
    }

    fn bound(&mut self, bound: SeqBound) {
        match bound {
            SeqBound::Number(number) => self.number(u64::from(number.get())),
            SeqBound::Star => self.text("*"),
        }
    }

    /// Words or more with one space between them.
    pub(super) fn spaced<T>(&mut self, items: impl IntoIterator<Item = T>, mut write: impl FnMut(&mut Self, T)) {
        for (at, item) in items.into_iter().enumerate() {
            if at > 0 {
                self.text(" ");
            }
            write(self, item);
        }
    }
}

impl CommandBody {
    fn write(&self, to: &mut Writer) {
        match self {
            Self::Capability => to.text("CAPABILITY"),
            Self::Noop => to.text("NOOP"),
            Self::Logout => to.text("LOGOUT"),
            Self::StartTls => to.text("STARTTLS"),
            Self::Namespace => to.text("NAMESPACE"),
            Self::Idle => to.text("IDLE"),
            Self::Check => to.text("CHECK"),
            Self::Close => to.text("CLOSE"),
            Self::Unselect => to.text("UNSELECT"),
            Self::Expunge(None) => to.text("EXPUNGE"),
            Self::Expunge(Some(uids)) => {
                to.text("UID EXPUNGE ");
                to.messages(uids);
            }
            Self::Delete(mailbox) => {
                to.text("DELETE ");
                to.mailbox(mailbox);
            }
            Self::Subscribe(mailbox) => {
                to.text("SUBSCRIBE ");
                to.mailbox(mailbox);
            }
            Self::Unsubscribe(mailbox) => {
                to.text("UNSUBSCRIBE ");
                to.mailbox(mailbox);
            }
            Self::Enable(names) => {
                to.text("ENABLE ");
                to.spaced(names, |to, name| to.text(name));
            }
            Self::Authenticate(authenticate) => authenticate.write(to),
            Self::Login(login) => login.write(to),
            Self::Id(fields) => super::login::write_id(fields.as_deref(), to),
            Self::Select(select) => select.write(to),
            Self::Create(create) => create.write(to),
            Self::Rename(rename) => rename.write(to),
            Self::Status(status) => status.write(to),
            Self::List(list) => list.write(to),
            Self::Lsub(lsub) => lsub.write(to),
            Self::Search(search) => search.write(to),
            Self::Fetch(fetch) => fetch.write(to),
            Self::Store(store) => store.write(to),
            Self::Copy(copy) => copy.write("COPY ", to),
            Self::Move(moved) => moved.write("MOVE ", to),
        }
    }
}
