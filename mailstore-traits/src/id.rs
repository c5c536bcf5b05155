//! Identifiers: what a store gives out and never gives out twice.

use std::fmt;
use std::num::{NonZeroU32, NonZeroU64};
use std::sync::Arc;

/// An identifier that cannot be told to a client: not 1 to 255 octets of `A-Z a-z 0-9 _ -` (RFC 8474 §7).
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("expected 1 to 255 octets of letters, digits, `_` and `-`")]
pub struct InvalidId;

macro_rules! object_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(Arc<str>);

        impl $name {
            /// Takes an identifier of the shape that RFC 8474 §7 lets a server tell.
            ///
            /// # Errors
            /// [`InvalidId`] unless it is 1 to 255 octets of letters, digits, `_` and `-`.
            pub fn new(id: impl Into<Arc<str>>) -> Result<Self, InvalidId> {
                let id = id.into();
                let legal = |octet: u8| octet.is_ascii_alphanumeric() || matches!(octet, b'_' | b'-');
                if (1..=255).contains(&id.len()) && id.bytes().all(legal) { Ok(Self(id)) } else { Err(InvalidId) }
            }

            /// Its text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

object_id! {
    /// A mailbox: unique in the service, stable over a rename, never used again (MAILBOXID, RFC 8474 §4).
    MailboxId
}
object_id! {
    /// The content of a message: the same for a copy of it (EMAILID, RFC 8474 §5.1).
    EmailId
}
object_id! {
    /// A conversation that messages belong to (THREADID, RFC 8474 §5.2).
    ThreadId
}

/// A message's unique identifier in its mailbox: 1 to 2³²−1, strictly rising, never used again (RFC 9051 §2.3.1.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Uid(NonZeroU32);

/// The value that, together with a mailbox's name, says which numbering its UIDs belong to (RFC 9051 §2.3.1.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct UidValidity(NonZeroU32);

macro_rules! number32 {
    ($name:ident) => {
        impl $name {
            /// The smallest value.
            pub const MIN: Self = Self(NonZeroU32::MIN);
            /// The largest value.
            pub const MAX: Self = Self(NonZeroU32::MAX);

            /// Takes any value but 0.
            pub const fn new(value: u32) -> Option<Self> {
                match NonZeroU32::new(value) {
                    Some(value) => Some(Self(value)),
                    None => None,
                }
            }

            /// Its number, never 0.
            pub const fn value(self) -> u32 {
                self.0.get()
            }

            /// The next one up, unless this is the last.
            pub const fn next(self) -> Option<Self> {
                match self.0.checked_add(1) {
                    Some(value) => Some(Self(value)),
                    None => None,
                }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(&self.0, f)
            }
        }
    };
}

number32!(Uid);
number32!(UidValidity);

/// A modification sequence of a mailbox: 1 to 2⁶³−1 (RFC 7162 §3.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ModSeq(NonZeroU64);

impl ModSeq {
    /// The first one.
    pub const MIN: Self = Self(NonZeroU64::MIN);

    /// Takes 1 to 2⁶³−1.
    pub const fn new(value: u64) -> Option<Self> {
        if value > i64::MAX as u64 {
            return None;
        }
        match NonZeroU64::new(value) {
            Some(value) => Some(Self(value)),
            None => None,
        }
    }

    /// Its number: 1 to 2⁶³−1.
    pub const fn value(self) -> u64 {
        self.0.get()
    }

    /// The next one up, unless this is the last.
    pub const fn next(self) -> Option<Self> {
        Self::new(self.value().saturating_add(1))
    }
}

impl fmt::Display for ModSeq {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn object_ids_keep_to_the_octets_that_a_client_may_be_told() {
        assert!(MailboxId::new("a-Z_9").is_ok());
        for bad in ["", "a b", "a\r\n", "ä", "a/b"] {
            assert_eq!(MailboxId::new(bad), Err(InvalidId), "{bad:?}");
        }
        assert!(EmailId::new("x".repeat(255)).is_ok());
        assert!(EmailId::new("x".repeat(256)).is_err());
    }

    #[test]
    fn numbers_end_where_the_wire_ends() {
        assert_eq!(Uid::new(0), None);
        assert_eq!(Uid::MAX.next(), None);
        assert_eq!(ModSeq::new(0), None);
        assert_eq!(ModSeq::new(1 << 63), None);
        assert_eq!(ModSeq::new((1 << 63) - 1).and_then(ModSeq::next), None);
    }
}
