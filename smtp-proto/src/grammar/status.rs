//! RFC 3463 §2: the enhanced status code, which tells programs what the reply's text tells people.

use std::fmt;

use nom::Parser;
use nom::bytes::complete::{tag, take_while_m_n};
use nom::combinator::map_opt;

use super::{Parsed, expect, fail, parsed_type};
use crate::error::ParseErrorKind;

/// Whether it went well: the first number of an enhanced status code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum StatusClass {
    /// 2: done.
    Success,
    /// 4: not now; the same may work later.
    Transient,
    /// 5: no.
    Permanent,
}

impl StatusClass {
    /// The digit: 2, 4 or 5.
    pub const fn digit(self) -> u8 {
        match self {
            Self::Success => 2,
            Self::Transient => 4,
            Self::Permanent => 5,
        }
    }
}

/// `class.subject.detail`, such as 5.1.1 (RFC 3463 §2; the list of those in use is IANA's, RFC 5248).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct EnhancedStatusCode {
    class: StatusClass,
    subject: u16,
    detail: u16,
}

impl EnhancedStatusCode {
    /// The code of that class, subject and detail; each number is held to the three digits it has room for.
    pub const fn new(class: StatusClass, subject: u16, detail: u16) -> Self {
        const fn within(number: u16) -> u16 {
            if number > 999 { 999 } else { number }
        }
        Self { class, subject: within(subject), detail: within(detail) }
    }

    /// 2.`subject`.`detail`.
    pub const fn success(subject: u16, detail: u16) -> Self {
        Self::new(StatusClass::Success, subject, detail)
    }

    /// 4.`subject`.`detail`.
    pub const fn transient(subject: u16, detail: u16) -> Self {
        Self::new(StatusClass::Transient, subject, detail)
    }

    /// 5.`subject`.`detail`.
    pub const fn permanent(subject: u16, detail: u16) -> Self {
        Self::new(StatusClass::Permanent, subject, detail)
    }

    /// Whether it went well.
    pub const fn class(self) -> StatusClass {
        self.class
    }

    /// What it is about: 1 addresses, 2 mailboxes, 3 the system, 4 the network, 5 the protocol, 6 content, 7 policy.
    pub const fn subject(self) -> u16 {
        self.subject
    }

    /// What exactly.
    pub const fn detail(self) -> u16 {
        self.detail
    }
}

parsed_type!(EnhancedStatusCode, ParseErrorKind::StatusCode, status_code);

impl fmt::Display for EnhancedStatusCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.class.digit(), self.subject, self.detail)
    }
}

pub(crate) fn status_code(input: &[u8]) -> Parsed<'_, EnhancedStatusCode> {
    let (class, behind) = match input {
        [b'2', rest @ ..] => (StatusClass::Success, rest),
        [b'4', rest @ ..] => (StatusClass::Transient, rest),
        [b'5', rest @ ..] => (StatusClass::Permanent, rest),
        _ => return fail(input, ParseErrorKind::StatusCode),
    };
    let dot = || tag(&b"."[..]);
    let (rest, (_, subject, _, detail)) =
        expect(ParseErrorKind::StatusCode, (dot(), number, dot(), number)).parse(behind)?;
    Ok((rest, EnhancedStatusCode { class, subject, detail }))
}

fn number(input: &[u8]) -> Parsed<'_, u16> {
    map_opt(take_while_m_n(1, 3, |octet: u8| octet.is_ascii_digit()), |digits: &[u8]| match digits {
        // RFC 3463 §2: no leading zeros.
        [b'0', _, ..] => None,
        _ => std::str::from_utf8(digits).ok()?.parse().ok(),
    })
    .parse(input)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_answers() {
        for text in ["2.0.0", "4.3.0", "5.7.11", "5.999.999"] {
            assert_eq!(text.parse::<EnhancedStatusCode>().expect(text).to_string(), text);
        }
        for text in ["", "2", "2.0", "2.0.", "3.0.0", "2.00.0", "2.0.01", "2.0.1000", "2.0.0.0", "2.-1.0", "2.0.0 "] {
            assert!(text.parse::<EnhancedStatusCode>().is_err(), "{text}");
        }
        assert_eq!(EnhancedStatusCode::permanent(1000, 7).to_string(), "5.999.7");
    }
}
