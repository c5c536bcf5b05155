//! Copying, moving and removing messages, inside one transaction.

use mailstore_traits::backend::columns::{int, uid};
use mailstore_traits::{ErrorKind, MailboxId, ModSeq, StoreError, Transferred, Uid, UidSet};

use crate::error::Outcome;
use crate::ledger::{Counted, Ledger};
use crate::options::Options;
use crate::pool::Tx;
use crate::quota::Rooms;

/// How many rows are read before they are worked on, and how many arrivals share a modification sequence, so that a
/// page of the change feed stays a page.
pub(crate) const BATCH: i64 = 1000;

pub(crate) struct Message {
    pub(crate) row: i64,
    pub(crate) counted: Counted,
    pub(crate) modseq: i64,
    pub(crate) keywords: String,
    body: i64,
}

/// Which messages of a mailbox.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Which {
    All,
    /// Those that carry `\Deleted`, from an index of these.
    Deleted,
}

/// Ranges of a set from `from` on, as two columns: as many as hold up to four times `room` UIDs, but a thousand at the
/// most. Says where it goes on if that is not all of them.
pub(crate) fn ranges(uids: &UidSet, from: i64, room: i64) -> (Vec<i64>, Vec<i64>, Option<i64>) {
    let (mut firsts, mut lasts, mut wide) = (Vec::new(), Vec::new(), 0_i64);
    for range in uids.ranges() {
        let (first, last) = (i64::from(range.start().value()).max(from), i64::from(range.end().value()));
        if last < first {
            continue;
        }
        if firsts.len() >= 1000 || wide >= room.saturating_mul(4) {
            return (firsts, lasts, Some(first));
        }
        wide = wide.saturating_add(last.saturating_sub(first)).saturating_add(1);
        firsts.push(first);
        lasts.push(last);
    }
    (firsts, lasts, None)
}

/// The next messages of a set from `from` on, at most [`BATCH`]; and where the next ones begin, if there may be any.
pub(crate) async fn next(
    tx: &Tx,
    mailbox: i64,
    uids: &UidSet,
    mut from: i64,
    which: Which,
) -> Outcome<(Vec<Message>, Option<i64>)> {
    loop {
        let (firsts, lasts, rest) = ranges(uids, from, BATCH);
        if firsts.is_empty() {
            return Ok((Vec::new(), None));
        }
        let sql = match which {
            Which::All => {
                "SELECT m.id, m.uid, m.flags, m.size, m.keywords, m.body, m.modseq \
                 FROM unnest($2::bigint[], $3::bigint[]) AS r (first, last) CROSS JOIN LATERAL \
                 (SELECT * FROM message WHERE mailbox = $1 AND uid BETWEEN r.first AND r.last ORDER BY uid LIMIT $4) m \
                 ORDER BY m.uid LIMIT $4"
            }
            Which::Deleted => {
                "SELECT m.id, m.uid, m.flags, m.size, m.keywords, m.body, m.modseq \
                 FROM unnest($2::bigint[], $3::bigint[]) AS r (first, last) CROSS JOIN LATERAL \
                 (SELECT * FROM message WHERE mailbox = $1 AND uid BETWEEN r.first AND r.last AND flags & 2 <> 0 \
                  ORDER BY uid LIMIT $4) m ORDER BY m.uid LIMIT $4"
            }
        };
        let found: Vec<Message> = tx
            .query(sql, &[&mailbox, &firsts, &lasts, &BATCH])
            .await?
            .iter()
            .map(|row| Message {
                row: row.get(0),
                counted: Counted { uid: row.get(1), flags: row.get(2), size: row.get(3) },
                keywords: row.get(4),
                body: row.get(5),
                modseq: row.get(6),
            })
            .collect();
        let full = found.last().filter(|_| int(found.len() as u64) >= BATCH);
        let next = match full {
            Some(last) => Some(last.counted.uid.saturating_add(1)),
            None => rest,
        };
        match (found.is_empty(), next) {
            (true, Some(next)) => from = next,
            _ => return Ok((found, next)),
        }
    }
}

/// Takes messages' rows out. A body is not touched, so that no two writers meet there; the keeper looks later whether a
/// message has it still.
pub(crate) async fn erase(tx: &Tx, messages: &[Message]) -> Outcome<()> {
    let rows: Vec<i64> = messages.iter().map(|message| message.row).collect();
    let mut bodies: Vec<i64> = messages.iter().map(|message| message.body).collect();
    bodies.sort_unstable();
    bodies.dedup();
    tx.execute("DELETE FROM message WHERE id = ANY($1)", &[&rows]).await?;
    tx.execute("INSERT INTO freed (body) SELECT unnest($1::bigint[])", &[&bodies]).await?;
    Ok(())
}

/// Removes messages of the mailbox and tells which; the caller buries them.
pub(crate) async fn remove(tx: &Tx, ledger: &mut Ledger, uids: &UidSet, which: Which) -> Outcome<UidSet> {
    let mut gone = UidSet::new();
    let mut from = Some(0);
    while let Some(start) = from {
        let (messages, next) = next(tx, ledger.row, uids, start, which).await?;
        from = next;
        erase(tx, &messages).await?;
        for message in &messages {
            ledger.went(message.counted);
            ledger.keywords_went(&message.keywords);
            gone.insert(uid(message.counted.uid)?);
        }
    }
    Ok(gone)
}

