//! Commands about whole mailboxes.

use mailstore_traits::SpecialUse;

use nom::Parser;
use nom::sequence::{delimited, separated_pair, terminated};

use super::CommandErrorKind;
use super::encode::Writer;
use super::parse::Context;
use crate::grammar::Mailbox;
use crate::grammar::read::{Parsed, atom, close, expected, items, list, mailbox, open, space, word, wrong};

/// SELECT and EXAMINE (RFC 9051 §6.3.2, §6.3.3).
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Select {
    /// Which mailbox.
    pub mailbox: Mailbox,
    /// EXAMINE: nothing is to be changed.
    pub read_only: bool,
    /// With `(CONDSTORE)` (RFC 7162 §3.1.8).
    pub condstore: bool,
}

impl Select {
    /// SELECT of that mailbox.
    pub fn new(mailbox: Mailbox) -> Self {
        Self { mailbox, read_only: false, condstore: false }
    }
}

/// CREATE (RFC 9051 §6.3.4).
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Create {
    /// Which name. With a separator at its end the client means to make mailboxes below it.
    pub mailbox: Mailbox,
    /// What it is to be for: `(USE (...))` (RFC 6154 §3). Attributes that are not known are left out.
    pub special_uses: Vec<SpecialUse>,
}

impl Create {
    /// A mailbox for nothing special.
    pub fn new(mailbox: Mailbox) -> Self {
        Self { mailbox, special_uses: Vec::new() }
    }
}

/// RENAME (RFC 9051 §6.3.6).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rename {
    /// The name that it has.
    pub from: Mailbox,
    /// The name that it gets.
    pub to: Mailbox,
}

/// STATUS (RFC 9051 §6.3.11).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Status {
    /// Which mailbox.
    pub mailbox: Mailbox,
    /// What to tell of it, in the order asked; at least one.
    pub items: Vec<StatusItem>,
}

/// What STATUS tells (RFC 9051 §6.3.11).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum StatusItem {
    /// How many messages there are.
    Messages,
    /// How many of them are recent (RFC 3501 §6.3.10).
    Recent,
    /// The next UID.
    UidNext,
    /// The UIDVALIDITY.
    UidValidity,
    /// How many messages have no `\Seen`.
    Unseen,
    /// How many messages have `\Deleted`.
    Deleted,
    /// The octets of all messages (RFC 8438).
    Size,
    /// The highest modification sequence (RFC 7162 §3.1.7).
    HighestModSeq,
}

impl StatusItem {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::Messages,
        Self::Recent,
        Self::UidNext,
        Self::UidValidity,
        Self::Unseen,
        Self::Deleted,
        Self::Size,
        Self::HighestModSeq,
    ];

    /// As it is written.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Messages => "MESSAGES",
            Self::Recent => "RECENT",
            Self::UidNext => "UIDNEXT",
            Self::UidValidity => "UIDVALIDITY",
            Self::Unseen => "UNSEEN",
            Self::Deleted => "DELETED",
            Self::Size => "SIZE",
            Self::HighestModSeq => "HIGHESTMODSEQ",
        }
    }
}

impl Select {
    pub(super) fn read<'a>(input: &'a [u8], read_only: bool, with: Context<'_>) -> Parsed<'a, Self> {
        let (input, mailbox) = mailbox(input, with.dialect)?;
        let (input, parameters) = match input {
            [b' ', rest @ ..] => list(with.limits.list_items, "a parameter", atom)(rest)?,
            _ => (input, Vec::new()),
        };
        if parameters.iter().any(|parameter| !parameter.eq_ignore_ascii_case(b"CONDSTORE")) {
            return wrong(CommandErrorKind::Expected("no parameter but CONDSTORE"));
        }
        Ok((input, Self { mailbox, read_only, condstore: !parameters.is_empty() }))
    }

    pub(super) fn write(&self, to: &mut Writer) {
        to.text(if self.read_only { "EXAMINE " } else { "SELECT " });
        to.mailbox(&self.mailbox);
        to.text(if self.condstore { " (CONDSTORE)" } else { "" });
    }
}

impl Create {
    pub(super) fn read<'a>(input: &'a [u8], with: Context<'_>) -> Parsed<'a, Self> {
        let (input, mailbox) = mailbox(input, with.dialect)?;
        let [b' ', rest @ ..] = input else { return Ok((input, Self::new(mailbox))) };
        let attribute = |input: &'a [u8]| {
            let [b'\\', rest @ ..] = input else { return expected("a special use") };
            atom(rest)
        };
        let uses = items(with.limits.list_items, "a special use", attribute);
        let mut parameters = delimited((open, word("USE"), space, open), uses, (close, close));
        let (input, uses) = parameters.parse(rest)?;
        let known = |name: &[u8]| {
            let is =
                |one: &SpecialUse| one.as_str().get(1..).is_some_and(|word| word.as_bytes().eq_ignore_ascii_case(name));
            SpecialUse::ALL.into_iter().find(is)
        };
        Ok((input, Self { mailbox, special_uses: uses.into_iter().filter_map(known).collect() }))
    }

    pub(super) fn write(&self, to: &mut Writer) {
        to.text("CREATE ");
        to.mailbox(&self.mailbox);
        if !self.special_uses.is_empty() {
            to.text(" (USE (");
            to.spaced(&self.special_uses, |to, special_use| to.text(special_use.as_str()));
            to.text("))");
        }
    }
}

impl Rename {
    pub(super) fn read<'a>(input: &'a [u8], with: Context<'_>) -> Parsed<'a, Self> {
        let name = |input| mailbox(input, with.dialect);
        let (input, (from, to)) = separated_pair(name, space, name).parse(input)?;
        Ok((input, Self { from, to }))
    }

    pub(super) fn write(&self, to: &mut Writer) {
        to.text("RENAME ");
        to.mailbox(&self.from);
        to.text(" ");
        to.mailbox(&self.to);
    }
}

impl Status {
    pub(super) fn read<'a>(input: &'a [u8], with: Context<'_>) -> Parsed<'a, Self> {
        let (input, mailbox) = terminated(|input| mailbox(input, with.dialect), space).parse(input)?;
        let (input, items) = StatusItem::read_list(input, with)?;
        Ok((input, Self { mailbox, items }))
    }

    pub(super) fn write(&self, to: &mut Writer) {
        to.text("STATUS ");
        to.mailbox(&self.mailbox);
        to.text(" ");
        StatusItem::write_list(&self.items, to);
    }
}

impl StatusItem {
    pub(super) fn read_list<'a>(input: &'a [u8], with: Context<'_>) -> Parsed<'a, Vec<Self>> {
        list(with.limits.list_items, "a status item", Self::read)(input)
    }

    fn read(input: &[u8]) -> Parsed<'_, Self> {
        let (rest, name) = atom(input)?;
        match Self::ALL.into_iter().find(|item| item.as_str().as_bytes().eq_ignore_ascii_case(name)) {
            Some(item) => Ok((rest, item)),
            None => expected("a status item"),
        }
    }

    pub(super) fn write_list(items: &[Self], to: &mut Writer) {
        to.text("(");
        to.spaced(items, |to, item| to.text(item.as_str()));
        to.text(")");
    }
}
