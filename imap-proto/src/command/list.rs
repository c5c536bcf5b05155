//! LIST with all its options, and LSUB.

use nom::Parser;
use nom::sequence::{preceded, separated_pair};

use super::encode::Writer;
use super::parse::Context;
use super::{CommandErrorKind, StatusItem};
use crate::grammar::read::{Parsed, atom, list, list_mailbox, mailbox, open, space, word, wrong};

/// LIST (RFC 9051 §6.3.9, RFC 5258).
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct List {
    /// Which names; `None` where no selection options were given, not even `()`.
    pub select: Option<ListSelect>,
    /// What stands before each pattern, decoded to Unicode; mostly empty.
    pub reference: String,
    /// The patterns, decoded to Unicode; at least one.
    pub patterns: Vec<String>,
    /// Whether the patterns stood in parentheses.
    pub many: bool,
    /// What to tell of them; `None` without `RETURN`.
    pub returns: Option<ListReturn>,
}

impl List {
    /// The plain form.
    pub fn new(reference: impl Into<String>, pattern: impl Into<String>) -> Self {
        Self { select: None, reference: reference.into(), patterns: vec![pattern.into()], many: false, returns: None }
    }

    /// Whether it is written as RFC 5258 extends it.
    pub fn is_extended(&self) -> bool {
        self.select.is_some() || self.many || self.returns.is_some()
    }
}

/// Selection options (RFC 5258 §3.1, RFC 6154 §4).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct ListSelect {
    /// SUBSCRIBED: subscribed names only, whether they exist or not.
    pub subscribed: bool,
    /// REMOTE: those on other servers too, of which there are none.
    pub remote: bool,
    /// RECURSIVEMATCH: those with children that match, too. Only with another one.
    pub recursive_match: bool,
    /// SPECIAL-USE: those with a special use only.
    pub special_use: bool,
}

/// Return options (RFC 5258 §3.2, RFC 6154 §4, RFC 5819).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct ListReturn {
    /// SUBSCRIBED
    pub subscribed: bool,
    /// CHILDREN
    pub children: bool,
    /// SPECIAL-USE
    pub special_use: bool,
    /// `STATUS (...)`; empty if it was not asked for.
    pub status: Vec<StatusItem>,
}

/// LSUB (RFC 3501 §6.3.9).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lsub {
    /// What stands before the pattern, decoded to Unicode.
    pub reference: String,
    /// The pattern, decoded to Unicode.
    pub pattern: String,
}

impl List {
    pub(super) fn read<'a>(input: &'a [u8], with: Context<'_>) -> Parsed<'a, Self> {
        let (input, select) = match input {
            [b'(', ..] => {
                let (input, select) = ListSelect::read(input, with)?;
                (space(input)?.0, Some(select))
            }
            _ => (input, None),
        };
        let (input, reference) = mailbox(input, with.dialect)?;
        let (input, ()) = space(input)?;
        let pattern = |input| list_mailbox(input, with.dialect, with.limits.pattern);
        let (input, patterns, many) = match input {
            [b'(', ..] => {
                let (input, patterns) = list(with.limits.list_items, "a pattern", pattern)(input)?;
                (input, patterns, true)
            }
            _ => {
                let (input, pattern) = pattern(input)?;
                (input, vec![pattern], false)
            }
        };
        let (input, returns) = match input {
            [b' ', rest @ ..] => {
                let (input, returns) =
                    preceded((word("RETURN"), space), |input| ListReturn::read(input, with)).parse(rest)?;
                (input, Some(returns))
            }
            _ => (input, None),
        };
        let reference = reference.as_str().to_owned();
        if reference.len() > with.limits.pattern {
            return wrong(CommandErrorKind::TooMany);
        }
        Ok((input, Self { select, reference, patterns, many, returns }))
    }

    pub(super) fn write(&self, to: &mut Writer) {
        to.text("LIST ");
        if let Some(select) = &self.select {
            select.write(to);
            to.text(" ");
        }
        to.pattern(&self.reference);
        to.text(" ");
        if self.many {
            to.text("(");
        }
        to.spaced(&self.patterns, |to, pattern| to.pattern(pattern));
        if self.many {
            to.text(")");
        }
        if let Some(returns) = &self.returns {
            to.text(" RETURN ");
            returns.write(to);
        }
    }
}

