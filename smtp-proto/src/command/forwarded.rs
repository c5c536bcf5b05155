//! What XCLIENT and XFORWARD have in common: attributes of another connection, told by a peer that the host trusts.
//!
//! Every value is of a type that its place allows before anybody sees it: trusting a peer to say who its client was is
//! not trusting it to write headers and logs (attack rows I4 and I6).

use std::net::IpAddr;

use mail_wire::UserName;

use super::CommandErrorKind;
use crate::error::{ParseError, ParseErrorKind};
use crate::grammar::{Domain, Host, Xtext, host, whole};

/// The value of an attribute, or that there is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Told<T> {
    /// This.
    Is(T),
    /// `[UNAVAILABLE]`: there is none, and asking again would not help.
    Unavailable,
    /// `[TEMPUNAVAIL]`: a name that could not be looked up for now.
    TemporarilyUnavailable,
}

impl<T> Told<T> {
    /// The value, if there is one.
    pub fn value(&self) -> Option<&T> {
        match self {
            Self::Is(value) => Some(value),
            Self::Unavailable | Self::TemporarilyUnavailable => None,
        }
    }

    /// The value, or the word for its absence, as xtext.
    pub(super) fn written(&self, value: impl FnOnce(&T) -> String) -> String {
        match self {
            Self::Is(inner) => Xtext::from_octets(value(inner)).to_string(),
            Self::Unavailable => "[UNAVAILABLE]".to_owned(),
            Self::TemporarilyUnavailable => "[TEMPUNAVAIL]".to_owned(),
        }
    }
}

/// The most octets of a value.
const MAX_VALUE: usize = 255;

/// One attribute of a command: its name in upper case, its value, and where that stands.
pub(super) struct Attribute {
    pub(super) name: String,
    value: String,
    at: usize,
}

/// `1*( SP attribute-name "=" attribute-value )`, without the first space, each attribute once.
pub(super) fn attributes(arguments: &[u8]) -> Result<Vec<Attribute>, CommandErrorKind> {
    let mut attributes: Vec<Attribute> = Vec::new();
    let mut at = 0;
    for word in arguments.split(|&octet| octet == b' ') {
        let equals = word.iter().position(|&octet| octet == b'=').filter(|&equals| equals > 0);
        let Some((name, value)) = equals.and_then(|equals| word.split_at_checked(equals)) else {
            return Err(ParseError::new(ParseErrorKind::Parameter, at).into());
        };
        let name = String::from_utf8_lossy(name).to_ascii_uppercase();
        if attributes.iter().any(|other| other.name == name) {
            return Err(ParseError::new(ParseErrorKind::UniqueParameter, at).into());
        }
        let value_at = at.saturating_add(name.len()).saturating_add(1);
        let attribute = Attribute { name, value: String::new(), at: value_at };
        let octets = Xtext::try_from(value.get(1..).unwrap_or_default()).map_err(|_| attribute.wrong())?;
        let value = String::from_utf8(octets.octets().to_vec()).ok();
        let value = value.filter(|value| !value.is_empty() && value.len() <= MAX_VALUE).ok_or(attribute.wrong())?;
        at = at.saturating_add(word.len()).saturating_add(1);
        attributes.push(Attribute { value, ..attribute });
    }
    Ok(attributes)
}

impl Attribute {
    pub(super) fn told<T>(&self, value: impl FnOnce(&str) -> Option<T>) -> Result<Told<T>, CommandErrorKind> {
        if self.value.eq_ignore_ascii_case("[UNAVAILABLE]") {
            return Ok(Told::Unavailable);
        }
        if self.name == "NAME" && self.value.eq_ignore_ascii_case("[TEMPUNAVAIL]") {
            return Ok(Told::TemporarilyUnavailable);
        }
        value(&self.value).map(Told::Is).ok_or_else(|| self.wrong().into())
    }

    /// Nobody knows an attribute of that name.
    pub(super) fn unknown(&self) -> CommandErrorKind {
        let name_at = self.at.saturating_sub(self.name.len()).saturating_sub(1);
        ParseError::new(ParseErrorKind::Parameter, name_at).into()
    }

    fn wrong(&self) -> ParseError {
        ParseError::new(ParseErrorKind::ParameterValue, self.at)
    }
}

/// A host's name, with the underscores that names have which are in no DNS.
pub(super) fn name(value: &str) -> Option<Domain> {
    let name = whole(ParseErrorKind::Domain, value.as_bytes(), Domain::parse_with_underscores).ok()?;
    name.is_ascii().then_some(name)
}

/// What somebody said as HELO: a name or an address literal.
pub(super) fn hello(value: &str) -> Option<Host> {
    let literal = || whole(ParseErrorKind::Domain, value.as_bytes(), host).ok().filter(Host::is_ascii);
    name(value).map(Host::Domain).or_else(literal)
}

/// An address without brackets: IPv4, or IPv6 with or without `IPV6:` before it.
pub(super) fn address(value: &str) -> Option<IpAddr> {
    match value.split_at_checked(5) {
        Some((tag, address)) if tag.eq_ignore_ascii_case("IPV6:") => address.parse().ok().map(IpAddr::V6),
        _ => value.parse().ok(),
    }
}

pub(super) fn address_text(address: &IpAddr) -> String {
    match address {
        IpAddr::V4(address) => address.to_string(),
        IpAddr::V6(address) => format!("IPV6:{address}"),
    }
}

/// Digits and nothing else: `u16`'s own parser would take a sign.
pub(super) fn port(value: &str) -> Option<u16> {
    value.parse().ok().filter(|&port: &u16| port > 0 && value.bytes().all(|octet| octet.is_ascii_digit()))
}

pub(super) fn login(value: &str) -> Option<UserName> {
    UserName::new(value).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_what_their_place_allows_or_they_are_none() {
        for (value, expected) in [
            ("192.0.2.1", Some("192.0.2.1")),
            ("IPV6:2001:DB8::1", Some("IPV6:2001:db8::1")),
            ("ipv6:::1", Some("IPV6:::1")),
            ("::1", Some("IPV6:::1")),
            ("IPV6:192.0.2.1", None),
            ("[192.0.2.1]", None),
            ("192.0.2.01", None),
            ("host", None),
            ("::1%eth0", None),
        ] {
            assert_eq!(address(value).map(|address| address_text(&address)).as_deref(), expected, "{value}");
        }
        for (value, expected) in [
            ("25", Some(25)),
            ("65535", Some(65535)),
            ("0", None),
            ("65536", None),
            ("+25", None),
            ("-1", None),
            ("", None),
        ] {
            assert_eq!(port(value), expected, "{value}");
        }
        for (value, is_name, is_hello) in [
            ("spike.porcupine.org", true, true),
            ("my_pc", true, true),
            ("[192.0.2.1]", false, true),
            ("a b", false, false),
            ("a\r\nX: y", false, false),
            ("bücher.example", false, false),
            ("(comment)", false, false),
        ] {
            assert_eq!((name(value).is_some(), hello(value).is_some()), (is_name, is_hello), "{value:?}");
        }
    }
}
