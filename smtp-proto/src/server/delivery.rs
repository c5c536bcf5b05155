//! A message's way into the store: staged and looked at as it comes, delivered at its end.

use std::sync::Arc;

use bytes::Bytes;
use futures::StreamExt;
use mail_message::{Digest, Digester, Limits};
use mailstore_traits::{ByteRange, MailStore, Mode, Placed, SizeHint, Stage, StoreError, Target};

use super::envelope::Envelope;
use super::error;
use super::policy::{Delivery, Staged, StagedMessage};
use crate::grammar::EnhancedStatusCode as Status;
use crate::response::Reply;

/// What a line goes on with that has nothing before it.
const FOLDED: &[u8] = b"X-Folded-Line:\r\n";

/// A message on its way in: at any time one chunk of it is in memory, and what the digester keeps.
pub(super) struct Incoming<S: MailStore> {
    stage: Result<S::Stage, StoreError>,
    digester: Digester,
    /// The message's first octet, once it has come.
    first: Option<u8>,
}

impl<S: MailStore> Incoming<S> {
    pub(super) fn new(stage: S::Stage) -> Self {
        Self { stage: Ok(stage), digester: Digester::new(&Limits::default()), first: None }
    }

    /// Done when the store is ready for more: the sender is not read from before (back-pressure). After an error the rest
    /// of the message is let go by; the answer comes at its end.
    pub(super) async fn write(&mut self, chunk: Bytes) {
        if let Ok(stage) = &mut self.stage {
            self.first = self.first.or(chunk.first().copied());
            self.digester.feed(&chunk);
            if let Err(error) = stage.write(chunk).await {
                // Dropping the stage is what tells the store to forget it.
                self.stage = Err(error);
            }
        }
    }

    /// Why it cannot be kept, if that is known already.
    pub(super) fn trouble(&self) -> Option<Reply> {
        self.stage.as_ref().err().map(error::reply)
    }

    /// Closes the stage. Nobody has the message yet, and the store forgets it if nobody gets it.
    pub(super) async fn finish(self) -> Result<Arrived<S>, StoreError> {
        let digest = self.digester.finish();
        let blob = self.stage?.finish(Some(digest.to_octets())).await?;
        Ok(Arrived { blob, digest, begins_folded: matches!(self.first, Some(b' ' | b'\t')) })
    }
}

/// A message that has come whole.
pub(super) struct Arrived<S: MailStore> {
    pub(super) blob: S::Blob,
    pub(super) digest: Digest,
    /// Its first line is one that goes on with the line before it.
    begins_folded: bool,
}

impl<S: MailStore> Arrived<S> {
    /// Its header, for a report of its delivery; empty if it cannot be read, or is larger than any that means well.
    pub(super) async fn header(&self, store: &S) -> Bytes {
        let staged = Staged { store, blob: &self.blob };
        match StagedMessage::new(&self.digest, &staged).header().await {
            Ok(header) => header.octets().clone(),
            Err(error) => {
                tracing::warn!(%error, "a report will be without the message's header");
                Bytes::new()
            }
        }
    }

    /// Delivers, durably. The replies are one for each recipient if `for_each`, else one.
    ///
    /// Runs to its end whatever becomes of the connection: a delivery that was given up half way may have happened, and
    /// the sender would send it again (store contract, rule 7).
    pub(super) async fn deliver(
        self,
        store: S,
        envelope: Arc<Envelope>,
        prefix: Bytes,
        how: Delivery,
        for_each: bool,
    ) -> Vec<Reply> {
        let delivered = match self.edited(&store, &how).await {
            Ok(message) => message.place(store, &envelope, prefix, &how, for_each).await,
            Err(error) => Err(error),
        };
        match delivered {
            Ok(replies) => replies,
            Err(error) => {
                tracing::error!(%error, "a message could not be stored");
                let count = if for_each { envelope.recipients().len() } else { 1 };
                vec![error::reply(&error); count]
            }
        }
    }

