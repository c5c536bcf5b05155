//! RFC 5321 §4.1.2, the production `Mailbox`. Here it is an address; a mailbox is where mail lies.

use std::fmt;

use super::domain::domain;
use super::literal::address_literal;
use super::local_part::local_part;
use super::{AddressLiteral, Domain, LocalPart, Parsed, fail, parsed_type};
use crate::error::ParseErrorKind;

/// A host by name or by address: what stands behind an `@`, and what a client says that it is.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Host {
    /// By name.
    Domain(Domain),
    /// By address.
    Literal(AddressLiteral),
}

impl Host {
    /// Whether there is nothing but ASCII in it.
    pub fn is_ascii(&self) -> bool {
        match self {
            Self::Domain(domain) => domain.is_ascii(),
            Self::Literal(_) => true,
        }
    }
}

parsed_type!(Host, ParseErrorKind::Domain, host);

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Domain(domain) => domain.fmt(f),
            Self::Literal(literal) => literal.fmt(f),
        }
    }
}

impl From<Domain> for Host {
    fn from(domain: Domain) -> Self {
        Self::Domain(domain)
    }
}

impl From<AddressLiteral> for Host {
    fn from(literal: AddressLiteral) -> Self {
        Self::Literal(literal)
    }
}

#[inline]
pub(crate) fn host(input: &[u8]) -> Parsed<'_, Host> {
    match input {
        [b'[', ..] => address_literal(input).map(|(rest, literal)| (rest, Host::Literal(literal))),
        _ => domain(input).map(|(rest, domain)| (rest, Host::Domain(domain))),
    }
}

/// An address: `Mailbox = Local-part "@" ( Domain / address-literal )`.
///
/// ```
/// # use smtp_proto::grammar::Address;
/// let address: Address = r#""ada\ l"@Example.org"#.parse()?;
/// assert_eq!(address.local_part().as_str(), "ada l");
/// assert_eq!(address.to_string(), r#""ada l"@Example.org"#);
/// # Ok::<(), smtp_proto::ParseError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Address {
    local_part: LocalPart,
    host: Host,
}

impl Address {
    /// The address of that name at that host.
    pub fn new(local_part: LocalPart, host: impl Into<Host>) -> Self {
        Self { local_part, host: host.into() }
    }

    /// What stands before the `@`.
    pub fn local_part(&self) -> &LocalPart {
        &self.local_part
    }

    /// What stands behind the `@`.
    pub fn host(&self) -> &Host {
        &self.host
    }

    /// Whether there is nothing but ASCII in it, so that it needs no SMTPUTF8 (RFC 6531 §3.4).
    pub fn is_ascii(&self) -> bool {
        self.local_part.is_ascii() && self.host.is_ascii()
    }
}

parsed_type!(Address, ParseErrorKind::Path, address);

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}", self.local_part, self.host)
    }
}

#[inline]
pub(crate) fn address(input: &[u8]) -> Parsed<'_, Address> {
    let (rest, local_part) = local_part(input)?;
    let [b'@', rest @ ..] = rest else { return fail(rest, ParseErrorKind::Path) };
    let (rest, host) = host(rest)?;
    Ok((rest, Address { local_part, host }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_answers() {
        for (octets, local_part, written) in [
            ("a@b", "a", "a@b"),
            ("Ada@Example.ORG", "Ada", "Ada@Example.ORG"),
            ("a@[127.0.0.1]", "a", "a@[127.0.0.1]"),
            ("a@[IPv6:::1]", "a", "a@[IPv6:::1]"),
            (r#""a@b"@c"#, "a@b", r#""a@b"@c"#),
            (r#""a"@c"#, "a", "a@c"),
            ("用户@例子.广告", "用户", "用户@例子.广告"),
        ] {
            let address: Address = octets.parse().expect(octets);
            assert_eq!((address.local_part().as_str(), address.to_string().as_str()), (local_part, written));
            assert_eq!(address.is_ascii(), octets.is_ascii());
        }
        for octets in ["", "a", "@b", "a@", "a@b@c", "a@b.", "a@b c", "a@[b]", "a @b", "a@ b"] {
            assert!(octets.parse::<Address>().is_err(), "{octets}");
        }
    }
}
