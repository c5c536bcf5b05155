//! Words without a space: RFC 2449 §3, `param`.

use std::fmt;

use nom::bytes::complete::take_while1;
use nom::combinator::map_opt;
use nom::{IResult, Parser};

/// A text that is not one word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("expected a word of visible ASCII")]
pub struct InvalidWord;

/// One or more octets of visible ASCII.
///
/// ```abnf
/// param = 1*VCHAR
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Word(Box<str>);

impl Word {
    /// Takes a word.
    ///
    /// # Errors
    /// [`InvalidWord`] if it is empty or holds anything but `!` to `~`.
    pub fn new(word: impl Into<Box<str>>) -> Result<Self, InvalidWord> {
        let word = word.into();
        let legal = word.bytes().all(|octet| octet.is_ascii_graphic());
        if !word.is_empty() && legal { Ok(Self(word)) } else { Err(InvalidWord) }
    }

    /// Its octets.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Word {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

pub(crate) fn word(input: &[u8]) -> IResult<&[u8], Word> {
    map_opt(take_while1(|octet: u8| octet.is_ascii_graphic()), |octets| {
        std::str::from_utf8(octets).ok().map(|text| Word(text.into()))
    })
    .parse(input)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_ends_at_a_space() {
        assert_eq!(
            word(b"SASL PLAIN").map(|(rest, word)| (rest, word.to_string())),
            Ok((&b" PLAIN"[..], "SASL".into()))
        );
        assert!(word(b" x").is_err());
        for bad in ["", "a b", "a\r\n", "\u{e9}", "\x7f"] {
            assert_eq!(Word::new(bad), Err(InvalidWord), "{bad:?}");
        }
    }
}