    /// The message with the edits of its header. They change its first octets, so it is copied behind them, chunk by
    /// chunk and without leaving the store.
    async fn edited(self, store: &S, how: &Delivery) -> Result<Self, StoreError> {
        if how.edits.is_empty() {
            return Ok(self);
        }
        let staged = Staged { store, blob: &self.blob };
        let header = StagedMessage::new(&self.digest, &staged).header().await?;
        let body_start = header.octets().len() as u64;
        let header = header.edited(&how.edits);
        let body = self.digest.size().saturating_sub(body_start);
        let hint = SizeHint::Octets(body.saturating_add(header.len() as u64));
        let mut copy = Incoming::<S>::new(store.stage(hint).await?);
        copy.write(header).await;
        let mut rest = store.read_blob(&self.blob, ByteRange::from_start(body_start)).await?;
        while let Some(chunk) = rest.next().await {
            copy.write(chunk?).await;
        }
        copy.finish().await
    }

    async fn place(
        self,
        store: S,
        envelope: &Envelope,
        prefix: Bytes,
        how: &Delivery,
        for_each: bool,
    ) -> Result<Vec<Reply>, StoreError> {
        let Self { blob, digest, begins_folded } = self;
        // It would go on with our Received field, in the sender's words (attack row I4). RFC 5321 §3.3 would not have a
        // message refused for its header, so a field of its own takes the line.
        let prefix = if begins_folded { [&prefix[..], FOLDED].concat().into() } else { prefix };
        let whole = digest.prefixed(&prefix).to_octets();
        let (targets, of_recipients) = envelope.mailboxes(how);
        let targets: Vec<Target> =
            targets.into_iter().map(|target| target.with_prefix(prefix.clone(), Some(whole.clone()))).collect();
        if !for_each {
            store.deliver(&blob, targets, Mode::AllOrNothing).await?.into_iter().collect::<Result<Vec<_>, _>>()?;
            return Ok(vec![accepted()]);
        }
        // Several mailboxes of one recipient stand and fall together, for there is one reply; all others each by itself.
        let (together, single): (Vec<_>, Vec<_>) = of_recipients.iter().partition(|indexes| indexes.len() > 1);
        let mut results: Vec<Option<Result<(), StoreError>>> = vec![None; targets.len()];
        let mut singles: Vec<usize> = single.into_iter().flatten().copied().collect();
        singles.sort_unstable();
        singles.dedup();
        let chosen = choose(&targets, &singles);
        if !chosen.is_empty() {
            let placed = store.deliver(&blob, chosen, Mode::PerTarget).await;
            record(&mut results, &singles, placed);
        }
        for indexes in together {
            let left: Vec<usize> =
                indexes.iter().copied().filter(|&index| !matches!(results.get(index), Some(Some(Ok(()))))).collect();
            if !left.is_empty() {
                let placed = store.deliver(&blob, choose(&targets, &left), Mode::AllOrNothing).await;
                record(&mut results, &left, placed);
            }
        }
        Ok(of_recipients.iter().map(|indexes| reply_to_one(indexes, &results)).collect())
    }
}

fn choose(targets: &[Target], indexes: &[usize]) -> Vec<Target> {
    indexes.iter().filter_map(|&index| targets.get(index).cloned()).collect()
}

/// Writes down what became of the targets with these indexes.
fn record(
    results: &mut [Option<Result<(), StoreError>>],
    indexes: &[usize],
    placed: Result<Vec<Result<Placed, StoreError>>, StoreError>,
) {
    match placed {
        Ok(placed) => {
            for (&index, placed) in indexes.iter().zip(placed) {
                if let Some(slot) = results.get_mut(index) {
                    *slot = Some(placed.map(|_| ()));
                }
            }
        }
        Err(error) => {
            for &index in indexes {
                if let Some(slot) = results.get_mut(index) {
                    *slot = Some(Err(error.clone()));
                }
            }
        }
    }
}

fn reply_to_one(indexes: &[usize], results: &[Option<Result<(), StoreError>>]) -> Reply {
    for &index in indexes {
        match results.get(index) {
            Some(Some(Ok(()))) => {}
            Some(Some(Err(error))) => {
                tracing::warn!(%error, "a message could not be stored for one recipient");
                return error::reply(error);
            }
            // A store that answers fewer times than it was asked has said nothing of this one.
            _ => return Reply::of(451, Status::transient(3, 0), "local error, try again later"),
        }
    }
    accepted()
}

pub(super) fn accepted() -> Reply {
    Reply::of(250, Status::success(0, 0), "message accepted")
}
