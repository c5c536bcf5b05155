//! FETCH (RFC 9051 §6.4.5).

use std::num::NonZeroU32;

use nom::Parser;
use nom::character::complete::char as one;
use nom::sequence::{delimited, preceded, separated_pair, terminated};

use super::CommandErrorKind;
use super::encode::Writer;
use super::parse::Context;
use crate::grammar::read::{
    Parsed, Upper, astring, close, expected, list, message_set, named, number64, nz_number, open, space, word, wrong,
};
use crate::grammar::{Dialect, FieldNames, MessageSet, Numbering, class, push_field_name};
use crate::response::write::{self, Out};

/// FETCH and UID FETCH.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Fetch {
    /// What the numbers are.
    pub numbering: Numbering,
    /// Of which messages.
    pub messages: MessageSet,
    /// What to tell, in the order asked, with macros expanded; at least one.
    pub attributes: Vec<FetchAttribute>,
    /// CHANGEDSINCE (RFC 7162 §3.1.4.1): only messages with a greater modification sequence. 0 is taken, and is all.
    pub changed_since: Option<u64>,
}

impl Fetch {
    /// That of those messages.
    pub fn new(numbering: Numbering, messages: MessageSet, attributes: Vec<FetchAttribute>) -> Self {
        Self { numbering, messages, attributes, changed_since: None }
    }
}

/// A `fetch-att` (RFC 9051 §9, RFC 3501 §9, RFC 7162 §7).
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum FetchAttribute {
    /// ENVELOPE
    Envelope,
    /// FLAGS
    Flags,
    /// INTERNALDATE
    InternalDate,
    /// RFC822: the whole message; `peek` for `RFC822.PEEK`, which some clients say.
    Rfc822 {
        /// Does not set `\Seen`.
        peek: bool,
    },
    /// RFC822.HEADER, which never sets `\Seen`.
    Rfc822Header,
    /// RFC822.SIZE
    Rfc822Size,
    /// RFC822.TEXT; `peek` for `RFC822.TEXT.PEEK`.
    Rfc822Text {
        /// Does not set `\Seen`.
        peek: bool,
    },
    /// BODY without a section: the structure without extension data.
    Body,
    /// BODYSTRUCTURE
    BodyStructure,
    /// UID
    Uid,
    /// MODSEQ (RFC 7162 §3.1.4.2).
    ModSeq,
    /// `BODY[...]` and `BODY.PEEK[...]`
    Section {
        /// Does not set `\Seen`.
        peek: bool,
        /// Which part of the message.
        section: Section,
        /// Which octets of it.
        partial: Option<Partial>,
    },
    /// `BINARY[...]` and `BINARY.PEEK[...]`: a part with its transfer encoding undone.
    Binary {
        /// Does not set `\Seen`.
        peek: bool,
        /// The part's number; empty for the whole message.
        part: Vec<NonZeroU32>,
        /// Which octets of what is decoded.
        partial: Option<Partial>,
    },
    /// `BINARY.SIZE[...]`: how many octets [`Binary`](Self::Binary) would give.
    BinarySize {
        /// The part's number; empty for the whole message.
        part: Vec<NonZeroU32>,
    },
}

/// What stands in the brackets of `BODY[...]` (RFC 9051 §6.4.5).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Section {
    /// The part's number; empty for the message itself.
    pub part: Vec<NonZeroU32>,
    /// What of it.
    pub text: SectionText,
}

impl Section {
    /// That of the part with that number.
    pub fn new(part: Vec<NonZeroU32>, text: SectionText) -> Self {
        Self { part, text }
    }
}

/// What of a part is meant.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum SectionText {
    /// All: of the message header and body, of a part its body.
    Whole,
    /// HEADER
    Header,
    /// `HEADER.FIELDS (...)`
    HeaderFields(FieldNames),
    /// `HEADER.FIELDS.NOT (...)`
    HeaderFieldsNot(FieldNames),
    /// TEXT
    Text,
    /// MIME: a part's own header. Only with a part's number.
    Mime,
}

