//! A message on its way in, and what it becomes.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use mailstore_traits::backend::columns::{Key, random_key};
use mailstore_traits::{ErrorKind, MessageDigest, Result, SizeHint, Stage, StoreError};
use sha2::{Digest, Sha256};

use crate::content::{Content, announce, clear, write_chunks};
use crate::error::Outcome;
use crate::objects::{Objects, Upload};
use crate::pool::Kind;
use crate::store::Inner;

/// How many octets are written in one transaction where bodies lie in a table: eight chunks.
const FLUSH: usize = 512 * 1024;

/// A message on its way into a [`PostgresStore`](crate::PostgresStore).
///
/// It holds at most 512 KiB in memory (5 MiB with an object store, which wants parts of that size); what is more is written
/// ahead, and [`write`](Stage::write) is not done before it has been taken.
pub struct PostgresStage {
    held: Arc<Held>,
    buffer: BytesMut,
    hash: Sha256,
    written: u64,
    sink: Sink,
}

enum Sink {
    /// All of it is in the buffer yet.
    Memory,
    /// So many chunks are in the table.
    Chunks(i64),
    Object(Upload),
    /// The buffer is away being written, or a write has failed or was given up: nothing more can be added.
    Lost,
}

/// A content that this process brings. When nobody holds it any more, and no body has it, it is removed; work that is under
/// way holds it, too, so that nothing is written after it was removed.
struct Held {
    store: Arc<Inner>,
    key: Key,
    announced: std::sync::atomic::AtomicBool,
}

impl Drop for Held {
    fn drop(&mut self) {
        if self.announced.load(std::sync::atomic::Ordering::Relaxed) {
            let (store, key) = (Arc::clone(&self.store), self.key);
            // Should it fail, the sweep finds it: its name is written down.
            self.store.runtime.spawn(async move {
                if let Err(error) = clear(&store, &key).await {
                    tracing::debug!(%error, "octets that nobody needs are left to the sweep");
                }
            });
        }
    }
}

impl PostgresStage {
    pub(crate) fn new(store: &Arc<Inner>, hint: SizeHint) -> Result<Self> {
        let announced = match hint {
            SizeHint::Octets(octets) => octets,
            _ => 0,
        };
        if announced > store.options.max_message {
            return Err(too_big(announced, store.options.max_message));
        }
        // The hint may lie: no more than a few KiB are taken on its word.
        let first = usize::try_from(announced).unwrap_or(usize::MAX).min(8 * 1024);
        let held = Held { store: Arc::clone(store), key: random_key()?, announced: Default::default() };
        Ok(Self {
            held: Arc::new(held),
            buffer: BytesMut::with_capacity(first),
            hash: Sha256::new(),
            written: 0,
            sink: Sink::Memory,
        })
    }

    fn most(&self) -> usize {
        self.held.store.objects.part().unwrap_or(FLUSH)
    }

    /// Writes the buffer behind what was written before.
    async fn flush(&mut self) -> Result<()> {
        let sink = std::mem::replace(&mut self.sink, Sink::Lost);
        let octets = std::mem::take(&mut self.buffer);
        let held = Arc::clone(&self.held);
        self.sink = self.held.store.run(async move { held.append(sink, &octets).await }).await?;
        Ok(())
    }
}

impl Held {
    /// Writes octets behind what was written before.
    async fn append(&self, sink: Sink, octets: &[u8]) -> Outcome<Sink> {
        let store = &self.store;
        match sink {
            Sink::Lost => Err(lost()),
            Sink::Object(mut upload) => {
                upload.write(octets.to_vec()).await?;
                Ok(Sink::Object(upload))
            }
            Sink::Memory if store.objects.part().is_some() => {
                let tx = store.begin(Kind::Write).await?;
                let announced = announce(&tx, &self.key, true).await;
                self.announced.store(true, std::sync::atomic::Ordering::Relaxed);
                store.end(tx, announced).await?;
                let mut upload = store.objects.begin(&self.key).await?;
                upload.write(octets.to_vec()).await?;
                Ok(Sink::Object(upload))
            }
            sink => {
                let n = if let Sink::Chunks(n) = sink { n } else { 0 };
                // Made durable by the commit of the row that names them, which comes behind them in the log.
                let tx = store.begin(Kind::Ahead).await?;
                self.announced.store(true, std::sync::atomic::Ordering::Relaxed);
                let written = async {
                    if n == 0 {
                        announce(&tx, &self.key, false).await?;
                    }
                    write_chunks(&tx, &self.key, n, octets).await
                };
                let written = written.await;
                store.end(tx, written).await?;
                let chunks = i64::try_from(octets.len().div_ceil(64 * 1024)).map_err(|_| ErrorKind::TooBig)?;
                Ok(Sink::Chunks(n.saturating_add(chunks)))
            }
        }
    }

