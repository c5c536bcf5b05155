//! The word by which a client knows the answer to its command.

use std::fmt;
use std::hash::{Hash, Hasher};

use super::Class;

/// A `tag` (RFC 9051 §9): ASTRING-CHARs without `+`, at most 255 octets.
#[derive(Clone)]
pub struct Tag(Repr);

/// Nearly every tag is short: those need no allocation.
#[derive(Clone)]
enum Repr {
    Short(u8, [u8; SHORT]),
    Long(Box<[u8]>),
}

const SHORT: usize = 22;

impl Tag {
    /// The most octets of a tag. The RFC names no ceiling; nobody's is longer than a few.
    pub const MAX_OCTETS: usize = 255;

    /// Takes a tag. `None` if it is none.
    pub fn new(tag: &str) -> Option<Self> {
        Self::from_octets(tag.as_bytes())
    }

    /// Takes a tag as it came. `None` if it is none.
    pub fn from_octets(tag: &[u8]) -> Option<Self> {
        if !(1..=Self::MAX_OCTETS).contains(&tag.len()) || !Class::TAG.has_all(tag) {
            return None;
        }
        let mut short = [0; SHORT];
        Some(Self(match short.get_mut(..tag.len()) {
            Some(slot) => {
                slot.copy_from_slice(tag);
                // At most 22.
                Repr::Short(tag.len() as u8, short)
            }
            None => Repr::Long(tag.into()),
        }))
    }

    /// As it was written.
    pub fn as_str(&self) -> &str {
        // It is ASCII.
        std::str::from_utf8(self.as_octets()).unwrap_or_default()
    }

    /// As it was written, in octets.
    pub fn as_octets(&self) -> &[u8] {
        match &self.0 {
            Repr::Short(length, octets) => octets.get(..usize::from(*length)).unwrap_or_default(),
            Repr::Long(octets) => octets,
        }
    }
}

impl PartialEq for Tag {
    fn eq(&self, other: &Self) -> bool {
        self.as_octets() == other.as_octets()
    }
}

impl Eq for Tag {}

impl Hash for Tag {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.as_octets().hash(state);
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
