//! Unique-ids: RFC 1939 §7.

use std::fmt;

/// A text that cannot be a unique-id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("expected 1 to 70 octets of `!` to `~`")]
pub struct InvalidUniqueId;

/// What names a message over all sessions: one to 70 octets in the range 0x21 to 0x7E.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct UniqueId(Box<str>);

impl UniqueId {
    /// Takes an id.
    ///
    /// # Errors
    /// [`InvalidUniqueId`] unless it is 1 to 70 octets of `!` to `~`.
    pub fn new(id: impl Into<Box<str>>) -> Result<Self, InvalidUniqueId> {
        let id = id.into();
        let legal = id.bytes().all(|octet| matches!(octet, b'!'..=b'~'));
        if (1..=70).contains(&id.len()) && legal { Ok(Self(id)) } else { Err(InvalidUniqueId) }
    }

    /// Its octets.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for UniqueId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_one_to_70_printable_octets() {
        for good in ["x", "whqtswO00WBw418f9t5JxYwZ", "QhdPYR:00WBw1Ph7x7", &"~".repeat(70)] {
            assert!(UniqueId::new(good).is_ok(), "{good:?}");
        }
        for bad in ["", "a b", "a\r\nb", "\u{e9}", &"x".repeat(71)] {
            assert_eq!(UniqueId::new(bad), Err(InvalidUniqueId), "{bad:?}");
        }
    }
}
