//! What a store can answer instead of a result: a kind, never a protocol's code.

use std::borrow::Cow;
use std::fmt;

/// The result of every call on a store.
pub type Result<T, E = StoreError> = std::result::Result<T, E>;

/// Why a store did not do what it was asked.
///
/// Each protocol's `server/error.rs` maps every kind to its own codes: RFC 5530 for IMAP, RFC 3463 for SMTP, RFC 2449
/// and RFC 3206 for POP3. The text is for the host's log and never goes to a peer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The mailbox, or the account, does not exist (or the actor may not know that it does).
    NotFound,
    /// A mailbox of that name exists.
    AlreadyExists,
    /// The parent of the mailbox to be made does not exist, and this store does not make parents.
    NonExistentParent,
    /// The actor lacks the right, or the store does not write at all.
    NotPermitted,
    /// The quota would be exceeded.
    OverQuota,
    /// This one message, or this value of an annotation, is larger than the store takes.
    TooBig,
    /// Some other limit of the store is reached (mailboxes, keywords, depth).
    LimitExceeded,
    /// Another session holds what must be held alone (a maildrop's lease).
    InUse,
    /// The message has been expunged.
    Expunged,
    /// What is stored contradicts itself.
    Corrupt,
    /// The store cannot be reached or has no room now; a later try may work.
    Unavailable,
    /// This store does not have the feature.
    Unsupported,
    /// The changes since that modification sequence are no longer known exactly.
    ModSeqTooOld,
    /// The caller's argument cannot be carried out by this store (a name that it cannot keep, a foreign blob).
    Invalid,
    /// A fault in the store.
    Internal,
}

impl ErrorKind {
    /// Every kind, for tests that want a mapping to be whole.
    pub const ALL: [Self; 15] = [
        Self::NotFound,
        Self::AlreadyExists,
        Self::NonExistentParent,
        Self::NotPermitted,
        Self::OverQuota,
        Self::TooBig,
        Self::LimitExceeded,
        Self::InUse,
        Self::Expunged,
        Self::Corrupt,
        Self::Unavailable,
        Self::Unsupported,
        Self::ModSeqTooOld,
        Self::Invalid,
        Self::Internal,
    ];

    const fn words(self) -> &'static str {
        match self {
            Self::NotFound => "not found",
            Self::AlreadyExists => "already exists",
            Self::NonExistentParent => "the parent does not exist",
            Self::NotPermitted => "not permitted",
            Self::OverQuota => "over quota",
            Self::TooBig => "message too big",
            Self::LimitExceeded => "limit exceeded",
            Self::InUse => "in use by another session",
            Self::Expunged => "message expunged",
            Self::Corrupt => "stored data is corrupt",
            Self::Unavailable => "store unavailable",
            Self::Unsupported => "not supported by this store",
            Self::ModSeqTooOld => "modification sequence too old",
            Self::Invalid => "invalid argument",
            Self::Internal => "internal error",
        }
    }
}

impl fmt::Display for ErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.words())
    }
}

/// A [kind](ErrorKind), a text for the host's log, and whether a later try may work.
///
/// Two errors are equal when their kinds are: the text is for people.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{kind}{}{text}", if text.is_empty() { "" } else { ": " })]
pub struct StoreError {
    kind: ErrorKind,
    text: Cow<'static, str>,
    retryable: bool,
}

impl PartialEq for StoreError {
    fn eq(&self, other: &Self) -> bool {
        self.kind == other.kind
    }
}

impl Eq for StoreError {}

impl StoreError {
    /// An error of that kind. [`ErrorKind::Unavailable`] and [`ErrorKind::InUse`] are retryable, the others are not
    /// unless [`retryable`](Self::with_retryable) says so.
    pub fn new(kind: ErrorKind, text: impl Into<Cow<'static, str>>) -> Self {
        let retryable = matches!(kind, ErrorKind::Unavailable | ErrorKind::InUse);
        Self { kind, text: text.into(), retryable }
    }

    /// The same error, with a word of its own on whether a later try may work.
    #[must_use]
    pub fn with_retryable(mut self, retryable: bool) -> Self {
        self.retryable = retryable;
        self
    }

    /// What kind of trouble it is.
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// The words for the host's log. They may name internals and never go to a peer.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Whether the same call may work later without anybody's doing.
    pub fn is_retryable(&self) -> bool {
        self.retryable
    }
}

impl From<ErrorKind> for StoreError {
    fn from(kind: ErrorKind) -> Self {
        Self::new(kind, "")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn display_names_the_kind_then_the_text() {
        assert_eq!(StoreError::from(ErrorKind::InUse).to_string(), "in use by another session");
        assert_eq!(StoreError::new(ErrorKind::Internal, "row 7 lost").to_string(), "internal error: row 7 lost");
    }

    #[test]
    fn every_kind_is_listed_once_and_has_words_of_its_own() {
        let words: std::collections::BTreeSet<_> = ErrorKind::ALL.iter().map(|kind| kind.words()).collect();
        assert_eq!(words.len(), ErrorKind::ALL.len());
    }
}