/// `<start.count>` (RFC 9051 §6.4.5).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Partial {
    /// The first octet, from 0 on: up to 63 bits (RFC 9051 §9).
    pub start: u64,
    /// How many at the most; at least one.
    pub count: u64,
}

impl Fetch {
    pub(super) fn read<'a>(input: &'a [u8], numbering: Numbering, with: Context<'_>) -> Parsed<'a, Self> {
        let set = |input| message_set(input, with.limits.sequence_set_items);
        let (input, messages) = terminated(set, space).parse(input)?;
        let one_attribute = |input| FetchAttribute::read(input, with);
        let (input, attributes) = match input {
            [b'(', ..] => list(with.limits.list_items, "a fetch attribute", one_attribute)(input)?,
            _ => match macro_of(input) {
                Some((input, attributes)) => (input, attributes.to_vec()),
                None => {
                    let (input, attribute) = one_attribute(input)?;
                    (input, vec![attribute])
                }
            },
        };
        let modifier = delimited((space, open, word("CHANGEDSINCE"), space), number64, close);
        let (input, changed_since) = match input {
            [b' ', ..] => modifier.map(Some).parse(input)?,
            _ => (input, None),
        };
        Ok((input, Self { numbering, messages, attributes, changed_since }))
    }

    pub(super) fn write(&self, to: &mut Writer) {
        to.text(if self.numbering == Numbering::Uid { "UID FETCH " } else { "FETCH " });
        to.messages(&self.messages);
        to.text(" (");
        to.spaced(&self.attributes, |to, attribute| attribute.write(to));
        to.text(")");
        if let Some(modseq) = self.changed_since {
            to.text(" (CHANGEDSINCE ");
            to.number(modseq);
            to.text(")");
        }
    }
}

const FULL: [FetchAttribute; 5] = [
    FetchAttribute::Flags,
    FetchAttribute::InternalDate,
    FetchAttribute::Rfc822Size,
    FetchAttribute::Envelope,
    FetchAttribute::Body,
];

