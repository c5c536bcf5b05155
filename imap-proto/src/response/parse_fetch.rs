//! What FETCH tells, from octets (RFC 9051 §7.5.2).

use std::num::NonZeroU32;

use mailstore_traits::{Flags, Uid};
use nom::Parser;
use nom::combinator::opt;
use nom::sequence::{delimited, preceded, terminated};

use super::data::{Envelope, EnvelopeAddress, FetchItem, Rfc822};
use super::parse::{Context, each_word, value};
use crate::command::{CommandErrorKind, Section, read_part, read_section};
use crate::grammar::read::{
    Fault, Parsed, Upper, close, date_time, expected, flag, literal8, nstring, number64, nz_number, octet_nstring,
    open, space, wrong,
};
use crate::grammar::{OctetString, class};

/// One item of a message's answer.
pub(super) fn fetch_item<'a>(input: &'a [u8], with: Context<'_>) -> Parsed<'a, FetchItem> {
    let (name, rest) = class::ITEM.split(input);
    let upper = Upper::<13>::of(name);
    let text = |input| nstring(input, with.dialect).map(|(rest, text)| (rest, text.map(|text| Box::from(&*text))));
    if let [b'[', ..] = rest {
        return match upper.as_octets() {
            b"BODY" => {
                let (rest, section): (_, Section) = read_section(rest, with.dialect, with.limits.items)?;
                let (rest, origin) = terminated(opt(origin), space).parse(rest)?;
                let (rest, octets) = text(rest)?;
                Ok((rest, FetchItem::Section(section, origin, octets)))
            }
            b"BINARY" => {
                let (rest, part): (_, Vec<NonZeroU32>) = read_part(rest, with.limits.items)?;
                let (rest, origin) = terminated(opt(origin), space).parse(rest)?;
                let (rest, octets) = match literal8(rest) {
                    Ok((rest, octets)) => (rest, Some(Box::from(octets))),
                    Err(_) => text(rest)?,
                };
                Ok((rest, FetchItem::Binary(part, origin, octets)))
            }
            b"BINARY.SIZE" => {
                let (rest, part): (_, Vec<NonZeroU32>) = read_part(rest, with.limits.items)?;
                let (rest, octets) = preceded(space, number64).parse(rest)?;
                Ok((rest, FetchItem::BinarySize(part, octets)))
            }
            _ => expected("a fetch item"),
        };
    }
    let (rest, ()) = space(rest)?;
    let octets = |rest, which| text(rest).map(|(rest, octets)| (rest, FetchItem::Rfc822(which, octets)));
    match upper.as_octets() {
        b"FLAGS" => {
            let (mut flags, mut recent) = (Flags::new(), false);
            let (rest, ()) = each_word(rest, with, |word| {
                recent |= word.eq_ignore_ascii_case(b"\\Recent");
                if let Ok((b"", Some(flag))) = flag(word) {
                    flags.insert(flag);
                }
            })?;
            Ok((rest, FetchItem::Flags(flags, recent)))
        }
        b"UID" => nz_number(rest).map(|(rest, uid)| (rest, FetchItem::Uid(Uid::new(uid.get()).unwrap_or(Uid::MIN)))),
        b"MODSEQ" => {
            delimited(open, number64, close).parse(rest).map(|(rest, modseq)| (rest, FetchItem::ModSeq(modseq)))
        }
        b"INTERNALDATE" => date_time(rest).map(|(rest, date)| (rest, FetchItem::InternalDate(date))),
        b"RFC822.SIZE" => number64(rest).map(|(rest, octets)| (rest, FetchItem::Size(octets))),
        b"ENVELOPE" => envelope(rest, with).map(|(rest, envelope)| (rest, FetchItem::Envelope(envelope))),
        b"BODY" => value(rest, with).map(|(rest, value)| (rest, FetchItem::Body(value))),
        b"BODYSTRUCTURE" => value(rest, with).map(|(rest, value)| (rest, FetchItem::BodyStructure(value))),
        b"RFC822" => octets(rest, Rfc822::Whole),
        b"RFC822.HEADER" => octets(rest, Rfc822::Header),
        b"RFC822.TEXT" => octets(rest, Rfc822::Text),
        _ => expected("a fetch item"),
    }
}

fn origin(input: &[u8]) -> Parsed<'_, u64> {
    match input {
        [b'<', rest @ ..] => {
            let (rest, origin) = number64(rest)?;
            match rest {
                [b'>', rest @ ..] => Ok((rest, origin)),
                _ => expected("a closing bracket"),
            }
        }
        _ => expected("an opening bracket"),
    }
}

fn envelope<'a>(input: &'a [u8], with: Context<'_>) -> Parsed<'a, Box<Envelope>> {
    // It is large: each word is read into its place.
    let mut envelope = Box::<Envelope>::default();
    let Envelope { date, subject, from, sender, reply_to, to, cc, bcc, in_reply_to, message_id } = &mut *envelope;
    let (input, ()) = open(input)?;
    let mut input = texts([date, subject], input, with)?;
    for list in [from, sender, reply_to, to, cc, bcc] {
        input = address_list(list, space(input)?.0, with)?;
    }
    let input = texts([in_reply_to, message_id], space(input)?.0, with)?;
    let (input, ()) = close(input)?;
    Ok((input, envelope))
}

/// Strings with one space between them, each into its place.
fn texts<'a, const COUNT: usize>(
    places: [&mut Option<OctetString>; COUNT],
    mut input: &'a [u8],
    with: Context<'_>,
) -> Result<&'a [u8], nom::Err<Fault>> {
    for (at, place) in places.into_iter().enumerate() {
        if at > 0 {
            input = space(input)?.0;
        }
        (input, *place) = octet_nstring(input, with.dialect)?;
    }
    Ok(input)
}

fn address_list<'a>(
    addresses: &mut Vec<EnvelopeAddress>,
    input: &'a [u8],
    with: Context<'_>,
) -> Result<&'a [u8], nom::Err<Fault>> {
    if let [b'N' | b'n', b'I' | b'i', b'L' | b'l', rest @ ..] = input {
        return Ok(rest);
    }
    let (mut input, ()) = open(input)?;
    // Nearly always there is one.
    *addresses = Vec::with_capacity(1);
    while let [b'(', rest @ ..] = input {
        if addresses.len() >= with.limits.items {
            return wrong(CommandErrorKind::TooMany);
        }
        let mut address = EnvelopeAddress::default();
        let EnvelopeAddress { name, route, mailbox, host } = &mut address;
        let (rest, ()) = close(texts([name, route, mailbox, host], rest, with)?)?;
        addresses.push(address);
        // Some servers write a space between them.
        input = rest.strip_prefix(b" ").unwrap_or(rest);
    }
    Ok(close(input)?.0)
}
