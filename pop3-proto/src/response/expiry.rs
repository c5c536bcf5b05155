//! How long messages stay, and how often a user may log in: the figures of EXPIRE and LOGIN-DELAY (RFC 2449 §6.5, §6.7).

use std::fmt;

use crate::grammar::{Word, decimal};

/// How long the server keeps a message at the least (RFC 2449 §6.7): a promise to the user. Whoever tells one has to
/// keep it.
///
/// Ordered by how long mail stays: `Days(0) < Days(30) < Never`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Expiry {
    /// The server may remove a message after so many days, counted from whatever its policy counts from, and never
    /// earlier. With 0 the user may leave nothing: what RETR has fetched may be gone after QUIT.
    Days(u32),
    /// `NEVER`: the server removes nothing by itself.
    Never,
}

impl Expiry {
    /// Reads `NEVER` or a number. Capability arguments are case-insensitive like their names; a number that does not fit
    /// is the largest one.
    pub(super) fn from_word(word: &Word) -> Option<Self> {
        if word.as_str().eq_ignore_ascii_case("NEVER") {
            return Some(Self::Never);
        }
        whole(word).map(|days| Self::Days(u32::try_from(days).unwrap_or(u32::MAX)))
    }
}

impl fmt::Display for Expiry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Days(days) => fmt::Display::fmt(days, f),
            Self::Never => f.write_str("NEVER"),
        }
    }
}

/// A word that is a number and nothing else.
pub(super) fn whole(word: &Word) -> Option<u64> {
    match decimal(word.as_str().as_bytes()) {
        Ok(([], number)) => Some(number),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_examples_of_rfc_2449_section_6_7() {
        let read = |text: &str| Expiry::from_word(&Word::new(text).unwrap());
        assert_eq!(read("5"), Some(Expiry::Days(5)));
        assert_eq!(read("30").map(|it| it.to_string()), Some("30".into()));
        assert_eq!(read("never").map(|it| it.to_string()), Some("NEVER".into()));
        assert_eq!(read("0"), Some(Expiry::Days(0)));
        assert_eq!(read("99999999999999999999999"), Some(Expiry::Days(u32::MAX)));
        for bad in ["-1", "+1", "1d", "NEVER.", "EVER"] {
            assert_eq!(read(bad), None, "{bad}");
        }
        assert!(Expiry::Days(0) < Expiry::Days(30) && Expiry::Days(u32::MAX) < Expiry::Never);
    }
}
