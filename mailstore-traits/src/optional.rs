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

const MAX_ENTRY_OCTETS: usize = 1_000;

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

    /// The name of an entry as it is compared, in lower case; `None` for what no entry may be called (RFC 5464 §3.2):
    /// neither below `/private` nor below `/shared`, with an empty component, a wildcard, or anything but ASCII's
    /// printable characters; and for what is longer than 1,000 octets.
    pub fn entry_name(entry: &str) -> Option<String> {
        let name = entry.to_ascii_lowercase();
        let below = name.strip_prefix("/private/").or_else(|| name.strip_prefix("/shared/"))?;
        let is_legal = |octet: u8| matches!(octet, b' '..=b'~') && !matches!(octet, b'*' | b'%');
        let is_whole = below.split('/').all(|component| !component.is_empty());
        (is_whole && name.len() <= MAX_ENTRY_OCTETS && name.bytes().all(is_legal)).then_some(name)
    }

    /// Whether it is for the actor alone who sets it. The others, `/shared/...`, are everybody's.
    pub fn is_private(&self) -> bool {
        Self::entry_name(&self.entry).is_some_and(|name| name.starts_with("/private/"))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_is_named_as_the_rfc_says() {
        assert_eq!(Annotation::entry_name("/Shared/Comment").as_deref(), Some("/shared/comment"));
        assert_eq!(Annotation::entry_name("/private/vendor/x y").as_deref(), Some("/private/vendor/x y"));
        for bad in
            ["", "/", "/private", "/private/", "/other/x", "/private//x", "/private/x/", "/private/x*", "/shared/\0"]
        {
            assert_eq!(Annotation::entry_name(bad), None, "{bad:?}");
        }
        assert!(Annotation::entry_name(&format!("/shared/{}", "x".repeat(992))).is_some());
        assert!(Annotation::entry_name(&format!("/shared/{}", "x".repeat(993))).is_none());
        assert!(Annotation::new("/PRIVATE/x", None).is_private());
        assert!(!Annotation::new("/shared/x", None).is_private());
    }
}
