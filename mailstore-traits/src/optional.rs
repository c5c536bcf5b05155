//! The plain data of what not every store has: quota, rights, annotations, the maildrop's lease.

use std::any::Any;
use std::collections::BTreeSet;
use std::fmt;

use bytes::Bytes;

/// What a quota counts (RFC 9208 §5).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum QuotaResource {
    /// Units of 1,024 octets of messages.
    Storage,
    /// Messages.
    Message,
    /// Mailboxes.
    Mailbox,
}

/// A set of mailboxes that share limits (RFC 9208 §3.1).
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct QuotaRoot {
    /// Its name; often empty.
    pub name: String,
    /// For each resource: what is used, and the limit.
    pub resources: Vec<(QuotaResource, u64, u64)>,
}

impl QuotaRoot {
    /// A root with these resources: each with what is used, and the limit.
    pub fn new(name: impl Into<String>, resources: Vec<(QuotaResource, u64, u64)>) -> Self {
        Self { name: name.into(), resources }
    }
}

/// Rights on a mailbox: the letters of RFC 4314 §2.1.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct Rights(BTreeSet<char>);

impl Rights {
    /// Takes the letters `a` to `z` and `0` to `9`; `None` if there is anything else.
    pub fn new(letters: &str) -> Option<Self> {
        letters
            .chars()
            .map(|letter| (letter.is_ascii_lowercase() || letter.is_ascii_digit()).then_some(letter))
            .collect::<Option<_>>()
            .map(Self)
    }

    /// Whether that right is among them.
    pub fn contains(&self, letter: char) -> bool {
        self.0.contains(&letter)
    }

    /// The letters, by the alphabet.
    pub fn iter(&self) -> impl Iterator<Item = char> {
        self.0.iter().copied()
    }
}

/// Who has which rights.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct AclEntry {
    /// The identifier of RFC 4314 §3: a user, a group, `anyone`.
    pub identifier: String,
    /// The rights.
    pub rights: Rights,
}

impl AclEntry {
    /// That one has these rights.
    pub fn new(identifier: impl Into<String>, rights: Rights) -> Self {
        Self { identifier: identifier.into(), rights }
    }
}

/// An annotation on a mailbox or the account (RFC 5464 §3).
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Annotation {
    /// `/private/...` or `/shared/...`.
    pub entry: String,
    /// Its value; `None` removes it.
    pub value: Option<Bytes>,
}

impl Annotation {
    /// That entry with that value, or without one.
    pub fn new(entry: impl Into<String>, value: Option<Bytes>) -> Self {
        Self { entry: entry.into(), value }
    }
}

/// The exclusive hold on a mailbox that a POP3 session has (RFC 1939 §8, attack row P6): given back when dropped.
///
/// The store also gives it back when the process dies, and when its time runs out if it lends for a time.
pub struct MaildropLease(#[allow(dead_code, reason = "held for its Drop")] Box<dyn Any + Send + Sync>);

impl MaildropLease {
    /// A lease that ends when `guard` is dropped.
    pub fn new(guard: impl Any + Send + Sync) -> Self {
        Self(Box::new(guard))
    }
}

impl fmt::Debug for MaildropLease {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MaildropLease")
    }
}
