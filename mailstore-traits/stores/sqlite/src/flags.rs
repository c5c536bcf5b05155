//! Changing flags: a thousand messages in a transaction, carried out to the end whether anybody listens or not.

use std::collections::VecDeque;
use std::sync::Arc;

use futures::channel::oneshot;
use futures::stream;
use mailstore_traits::{FlagChange, FlagOutcome, Flags, Keyword, MailboxId, ModSeq, Result, Uid, UidSet};
use rusqlite::{Row, params};

use crate::codec::{bits, flags, int, modseq, uid};
use crate::error::Outcome;
use crate::ledger::{Counted, Ledger};
use crate::options::Options;
use crate::pool::closed;
use crate::writer::{Ending, Tx, Writer};

/// How many messages are changed in one transaction.
const BATCH: i64 = 1000;

/// A STORE of which a part may be done. Dropped before its end it carries itself out: a client that goes away in the
/// middle leaves no mailbox half marked.
pub(crate) struct FlagWork {
    writer: Writer,
    order: Arc<Order>,
    rest: UidSet,
    failed: UidSet,
}

struct Order {
    options: Options,
    account: i64,
    mailbox: MailboxId,
    change: FlagChange,
    unchanged_since: Option<ModSeq>,
}

/// A batch's outcomes, and the work that is left.
type Done = (VecDeque<FlagOutcome>, FlagWork);

impl FlagWork {
    pub(crate) fn new(
        writer: Writer,
        options: Options,
        account: i64,
        mailbox: MailboxId,
        uids: UidSet,
        change: FlagChange,
        unchanged_since: Option<ModSeq>,
    ) -> Self {
        let order = Arc::new(Order { options, account, mailbox, change, unchanged_since });
        Self { writer, order, rest: uids, failed: UidSet::new() }
    }

    /// Hands the next batch to the writing thread.
    fn start(mut self) -> oneshot::Receiver<Result<Done>> {
        let (reply, answer) = oneshot::channel();
        let (writer, order) = (self.writer.clone(), Arc::clone(&self.order));
        let (rest, failed) = (std::mem::take(&mut self.rest), std::mem::take(&mut self.failed));
        let work = move |tx: &mut Tx<'_>| batch(tx, &order, rest, failed);
        let _ = writer.post(work, move |ending| {
            let done = match ending {
                Ending::Done((outcomes, rest, failed)) => {
                    let mut work = self.again();
                    (work.rest, work.failed) = (rest, failed);
                    Ok((outcomes, work))
                }
                Ending::Failed(error) | Ending::Unknown(error) => Err(error),
            };
            // If nobody listens any more, what is left is dropped here, and carries itself out.
            let _ = reply.send(done);
        });
        answer
    }

    fn again(&self) -> Self {
        Self { writer: self.writer.clone(), order: Arc::clone(&self.order), rest: UidSet::new(), failed: UidSet::new() }
    }

    /// Begins at once, and tells what happened as it is read. No more than two batches are ever in memory.
    pub(crate) fn run(self) -> impl futures::Stream<Item = Result<FlagOutcome>> + Send + 'static {
        let state = State { told: VecDeque::new(), running: Some(self.start()) };
        stream::unfold(state, |mut state| async move {
            loop {
                if let Some(outcome) = state.told.pop_front() {
                    return Some((Ok(outcome), state));
                }
                match state.running.take()?.await.unwrap_or_else(|_| Err(closed())) {
                    Ok((outcomes, mut work)) => {
                        state.told = outcomes;
                        if !work.rest.is_empty() {
                            state.running = Some(work.start());
                        } else if !work.failed.is_empty() {
                            state.told.push_back(FlagOutcome::Failed(std::mem::take(&mut work.failed)));
                        }
                    }
                    Err(error) => return Some((Err(error), state)),
                }
            }
        })
    }
}

struct State {
    told: VecDeque<FlagOutcome>,
    running: Option<oneshot::Receiver<Result<Done>>>,
}

impl Drop for FlagWork {
    fn drop(&mut self) {
        if !self.rest.is_empty() {
            let mut rest = self.again();
            rest.rest = std::mem::take(&mut self.rest);
            drop(rest.start());
        }
    }
}

