//! RFC 5321 §4.2, `textstring`: the words of a reply.

use std::fmt;

use super::{Parsed, fail, parsed_type};
use crate::error::ParseErrorKind;

/// One line of a reply's text: printable ASCII and tabs, 480 octets at the most. It cannot hold a line end, so no
/// text, wherever it came from, forges a second reply (attack row I2).
///
/// ```abnf
/// textstring = 1*(%d09 / %d32-126)
/// ```
///
/// It may be empty: RFC 5321 §4.2 has the text of a line optional.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct ReplyText(String);

impl ReplyText {
    /// The most octets it has: with the code, the enhanced code and the CRLF a line has 512 at the most (RFC 5321
    /// §4.5.3.1.5), and a greeting has a host name too.
    pub const MAX_OCTETS: usize = 480;

    /// Makes a text of anything: what is not printable becomes `?`, what is too long is cut. For words that are not the
    /// host's own.
    pub fn lossy(text: &str) -> Self {
        // Words of the program's own are printable, and copied at once.
        if text.len() <= Self::MAX_OCTETS && text.bytes().all(|octet| matches!(octet, b'\t' | b' '..=b'~')) {
            return Self(text.to_owned());
        }
        let printable = |c: char| if matches!(c, '\t' | ' '..='~') { c } else { '?' };
        Self(text.chars().take(Self::MAX_OCTETS).map(printable).collect())
    }

    /// Its text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

parsed_type!(ReplyText, ParseErrorKind::Text, text);

impl fmt::Display for ReplyText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

fn text(input: &[u8]) -> Parsed<'_, ReplyText> {
    let printable = |octet: &u8| matches!(octet, b'\t' | b' '..=b'~');
    let end = input.iter().position(|octet| !printable(octet)).unwrap_or(input.len());
    let (text, rest) = input.split_at(end);
    match std::str::from_utf8(text) {
        Ok(text) if text.len() <= ReplyText::MAX_OCTETS => Ok((rest, ReplyText(text.to_owned()))),
        _ => fail(input, ParseErrorKind::Text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sec_i2_no_text_holds_a_line_end() {
        for bad in ["ok\r\n250 fake", "ok\n", "\r", "a\0b", "\u{7f}", "é", &"x".repeat(481)] {
            assert!(bad.parse::<ReplyText>().is_err(), "{bad:?}");
        }
        assert_eq!(ReplyText::lossy("ok\r\n250 fäke").as_str(), "ok??250 f?ke");
        assert_eq!(ReplyText::lossy(&"é".repeat(999)).as_str().len(), 480);
        assert_eq!("".parse::<ReplyText>().unwrap().as_str(), "");
    }
}