    /// Makes an object whole.
    async fn complete(&self, mut upload: Upload, hash: &[u8]) -> Outcome<Content> {
        let store = &self.store;
        upload.complete().await?;
        let name = Objects::name(&self.key, hash);
        let tx = store.begin(Kind::Write).await?;
        let sql = "UPDATE stage SET object = $2 WHERE content = $1";
        let named = tx.execute(sql, &[&&self.key[..], &name]).await;
        store.end(tx, named).await?;
        store.objects.settle(&self.key, &name).await?;
        Ok(Content::Object(name))
    }
}

fn too_big(octets: u64, max: u64) -> StoreError {
    StoreError::new(ErrorKind::TooBig, format!("{octets} octets where {max} are taken"))
}

fn lost() -> StoreError {
    StoreError::new(ErrorKind::Unavailable, "an earlier write of this message failed")
}

impl Stage for PostgresStage {
    type Blob = PostgresBlob;

    async fn write(&mut self, mut chunk: Bytes) -> Result<()> {
        if matches!(self.sink, Sink::Lost) {
            return Err(lost());
        }
        let (max, most) = (self.held.store.options.max_message, self.most());
        let total = self.written.saturating_add(chunk.len() as u64);
        if total > max {
            self.sink = Sink::Lost;
            return Err(too_big(total, max));
        }
        self.written = total;
        self.hash.update(&chunk);
        while !chunk.is_empty() {
            if self.buffer.len() >= most {
                self.flush().await?;
            }
            let room = most.saturating_sub(self.buffer.len());
            self.buffer.extend_from_slice(&chunk.split_to(room.min(chunk.len())));
        }
        Ok(())
    }

    async fn finish(mut self, digest: Option<MessageDigest>) -> Result<PostgresBlob> {
        let small = self.buffer.len() <= self.held.store.options.inline_octets;
        let content = match self.sink {
            Sink::Lost => return Err(lost()),
            // Copied to its own size: the buffer may have grown to twice as much.
            Sink::Memory if small => Content::Memory(Bytes::copy_from_slice(&self.buffer)),
            _ => {
                self.flush().await?;
                match std::mem::replace(&mut self.sink, Sink::Lost) {
                    Sink::Object(upload) => {
                        let (held, hash) = (Arc::clone(&self.held), self.hash.clone().finalize());
                        self.held.store.run(async move { held.complete(upload, &hash).await }).await?
                    }
                    Sink::Chunks(_) => Content::Chunks(self.held.key.to_vec()),
                    Sink::Memory | Sink::Lost => return Err(lost()),
                }
            }
        };
        let hash = self.hash.clone().finalize().to_vec();
        Ok(PostgresBlob(Arc::new(Whole { held: self.held, hash, size: self.written, content, digest })))
    }
}

/// A finished message of a [`PostgresStore`](crate::PostgresStore), to be placed any number of times.
///
/// Cheap to clone. When the last clone is dropped and it was never placed, nothing is left of it.
#[derive(Clone)]
pub struct PostgresBlob(Arc<Whole>);

struct Whole {
    held: Arc<Held>,
    hash: Vec<u8>,
    size: u64,
    content: Content,
    digest: Option<MessageDigest>,
}

impl PostgresBlob {
    pub(crate) fn is_of(&self, store: &Arc<Inner>) -> bool {
        Arc::ptr_eq(&self.0.held.store, store)
    }

    pub(crate) fn key(&self) -> &Key {
        &self.0.held.key
    }

    /// SHA-256 of the octets.
    pub(crate) fn hash(&self) -> &[u8] {
        &self.0.hash
    }

    pub(crate) fn size(&self) -> u64 {
        self.0.size
    }

    pub(crate) fn content(&self) -> &Content {
        &self.0.content
    }

    pub(crate) fn digest(&self) -> Option<&MessageDigest> {
        self.0.digest.as_ref()
    }
}

impl std::fmt::Debug for PostgresBlob {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "PostgresBlob({} octets)", self.0.size)
    }
}

impl std::fmt::Debug for PostgresStage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "PostgresStage({} octets so far)", self.written)
    }
}