/// ALL, FULL and FAST (RFC 9051 §6.4.5): each has the other's beginning.
fn macro_of(input: &[u8]) -> Option<(&[u8], &'static [FetchAttribute])> {
    let macros: [(&'static str, usize); 3] = [("ALL", 4), ("FULL", 5), ("FAST", 3)];
    macros.into_iter().find_map(|(name, count)| {
        let (rest, ()) = word(name)(input).ok()?;
        matches!(rest, [] | [b' ', ..]).then_some((rest, FULL.get(..count).unwrap_or_default()))
    })
}

impl FetchAttribute {
    fn read<'a>(input: &'a [u8], with: Context<'_>) -> Parsed<'a, Self> {
        let (name, rest) = class::ITEM.split(input);
        let has_section = matches!(rest, [b'[', ..]);
        let plain = match Upper::<16>::of(name).as_octets() {
            b"ENVELOPE" => Self::Envelope,
            b"FLAGS" => Self::Flags,
            b"INTERNALDATE" => Self::InternalDate,
            b"RFC822" => Self::Rfc822 { peek: false },
            b"RFC822.PEEK" => Self::Rfc822 { peek: true },
            b"RFC822.HEADER" => Self::Rfc822Header,
            b"RFC822.SIZE" => Self::Rfc822Size,
            b"RFC822.TEXT" => Self::Rfc822Text { peek: false },
            b"RFC822.TEXT.PEEK" => Self::Rfc822Text { peek: true },
            b"BODY" | b"BODY.PEEK" if has_section => {
                let (rest, section) = Section::read(rest, with)?;
                let (rest, partial) = Partial::read(rest)?;
                return Ok((rest, Self::Section { peek: name.len() > 4, section, partial }));
            }
            b"BODY" => Self::Body,
            b"BODYSTRUCTURE" => Self::BodyStructure,
            b"UID" => Self::Uid,
            b"MODSEQ" => Self::ModSeq,
            b"BINARY" | b"BINARY.PEEK" if has_section => {
                let (rest, part) = delimited(one('['), |input| part(input, with), one(']')).parse(rest)?;
                let (rest, partial) = Partial::read(rest)?;
                return Ok((rest, Self::Binary { peek: name.len() > 6, part, partial }));
            }
            b"BINARY.SIZE" if has_section => {
                let (rest, part) = delimited(one('['), |input| part(input, with), one(']')).parse(rest)?;
                return Ok((rest, Self::BinarySize { part }));
            }
            _ => return expected("a fetch attribute"),
        };
        Ok((rest, plain))
    }

    fn write(&self, to: &mut Writer) {
        let text = match self {
            Self::Envelope => "ENVELOPE",
            Self::Flags => "FLAGS",
            Self::InternalDate => "INTERNALDATE",
            Self::Rfc822 { peek: false } => "RFC822",
            Self::Rfc822 { peek: true } => "RFC822.PEEK",
            Self::Rfc822Header => "RFC822.HEADER",
            Self::Rfc822Size => "RFC822.SIZE",
            Self::Rfc822Text { peek: false } => "RFC822.TEXT",
            Self::Rfc822Text { peek: true } => "RFC822.TEXT.PEEK",
            Self::Body => "BODY",
            Self::BodyStructure => "BODYSTRUCTURE",
            Self::Uid => "UID",
            Self::ModSeq => "MODSEQ",
            Self::Section { peek, .. } => {
                if *peek {
                    "BODY.PEEK["
                } else {
                    "BODY["
                }
            }
            Self::Binary { peek, .. } => {
                if *peek {
                    "BINARY.PEEK["
                } else {
                    "BINARY["
                }
            }
            Self::BinarySize { .. } => "BINARY.SIZE[",
        };
        to.text(text);
        match self {
            Self::Section { section, partial, .. } => {
                section.write_name(to.dialect(), &mut to.out);
                to.text("]");
                Partial::write(*partial, to);
            }
            Self::Binary { part, partial, .. } => {
                write_part_name(part, &mut to.out);
                to.text("]");
                Partial::write(*partial, to);
            }
            Self::BinarySize { part } => {
                write_part_name(part, &mut to.out);
                to.text("]");
            }
            _ => {}
        }
    }
}

/// `[section-part]` of an answer.
pub(crate) fn read_part(input: &[u8], most: usize) -> Parsed<'_, Vec<NonZeroU32>> {
    delimited(one('['), |input| numbers(input, most), one(']')).parse(input)
}

/// `[section]` of an answer.
pub(crate) fn read_section(input: &[u8], dialect: Dialect, most: usize) -> Parsed<'_, Section> {
    Section::read_within(input, dialect, most)
}

fn part<'a>(input: &'a [u8], with: Context<'_>) -> Parsed<'a, Vec<NonZeroU32>> {
    numbers(input, with.limits.list_items)
}

/// `section-part`, or nothing.
fn numbers(input: &[u8], most: usize) -> Parsed<'_, Vec<NonZeroU32>> {
    let mut numbers = Vec::new();
    let mut input = input;
    while let [b'0'..=b'9', ..] = input {
        if numbers.len() >= most {
            return wrong(CommandErrorKind::TooDeep);
        }
        let (rest, number) = nz_number(input)?;
        numbers.push(number);
        // A dot with no number behind it belongs to what follows.
        input = match rest {
            [b'.', next @ ..] if matches!(next, [b'0'..=b'9', ..]) => next,
            _ => return Ok((rest, numbers)),
        };
    }
    Ok((input, numbers))
}

/// `section-part`, as a command and its answer write it.
pub(crate) fn write_part_name(part: &[NonZeroU32], out: &mut impl Out) {
    for (at, number) in part.iter().enumerate() {
        if at > 0 {
            out.octet(b'.');
        }
        write::number(u64::from(number.get()), out);
    }
}

impl Section {
    fn read<'a>(input: &'a [u8], with: Context<'_>) -> Parsed<'a, Self> {
        Self::read_within(input, with.dialect, with.limits.list_items)
    }

