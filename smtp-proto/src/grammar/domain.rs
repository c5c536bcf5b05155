//! RFC 5321 §4.1.2, `Domain`: labels of letters, digits and hyphens, or of other letters (RFC 6531 §3.3).

use std::fmt;

use mail_wire::octet_set::OctetSet;
use nom::Parser;
use nom::bytes::complete::take_while1;
use smol_str::SmolStr;

use super::{Parsed, fail, parsed_type, utf8};
use crate::error::ParseErrorKind;

/// A domain name: labels of 1 to 63 octets with dots between them, 255 octets at the most (RFC 5321 §4.5.3.1.2).
///
/// ```abnf
/// Domain     = sub-domain *("." sub-domain)
/// sub-domain = Let-dig [Ldh-str] / U-label
/// ```
///
/// U-labels are kept as they came: nothing is normalised, and whether a label is a legal one by RFC 5890 is the host's to
/// ask. Only what could not be one in any case is refused: control characters, white space, and the full stops of other
/// scripts, which some software takes for a dot (attack row I8).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Domain(SmolStr);

impl Domain {
    /// The most octets a name has.
    pub const MAX_OCTETS: usize = 255;
    const MAX_LABEL: usize = 63;

    /// As it came.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether there is nothing but ASCII in it.
    pub fn is_ascii(&self) -> bool {
        self.0.is_ascii()
    }

    /// Whether it names the same host, as DNS compares (RFC 1035 §2.3.3).
    pub fn is_same(&self, other: &Self) -> bool {
        self.0.eq_ignore_ascii_case(&other.0)
    }

    /// A name that stood in place of one that has an underscore in it; see [`Leniency`](crate::command::Leniency).
    pub(crate) fn parse_with_underscores(input: &[u8]) -> Parsed<'_, Self> {
        parse(input, true)
    }
}

parsed_type!(Domain, ParseErrorKind::Domain, domain);

impl fmt::Display for Domain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

pub(crate) fn domain(input: &[u8]) -> Parsed<'_, Domain> {
    parse(input, false)
}

/// What a label of ASCII is made of.
static LABEL: OctetSet = OctetSet::ALPHANUMERIC.with(b"-");

/// What goes on with a name beyond it and its dots.
static ODD: OctetSet = OctetSet::BEYOND_ASCII.with(b"_");

/// What nearly every name is: labels of ASCII. `None` is for what has to be looked at more closely, errors too.
#[inline]
fn plain(input: &[u8]) -> Option<(&[u8], &str)> {
    let mut at = input;
    let rest = loop {
        let (label, rest) = LABEL.split(at);
        if matches!(label, [] | [b'-', ..] | [.., b'-']) || label.len() > Domain::MAX_LABEL {
            return None;
        }
        match rest {
            [b'.', behind @ ..] => at = behind,
            [octet, ..] if ODD.has(*octet) => return None,
            _ => break rest,
        }
    };
    let name = input.get(..input.len().saturating_sub(rest.len()))?;
    if name.len() > Domain::MAX_OCTETS {
        return None;
    }
    Some((rest, std::str::from_utf8(name).ok()?))
}

#[inline]
fn parse(input: &[u8], underscores: bool) -> Parsed<'_, Domain> {
    match plain(input) {
        Some((rest, name)) => Ok((rest, Domain(name.into()))),
        None => parse_any(input, underscores),
    }
}

#[cold]
fn parse_any(input: &[u8], underscores: bool) -> Parsed<'_, Domain> {
    let is_part = |octet: u8| octet.is_ascii_alphanumeric() || octet >= 0x80 || b".-_".contains(&octet);
    let (rest, octets) = super::expect(ParseErrorKind::Domain, take_while1(is_part)).parse(input)?;
    let text = utf8(input, octets)?;
    if text.len() > Domain::MAX_OCTETS {
        return fail(input, ParseErrorKind::Domain);
    }
    let mut offset = 0;
    for label in text.split('.') {
        if !is_label(label, underscores) {
            return fail(input.get(offset..).unwrap_or_default(), ParseErrorKind::Domain);
        }
        offset += label.len() + 1;
    }
    Ok((rest, Domain(text.into())))
}

fn is_label(label: &str, underscores: bool) -> bool {
    // A U-label's 63 octets are counted in its A-label form, which is not made here.
    (1..=Domain::MAX_LABEL).contains(&label.chars().count())
        && !label.starts_with('-')
        && !label.ends_with('-')
        && label.chars().all(|c| match c {
            '_' => underscores,
            '\u{3002}' | '\u{ff0e}' | '\u{ff61}' => false,
            c => c.is_ascii_alphanumeric() || c == '-' || (!c.is_ascii() && !c.is_control() && !c.is_whitespace()),
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn legal_names_come_back_as_they_were() {
        let long = ["a".repeat(63), "b".repeat(63), "c".repeat(63), "d".repeat(63)].join(".");
        for name in
            ["a", "example.org", "EXAMPLE.org", "1.2.3.4", "a-b.c", "xn--bcher-kva.example", "bücher.example", &long]
        {
            let domain: Domain = name.parse().expect(name);
            assert_eq!(domain.to_string(), name);
        }
    }

    #[test]
    fn illegal_names_are_refused_where_they_go_wrong() {
        let long_label = "a".repeat(64);
        let long_name = "a.".repeat(128) + "a";
        for (name, offset) in [
            ("", 0),
            (".", 0),
            ("a.", 2),
            (".a", 0),
            ("a..b", 2),
            ("-a", 0),
            ("a-", 0),
            ("a.-b", 2),
            ("a_b", 0),
            ("a b", 1),
            ("a@b", 1),
            ("a\0", 1),
            ("a\u{3002}b", 0),
            ("a\u{2028}b", 0),
            ("a\u{85}b", 0),
            (&long_label, 0),
            (&long_name, 0),
        ] {
            let error = name.parse::<Domain>().expect_err(name);
            assert_eq!(error.offset, offset, "{name:?}");
        }
        for overlong in [&b"\xc0\xae"[..], b"a\xc1\x81", b"\xed\xa0\x80", b"a\xff", b"a\xe2\x82"] {
            assert_eq!(Domain::try_from(overlong).map_err(|error| error.kind), Err(ParseErrorKind::Utf8));
        }
    }

    #[test]
    fn names_compare_without_case() {
        let (a, b): (Domain, Domain) = ("Example.ORG".parse().unwrap(), "example.org".parse().unwrap());
        assert!(a.is_same(&b));
        assert_ne!(a, b);
    }
}
