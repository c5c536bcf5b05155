//! STORE, COPY and MOVE.

use mailstore_traits::{FlagChange, Flags};
use nom::Parser;
use nom::character::complete::one_of;
use nom::combinator::{map, opt};
use nom::sequence::{delimited, terminated};

use super::encode::Writer;
use super::parse::Context;
use crate::grammar::read::{
    Parsed, close, flag, flag_list, items, mailbox, message_set, named, number64, open, space, word,
};
use crate::grammar::{Mailbox, MessageSet, Numbering};
use crate::response::write;

/// STORE and UID STORE (RFC 9051 §6.4.6, RFC 7162 §3.1.3).
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Store {
    /// What the numbers are.
    pub numbering: Numbering,
    /// Of which messages.
    pub messages: MessageSet,
    /// UNCHANGEDSINCE: messages with a greater modification sequence are left alone.
    pub unchanged_since: Option<u64>,
    /// `.SILENT`: the new flags need not be told.
    pub silent: bool,
    /// What is done to the flags. `\Recent` and unknown flags of the system's are left out.
    pub change: FlagChange,
}

impl Store {
    /// That change to those messages.
    pub fn new(numbering: Numbering, messages: MessageSet, change: FlagChange) -> Self {
        Self { numbering, messages, unchanged_since: None, silent: false, change }
    }
}

/// COPY and MOVE (RFC 9051 §6.4.7, §6.4.8).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Transfer {
    /// What the numbers are.
    pub numbering: Numbering,
    /// Which messages.
    pub messages: MessageSet,
    /// Where to.
    pub mailbox: Mailbox,
}

impl Store {
    pub(super) fn read<'a>(input: &'a [u8], numbering: Numbering, with: Context<'_>) -> Parsed<'a, Self> {
        let (input, messages) =
            terminated(|input| message_set(input, with.limits.sequence_set_items), space).parse(input)?;
        let modifier = delimited((open, word("UNCHANGEDSINCE"), space), number64, (close, space));
        let (input, unchanged_since) = match input {
            [b'(', ..] => map(modifier, Some).parse(input)?,
            _ => (input, None),
        };
        let (input, sign) = opt(one_of("+-")).parse(input)?;
        let (input, ()) = named("FLAGS, +FLAGS or -FLAGS", word("FLAGS")).parse(input)?;
        let (input, silent) = opt(word(".SILENT")).parse(input)?;
        let (input, ()) = space(input)?;
        let (input, flags) = match input {
            [b'(', ..] => flag_list(input, with.limits.list_items)?,
            _ => {
                let (input, flags) = items(with.limits.list_items, "a flag", flag)(input)?;
                (input, flags.into_iter().flatten().collect())
            }
        };
        let change = match sign {
            Some('+') => FlagChange::Add(flags),
            Some(_) => FlagChange::Remove(flags),
            None => FlagChange::Replace(flags),
        };
        Ok((input, Self { numbering, messages, unchanged_since, silent: silent.is_some(), change }))
    }

    pub(super) fn write(&self, to: &mut Writer) {
        to.text(if self.numbering == Numbering::Uid { "UID STORE " } else { "STORE " });
        to.messages(&self.messages);
        if let Some(modseq) = self.unchanged_since {
            to.text(" (UNCHANGEDSINCE ");
            to.number(modseq);
            to.text(")");
        }
        let (sign, flags) = match &self.change {
            FlagChange::Add(flags) => (" +FLAGS", flags),
            FlagChange::Remove(flags) => (" -FLAGS", flags),
            FlagChange::Replace(flags) => (" FLAGS", flags),
            // A change of a kind that no STORE can tell is none.
            _ => (" +FLAGS", &Flags::new()),
        };
        to.text(sign);
        to.text(if self.silent { ".SILENT " } else { " " });
        write::flags(flags, false, &mut to.out);
    }
}

impl Transfer {
    pub(super) fn read<'a>(input: &'a [u8], numbering: Numbering, with: Context<'_>) -> Parsed<'a, Self> {
        let set = |input| message_set(input, with.limits.sequence_set_items);
        let (input, messages) = terminated(set, space).parse(input)?;
        let (input, mailbox) = mailbox(input, with.dialect)?;
        Ok((input, Self { numbering, messages, mailbox }))
    }

    pub(super) fn write(&self, verb: &str, to: &mut Writer) {
        to.text(if self.numbering == Numbering::Uid { "UID " } else { "" });
        to.text(verb);
        to.messages(&self.messages);
        to.text(" ");
        to.mailbox(&self.mailbox);
    }
}