    fn read_within(input: &[u8], dialect: Dialect, most: usize) -> Parsed<'_, Self> {
        let (input, part) = preceded(one('['), |input| numbers(input, most)).parse(input)?;
        let (input, text) = match (input, part.is_empty()) {
            ([b']', ..], _) => (input, SectionText::Whole),
            ([b'.', rest @ ..], false) => SectionText::read(rest, true, dialect, most)?,
            (_, true) => SectionText::read(input, false, dialect, most)?,
            _ => return expected("a section"),
        };
        let (input, _) = named("a closing bracket", one(']')).parse(input)?;
        Ok((input, Self { part, text }))
    }

    /// What stands in the brackets, as a command and its answer write it. A field's name has no octet that would need a
    /// literal.
    pub(crate) fn write_name(&self, dialect: Dialect, out: &mut impl Out) {
        write_part_name(&self.part, out);
        if !self.part.is_empty() && self.text != SectionText::Whole {
            out.octet(b'.');
        }
        let (word, names) = match &self.text {
            SectionText::Whole => ("", None),
            SectionText::Header => ("HEADER", None),
            SectionText::HeaderFields(names) => ("HEADER.FIELDS", Some(names)),
            SectionText::HeaderFieldsNot(names) => ("HEADER.FIELDS.NOT", Some(names)),
            SectionText::Text => ("TEXT", None),
            SectionText::Mime => ("MIME", None),
        };
        out.octets(word.as_bytes());
        for (at, name) in names.into_iter().flat_map(FieldNames::iter).enumerate() {
            out.octets(if at == 0 { b" (" } else { b" " });
            write::astring(name.as_bytes(), dialect, out);
        }
        if names.is_some() {
            out.octet(b')');
        }
    }
}

impl SectionText {
    fn read(input: &[u8], of_part: bool, dialect: Dialect, most: usize) -> Parsed<'_, Self> {
        let (name, rest) = class::ITEM.split(input);
        match Upper::<17>::of(name).as_octets() {
            b"HEADER.FIELDS.NOT" => {
                field_names(rest, dialect, most).map(|(rest, names)| (rest, Self::HeaderFieldsNot(names)))
            }
            b"HEADER.FIELDS" => field_names(rest, dialect, most).map(|(rest, names)| (rest, Self::HeaderFields(names))),
            b"HEADER" => Ok((rest, Self::Header)),
            b"TEXT" => Ok((rest, Self::Text)),
            b"MIME" if of_part => Ok((rest, Self::Mime)),
            _ => expected("a section"),
        }
    }
}

/// A space, and names in parentheses: at the most so many (attack row M7).
fn field_names(input: &[u8], dialect: Dialect, most: usize) -> Parsed<'_, FieldNames> {
    let (mut input, _) = (space, open).parse(input)?;
    // Nearly always they are atoms with one space between them, as they are kept.
    let end = memchr::memchr(b')', input).unwrap_or_default();
    if let Some((joined, [b')', rest @ ..])) = input.split_at_checked(end)
        && let Some(names) = FieldNames::of_atoms(joined, most)
    {
        return Ok((rest, names));
    }
    let mut joined = String::new();
    for _ in 0..most {
        let (rest, name) = named("the name of a header field", |input| astring(input, dialect)).parse(input)?;
        if push_field_name(&mut joined, &name).is_none() {
            return expected("the name of a header field");
        }
        match rest {
            [b' ', rest @ ..] => input = rest,
            _ => {
                let (rest, ()) = close(rest)?;
                let names = FieldNames::joined(joined);
                return names.map_or_else(|| expected("the name of a header field"), |names| Ok((rest, names)));
            }
        }
    }
    wrong(CommandErrorKind::TooMany)
}

impl Partial {
    fn read(input: &[u8]) -> Parsed<'_, Option<Self>> {
        let [b'<', ..] = input else { return Ok((input, None)) };
        let count = |input| match number64(input) {
            Ok((_, 0)) => expected("a count that is not 0"),
            other => other,
        };
        let pair = delimited(one('<'), separated_pair(number64, one('.'), count), one('>'));
        let (input, (start, count)) = named("a partial such as <0.1024>", pair).parse(input)?;
        Ok((input, Some(Self { start, count })))
    }

    fn write(partial: Option<Self>, to: &mut Writer) {
        if let Some(partial) = partial {
            to.text("<");
            to.number(partial.start);
            to.text(".");
            to.number(partial.count);
            to.text(">");
        }
    }
}