/// Removes messages for good.
pub(crate) async fn expunge(
    tx: &mut Tx,
    options: &Options,
    account: i64,
    mailbox: &MailboxId,
    uids: &UidSet,
    only_deleted: bool,
) -> Outcome<(UidSet, ModSeq)> {
    let mut ledger = Ledger::lock(tx, account, mailbox).await?;
    let which = if only_deleted { Which::Deleted } else { Which::All };
    let gone = remove(tx, &mut ledger, uids, which).await?;
    if gone.is_empty() {
        return Ok((gone, ledger.highest()?));
    }
    let modseq = ledger.bump()?;
    ledger.bury(modseq, gone.clone());
    ledger.save(tx, options).await?;
    Ok((gone, modseq))
}

/// Copies or moves messages.
pub(crate) async fn transfer(
    tx: &mut Tx,
    options: &Options,
    account: i64,
    source: &MailboxId,
    uids: &UidSet,
    destination: &MailboxId,
    moves: bool,
) -> Outcome<Transferred> {
    let mut rooms = if moves { Rooms::default() } else { Rooms::lock(tx, &[account], &[]).await? };
    let ids: &[&MailboxId] = if source == destination { &[source] } else { &[source, destination] };
    let mut held = Ledger::lock_all(tx, ids).await?;
    held.retain(|ledger| ledger.account == account);
    let mut take = |id: &MailboxId| {
        let at = held.iter().position(|ledger| ledger.id == *id);
        at.map(|at| held.swap_remove(at)).ok_or_else(|| StoreError::from(ErrorKind::NotFound))
    };
    let mut from = take(source)?;
    let mut into = if source == destination { None } else { Some(take(destination)?) };
    // A copy into the same mailbox must not come upon what it has just made.
    let end = from.uid_next.saturating_sub(1);
    let there = if end < 1 { UidSet::new() } else { UidSet::from_range(Uid::MIN, uid(end)?) };
    let uids = uids.intersection(&there);
    let (mut pairs, mut gone) = (Vec::new(), UidSet::new());
    let mut start = Some(0);
    while let Some(at) = start {
        let (messages, next) = next(tx, from.row, &uids, at, Which::All).await?;
        start = next;
        if messages.is_empty() {
            continue;
        }
        if !moves {
            let octets = messages.iter().fold(0_i64, |sum, message| sum.saturating_add(message.counted.size));
            rooms.take(account, int(messages.len() as u64), octets, (0, 0))?;
        }
        let modseq = into.as_mut().unwrap_or(&mut from).bump()?;
        let mut put = Put { mailbox: 0, modseq, rows: Vec::new(), uids: Vec::new(), keywords: Vec::new() };
        for message in &messages {
            let target = into.as_mut().unwrap_or(&mut from);
            let new = target.take_uid(None)?;
            put.mailbox = target.row;
            put.rows.push(message.row);
            put.uids.push(i64::from(new.value()));
            put.keywords.push(target.keywords_came(options, &message.keywords)?);
            target.came(Counted { uid: i64::from(new.value()), ..message.counted });
            let old = uid(message.counted.uid)?;
            if moves {
                from.went(message.counted);
                from.keywords_went(&message.keywords);
                gone.insert(old);
            }
            pairs.push((old, new));
        }
        if moves { put.carry(tx).await? } else { put.copy(tx).await? }
    }
    let uid_validity = into.as_ref().unwrap_or(&from).uid_validity;
    if pairs.is_empty() {
        return Ok(Transferred::new(pairs, uid_validity, from.highest()?));
    }
    if moves {
        let modseq = from.bump()?;
        from.bury(modseq, gone);
    }
    let source_modseq = from.highest()?;
    if moves || into.is_none() {
        from.save(tx, options).await?;
    }
    if let Some(into) = into {
        into.save(tx, options).await?;
    }
    Ok(Transferred::new(pairs, uid_validity, source_modseq))
}

/// Rows to be put into a mailbox, with their new UIDs and keywords.
struct Put {
    mailbox: i64,
    modseq: ModSeq,
    rows: Vec<i64>,
    uids: Vec<i64>,
    keywords: Vec<String>,
}

impl Put {
    async fn carry(&self, tx: &Tx) -> Outcome<()> {
        tx.execute(
            "UPDATE message m SET mailbox = $1, uid = n.uid, modseq = $2, keywords = n.keywords, saved = $3 \
             FROM unnest($4::bigint[], $5::bigint[], $6::text[]) AS n (id, uid, keywords) WHERE m.id = n.id",
            &[&self.mailbox, &int(self.modseq.value()), &tx.now, &self.rows, &self.uids, &self.keywords],
        )
        .await
        .map(drop)
    }

    async fn copy(&self, tx: &Tx) -> Outcome<()> {
        // Two messages under one unique-id would be one to a POP3 client: a copy gets its own.
        let made = tx
            .execute(
                "WITH copied AS ( \
                   INSERT INTO message (mailbox, uid, modseq, flags, keywords, received, zone, saved, size, body, email) \
                   SELECT $1::bigint, n.uid, $2::bigint, m.flags, n.keywords, m.received, m.zone, $3::bigint, m.size, m.body, m.email \
                   FROM unnest($4::bigint[], $5::bigint[], $6::text[]) AS n (id, uid, keywords) \
                   JOIN message m ON m.id = n.id RETURNING id, uid), \
                 extras AS ( \
                   INSERT INTO extra (message, digest_version, digest, prefix) \
                   SELECT c.id, e.digest_version, e.digest, e.prefix \
                   FROM unnest($4::bigint[], $5::bigint[]) AS n (id, uid) \
                   JOIN extra e ON e.message = n.id JOIN copied c ON c.uid = n.uid) \
                 SELECT id FROM copied",
                &[&self.mailbox, &int(self.modseq.value()), &tx.now, &self.rows, &self.uids, &self.keywords],
            )
            .await?;
        if made != self.rows.len() as u64 {
            return Err(StoreError::new(ErrorKind::Internal, "not all messages were copied"));
        }
        Ok(())
    }
}
