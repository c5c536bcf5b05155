//! The word by which a client knows the answer to its command.

use std::fmt;

/// A `tag` (RFC 9051 §9): ASTRING-CHARs without `+`, at most 255 octets.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Tag(Box<str>);

impl Tag {
    /// The most octets of a tag. The RFC names no ceiling; nobody's is longer than a few.
    pub const MAX_OCTETS: usize = 255;

    /// Takes a tag. `None` if it is none.
    pub fn new(tag: &str) -> Option<Self> {
        let is_tag = |octet: u8| octet.is_ascii_graphic() && !br#"(){%*"\+"#.contains(&octet);
        ((1..=Self::MAX_OCTETS).contains(&tag.len()) && tag.bytes().all(is_tag)).then(|| Self(tag.into()))
    }

    /// As it was written.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Tag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Tag({})", self.0)
    }
}

impl fmt::Display for Tag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_is_an_atom_without_plus() {
        for tag in ["a", "A001", "1.2-3", "a]b", &"x".repeat(255)] {
            assert_eq!(Tag::new(tag).unwrap().as_str(), tag);
        }
        for no_tag in ["", "+", "a+b", "a b", "a(b", "*", "a\"", "a\\", "é", "a\r", &"x".repeat(256)] {
            assert_eq!(Tag::new(no_tag), None, "{no_tag:?}");
        }
    }
}
