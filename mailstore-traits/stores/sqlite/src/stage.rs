//! A message on its way in, and what it becomes.

use std::fs::File;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::{Bytes, BytesMut};
use mailstore_traits::{ErrorKind, MessageDigest, Result, SizeHint, Stage, StoreError};

use crate::codec::Key;
use crate::files::{Files, Held, append};

/// A message on its way into a [`SqliteStore`](crate::SqliteStore).
///
/// It holds at most [`inline_octets`](crate::Options::inline_octets) in memory; what is more goes to a file, chunk by
/// chunk, and [`write`](Stage::write) is not done before the file has taken it.
pub struct SqliteStage {
    held: Arc<Held>,
    buffer: BytesMut,
    inline: usize,
    max: u64,
    written: u64,
    sink: Sink,
}

enum Sink {
    /// All of it is in the buffer yet.
    Memory,
    /// What went before the buffer is in the file.
    File(File),
    /// The file is away being written, or a write has failed or was given up: nothing more can be added.
    Lost,
}

impl SqliteStage {
    pub(crate) fn new(files: &Arc<Files>, key: Key, inline: usize, max: u64, hint: SizeHint) -> Result<Self> {
        let announced = match hint {
            SizeHint::Octets(octets) => octets,
            _ => 0,
        };
        if announced > max {
            return Err(too_big(announced, max));
        }
        // The hint may lie: no more than a few KiB are taken on its word.
        let first = usize::try_from(announced).unwrap_or(usize::MAX).min(8 * 1024).min(inline);
        Ok(Self {
            held: files.hold(key),
            buffer: BytesMut::with_capacity(first),
            inline,
            max,
            written: 0,
            sink: Sink::Memory,
        })
    }

    /// Puts the buffer behind what is in the file.
    async fn flush(&mut self) -> Result<()> {
        let sink = std::mem::replace(&mut self.sink, Sink::Lost);
        let buffer = std::mem::take(&mut self.buffer);
        let held = Arc::clone(&self.held);
        held.set_remove(true);
        let (file, mut buffer) = self
            .held
            .files()
            .pool
            .run(move |()| {
                let file = match sink {
                    Sink::Memory => held.files().create(&held.key())?,
                    Sink::File(file) => file,
                    Sink::Lost => return Err(lost()),
                };
                Ok((append(file, &buffer)?, buffer))
            })
            .await?;
        buffer.clear();
        self.buffer = buffer;
        self.sink = Sink::File(file);
        Ok(())
    }
}

fn too_big(octets: u64, max: u64) -> StoreError {
    StoreError::new(ErrorKind::TooBig, format!("{octets} octets where {max} are taken"))
}

fn lost() -> StoreError {
    StoreError::new(ErrorKind::Unavailable, "an earlier write of this message failed")
}

impl Stage for SqliteStage {
    type Blob = SqliteBlob;

    async fn write(&mut self, mut chunk: Bytes) -> Result<()> {
        if matches!(self.sink, Sink::Lost) {
            return Err(lost());
        }
        let total = self.written.saturating_add(chunk.len() as u64);
        if total > self.max {
            self.sink = Sink::Lost;
            return Err(too_big(total, self.max));
        }
        self.written = total;
        while !chunk.is_empty() {
            if self.buffer.len() >= self.inline {
                self.flush().await?;
            }
            let room = self.inline.saturating_sub(self.buffer.len());
            self.buffer.extend_from_slice(&chunk.split_to(room.min(chunk.len())));
        }
        Ok(())
    }

    async fn finish(mut self, digest: Option<MessageDigest>) -> Result<SqliteBlob> {
        let octets = match self.sink {
            Sink::Lost => return Err(lost()),
            // Copied to its own size: the buffer may have grown to twice as much.
            Sink::Memory => Some(Bytes::copy_from_slice(&self.buffer)),
            Sink::File(_) => {
                self.flush().await?;
                let Sink::File(file) = std::mem::replace(&mut self.sink, Sink::Lost) else { return Err(lost()) };
                let held = Arc::clone(&self.held);
                // Here and not at the commit: many bodies are made durable side by side, and the one thread that
                // writes rows never waits for a large file.
                self.held.files().pool.run(move |()| held.files().sync(&held.key(), &file)).await?;
                None
            }
        };
        Ok(SqliteBlob(Arc::new(Inner {
            held: self.held,
            size: self.written,
            octets,
            digest,
            placed: AtomicBool::new(false),
        })))
    }
}

/// A finished message of a [`SqliteStore`](crate::SqliteStore), to be placed any number of times.
///
/// Cheap to clone. When the last clone is dropped and it was never placed, nothing is left of it.
#[derive(Clone)]
pub struct SqliteBlob(Arc<Inner>);

struct Inner {
    held: Arc<Held>,
    size: u64,
    /// The octets, unless they are in a file.
    octets: Option<Bytes>,
    digest: Option<MessageDigest>,
    /// A row may name it, or does.
    placed: AtomicBool,
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.held.set_remove(self.octets.is_none() && !self.placed.load(Ordering::Relaxed));
    }
}

impl SqliteBlob {
    pub(crate) fn is_of(&self, files: &Arc<Files>) -> bool {
        Arc::ptr_eq(self.0.held.files(), files)
    }

    pub(crate) fn key(&self) -> Key {
        self.0.held.key()
    }

    pub(crate) fn size(&self) -> u64 {
        self.0.size
    }

    pub(crate) fn octets(&self) -> Option<&Bytes> {
        self.0.octets.as_ref()
    }

    pub(crate) fn digest(&self) -> Option<&MessageDigest> {
        self.0.digest.as_ref()
    }

    /// A row names it, or may after a crash: its file is the sweep's from now on.
    pub(crate) fn set_placed(&self) {
        self.0.placed.store(true, Ordering::Relaxed);
    }
}

impl std::fmt::Debug for SqliteBlob {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "SqliteBlob({} octets)", self.0.size)
    }
}

impl std::fmt::Debug for SqliteStage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "SqliteStage({} octets so far)", self.written)
    }
}
