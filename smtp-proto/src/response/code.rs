//! RFC 5321 §4.2.1: the three digits.

use std::fmt;

use crate::error::{ParseError, ParseErrorKind};

/// What a reply means for the state of the session: its first digit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ReplyClass {
    /// 2yz: done.
    Completion,
    /// 3yz: go on.
    Intermediate,
    /// 4yz: not now.
    TransientNegative,
    /// 5yz: no.
    PermanentNegative,
}

/// A reply code.
///
/// ```abnf
/// Reply-code = %x32-35 %x30-35 %x30-39
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ReplyCode(u16);

impl ReplyCode {
    /// Takes a number that is a reply code.
    pub const fn new(code: u16) -> Option<Self> {
        match (code / 100, code / 10 % 10) {
            (2..=5, 0..=5) => Some(Self(code)),
            _ => None,
        }
    }

    /// For the codes that this crate itself says.
    pub(crate) const fn known(code: u16) -> Self {
        match Self::new(code) {
            Some(code) => code,
            None => panic!("not a reply code"),
        }
    }

    /// 421: the service goes away and the connection closes (RFC 5321 §3.8).
    pub const CLOSING: Self = Self::known(421);

    /// Its number.
    pub const fn value(self) -> u16 {
        self.0
    }

    /// What it means.
    pub const fn class(self) -> ReplyClass {
        match self.0 / 100 {
            2 => ReplyClass::Completion,
            3 => ReplyClass::Intermediate,
            4 => ReplyClass::TransientNegative,
            _ => ReplyClass::PermanentNegative,
        }
    }
}

impl TryFrom<u16> for ReplyCode {
    type Error = ParseError;

    fn try_from(code: u16) -> Result<Self, ParseError> {
        Self::new(code).ok_or(ParseError::new(ParseErrorKind::ReplyCode, 0))
    }
}

impl fmt::Display for ReplyCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_reply_codes_are_reply_codes() {
        for code in [200, 220, 250, 354, 421, 559] {
            assert_eq!(ReplyCode::new(code).map(ReplyCode::value), Some(code));
        }
        for code in [0, 99, 150, 199, 260, 299, 600, 2500, u16::MAX] {
            assert_eq!(ReplyCode::new(code), None, "{code}");
        }
        assert_eq!(ReplyCode::CLOSING.class(), ReplyClass::TransientNegative);
    }
}
