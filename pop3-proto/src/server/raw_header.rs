//! Whether a message has raw UTF-8 in its header, for hosts that refuse such a one (RFC 6856 §5).

use futures::StreamExt;
use mailstore_traits::{Account, ByteRange, ErrorKind, MailboxId, Result, Uid};

use crate::session::RawHeader;

/// Reads the header and keeps nothing of it; the message is opened again to be sent.
pub(super) async fn has_raw_header<A: Account>(account: &A, inbox: &MailboxId, uid: Uid) -> Result<bool> {
    let mut body = account.open_body(inbox, uid, ByteRange::WHOLE).await?;
    let (mut header, mut left) = (RawHeader::new(), body.len());
    while left > 0 {
        let chunk = body.next().await.ok_or(ErrorKind::Corrupt)??;
        if let Some(found) = header.look(&chunk) {
            return Ok(found);
        }
        left = left.saturating_sub(chunk.len() as u64);
    }
    Ok(false)
}
