//! A body on its way out: a prefix, then octets from memory or a file, in chunks.

use std::fs::File;
use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use futures::stream::{self, StreamExt};
use mailstore_traits::{Body, ByteRange, Result};

use crate::files::{CHUNK, read_at};
use crate::outside::Octets;
use crate::store::Inner;

/// Where the octets behind the prefix are. Both are held open, so that an expunge meanwhile takes nothing away
/// (contract rule 9).
pub(crate) enum Source {
    Memory(Bytes),
    File(File),
    Outside(Box<dyn Octets>),
}

impl Octets for File {
    fn part(&mut self, start: u64, len: u64) -> Result<Bytes> {
        read_at(self, start, len)
    }
}

/// The part of prefix and source that is wanted.
pub(crate) fn body(prefix: Bytes, source: Source, size: u64, range: ByteRange, store: &Arc<Inner>) -> Body {
    let before = prefix.len() as u64;
    let wanted = range.within(before.saturating_add(size));
    let front = slice(&prefix, wanted.start..wanted.end);
    let rest = wanted.start.saturating_sub(before)..wanted.end.saturating_sub(before);
    let len = wanted.end.saturating_sub(wanted.start);
    let front = stream::iter((!front.is_empty()).then_some(Ok(front)));
    match source {
        Source::Memory(octets) => {
            let octets = slice(&octets, rest);
            Body::new(len, front.chain(stream::iter((!octets.is_empty()).then_some(Ok(octets)))))
        }
        Source::File(file) => Body::new(len, front.chain(chunks(Box::new(file), rest, Arc::clone(store)))),
        Source::Outside(octets) => Body::new(len, front.chain(chunks(octets, rest, Arc::clone(store)))),
    }
}

/// What a range has of some octets; nothing if it lies behind them.
fn slice(octets: &Bytes, range: Range<u64>) -> Bytes {
    let end = usize::try_from(range.end).unwrap_or(usize::MAX).min(octets.len());
    let start = usize::try_from(range.start).unwrap_or(usize::MAX).min(end);
    octets.slice(start..end)
}

/// A file's octets, each chunk read when it is asked for: a reader that is slow holds an open file and no memory.
fn chunks(
    octets: Box<dyn Octets>,
    range: Range<u64>,
    store: Arc<Inner>,
) -> impl futures::Stream<Item = Result<Bytes>> + Send + 'static {
    // The store stays open for as long as its streams.
    stream::unfold((Some(octets), range, store), |(octets, range, store)| async move {
        let mut octets = octets.filter(|_| range.start < range.end)?;
        let len = range.end.saturating_sub(range.start).min(CHUNK);
        let (start, rest) = (range.start, range.start.saturating_add(len)..range.end);
        let read = store.files.pool.run(move |()| Ok((octets.part(start, len)?, octets))).await;
        Some(match read {
            Ok((chunk, octets)) => (Ok(chunk), (Some(octets), rest, store)),
            Err(error) => (Err(error), (None, rest, store)),
        })
    })
}
