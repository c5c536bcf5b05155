//! A message that has come whole and is nobody's yet.

use std::fmt;
use std::ops::Range;

use bytes::{Bytes, BytesMut};
use futures::StreamExt;
use futures::future::BoxFuture;
use mail_message::Digest;
use mailstore_traits::{Body, ByteRange, ErrorKind, MailStore, StoreError};

/// A message that has come whole, stands in the store and is nobody's yet.
///
/// It is as the client sent it, without the trace fields. Its structure is known already ([`digest`](Self::digest)); its
/// octets are read back from the store, so that a policy which does not ask for them costs nothing.
pub struct StagedMessage<'a> {
    digest: &'a Digest,
    blob: &'a dyn Blob,
}

/// A staged message, whatever the store.
pub(in crate::server) trait Blob: Send + Sync {
    fn read(&self, range: ByteRange) -> BoxFuture<'_, Result<Body, StoreError>>;
}

/// A store and a blob of its.
pub(in crate::server) struct Staged<'a, S: MailStore> {
    pub(in crate::server) store: &'a S,
    pub(in crate::server) blob: &'a S::Blob,
}

impl<S: MailStore> Blob for Staged<'_, S> {
    fn read(&self, range: ByteRange) -> BoxFuture<'_, Result<Body, StoreError>> {
        Box::pin(self.store.read_blob(self.blob, range))
    }
}

impl<'a> StagedMessage<'a> {
    /// The most octets of a header that [`header`](Self::header) reads: 1 MiB (attack row M11).
    pub const MAX_HEADER: u64 = 1024 * 1024;

    pub(in crate::server) fn new(digest: &'a Digest, blob: &'a dyn Blob) -> Self {
        Self { digest, blob }
    }

    /// Its structure: fields, parts, defects.
    pub fn digest(&self) -> &'a Digest {
        self.digest
    }

    /// Its octets.
    pub fn size(&self) -> u64 {
        self.digest.size()
    }

    /// Reads a part of it, as a stream.
    ///
    /// # Errors
    /// The store's.
    pub async fn read(&self, range: ByteRange) -> Result<Body, StoreError> {
        self.blob.read(range).await
    }

    /// Reads all of it into memory, if it is no larger than that.
    ///
    /// # Errors
    /// [`ErrorKind::TooBig`] if it is, and the store's.
    pub async fn octets(&self, limit: usize) -> Result<Bytes, StoreError> {
        if self.size() > limit as u64 {
            return Err(ErrorKind::TooBig.into());
        }
        gather(self.blob, ByteRange::WHOLE).await
    }

    /// Reads its header: all of its fields, in their order.
    ///
    /// # Errors
    /// [`ErrorKind::TooBig`] above [`MAX_HEADER`](Self::MAX_HEADER), and the store's.
    pub async fn header(&self) -> Result<Header, StoreError> {
        let Range { start, end } = self.digest.root().header();
        let length = end.saturating_sub(start);
        if length > Self::MAX_HEADER {
            return Err(ErrorKind::TooBig.into());
        }
        Ok(Header::new(gather(self.blob, ByteRange::new(start, length)).await?))
    }
}

async fn gather(blob: &dyn Blob, range: ByteRange) -> Result<Bytes, StoreError> {
    let mut body = blob.read(range).await?;
    let mut octets = BytesMut::with_capacity(usize::try_from(body.len()).unwrap_or_default());
    while let Some(chunk) = body.next().await {
        octets.extend_from_slice(&chunk?);
    }
    Ok(octets.freeze())
}

impl fmt::Debug for StagedMessage<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("StagedMessage").field(self.digest).finish()
    }
}

/// A message's header, as it came.
#[derive(Clone)]
pub struct Header {
    octets: Bytes,
    /// Where each field begins and ends. What is no field (the empty line, a line without a colon) is none of them.
    entries: Vec<Range<usize>>,
}

impl Header {
    pub(in crate::server) fn new(octets: Bytes) -> Self {
        let mut entries: Vec<Range<usize>> = Vec::new();
        let mut start = 0_usize;
        for line in octets.split_inclusive(|&octet| octet == b'\n') {
            let end = start.saturating_add(line.len());
            let goes_on = line.starts_with(b" ") || line.starts_with(b"\t");
            match entries.last_mut() {
                Some(last) if goes_on && last.end == start => last.end = end,
                _ if !goes_on && name_of(line).is_some() => entries.push(start..end),
                _ => {}
            }
            start = end;
        }
        Self { octets, entries }
    }

