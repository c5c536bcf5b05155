//! The words of a response: RFC 2449 §3, `text`.

use std::borrow::Cow;
use std::fmt;

/// A text that cannot stand in a response.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("expected 1 to 480 octets of printable ASCII that do not begin with `[` or a space")]
pub struct InvalidText;

/// What a response says to people, on its one line. It can hold neither line end nor control character, so it never
/// becomes a response of its own (attack row I2), and never begins with `[`, which would make a code of it (RFC 2449
/// §6.4).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ResponseText(Cow<'static, str>);

impl ResponseText {
    /// The longest text. With the status, the longest code and CRLF it stays below the 512 octets of RFC 2449 §4.
    pub const MAX_LEN: usize = 480;

    /// Takes a text.
    ///
    /// # Errors
    /// [`InvalidText`] unless it is 1 to 480 octets of space to `~`, not beginning with `[` or a space.
    pub fn new(text: impl Into<Cow<'static, str>>) -> Result<Self, InvalidText> {
        let text = text.into();
        let printable = text.bytes().all(|octet| matches!(octet, b' '..=b'~'));
        let beginning = !text.starts_with(['[', ' ']);
        if (1..=Self::MAX_LEN).contains(&text.len()) && printable && beginning {
            Ok(Self(text))
        } else {
            Err(InvalidText)
        }
    }

    /// Makes a text of anything: what may not stand in one becomes `?`, and what is too much is cut off.
    pub fn lossy(text: &str) -> Self {
        let mut kept: String =
            text.chars().map(|char| if matches!(char, ' '..='~') { char } else { '?' }).take(Self::MAX_LEN).collect();
        if kept.is_empty() || kept.starts_with(['[', ' ']) {
            kept.replace_range(..kept.len().min(1), "?");
        }
        Self(Cow::Owned(kept))
    }

    /// A text of this crate's own.
    pub(crate) const fn literal(text: &'static str) -> Self {
        Self(Cow::Borrowed(text))
    }

    /// Its octets.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ResponseText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg_attr(miri, ignore = "minutes, interpreted")]
    fn sec_i2_a_text_is_one_line_and_no_code() {
        for bad in ["", "ok\r\n+OK fake", "a\nb", "a\rb", "a\0b", "\u{e9}", "a\x7f", "[AUTH] x", " x", &"x".repeat(481)]
        {
            assert_eq!(ResponseText::new(bad.to_owned()), Err(InvalidText), "{bad:?}");
            let made = ResponseText::lossy(bad);
            assert_eq!(ResponseText::new(made.as_str().to_owned()), Ok(made.clone()), "{bad:?}");
        }
        assert_eq!(ResponseText::lossy("ok\r\n+OK fake").as_str(), "ok??+OK fake");
        assert_eq!(ResponseText::lossy("[AUTH] x").as_str(), "?AUTH] x");
        assert_eq!(ResponseText::lossy("fine").as_str(), "fine");
        assert!(ResponseText::new("x".repeat(480)).is_ok());
    }
}
