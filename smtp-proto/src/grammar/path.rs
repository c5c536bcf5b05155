//! RFC 5321 §4.1.2, `Path`: an address in angle brackets, from or to which mail goes.

use std::fmt;

use nom::Parser;
use nom::bytes::complete::tag;
use nom::combinator::{opt, value};
use nom::multi::separated_list1;
use nom::sequence::{delimited, preceded, terminated};

use super::address::address;
use super::domain::domain;
use super::{Address, Parsed, expect, parsed_type};
use crate::error::ParseErrorKind;

/// Where mail comes from, and where the news goes that it could not be delivered.
///
/// ```abnf
/// Reverse-path = Path / "<>"
/// Path         = "<" [ A-d-l ":" ] Mailbox ">"
/// ```
///
/// Source routes (`A-d-l`) are read and dropped, as RFC 5321 §3.3 and Appendix C let a server do.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ReversePath(Option<Address>);

impl ReversePath {
    /// `<>`: the message is itself such news, and must cause no more of it (RFC 5321 §4.5.5).
    pub const NULL: Self = Self(None);

    /// The address; `None` for `<>`.
    pub fn address(&self) -> Option<&Address> {
        self.0.as_ref()
    }

    /// Whether it is `<>`.
    pub fn is_null(&self) -> bool {
        self.0.is_none()
    }

    /// Whether there is nothing but ASCII in it.
    pub fn is_ascii(&self) -> bool {
        self.0.as_ref().is_none_or(Address::is_ascii)
    }
}

impl From<Address> for ReversePath {
    fn from(address: Address) -> Self {
        Self(Some(address))
    }
}

parsed_type!(ReversePath, ParseErrorKind::Path, reverse_path);

impl fmt::Display for ReversePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Some(address) => write!(f, "<{address}>"),
            None => f.write_str("<>"),
        }
    }
}

/// Where mail goes to: an address, or the bare `<postmaster>` that every server takes (RFC 5321 §4.5.1).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ForwardPath(Option<Address>);

impl ForwardPath {
    /// `<postmaster>`, of whatever domain.
    pub const POSTMASTER: Self = Self(None);

    /// The address; `None` for the bare `<postmaster>`.
    pub fn address(&self) -> Option<&Address> {
        self.0.as_ref()
    }

    /// Whether it is the bare `<postmaster>`, in whatever case.
    pub fn is_postmaster(&self) -> bool {
        self.0.is_none()
    }

    /// Whether there is nothing but ASCII in it.
    pub fn is_ascii(&self) -> bool {
        self.0.as_ref().is_none_or(Address::is_ascii)
    }
}

impl From<Address> for ForwardPath {
    fn from(address: Address) -> Self {
        Self(Some(address))
    }
}

parsed_type!(ForwardPath, ParseErrorKind::Path, forward_path);

impl fmt::Display for ForwardPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Some(address) => write!(f, "<{address}>"),
            None => f.write_str("<postmaster>"),
        }
    }
}

#[inline]
pub(crate) fn reverse_path(input: &[u8]) -> Parsed<'_, ReversePath> {
    match input {
        [b'<', b'>', rest @ ..] => Ok((rest, ReversePath::NULL)),
        _ => path(input).map(|(rest, address)| (rest, ReversePath(Some(address)))),
    }
}

const POSTMASTER: &[u8] = b"<postmaster>";

#[inline]
pub(crate) fn forward_path(input: &[u8]) -> Parsed<'_, ForwardPath> {
    match input.split_at_checked(POSTMASTER.len()) {
        Some((postmaster, rest)) if postmaster.eq_ignore_ascii_case(POSTMASTER) => Ok((rest, ForwardPath::POSTMASTER)),
        _ => path(input).map(|(rest, address)| (rest, ForwardPath(Some(address)))),
    }
}

#[inline]
fn path(input: &[u8]) -> Parsed<'_, Address> {
    // Nearly every path is an address and nothing else.
    if let [b'<', inside @ ..] = input
        && let Ok(([b'>', rest @ ..], address)) = address(inside)
    {
        return Ok((rest, address));
    }
    path_any(input)
}

#[cold]
fn path_any(input: &[u8]) -> Parsed<'_, Address> {
    let content = preceded(opt(source_route), address);
    expect(ParseErrorKind::Path, delimited(tag(&b"<"[..]), content, tag(&b">"[..]))).parse(input)
}

/// `A-d-l = At-domain *( "," At-domain )` and the colon behind it.
fn source_route(input: &[u8]) -> Parsed<'_, ()> {
    let at_domain = preceded(tag(&b"@"[..]), domain);
    value((), terminated(separated_list1(tag(&b","[..]), at_domain), tag(&b":"[..]))).parse(input)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reverse_paths() {
        for (octets, written) in [
            ("<>", "<>"),
            ("<a@b>", "<a@b>"),
            ("<@x:a@b>", "<a@b>"),
            ("<@x,@y.z:a@b>", "<a@b>"),
            ("<postmaster@b>", "<postmaster@b>"),
        ] {
            let path: ReversePath = octets.parse().expect(octets);
            assert_eq!(path.to_string(), written);
            assert_eq!(path.is_null(), octets == "<>");
        }
        for octets in
            ["", "<", ">", "a@b", "<a@b", "a@b>", "< >", "<a>", "<postmaster>", "<@x:>", "<@x a@b>", "<<a@b>>"]
        {
            assert!(octets.parse::<ReversePath>().is_err(), "{octets}");
        }
    }

    #[test]
    fn forward_paths() {
        for (octets, written) in [
            ("<postmaster>", "<postmaster>"),
            ("<PostMaster>", "<postmaster>"),
            ("<a@b>", "<a@b>"),
            ("<@x:postmaster@b>", "<postmaster@b>"),
        ] {
            let path: ForwardPath = octets.parse().expect(octets);
            assert_eq!(path.to_string(), written);
        }
        for octets in ["", "<>", "<a>", "<@x:postmaster>", "<postmaster >", "<@x,:a@b>", "<@:a@b>", "<,@x:a@b>"] {
            assert!(octets.parse::<ForwardPath>().is_err(), "{octets}");
        }
    }
}
