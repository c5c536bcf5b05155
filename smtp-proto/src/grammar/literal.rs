//! RFC 5321 §4.1.3, `address-literal`: a host by its address.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use nom::Parser;
use nom::bytes::complete::{tag, take_while1};
use nom::sequence::delimited;

use super::{Parsed, expect, fail, parsed_type};
use crate::error::ParseErrorKind;

/// A host by its address, in brackets.
///
/// ```abnf
/// address-literal = "[" ( IPv4-address-literal / IPv6-address-literal / General-address-literal ) "]"
/// ```
///
/// Numbers of an IPv4 address have no leading zeros, although the grammar lets them: some software reads those as octal.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct AddressLiteral(Inner);

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Inner {
    V4(Ipv4Addr),
    V6(Ipv6Addr),
    /// `Standardized-tag ":" 1*dcontent`. No tag but `IPv6` is registered.
    General(String),
}

impl AddressLiteral {
    /// The IP address, unless it is of another kind.
    pub fn ip(&self) -> Option<IpAddr> {
        match self.0 {
            Inner::V4(address) => Some(address.into()),
            Inner::V6(address) => Some(address.into()),
            Inner::General(_) => None,
        }
    }
}

impl From<IpAddr> for AddressLiteral {
    fn from(address: IpAddr) -> Self {
        Self(match address {
            IpAddr::V4(address) => Inner::V4(address),
            IpAddr::V6(address) => Inner::V6(address),
        })
    }
}

parsed_type!(AddressLiteral, ParseErrorKind::AddressLiteral, address_literal);

impl fmt::Display for AddressLiteral {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Inner::V4(address) => write!(f, "[{address}]"),
            Inner::V6(address) => write!(f, "[IPv6:{address}]"),
            Inner::General(text) => write!(f, "[{text}]"),
        }
    }
}

pub(crate) fn address_literal(input: &[u8]) -> Parsed<'_, AddressLiteral> {
    let is_dcontent = |octet: u8| matches!(octet, 33..=90 | 94..=126);
    let bracketed = delimited(tag(&b"["[..]), take_while1(is_dcontent), tag(&b"]"[..]));
    let (rest, content) = expect(ParseErrorKind::AddressLiteral, bracketed).parse(input)?;
    match std::str::from_utf8(content).ok().and_then(literal) {
        Some(literal) => Ok((rest, AddressLiteral(literal))),
        None => fail(input, ParseErrorKind::AddressLiteral),
    }
}

fn literal(content: &str) -> Option<Inner> {
    let Some((tag, address)) = content.split_once(':') else {
        return content.parse().ok().map(Inner::V4);
    };
    if tag.eq_ignore_ascii_case("IPv6") {
        return address.parse().ok().map(Inner::V6);
    }
    let is_tag = tag.bytes().all(|octet| octet.is_ascii_alphanumeric() || octet == b'-')
        && tag.ends_with(|last: char| last.is_ascii_alphanumeric());
    (is_tag && !address.is_empty()).then(|| Inner::General(content.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_answers() {
        for (text, written) in [
            ("[127.0.0.1]", "[127.0.0.1]"),
            ("[255.255.255.255]", "[255.255.255.255]"),
            ("[IPv6:::1]", "[IPv6:::1]"),
            ("[ipv6:2001:DB8::FFFF]", "[IPv6:2001:db8::ffff]"),
            ("[IPv6:1:2:3:4:5:6:7:8]", "[IPv6:1:2:3:4:5:6:7:8]"),
            ("[IPv6:::ffff:192.0.2.1]", "[IPv6:::ffff:192.0.2.1]"),
            ("[x-tag:anything!]", "[x-tag:anything!]"),
        ] {
            let literal: AddressLiteral = text.parse().expect(text);
            assert_eq!(literal.to_string(), written);
            assert_eq!(written.parse(), Ok(literal));
        }
    }

    #[test]
    fn illegal_ones_are_refused() {
        for text in [
            "",
            "[",
            "[]",
            "127.0.0.1",
            "[127.0.0.1",
            "[127.0.0]",
            "[127.0.0.256]",
            "[127.0.0.01]",
            "[1.2.3.4.5]",
            "[::1]",
            "[IPv6:]",
            "[IPv6:1]",
            "[IPv6:::1%eth0]",
            "[IPv6:1::2::3]",
            "[IPv6:12345::]",
            "[x:]",
            "[:x]",
            "[-:x]",
            "[x-:y]",
            "[x y:z]",
            "[x:y[z]",
            "[x:y\\]",
            "[1.2.3.4]x",
            "[ä:x]",
        ] {
            assert!(text.parse::<AddressLiteral>().is_err(), "{text:?}");
        }
    }
}
