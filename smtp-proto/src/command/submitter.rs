//! RFC 4954 §5, MAIL's `AUTH=`: who first submitted a message.

use std::fmt;

use crate::grammar::{Address, Xtext};

/// Who is said to have first submitted a message, to the system that the client belongs to.
///
/// **It is a claim.** Whoever has not logged in can write anything here; RFC 4954 §5 wants such a value treated as `<>`.
/// [`ServerSession::submitter`](crate::session::ServerSession::submitter) does that; and a host that gives logins to users
/// believes only those accounts that are other servers of its own.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Submitter {
    /// `<>`: not known, or not known well enough.
    Unknown,
    /// This one.
    Address(Address),
}

impl Submitter {
    /// The most octets that it adds to a MAIL command: 500 (RFC 4954 §3).
    pub const MAX_LENGTH: usize = 500;

    /// The address, if there is one.
    pub fn address(&self) -> Option<&Address> {
        match self {
            Self::Unknown => None,
            Self::Address(address) => Some(address),
        }
    }

    /// Whether there is nothing but ASCII in it, so that it needs no SMTPUTF8.
    pub fn is_ascii(&self) -> bool {
        self.address().is_none_or(Address::is_ascii)
    }

    pub(super) fn parse(value: &str) -> Option<Self> {
        if value == "<>" {
            return Some(Self::Unknown);
        }
        let text: Xtext = value.parse().ok()?;
        Address::try_from(text.octets()).ok().map(Self::Address)
    }
}

/// As it stands on the wire.
impl fmt::Display for Submitter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown => f.write_str("<>"),
            Self::Address(address) => Xtext::from_octets(address.to_string()).fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_answers() {
        assert_eq!(Submitter::parse("<>"), Some(Submitter::Unknown));
        for (value, address) in [("e+3Dmc2@example.com", "e=mc2@example.com"), ("a+2Bb@c", "a+b@c")] {
            let submitter = Submitter::parse(value).unwrap();
            assert_eq!(submitter.address().unwrap().to_string(), address);
            assert_eq!(submitter.to_string(), value);
        }
        for value in ["", "a", "<a@b>", "a@b+0D+0A", "a@b+", "a@b+20"] {
            assert_eq!(Submitter::parse(value), None, "{value}");
        }
    }
}
