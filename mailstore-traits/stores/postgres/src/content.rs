//! The octets of bodies: in chunks of a table, or in an object store.
//!
//! Every content has a name of its own, in the table `stage` from before its first octet is written until a body's row
//! names it, and again from when that row has gone until its last octet has. So nothing is written or removed that a crash
//! could leave without anybody knowing of it, no bucket is ever listed, and two processes that bring the same octets do not
//! meet before their rows do.

use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use futures::stream::{self, StreamExt};
use mailstore_traits::backend::columns::{Key, int};
use mailstore_traits::{Body, ByteRange, ErrorKind, Result, StoreError};

use crate::error::Outcome;
use crate::keeper::Reading;
use crate::pool::{Kind, Tx};
use crate::store::Inner;

/// How many octets a chunk has: a row's, and an item's of a body's stream.
pub(crate) const CHUNK: u64 = 64 * 1024;

/// Where octets are.
#[derive(Debug, Clone)]
pub(crate) enum Content {
    Memory(Bytes),
    Chunks(Vec<u8>),
    Object(String),
}

/// What must not go before the stream has: a body is kept by its number, a staged content by its blob.
#[derive(Clone)]
pub(crate) enum Keep {
    Body { _reading: Arc<Reading> },
    Blob { _blob: crate::stage::PostgresBlob },
}

/// The part of prefix and content that is wanted.
pub(crate) fn body(
    prefix: Bytes,
    content: Content,
    size: u64,
    range: ByteRange,
    store: &Arc<Inner>,
    keep: Keep,
) -> Body {
    let before = prefix.len() as u64;
    let wanted = range.within(before.saturating_add(size));
    let front = slice(&prefix, wanted.start..wanted.end);
    let rest = wanted.start.saturating_sub(before)..wanted.end.saturating_sub(before);
    let len = wanted.end.saturating_sub(wanted.start);
    let front = stream::iter((!front.is_empty()).then_some(Ok(front)));
    match content {
        Content::Memory(octets) => {
            let octets = slice(&octets, rest);
            Body::new(len, front.chain(stream::iter((!octets.is_empty()).then_some(Ok(octets)))))
        }
        content => Body::new(len, front.chain(chunks(Arc::new(content), rest, Arc::clone(store), keep))),
    }
}

/// What a range has of some octets; nothing if it lies behind them.
fn slice(octets: &Bytes, range: Range<u64>) -> Bytes {
    let end = usize::try_from(range.end).unwrap_or(usize::MAX).min(octets.len());
    let start = usize::try_from(range.start).unwrap_or(usize::MAX).min(end);
    octets.slice(start..end)
}

/// A content's octets, each chunk read when it is asked for: a slow reader holds neither a connection nor memory.
fn chunks(
    content: Arc<Content>,
    range: Range<u64>,
    store: Arc<Inner>,
    keep: Keep,
) -> impl futures::Stream<Item = Result<Bytes>> + Send + 'static {
    stream::unfold(Some(range), move |range| {
        let (content, store, keep) = (Arc::clone(&content), Arc::clone(&store), keep.clone());
        async move {
            let range = range.filter(|range| range.start < range.end)?;
            // Up to the chunk's end, so that each is read once.
            let end = (range.start / CHUNK).saturating_add(1).saturating_mul(CHUNK).min(range.end);
            let part = range.start..end;
            let reader = Arc::clone(&store);
            let chunk = store.run(async move { read(&reader, &content, part).await }).await;
            let rest = chunk.is_ok().then_some(end..range.end);
            drop(keep);
            Some((chunk, rest))
        }
    })
}

/// Octets that lie in one chunk, or anywhere in an object.
pub(crate) async fn read(store: &Inner, content: &Content, part: Range<u64>) -> Outcome<Bytes> {
    let len = usize::try_from(part.end.saturating_sub(part.start)).unwrap_or(usize::MAX);
    let octets = match content {
        Content::Memory(octets) => slice(octets, part),
        Content::Chunks(key) => {
            let tx = store.begin(Kind::Read).await?;
            let found = read_chunk(&tx, key, &part).await;
            store.end(tx, found).await?
        }
        Content::Object(name) => store.objects.read(name, part).await?,
    };
    if octets.len() != len {
        return Err(StoreError::new(ErrorKind::Corrupt, "a body's octets are not as many as its size"));
    }
    Ok(octets)
}

async fn read_chunk(tx: &Tx, key: &[u8], part: &Range<u64>) -> Outcome<Bytes> {
    let n = part.start / CHUNK;
    let (from, len) = (part.start % CHUNK, part.end.saturating_sub(part.start));
    let sql = "SELECT substring(octets FROM $3::int FOR $4::int) FROM chunk WHERE content = $1 AND n = $2";
    let (from, len) = (i32::try_from(from).unwrap_or(0).saturating_add(1), i32::try_from(len).unwrap_or(0));
    let row = tx.query_opt(sql, &[&key, &int(n), &from, &len]).await?;
    let row = row.ok_or_else(|| StoreError::new(ErrorKind::Corrupt, "a body's octets are not there"))?;
    Ok(row.get::<_, Vec<u8>>(0).into())
}

/// Writes chunks of a content, from number `n` on.
pub(crate) async fn write_chunks(tx: &Tx, key: &[u8], n: i64, octets: &[u8]) -> Outcome<()> {
    let chunks: Vec<&[u8]> = octets.chunks(usize::try_from(CHUNK).unwrap_or(usize::MAX)).collect();
    if chunks.is_empty() {
        return Ok(());
    }
    tx.execute(
        "INSERT INTO chunk (content, n, octets) \
         SELECT $1::bytea, $2::bigint + c.at - 1, c.octets FROM unnest($3::bytea[]) WITH ORDINALITY AS c (octets, at)",
        &[&key, &n, &chunks],
    )
    .await
    .map(drop)
}

/// Writes down that there will be a content of that name.
pub(crate) async fn announce(tx: &Tx, key: &Key, is_object: bool) -> Outcome<()> {
    tx.execute("INSERT INTO stage (content, is_object) VALUES ($1, $2)", &[&&key[..], &is_object]).await.map(drop)
}

/// Removes a content that no body has. If one has got it meanwhile, nothing happens.
pub(crate) async fn clear(store: &Inner, key: &[u8]) -> Outcome<()> {
    let tx = store.begin(Kind::Write).await?;
    let cleared = clear_in(store, &tx, key).await;
    store.end(tx, cleared).await
}

async fn clear_in(store: &Inner, tx: &Tx, key: &[u8]) -> Outcome<()> {
    // Another process may be clearing it away: let it.
    let sql = "SELECT object, is_object FROM stage WHERE content = $1 FOR UPDATE SKIP LOCKED";
    let Some(row) = tx.query_opt(sql, &[&key]).await? else { return Ok(()) };
    if row.get::<_, bool>(1) {
        // Its name stays until the object has gone: a crash in between leaves it for the next sweep.
        store.objects.remove(key, row.get::<_, Option<String>>(0)).await?;
    } else {
        tx.execute("DELETE FROM chunk WHERE content = $1", &[&key]).await?;
    }
    tx.execute("DELETE FROM stage WHERE content = $1", &[&key]).await.map(drop)
}