    /// Its fields, in their order.
    pub fn entries(&self) -> impl Iterator<Item = HeaderEntry<'_>> {
        self.entries.iter().enumerate().filter_map(|(index, range)| {
            let octets = self.octets.get(range.clone())?;
            let (name, value) = name_of(octets)?;
            Some(HeaderEntry { index, name, value, octets })
        })
    }

    /// Its fields of that name, in any case.
    pub fn named<'a>(&'a self, name: &'a str) -> impl Iterator<Item = HeaderEntry<'a>> {
        self.entries().filter(move |entry| entry.name.eq_ignore_ascii_case(name.as_bytes()))
    }

    /// All octets, with the empty line at the end if there is one.
    pub fn octets(&self) -> &Bytes {
        &self.octets
    }

    /// The header with these edits: a field taken out, or another in its place.
    pub(in crate::server) fn edited(&self, edits: &[(usize, Option<super::HeaderField>)]) -> Bytes {
        let mut edited = BytesMut::with_capacity(self.octets.len());
        let mut kept_from = 0;
        for (index, range) in self.entries.iter().enumerate() {
            let mut of_this = edits.iter().filter(|(edit, _)| *edit == index).peekable();
            if of_this.peek().is_none() {
                continue;
            }
            edited.extend_from_slice(self.octets.get(kept_from..range.start).unwrap_or_default());
            for field in of_this.filter_map(|(_, field)| field.as_ref()) {
                edited.extend_from_slice(field.to_string().as_bytes());
            }
            kept_from = range.end;
        }
        edited.extend_from_slice(self.octets.get(kept_from..).unwrap_or_default());
        edited.freeze()
    }
}

/// The name of the field that a line begins, and what stands behind the colon; RFC 5322 §4.5 lets white space stand
/// before it.
fn name_of(field: &[u8]) -> Option<(&[u8], &[u8])> {
    let colon = field.iter().position(|&octet| octet == b':')?;
    let (name, rest) = field.split_at_checked(colon)?;
    let name = name.trim_ascii_end();
    let legal = !name.is_empty() && name.iter().all(u8::is_ascii_graphic);
    legal.then_some((name, rest.get(1..).unwrap_or_default()))
}

impl fmt::Debug for Header {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // No field's value: a log is no place for who wrote to whom.
        write!(f, "Header({} octets, {} fields)", self.octets.len(), self.entries.len())
    }
}

/// One field of a message's header, as it came.
#[derive(Clone, Copy)]
pub struct HeaderEntry<'a> {
    index: usize,
    name: &'a [u8],
    value: &'a [u8],
    octets: &'a [u8],
}

impl<'a> HeaderEntry<'a> {
    /// The how manieth of the header's fields it is, from 0.
    pub fn index(&self) -> usize {
        self.index
    }

    /// Its name, as it was written.
    pub fn name(&self) -> &'a [u8] {
        self.name
    }

    /// All behind the colon, folded as it was, with the last line end.
    pub fn value(&self) -> &'a [u8] {
        self.value
    }

    /// The whole field with its line ends.
    pub fn octets(&self) -> &'a [u8] {
        self.octets
    }
}

impl fmt::Debug for HeaderEntry<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "HeaderEntry({}, {}, …)", self.index, self.name.escape_ascii())
    }
}

#[cfg(test)]
mod tests {
    use super::super::HeaderField;
    use super::*;

    const HEADER: &[u8] =
        b"Received: from a\r\n\tby b\r\nSubject : hello\r\nnot a field\r\n still not\r\nX: 1\r\nx: 2\r\n\r\n";

    #[test]
    fn a_header_is_taken_apart_into_its_fields() {
        let header = Header::new(Bytes::from_static(HEADER));
        let fields: Vec<_> = header.entries().map(|entry| (entry.index(), entry.name(), entry.octets())).collect();
        assert_eq!(
            fields,
            [
                (0, &b"Received"[..], &b"Received: from a\r\n\tby b\r\n"[..]),
                (1, b"Subject", b"Subject : hello\r\n"),
                (2, b"X", b"X: 1\r\n"),
                (3, b"x", b"x: 2\r\n"),
            ]
        );
        assert_eq!(header.named("X").map(|entry| entry.value().to_vec()).collect::<Vec<_>>(), [b" 1\r\n", b" 2\r\n"]);
        assert_eq!(Header::new(Bytes::new()).entries().count(), 0);
    }

    #[test]
    fn fields_are_taken_out_and_replaced_and_all_else_stays_as_it_was() {
        let header = Header::new(Bytes::from_static(HEADER));
        assert_eq!(header.edited(&[]), HEADER);
        let subject = HeaderField::new("Subject", "[list] hello").unwrap();
        let edited = header.edited(&[(2, None), (1, Some(subject)), (0, None), (9, None)]);
        assert_eq!(edited, Bytes::from_static(b"Subject: [list] hello\r\nnot a field\r\n still not\r\nx: 2\r\n\r\n"));
    }
}
