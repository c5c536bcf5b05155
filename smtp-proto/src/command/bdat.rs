//! RFC 3030 §2, BDAT: a chunk of the message.

use super::CommandErrorKind;
use crate::error::{ParseError, ParseErrorKind};

/// A client sends a chunk of the message: so many octets stand behind the command's CRLF.
///
/// ```abnf
/// bdat-cmd   = "BDAT" SP chunk-size [ SP end-marker ] CRLF
/// chunk-size = 1*DIGIT
/// end-marker = "LAST"
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Bdat {
    /// How many octets the chunk has. It may be none.
    pub size: u64,
    /// Whether the message ends with it.
    pub last: bool,
}

impl Bdat {
    /// A chunk of that many octets, behind which another comes.
    pub fn new(size: u64) -> Self {
        Self { size, last: false }
    }

    /// The last chunk of a message, of that many octets.
    pub fn last(size: u64) -> Self {
        Self { size, last: true }
    }

    pub(super) fn parse(arguments: &[u8]) -> Result<Self, CommandErrorKind> {
        let (word, rest) = split(arguments);
        // A size that does not fit 64 bits is no size that anybody means (attack row S7).
        let size = number(word).ok_or(ParseError::new(ParseErrorKind::ChunkSize, 0))?;
        match rest {
            None => Ok(Self::new(size)),
            Some(marker) if marker.eq_ignore_ascii_case(b"LAST") => Ok(Self::last(size)),
            Some(_) => Err(ParseError::new(ParseErrorKind::End, word.len()).into()),
        }
    }

    /// The size that a line announces, if it is a BDAT and that much of it can be read, whatever else is wrong with it.
    pub(crate) fn announced(line: &[u8]) -> Option<u64> {
        let (super::Verb::Bdat, arguments) = super::Verb::split(line)? else { return None };
        number(split(arguments).0)
    }

    pub(super) fn arguments(&self) -> String {
        format!(" {}{}", self.size, if self.last { " LAST" } else { "" })
    }
}

fn split(arguments: &[u8]) -> (&[u8], Option<&[u8]>) {
    let end = arguments.iter().position(|&octet| octet == b' ').unwrap_or(arguments.len());
    let (word, rest) = arguments.split_at(end);
    (word, rest.strip_prefix(b" "))
}

/// Digits and nothing else: `u64`'s own parser would take a sign.
fn number(word: &[u8]) -> Option<u64> {
    let digits = word.iter().all(u8::is_ascii_digit);
    std::str::from_utf8(word).ok().filter(|_| digits)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::super::{Command, Dialect, assert_known};
    use super::*;

    #[test]
    fn known_answers() {
        let dialect = Dialect::default();
        for (line, bdat, written) in [
            ("BDAT 86 LAST", Bdat::last(86), "BDAT 86 LAST"),
            ("BDAT 100000", Bdat::new(100_000), "BDAT 100000"),
            ("bdat 324 last ", Bdat::last(324), "BDAT 324 LAST"),
            ("BDAT 0 LAST", Bdat::last(0), "BDAT 0 LAST"),
            ("BDAT 0000000000000000000000007", Bdat::new(7), "BDAT 7"),
            ("BDAT 18446744073709551615", Bdat::new(u64::MAX), "BDAT 18446744073709551615"),
        ] {
            assert_known(line, &Command::Bdat(bdat), written, &dialect);
        }
    }

    #[test]
    fn sec_s7_a_size_that_is_no_number_of_64_bits_is_a_syntax_error_and_announces_nothing() {
        let sizes =
            ["18446744073709551616", "99999999999999999999999", "-1", "+5", "0x5", "1e3", "1.5", "", " 5", "5\tLAST"];
        for size in sizes {
            let line = format!("BDAT {size}");
            let error = Command::parse(line.as_bytes(), &Dialect::default()).expect_err(&line);
            assert!(matches!(error.kind, CommandErrorKind::Syntax(_)), "{line:?}: {error:?}");
            assert_eq!(Bdat::announced(line.as_bytes()), None, "{line:?}");
        }
    }

    #[test]
    fn a_line_that_is_wrong_behind_its_size_announces_it_all_the_same() {
        for line in ["BDAT 5 FIRST", "BDAT 5 LAST LAST", "BDAT 5  LAST", "bdat 5 LASTx"] {
            assert!(Command::parse(line.as_bytes(), &Dialect::default()).is_err(), "{line}");
            assert_eq!(Bdat::announced(line.as_bytes()), Some(5), "{line}");
        }
        assert_eq!(Bdat::announced(b"NOOP 5"), None);
    }
}
