//! Numbers: decimal, as RFC 1939 §4 has them, and never too large to be read.

use std::fmt;

use nom::bytes::complete::take_while1;
use nom::{IResult, Parser};

/// The number of a message in a maildrop, from 1 on (RFC 1939 §4).
///
/// A client may write any number; 0 and what is larger than any maildrop are numbers without a message. A number too
/// large for 32 bits is read as the largest one: no overflow, and no message either.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct MessageNumber(u32);

impl MessageNumber {
    /// That number.
    pub const fn new(number: u32) -> Self {
        Self(number)
    }

    /// Its value.
    pub const fn value(self) -> u32 {
        self.0
    }
}

impl fmt::Display for MessageNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

/// How many lines of a body TOP wants (RFC 1939 §7). A number too large for 64 bits is read as the largest one, which
/// is more lines than any message has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct LineCount(u64);

impl LineCount {
    /// That many.
    pub const fn new(lines: u64) -> Self {
        Self(lines)
    }

    /// Its value.
    pub const fn value(self) -> u64 {
        self.0
    }
}

impl fmt::Display for LineCount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

/// One or more decimal digits, saturating.
pub(crate) fn decimal(input: &[u8]) -> IResult<&[u8], u64> {
    take_while1(|octet: u8| octet.is_ascii_digit())
        .map(|digits: &[u8]| {
            digits.iter().fold(0u64, |number, digit| {
                number.saturating_mul(10).saturating_add(u64::from(digit.saturating_sub(b'0')))
            })
        })
        .parse(input)
}

/// A size in octets.
pub(crate) fn size(input: &[u8]) -> IResult<&[u8], u64> {
    decimal(input)
}

impl MessageNumber {
    pub(crate) fn parse(input: &[u8]) -> IResult<&[u8], Self> {
        decimal.map(|number| Self(u32::try_from(number).unwrap_or(u32::MAX))).parse(input)
    }
}

impl LineCount {
    pub(crate) fn parse(input: &[u8]) -> IResult<&[u8], Self> {
        decimal.map(Self).parse(input)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_too_large_to_be_read_are_the_largest() {
        let parse = |octets: &[u8]| MessageNumber::parse(octets).map(|(_, number)| number.value()).ok();
        assert_eq!(parse(b"1"), Some(1));
        assert_eq!(parse(b"0"), Some(0));
        assert_eq!(parse(b"007"), Some(7));
        assert_eq!(parse(b"4294967295"), Some(u32::MAX));
        assert_eq!(parse(b"4294967296"), Some(u32::MAX));
        assert_eq!(parse(b"99999999999999999999999999"), Some(u32::MAX));
        for bad in [&b""[..], b"-1", b"+5", b" 1", b"x"] {
            assert_eq!(parse(bad), None, "{bad:?}");
        }
        assert_eq!(LineCount::parse(b"99999999999999999999999999").map(|(_, lines)| lines.value()), Ok(u64::MAX));
    }
}
