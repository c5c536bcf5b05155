//! A message on its way in, and the blob it becomes.

use bytes::Bytes;

use crate::{EmailId, MessageDigest, Result, Stage};

/// A message that is being written into a [`MemoryStore`](super::MemoryStore).
#[derive(Debug)]
pub struct MemoryStage {
    pub(super) store: u64,
    pub(super) email_id: EmailId,
    pub(super) octets: Vec<u8>,
}

impl Stage for MemoryStage {
    type Blob = MemoryBlob;

    async fn write(&mut self, chunk: Bytes) -> Result<()> {
        self.octets.extend_from_slice(&chunk);
        Ok(())
    }

    async fn finish(self, digest: Option<MessageDigest>) -> Result<MemoryBlob> {
        Ok(MemoryBlob { store: self.store, email_id: self.email_id, octets: self.octets.into(), digest })
    }
}

/// A finished message in a [`MemoryStore`](super::MemoryStore). Its octets live for as long as a clone of it, a placed
/// message or an open body does.
#[derive(Debug, Clone)]
pub struct MemoryBlob {
    /// Which store made it, to tell a foreign one.
    pub(super) store: u64,
    pub(super) email_id: EmailId,
    pub(super) octets: Bytes,
    pub(super) digest: Option<MessageDigest>,
}
