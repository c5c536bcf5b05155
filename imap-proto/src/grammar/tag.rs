//! The word by which a client knows the answer to its command.

use std::fmt;

use super::{OctetString, class};

/// A `tag` (RFC 9051 §9): ASTRING-CHARs without `+`, at most 255 octets.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Tag(OctetString);

impl Tag {
    /// The most octets of a tag. The RFC names no ceiling; nobody's is longer than a few.
    pub const MAX_OCTETS: usize = 255;

    /// Takes a tag. `None` if it is none.
    pub fn new(tag: &str) -> Option<Self> {
        Self::from_octets(tag.as_bytes())
    }

    /// Takes a tag as it came. `None` if it is none.
    pub fn from_octets(tag: &[u8]) -> Option<Self> {
        let is_tag = (1..=Self::MAX_OCTETS).contains(&tag.len()) && class::TAG.has_all(tag);
        is_tag.then(|| Self(tag.into()))
    }

    /// The tag at the front, and the rest.
    pub(crate) fn split(octets: &[u8]) -> Option<(Self, &[u8])> {
        let (tag, rest) = class::TAG.split(octets);
        (1..=Self::MAX_OCTETS).contains(&tag.len()).then(|| (Self(OctetString::at_front(octets, tag.len())), rest))
    }

    /// As it was written.
    pub fn as_str(&self) -> &str {
        // It is ASCII.
        std::str::from_utf8(self.as_octets()).unwrap_or_default()
    }

    /// As it was written, in octets.
    pub fn as_octets(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for Tag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Tag({})", self.as_str())
    }
}

impl fmt::Display for Tag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_is_an_atom_without_plus() {
        for tag in ["a", "A001", "1.2-3", "a]b", &"x".repeat(22), &"x".repeat(23), &"x".repeat(255)] {
            assert_eq!(Tag::new(tag).unwrap().as_str(), tag);
        }
        for no_tag in ["", "+", "a+b", "a b", "a(b", "*", "a\"", "a\\", "é", "a\r", &"x".repeat(256)] {
            assert_eq!(Tag::new(no_tag), None, "{no_tag:?}");
        }
    }
}