impl ListSelect {
    fn read<'a>(input: &'a [u8], with: Context<'_>) -> Parsed<'a, Self> {
        let (input, words) = words(input, with)?;
        let mut select = Self::default();
        for word in words {
            let slot = match word {
                word if word.eq_ignore_ascii_case(b"SUBSCRIBED") => &mut select.subscribed,
                word if word.eq_ignore_ascii_case(b"REMOTE") => &mut select.remote,
                word if word.eq_ignore_ascii_case(b"RECURSIVEMATCH") => &mut select.recursive_match,
                word if word.eq_ignore_ascii_case(b"SPECIAL-USE") => &mut select.special_use,
                _ => return wrong(CommandErrorKind::Expected("a selection option")),
            };
            *slot = true;
        }
        // RFC 5258 §3.1: alone, or with REMOTE alone, it means nothing.
        if select.recursive_match && !select.subscribed && !select.special_use {
            return wrong(CommandErrorKind::Expected("another selection option beside RECURSIVEMATCH"));
        }
        Ok((input, select))
    }

    fn write(self, to: &mut Writer) {
        let words = [
            (self.subscribed, "SUBSCRIBED"),
            (self.remote, "REMOTE"),
            (self.recursive_match, "RECURSIVEMATCH"),
            (self.special_use, "SPECIAL-USE"),
        ];
        to.text("(");
        to.spaced(words.into_iter().filter(|(is_set, _)| *is_set), |to, (_, word)| to.text(word));
        to.text(")");
    }
}

impl ListReturn {
    fn read<'a>(input: &'a [u8], with: Context<'_>) -> Parsed<'a, Self> {
        let mut returns = Self::default();
        if let [b'(', b')', rest @ ..] = input {
            return Ok((rest, returns));
        }
        let (mut input, ()) = open(input)?;
        loop {
            let (rest, word) = atom(input)?;
            input = rest;
            match word {
                word if word.eq_ignore_ascii_case(b"SUBSCRIBED") => returns.subscribed = true,
                word if word.eq_ignore_ascii_case(b"CHILDREN") => returns.children = true,
                word if word.eq_ignore_ascii_case(b"SPECIAL-USE") => returns.special_use = true,
                word if word.eq_ignore_ascii_case(b"STATUS") => {
                    let (rest, items) = preceded(space, |input| StatusItem::read_list(input, with)).parse(input)?;
                    returns.status = items;
                    input = rest;
                }
                _ => return wrong(CommandErrorKind::Expected("a return option")),
            }
            match input {
                [b')', rest @ ..] => return Ok((rest, returns)),
                _ => input = space(input)?.0,
            }
        }
    }

    fn write(&self, to: &mut Writer) {
        let words = [(self.subscribed, "SUBSCRIBED"), (self.children, "CHILDREN"), (self.special_use, "SPECIAL-USE")];
        to.text("(");
        to.spaced(words.into_iter().filter(|(is_set, _)| *is_set), |to, (_, word)| to.text(word));
        if !self.status.is_empty() {
            let first = !(self.subscribed || self.children || self.special_use);
            to.text(if first { "STATUS " } else { " STATUS " });
            StatusItem::write_list(&self.status, to);
        }
        to.text(")");
    }
}

/// Atoms in parentheses, which may be none.
fn words<'a>(input: &'a [u8], with: Context<'_>) -> Parsed<'a, Vec<&'a [u8]>> {
    match input {
        [b'(', b')', rest @ ..] => Ok((rest, Vec::new())),
        _ => list(with.limits.list_items, "an option", atom)(input),
    }
}

impl Lsub {
    pub(super) fn read<'a>(input: &'a [u8], with: Context<'_>) -> Parsed<'a, Self> {
        let pattern = |input| list_mailbox(input, with.dialect, with.limits.pattern);
        let (input, (reference, pattern)) =
            separated_pair(|input| mailbox(input, with.dialect), space, pattern).parse(input)?;
        let reference = reference.as_str().to_owned();
        if reference.len() > with.limits.pattern {
            return wrong(CommandErrorKind::TooMany);
        }
        Ok((input, Self { reference, pattern }))
    }

    pub(super) fn write(&self, to: &mut Writer) {
        to.text("LSUB ");
        to.pattern(&self.reference);
        to.text(" ");
        to.pattern(&self.pattern);
    }
}
