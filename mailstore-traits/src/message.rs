//! Messages as a store tells of them: metadata, digest, body.

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use futures::Stream;
use futures::stream::BoxStream;

use crate::{EmailId, Flags, ModSeq, Result, ThreadId, Timestamp, Uid};

/// What the engine computed of a message while it was staged: opaque octets with a version.
///
/// The store keeps the octets as they are, and may drop them; the engine makes them anew when they are missing or of
/// an old version, and hands them back through [`Account::put_digest`](crate::Account::put_digest).
#[derive(Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct MessageDigest {
    /// The version of the octets' form.
    pub version: u16,
    /// The octets.
    pub octets: Bytes,
}

impl MessageDigest {
    /// A digest of that version.
    pub fn new(version: u16, octets: impl Into<Bytes>) -> Self {
        Self { version, octets: octets.into() }
    }
}

impl fmt::Debug for MessageDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MessageDigest(version {}, {} octets)", self.version, self.octets.len())
    }
}

/// Which fields of [`MessageMeta`] the caller will look at, so that a store need not read the others.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub struct MetaFields {
    /// [`MessageMeta::flags`].
    pub flags: bool,
    /// [`MessageMeta::digest`].
    pub digest: bool,
    /// [`MessageMeta::uidl`].
    pub uidl: bool,
}

impl MetaFields {
    /// Only the fields of fixed size: UID, modification sequence, size, dates, ids.
    pub const FIXED: Self = Self { flags: false, digest: false, uidl: false };
    /// Every field.
    pub const ALL: Self = Self { flags: true, digest: true, uidl: true };

    /// Wants the flags too.
    #[must_use]
    pub const fn with_flags(mut self) -> Self {
        self.flags = true;
        self
    }

    /// Wants the digest too.
    #[must_use]
    pub const fn with_digest(mut self) -> Self {
        self.digest = true;
        self
    }

    /// Wants the unique-id of POP3 too.
    #[must_use]
    pub const fn with_uidl(mut self) -> Self {
        self.uidl = true;
        self
    }
}

/// Which messages of a set are wanted. A store may answer with more than match; never with fewer.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct MetaFilter {
    /// Only those whose modification sequence is greater (CHANGEDSINCE, RFC 7162 §3.1.4). Exact, not a hint.
    pub changed_since: Option<ModSeq>,
    /// Only those with all these flags. A hint: a superset is allowed.
    pub with: Flags,
    /// Only those with none of these flags. A hint: a superset is allowed.
    pub without: Flags,
}

/// What a store knows of a message without reading its body.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct MessageMeta {
    /// Its identifier in the mailbox.
    pub uid: Uid,
    /// Its modification sequence.
    pub modseq: ModSeq,
    /// Its flags and keywords; empty unless [`MetaFields::flags`] asked for them.
    pub flags: Flags,
    /// When it was received (INTERNALDATE, RFC 9051 §2.3.3).
    pub internal_date: Timestamp,
    /// Octets of the whole, prefix and blob, with CRLF line ends: exactly what [`open_body`] gives (RFC822.SIZE).
    ///
    /// [`open_body`]: crate::Account::open_body
    pub size: u64,
    /// When it was put into this mailbox (SAVEDATE, RFC 8514).
    pub save_date: Option<Timestamp>,
    /// The same for a copy of it.
    pub email_id: EmailId,
    /// Its conversation, if the store knows of such.
    pub thread_id: Option<ThreadId>,
    /// The engine's digest; `None` if there is none or [`MetaFields::digest`] did not ask.
    pub digest: Option<MessageDigest>,
    /// The unique-id that POP3 shall tell, where it is not made of UIDVALIDITY and UID: 1 to 70 octets of `!` to `~`
    /// (RFC 1939 §7). For hosts that come from another server and must not have all mail fetched again.
    pub uidl: Option<String>,
}

impl MessageMeta {
    /// A message with these, no flags, and nothing optional.
    pub fn new(uid: Uid, modseq: ModSeq, size: u64, internal_date: Timestamp, email_id: EmailId) -> Self {
        Self {
            uid,
            modseq,
            flags: Flags::new(),
            internal_date,
            size,
            save_date: None,
            email_id,
            thread_id: None,
            digest: None,
            uidl: None,
        }
    }
}

/// Which octets of a message are wanted. A range may begin or end past the end; what exists of it is given.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct ByteRange {
    /// The first octet wanted, counted from 0.
    pub start: u64,
    /// How many at the most; `None` for all to the end.
    pub len: Option<u64>,
}

impl ByteRange {
    /// The whole message.
    pub const WHOLE: Self = Self { start: 0, len: None };

    /// At most `len` octets from `start` on.
    pub const fn new(start: u64, len: u64) -> Self {
        Self { start, len: Some(len) }
    }

    /// All from `start` on.
    pub const fn from_start(start: u64) -> Self {
        Self { start, len: None }
    }

    /// The first octet and the one behind the last, of something that has `size` octets. Never past the end.
    pub fn within(self, size: u64) -> std::ops::Range<u64> {
        let start = self.start.min(size);
        let end = self.len.map_or(size, |len| start.saturating_add(len).min(size));
        start..end
    }
}

/// An open body: how many octets will come, and the octets.
///
/// Once opened it completes, whatever happens to the message meanwhile; if the store fails, it ends with an error before
/// [`len`](Self::len) octets have come. It never ends early without one.
pub struct Body {
    len: u64,
    octets: BoxStream<'static, Result<Bytes>>,
}

impl Body {
    /// A body of exactly `len` octets, in chunks of a size that is good to hold in memory (64 KiB is).
    pub fn new(len: u64, octets: impl Stream<Item = Result<Bytes>> + Send + 'static) -> Self {
        Self { len, octets: Box::pin(octets) }
    }

    /// A body that is in memory.
    pub fn from_bytes(octets: Bytes) -> Self {
        let len = octets.len() as u64;
        Self::new(len, futures::stream::iter((!octets.is_empty()).then_some(Ok(octets))))
    }

    /// How many octets will come in all.
    pub fn len(&self) -> u64 {
        self.len
    }

    /// Whether none will come.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }
}

impl Stream for Body {
    type Item = Result<Bytes>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.octets.as_mut().poll_next(cx)
    }
}

impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Body({} octets)", self.len)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_never_leaves_the_message() {
        for (range, size, expected) in [
            (ByteRange::WHOLE, 10, 0..10),
            (ByteRange::new(0, 3), 10, 0..3),
            (ByteRange::new(8, 5), 10, 8..10),
            (ByteRange::new(10, 5), 10, 10..10),
            (ByteRange::new(1 << 40, 5), 10, 10..10),
            (ByteRange::new(3, 0), 10, 3..3),
            (ByteRange::new(5, u64::MAX), 10, 5..10),
            (ByteRange::from_start(4), 10, 4..10),
            (ByteRange::WHOLE, 0, 0..0),
        ] {
            assert_eq!(range.within(size), expected, "{range:?} of {size}");
        }
    }
}
