//! RFC 5321 §4.1.2, `Local-part`: whose mailbox it is, in words that only its own host understands.

use std::fmt;

use mail_wire::octet_set::OctetSet;
use nom::Parser;
use nom::bytes::complete::{tag, take_while1};
use smol_str::SmolStr;

use super::{Parsed, expect, fail, is_atext, parsed_type, utf8};
use crate::error::ParseErrorKind;

/// What stands before the `@`, kept without its quoting: all quoted forms of a name are the same name (RFC 5321 §4.1.2).
///
/// ```abnf
/// Local-part    = Dot-string / Quoted-string
/// Dot-string    = Atom *("." Atom)
/// Quoted-string = DQUOTE *QcontentSMTP DQUOTE
/// ```
///
/// Its case may matter (RFC 5321 §2.4) and is kept. An empty name, `""`, is legal by the grammar; no directory knows it.
///
/// At most 256 octets: RFC 5321 §4.5.3.1.1 has everybody take 64, and the bounce addresses of mailing lists are longer.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct LocalPart(SmolStr);

impl LocalPart {
    /// The most octets it has, without its quoting.
    pub const MAX_OCTETS: usize = 256;

    /// Takes a name that is not quoted.
    ///
    /// # Errors
    /// [`ParseErrorKind::LocalPart`] if it holds a control character, or more than 256 octets.
    pub fn from_unquoted(name: impl Into<String>) -> Result<Self, crate::error::ParseError> {
        let name = name.into();
        match name.find(char::is_control) {
            None if name.len() <= Self::MAX_OCTETS => Ok(Self(name.into())),
            at => Err(crate::error::ParseError::new(ParseErrorKind::LocalPart, at.unwrap_or(Self::MAX_OCTETS))),
        }
    }

    /// The name without its quoting. It may hold anything but control characters: spaces, `@`, quotes.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether there is nothing but ASCII in it.
    pub fn is_ascii(&self) -> bool {
        self.0.is_ascii()
    }
}

parsed_type!(LocalPart, ParseErrorKind::LocalPart, local_part);

/// With the least quoting that is legal, as RFC 5321 §4.1.2 wants it.
impl fmt::Display for LocalPart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let is_atom = |atom: &str| !atom.is_empty() && atom.bytes().all(is_atext);
        if self.0.split('.').all(is_atom) {
            return f.write_str(&self.0);
        }
        f.write_str("\"")?;
        for c in self.0.chars() {
            if matches!(c, '"' | '\\') {
                f.write_str("\\")?;
            }
            write!(f, "{c}")?;
        }
        f.write_str("\"")
    }
}

/// What an atom of ASCII is made of: RFC 5322 §3.2.3, `atext`.
static ATOM: OctetSet = OctetSet::ALPHANUMERIC.with(b"!#$%&'*+-/=?^_`{|}~");

/// What nearly every one is: atoms of ASCII in front of an `@`. `None` is for what has to be looked at more closely,
/// errors too.
#[inline]
fn plain(input: &[u8]) -> Option<(&[u8], &str)> {
    let mut at = input;
    let rest = loop {
        let (atom, rest) = ATOM.split(at);
        match rest {
            _ if atom.is_empty() => return None,
            [b'.', behind @ ..] => at = behind,
            [b'@', ..] => break rest,
            _ => return None,
        }
    };
    let name = input.get(..input.len().saturating_sub(rest.len()))?;
    if name.len() > LocalPart::MAX_OCTETS {
        return None;
    }
    Some((rest, std::str::from_utf8(name).ok()?))
}

#[inline]
pub(crate) fn local_part(input: &[u8]) -> Parsed<'_, LocalPart> {
    match plain(input) {
        Some((rest, name)) => Ok((rest, LocalPart(name.into()))),
        None => local_part_any(input),
    }
}