/// Changes the next messages of the set; gives what happened, and what is left.
fn batch(
    tx: &mut Tx<'_>,
    order: &Order,
    uids: UidSet,
    mut failed: UidSet,
) -> Outcome<(VecDeque<FlagOutcome>, UidSet, UidSet)> {
    let mut ledger = Ledger::load(tx, order.account, &order.mailbox)?;
    let mut messages = Vec::new();
    {
        let mut statement = tx.conn.prepare_cached(
            "SELECT id, uid, modseq, flags, keywords, size FROM message WHERE mailbox = ? AND uid BETWEEN ? AND ? \
             ORDER BY uid LIMIT ?",
        )?;
        for range in uids.ranges() {
            let room = BATCH.saturating_sub(int(messages.len() as u64));
            if room == 0 {
                break;
            }
            let mut rows = statement.query(params![ledger.row, range.start().value(), range.end().value(), room])?;
            while let Some(row) = rows.next()? {
                messages.push(Message::from_row(row)?);
            }
        }
    }
    let rest = match messages.last() {
        Some(last) if int(messages.len() as u64) >= BATCH => {
            let next = uid(last.uid)?.next();
            next.map_or_else(UidSet::new, |next| uids.intersection(&UidSet::from_range(next, Uid::MAX)))
        }
        _ => UidSet::new(),
    };
    let mut outcomes = VecDeque::with_capacity(messages.len());
    // All that one batch changes has one modification sequence, and a batch that changes nothing has none.
    let mut stamp = None;
    for message in messages {
        let this = uid(message.uid)?;
        let was = modseq(message.modseq)?;
        if order.unchanged_since.is_some_and(|since| was > since) {
            failed.insert(this);
            continue;
        }
        let before = message.flags()?;
        let after = order.change.apply(&before);
        if after == before {
            outcomes.push_back(FlagOutcome::Stored { uid: this, modseq: was, flags: before });
            continue;
        }
        let stamp = match stamp {
            Some(stamp) => stamp,
            None => *stamp.insert(ledger.bump()?),
        };
        let flags = message.set(tx, &mut ledger, &order.options, &after, stamp)?;
        outcomes.push_back(FlagOutcome::Stored { uid: this, modseq: stamp, flags });
    }
    if stamp.is_some() {
        ledger.save(tx, &order.options)?;
    }
    Ok((outcomes, rest, failed))
}

/// A message as far as its flags go.
pub(crate) struct Message {
    row: i64,
    uid: i64,
    modseq: i64,
    bits: i64,
    keywords: String,
    size: i64,
}

impl Message {
    /// That of that row.
    pub(crate) fn read(tx: &Tx<'_>, row: i64) -> Outcome<Self> {
        Ok(tx
            .conn
            .prepare_cached("SELECT id, uid, modseq, flags, keywords, size FROM message WHERE id = ?")?
            .query_row([row], Self::from_row)?)
    }

    fn from_row(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self {
            row: row.get(0)?,
            uid: row.get(1)?,
            modseq: row.get(2)?,
            bits: row.get(3)?,
            keywords: row.get(4)?,
            size: row.get(5)?,
        })
    }

    pub(crate) fn flags(&self) -> Outcome<Flags> {
        flags(self.bits, &self.keywords)
    }

    /// Gives it these flags; tells them in the mailbox's spelling.
    pub(crate) fn set(
        &self,
        tx: &Tx<'_>,
        ledger: &mut Ledger,
        options: &Options,
        after: &Flags,
        stamp: ModSeq,
    ) -> Outcome<Flags> {
        ledger.went(self.counted(self.bits));
        ledger.came(self.counted(bits(after)));
        let text = text(after);
        let keywords = if text.eq_ignore_ascii_case(&self.keywords) {
            self.keywords.clone()
        } else {
            // In before out: a keyword that stays keeps its spelling.
            let text = ledger.keywords_came(tx, options, &text)?;
            ledger.keywords_went(tx, &self.keywords)?;
            text
        };
        tx.conn
            .prepare_cached("UPDATE message SET modseq = ?, flags = ?, keywords = ? WHERE id = ?")?
            .execute(params![int(stamp.value()), bits(after), keywords, self.row])?;
        flags(bits(after), &keywords)
    }

    fn counted(&self, bits: i64) -> Counted {
        Counted { uid: self.uid, flags: bits, size: self.size }
    }
}

fn text(flags: &Flags) -> String {
    flags.keywords().map(Keyword::as_str).collect::<Vec<_>>().join(" ")
}
