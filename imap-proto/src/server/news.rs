//! What has happened in the selected mailbox: asked of the store, fed into the view, told when it may be.

use bytes::BytesMut;
use futures::{FutureExt, StreamExt};
use mailstore_traits::{Account, Authenticator, Changed, ErrorKind, MailStore, MetaFields, MetaFilter};

use super::connection::{Connection, Stop};
use super::selected::{Selected, Telling};
use crate::response::{Status, StatusKind, Text, write};
use crate::session::Enabled;
use crate::view::News;

/// How many changes are asked for at a time.
const PAGE: usize = 500;

impl<S: MailStore, A: Authenticator> Connection<'_, S, A> {
    /// Tells what the client may hear of now. With `pull` the store is asked in any case; without, if it has said that
    /// something may have happened.
    ///
    /// # Errors
    /// [`Stop::Refused`] with a BYE if the mailbox is no more.
    pub(super) async fn news(&mut self, pull: bool, may_expunge: bool) -> Result<(), Stop> {
        if self.selected.is_none() {
            return Ok(());
        }
        self.pull(pull).await?;
        let enabled = self.session.enabled();
        let account = self.account()?;
        let Some(selected) = &mut self.selected else { return Ok(()) };
        loop {
            let mut look_again = None;
            while let Some(news) = selected.view.tell(may_expunge) {
                if let News::LookAgain(uids) = news {
                    look_again = Some(uids);
                    break;
                }
                write_news(selected, news, enabled, self.driver.output());
                self.driver.flush_if_full().await?;
            }
            // More flags have changed than the view remembers: they are read anew, one by one.
            let Some(uids) = look_again else { return Ok(()) };
            let fields = MetaFields::FIXED.with_flags();
            let mut metas = std::pin::pin!(account.fetch_meta(&selected.id, &uids, fields, MetaFilter::default()));
            while let Some(meta) = metas.next().await {
                // Not read now, they are read with the next news.
                let meta = match meta {
                    Ok(meta) => meta,
                    Err(error) => {
                        tracing::warn!(%error, "changed flags could not be read");
                        return Ok(());
                    }
                };
                if let Some(number) = selected.view.number(meta.uid) {
                    let news = News::Flags { number, uid: meta.uid, modseq: meta.modseq, flags: meta.flags };
                    write_news(selected, news, enabled, self.driver.output());
                    self.driver.flush_if_full().await?;
                }
            }
            selected.view.looked_at(&uids);
        }
    }

    /// Feeds the view with what has happened.
    pub(super) async fn pull(&mut self, pull: bool) -> Result<(), Stop> {
        let account = self.account()?;
        let Some(selected) = &mut self.selected else { return Ok(()) };
        loop {
            match selected.watch.next().now_or_never() {
                Some(Some(_)) => selected.dirty = true,
                Some(None) => {
                    selected.watch = account.watch(std::slice::from_ref(&selected.id)).await?.boxed();
                    selected.dirty = true;
                    break;
                }
                None => break,
            }
        }
        if !(pull || selected.dirty) {
            return Ok(());
        }
        selected.dirty = false;
        loop {
            match account.changes_since(&selected.id, selected.view.cursor(), PAGE).await {
                Ok(changes) => {
                    let more = changes.more;
                    selected.view.feed(changes);
                    if !more {
                        return Ok(());
                    }
                }
                Err(error) if error.kind() == ErrorKind::ModSeqTooOld => {
                    let snapshot = account.snapshot(&selected.id, false).await.map_err(gone)?;
                    if snapshot.uid_validity != selected.view.uid_validity() {
                        return Err(bye().into());
                    }
                    selected.view.snapshot_again(&snapshot);
                    return Ok(());
                }
                Err(error) if error.kind() == ErrorKind::NotFound => return Err(bye().into()),
                Err(error) => {
                    // The command has been carried out: news that cannot be had now come with the next one.
                    tracing::warn!(%error, "changes of the selected mailbox could not be read");
                    selected.dirty = true;
                    return Ok(());
                }
            }
        }
    }
}

fn gone(error: mailstore_traits::StoreError) -> Stop {
    if error.kind() == ErrorKind::NotFound { bye().into() } else { error.into() }
}

/// Somebody else has deleted the mailbox. Its messages cannot be told to be gone one by one, so the session ends (RFC
/// 2180 §3.3).
fn bye() -> Status {
    Status::new(StatusKind::Bye, Text::literal("The selected mailbox has been deleted"))
}

fn write_news(selected: &mut Selected, news: News, enabled: Enabled, out: &mut BytesMut) {
    match news {
        News::Expunge(number) => numbered(number, " EXPUNGE\r\n", out),
        News::Exists(number) => {
            numbered(number, " EXISTS\r\n", out);
            if !enabled.rev2 {
                numbered(selected.view.recent(), " RECENT\r\n", out);
            }
        }
        News::Flags { number, uid, modseq, flags } => {
            // Unasked, the UID belongs to the modification sequence (RFC 7162 §3.2.4).
            let telling = Telling::to(enabled, enabled.condstore);
            selected.write_changed(number, &Changed::new(uid, modseq, flags), telling, out);
        }
        // Told by whoever reads them.
        News::LookAgain(_) => {}
    }
}

fn numbered(number: u32, words: &str, out: &mut BytesMut) {
    out.extend_from_slice(b"* ");
    write::number(u64::from(number), out);
    out.extend_from_slice(words.as_bytes());
}