#[cold]
fn local_part_any(input: &[u8]) -> Parsed<'_, LocalPart> {
    let (rest, name) = match input {
        [b'"', behind @ ..] => quoted(behind)?,
        _ => dot_string(input)?,
    };
    // UTF-8's own control characters, U+0080 to U+009F, are not text (RFC 6532 §3.1 and RFC 5198 §2).
    if name.len() > LocalPart::MAX_OCTETS || name.chars().any(char::is_control) {
        return fail(input, ParseErrorKind::LocalPart);
    }
    Ok((rest, LocalPart(name.into())))
}

fn dot_string(input: &[u8]) -> Parsed<'_, String> {
    let is_part = |octet: u8| is_atext(octet) || octet == b'.';
    let (rest, octets) = expect(ParseErrorKind::LocalPart, take_while1(is_part)).parse(input)?;
    let text = utf8(input, octets)?;
    let mut offset = 0;
    for atom in text.split('.') {
        if atom.is_empty() {
            return fail(input.get(offset..).unwrap_or_default(), ParseErrorKind::LocalPart);
        }
        offset += atom.len() + 1;
    }
    Ok((rest, text.to_owned()))
}

fn quoted(mut input: &[u8]) -> Parsed<'_, String> {
    let mut name = Vec::new();
    loop {
        match input {
            [b'"', ..] => break,
            [b'\\', escaped @ 32..=126, rest @ ..] => {
                name.push(*escaped);
                input = rest;
            }
            [octet @ (32..=33 | 35..=91 | 93..=126 | 128..=255), rest @ ..] => {
                name.push(*octet);
                input = rest;
            }
            _ => return fail(input, ParseErrorKind::LocalPart),
        }
    }
    let (rest, _) = tag(&b"\""[..]).parse(input)?;
    match String::from_utf8(name) {
        Ok(name) => Ok((rest, name)),
        Err(_) => fail(input, ParseErrorKind::Utf8),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_answers() {
        for (octets, name, written) in [
            ("a", "a", "a"),
            ("a.b", "a.b", "a.b"),
            ("!#$%&'*+-/=?^_`{|}~", "!#$%&'*+-/=?^_`{|}~", "!#$%&'*+-/=?^_`{|}~"),
            ("jürgen", "jürgen", "jürgen"),
            (r#""""#, "", r#""""#),
            (r#""a""#, "a", "a"),
            (r#""a.b""#, "a.b", "a.b"),
            (r#""a b""#, "a b", r#""a b""#),
            (r#""a\ b""#, "a b", r#""a b""#),
            (r#""a..b""#, "a..b", r#""a..b""#),
            (r#"".""#, ".", r#"".""#),
            (r#""Joe\,Smith""#, "Joe,Smith", r#""Joe,Smith""#),
            (r#""a\"b\\c""#, r#"a"b\c"#, r#""a\"b\\c""#),
            (r#""a@b""#, "a@b", r#""a@b""#),
            (r#""é""#, "é", "é"),
        ] {
            let part: LocalPart = octets.parse().expect(octets);
            assert_eq!((part.as_str(), part.to_string().as_str()), (name, written), "{octets}");
            assert_eq!(written.parse(), Ok(part));
        }
    }

    #[test]
    fn illegal_ones_are_refused() {
        let long = "x".repeat(257);
        for octets in [
            "",
            ".",
            "a.",
            ".a",
            "a..b",
            "a b",
            "a@b",
            "\"",
            "\"a",
            "a\"b",
            "\"a\"b",
            "\"a\\",
            "\"a\\\u{7f}\"",
            "\"a\nb\"",
            "\"\0\"",
            "a\u{85}",
            "\"\u{9b}\"",
            "(a)",
            "a,b",
            &long,
        ] {
            assert!(octets.parse::<LocalPart>().is_err(), "{octets:?}");
        }
        for octets in [&b"a\xff"[..], b"\"\xc0\x80\"", b"\"\\\xc3\xa4\"", b"\xe2\x82"] {
            assert!(LocalPart::try_from(octets).is_err());
        }
    }
}
