//! The lines that clients read: drop, scan and unique-id listings (RFC 1939 §5 and §7).

use std::fmt;

use nom::bytes::complete::tag;
use nom::sequence::separated_pair;
use nom::{Finish, Parser};

use crate::error::{ParseError, ParseErrorKind};
use crate::grammar::{MessageNumber, UniqueId, decimal, size};

/// STAT's `nn mm`: how many messages there are, and how many octets. Nothing follows it: RFC 1939 §5 strongly
/// discourages that.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct DropListing {
    /// Messages that are not marked as deleted.
    pub messages: u64,
    /// Their octets.
    pub octets: u64,
}

impl DropListing {
    /// So many messages of so many octets in all.
    pub const fn new(messages: u64, octets: u64) -> Self {
        Self { messages, octets }
    }

    /// Reads what stands behind `+OK `. What follows the two numbers is ignored, as RFC 1939 §5 lets servers add to it.
    ///
    /// # Errors
    /// [`ParseError`] if there are no two numbers.
    pub fn parse(text: &[u8]) -> Result<Self, ParseError> {
        let error = ParseError::new(ParseErrorKind::Size, 0);
        let (_, (messages, octets)) =
            separated_pair(decimal, tag(" "), size).parse(text).finish().map_err(|_| error)?;
        Ok(Self { messages, octets })
    }
}

impl fmt::Display for DropListing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.messages, self.octets)
    }
}

/// LIST's line for a message: its number and its size in octets, line ends counted as CRLF and dots that were stuffed
/// not counted (RFC 1939 §11).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct ScanListing {
    /// Which message.
    pub number: MessageNumber,
    /// Its octets.
    pub octets: u64,
}

impl ScanListing {
    /// That message of so many octets.
    pub const fn new(number: MessageNumber, octets: u64) -> Self {
        Self { number, octets }
    }

    /// Reads a line without CRLF. What follows the two numbers is ignored.
    ///
    /// # Errors
    /// [`ParseError`] if there are no two numbers.
    pub fn parse(line: &[u8]) -> Result<Self, ParseError> {
        let error = ParseError::new(ParseErrorKind::Size, 0);
        let (_, (number, octets)) =
            separated_pair(MessageNumber::parse, tag(" "), size).parse(line).finish().map_err(|_| error)?;
        Ok(Self { number, octets })
    }
}

impl fmt::Display for ScanListing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.number, self.octets)
    }
}

/// UIDL's line for a message: its number and its unique-id, and nothing else.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct UniqueIdListing {
    /// Which message.
    pub number: MessageNumber,
    /// What names it over all sessions.
    pub id: UniqueId,
}

impl UniqueIdListing {
    /// That message with that id.
    pub const fn new(number: MessageNumber, id: UniqueId) -> Self {
        Self { number, id }
    }

    /// Reads a line without CRLF.
    ///
    /// # Errors
    /// [`ParseError`] if it is not a number, a space and a unique-id.
    pub fn parse(line: &[u8]) -> Result<Self, ParseError> {
        let error = |at| ParseError::new(ParseErrorKind::UniqueId, at);
        let (rest, number) = MessageNumber::parse(line).finish().map_err(|_| error(0))?;
        let id = rest.strip_prefix(b" ").and_then(|id| std::str::from_utf8(id).ok());
        let id = id.and_then(|id| UniqueId::new(id).ok()).ok_or(error(line.len().saturating_sub(rest.len())))?;
        Ok(Self { number, id })
    }
}

impl fmt::Display for UniqueIdListing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.number, self.id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_examples_of_rfc_1939_section_5() {
        assert_eq!(DropListing::parse(b"2 320"), Ok(DropListing::new(2, 320)));
        assert_eq!(DropListing::parse(b"2 320 and more").map(|it| it.to_string()), Ok("2 320".into()));
        assert_eq!(ScanListing::parse(b"1 120"), Ok(ScanListing::new(MessageNumber::new(1), 120)));
        assert_eq!(ScanListing::parse(b"2 200").map(|it| it.to_string()), Ok("2 200".into()));
        for bad in [&b""[..], b"1", b"1  2", b"x 1", b"1 -2"] {
            assert!(DropListing::parse(bad).is_err() && ScanListing::parse(bad).is_err(), "{}", bad.escape_ascii());
        }
    }

    #[test]
    fn the_examples_of_rfc_1939_section_7() {
        for line in ["1 whqtswO00WBw418f9t5JxYwZ", "2 QhdPYR:00WBw1Ph7x7"] {
            assert_eq!(UniqueIdListing::parse(line.as_bytes()).map(|it| it.to_string()), Ok(line.into()));
        }
        for bad in [&b""[..], b"1", b"1 ", b"1 a b", b"1 \xff", b"x y"] {
            assert!(UniqueIdListing::parse(bad).is_err(), "{}", bad.escape_ascii());
        }
    }
}
