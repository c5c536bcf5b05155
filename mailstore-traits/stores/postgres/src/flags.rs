//! Changing flags: a thousand messages in a transaction, carried out to the end whether anybody listens or not.

use std::collections::VecDeque;
use std::sync::Arc;

use futures::channel::mpsc;
use futures::{SinkExt, Stream};
use mailstore_traits::backend::columns::{bits, flags, int, modseq, uid};
use mailstore_traits::{FlagChange, FlagOutcome, Flags, Keyword, MailboxId, ModSeq, Result, UidSet};

use crate::error::Outcome;
use crate::ledger::{Counted, Ledger};
use crate::pool::{Kind, Tx};
use crate::store::Inner;
use crate::transfer::{Which, next};

/// A STORE.
pub(crate) struct FlagWork {
    pub(crate) store: Arc<Inner>,
    pub(crate) account: i64,
    pub(crate) mailbox: MailboxId,
    pub(crate) uids: UidSet,
    pub(crate) change: FlagChange,
    pub(crate) unchanged_since: Option<ModSeq>,
}

impl FlagWork {
    /// Begins at once, and tells what happened as it is read: no more than two batches are ever in memory, and no lock is
    /// held while one waits to be read. When nobody reads any more it goes on: a client that goes away in the middle leaves
    /// no mailbox half marked.
    pub(crate) fn run(self) -> impl Stream<Item = Result<FlagOutcome>> + Send + 'static {
        let (told, outcomes) = mpsc::channel(0);
        let runtime = self.store.runtime.clone();
        runtime.spawn(self.work(told));
        futures::StreamExt::flat_map(outcomes, |batch: Result<VecDeque<FlagOutcome>>| {
            let (done, error) = match batch {
                Ok(done) => (done, None),
                Err(error) => (VecDeque::new(), Some(Err(error))),
            };
            futures::stream::iter(done.into_iter().map(Ok).chain(error))
        })
    }

    async fn work(self, mut told: mpsc::Sender<Result<VecDeque<FlagOutcome>>>) {
        let mut failed = UidSet::new();
        let mut from = Some(0);
        while let Some(start) = from {
            let turn = self.store.turn(&[&self.mailbox]).await;
            let done = match self.store.begin(Kind::Write).await {
                Ok(mut tx) => {
                    let done = self.batch(&mut tx, start, &mut failed).await;
                    self.store.end(tx, done).await
                }
                Err(error) => Err(error),
            };
            // Not held while somebody makes up their mind to read.
            drop(turn);
            match done {
                Ok((outcomes, next)) => {
                    from = next;
                    let _ = told.send(Ok(outcomes)).await;
                }
                Err(error) => {
                    let _ = told.send(Err(error)).await;
                    return;
                }
            }
        }
        if !failed.is_empty() {
            let _ = told.send(Ok(VecDeque::from([FlagOutcome::Failed(failed)]))).await;
        }
    }

    /// Changes the next messages of the set; gives what happened, and where it goes on.
    async fn batch(
        &self,
        tx: &mut Tx,
        from: i64,
        failed: &mut UidSet,
    ) -> Outcome<(VecDeque<FlagOutcome>, Option<i64>)> {
        let mut ledger = Ledger::lock(tx, self.account, &self.mailbox).await?;
        let (messages, rest) = next(tx, ledger.row, &self.uids, from, Which::All).await?;
        let mut outcomes = VecDeque::with_capacity(messages.len());
        // All that one batch changes has one modification sequence, and a batch that changes nothing has none.
        let mut stamp = None;
        let (mut rows, mut all_bits, mut all_keywords) = (Vec::new(), Vec::new(), Vec::new());
        for message in messages {
            let this = uid(message.counted.uid)?;
            let was = modseq(message.modseq)?;
            if self.unchanged_since.is_some_and(|since| was > since) {
                failed.insert(this);
                continue;
            }
            let before = flags(message.counted.flags, &message.keywords)?;
            let after = self.change.apply(&before);
            if after == before {
                outcomes.push_back(FlagOutcome::Stored { uid: this, modseq: was, flags: before });
                continue;
            }
            let stamp = match stamp {
                Some(stamp) => stamp,
                None => *stamp.insert(ledger.bump()?),
            };
            ledger.went(message.counted);
            ledger.came(Counted { flags: bits(&after), ..message.counted });
            let text = text(&after);
            let keywords = if text.eq_ignore_ascii_case(&message.keywords) {
                message.keywords
            } else {
                // In before out: a keyword that stays keeps its spelling.
                let text = ledger.keywords_came(&self.store.options, &text)?;
                ledger.keywords_went(&message.keywords);
                text
            };
            let flags = flags(bits(&after), &keywords)?;
            rows.push(message.row);
            all_bits.push(bits(&after));
            all_keywords.push(keywords);
            outcomes.push_back(FlagOutcome::Stored { uid: this, modseq: stamp, flags });
        }
        if let Some(stamp) = stamp {
            tx.execute(
                "UPDATE message m SET modseq = $1, flags = n.flags, keywords = n.keywords \
                 FROM unnest($2::bigint[], $3::bigint[], $4::text[]) AS n (id, flags, keywords) WHERE m.id = n.id",
                &[&int(stamp.value()), &rows, &all_bits, &all_keywords],
            )
            .await?;
            ledger.save(tx, &self.store.options).await?;
        }
        Ok((outcomes, rest))
    }
}

pub(crate) fn text(flags: &Flags) -> String {
    flags.keywords().map(Keyword::as_str).collect::<Vec<_>>().join(" ")
}
