//! Copying, moving and removing messages, inside one transaction.

use mailstore_traits::{ErrorKind, MailboxId, ModSeq, StoreError, Transferred, Uid, UidSet};
use rusqlite::{OptionalExtension, params};

use crate::codec::{count, int, uid};
use crate::error::Outcome;
use crate::ledger::{Counted, Ledger};
use crate::options::Options;
use crate::writer::Tx;

/// How many rows are read before they are worked on, and how many arrivals share a modification sequence, so that a
/// page of the change feed stays a page.
const BATCH: i64 = 1000;

struct Message {
    row: i64,
    counted: Counted,
    keywords: String,
    body: i64,
}

/// The next messages of a set behind `after`; with `deleted`, those that carry `\Deleted`, from an index of these.
fn next(tx: &Tx<'_>, mailbox: i64, uids: &UidSet, after: Option<Uid>, deleted: bool) -> Outcome<Vec<Message>> {
    let mut found = Vec::new();
    let sql = if deleted {
        "SELECT id, uid, flags, size, keywords, body FROM message \
         WHERE mailbox = ? AND uid BETWEEN ? AND ? AND flags & 2 <> 0 ORDER BY uid LIMIT ?"
    } else {
        "SELECT id, uid, flags, size, keywords, body FROM message \
         WHERE mailbox = ? AND uid BETWEEN ? AND ? ORDER BY uid LIMIT ?"
    };
    let mut statement = tx.conn.prepare_cached(sql)?;
    for range in uids.ranges() {
        let first = match after {
            Some(after) if after >= *range.end() => continue,
            Some(after) => i64::from(range.start().value()).max(i64::from(after.value()).saturating_add(1)),
            None => i64::from(range.start().value()),
        };
        let room = BATCH.saturating_sub(int(found.len() as u64));
        if room == 0 {
            break;
        }
        let mut rows = statement.query(params![mailbox, first, range.end().value(), room])?;
        while let Some(row) = rows.next()? {
            found.push(Message {
                row: row.get(0)?,
                counted: Counted { uid: row.get(1)?, flags: row.get(2)?, size: row.get(3)? },
                keywords: row.get(4)?,
                body: row.get(5)?,
            });
        }
    }
    Ok(found)
}

/// Removes messages of the mailbox and tells which; the caller buries them.
pub(crate) fn remove(tx: &Tx<'_>, ledger: &mut Ledger, uids: &UidSet, only_deleted: bool) -> Outcome<UidSet> {
    let mut gone = UidSet::new();
    loop {
        let messages = next(tx, ledger.row, uids, gone.last(), only_deleted)?;
        let Some(last) = messages.last() else { return Ok(gone) };
        let last = uid(last.counted.uid)?;
        for message in &messages {
            erase(tx, message)?;
            ledger.went(message.counted);
            ledger.keywords_went(tx, &message.keywords)?;
            gone.insert(uid(message.counted.uid)?);
        }
        debug_assert_eq!(gone.last(), Some(last));
    }
}

fn erase(tx: &Tx<'_>, message: &Message) -> Outcome<()> {
    tx.conn.prepare_cached("DELETE FROM extra WHERE message = ?")?.execute([message.row])?;
    tx.conn.prepare_cached("DELETE FROM message WHERE id = ?")?.execute([message.row])?;
    tx.conn
        .prepare_cached(
            "UPDATE body SET refs = refs - 1, freed = CASE WHEN refs = 1 THEN ?2 ELSE freed END WHERE id = ?1",
        )?
        .execute(params![message.body, tx.now])?;
    Ok(())
}

/// Clears away up to a thousand messages of a mailbox that was deleted, the mailbox itself at the end; says whether
/// there is more.
pub(crate) fn clear_deleted_mailbox(tx: &Tx<'_>) -> Outcome<bool> {
    let doomed: Option<i64> = tx
        .conn
        .prepare_cached("SELECT id FROM mailbox WHERE account IS NULL LIMIT 1")?
        .query_row([], |row| row.get(0))
        .optional()?;
    let Some(mailbox) = doomed else { return Ok(false) };
    let messages = next(tx, mailbox, &UidSet::all(), None, false)?;
    if messages.is_empty() {
        for sql in [
            "DELETE FROM keyword WHERE mailbox = ?",
            "DELETE FROM tombstone WHERE mailbox = ?",
            "DELETE FROM mailbox WHERE id = ?",
        ] {
            tx.conn.prepare_cached(sql)?.execute([mailbox])?;
        }
    }
    for message in &messages {
        erase(tx, message)?;
    }
    Ok(true)
}

/// Removes messages for good.
pub(crate) fn expunge(
    tx: &mut Tx<'_>,
    options: &Options,
    account: i64,
    mailbox: &MailboxId,
    uids: &UidSet,
    only_deleted: bool,
) -> Outcome<(UidSet, ModSeq)> {
    let mut ledger = Ledger::load(tx, account, mailbox)?;
    let gone = remove(tx, &mut ledger, uids, only_deleted)?;
    if gone.is_empty() {
        return Ok((gone, ledger.highest()?));
    }
    let modseq = ledger.bump()?;
    ledger.bury(tx, modseq, &gone)?;
    ledger.save(tx, options)?;
    Ok((gone, modseq))
}

/// Copies or moves messages.
pub(crate) fn transfer(
    tx: &mut Tx<'_>,
    options: &Options,
    account: i64,
    source: &MailboxId,
    uids: &UidSet,
    destination: &MailboxId,
    moves: bool,
) -> Outcome<Transferred> {
    let mut from = Ledger::load(tx, account, source)?;
    let mut into = if source == destination { None } else { Some(Ledger::load(tx, account, destination)?) };
    // A copy into the same mailbox must not come upon what it has just made.
    let end = from.uid_next.saturating_sub(1);
    let there = if end < 1 { UidSet::new() } else { UidSet::from_range(Uid::MIN, uid(end)?) };
    let uids = uids.intersection(&there);
    let mut pairs = Vec::new();
    let mut gone = UidSet::new();
    loop {
        let messages = next(tx, from.row, &uids, pairs.last().map(|(old, _)| *old), false)?;
        if messages.is_empty() {
            break;
        }
        let target = into.as_mut().unwrap_or(&mut from);
        if !moves {
            let size = messages.iter().map(|message| count(message.counted.size)).sum();
            target.check_quota(tx, messages.len() as u64, size)?;
        }
        let modseq = target.bump()?;
        for message in messages {
            let old = uid(message.counted.uid)?;
            let target = into.as_mut().unwrap_or(&mut from);
            let new = target.take_uid(None)?;
            let keywords = target.keywords_came(tx, options, &message.keywords)?;
            target.came(Counted { uid: i64::from(new.value()), ..message.counted });
            let target = target.row;
            if moves {
                from.went(message.counted);
                from.keywords_went(tx, &message.keywords)?;
                gone.insert(old);
                tx.conn
                    .prepare_cached(
                        "UPDATE message SET mailbox = ?, uid = ?, modseq = ?, keywords = ?, saved = ? WHERE id = ?",
                    )?
                    .execute(params![target, new.value(), int(modseq.value()), keywords, tx.now, message.row])?;
            } else {
                copy_row(tx, &message, target, new, modseq, &keywords)?;
            }
            pairs.push((old, new));
        }
    }
    let uid_validity = into.as_ref().unwrap_or(&from).uid_validity;
    if pairs.is_empty() {
        return Ok(Transferred::new(pairs, uid_validity, from.highest()?));
    }
    if moves {
        let modseq = from.bump()?;
        from.bury(tx, modseq, &gone)?;
    }
    let source_modseq = from.highest()?;
    if moves || into.is_none() {
        from.save(tx, options)?;
    }
    if let Some(into) = into {
        into.save(tx, options)?;
    }
    Ok(Transferred::new(pairs, uid_validity, source_modseq))
}

fn copy_row(tx: &Tx<'_>, message: &Message, mailbox: i64, new: Uid, modseq: ModSeq, keywords: &str) -> Outcome<()> {
    // Two messages under one unique-id would be one to a POP3 client: a copy gets its own.
    let made = tx
        .conn
        .prepare_cached(
            "INSERT INTO message (mailbox, uid, modseq, flags, keywords, received, zone, saved, size, body, email) \
             SELECT ?2, ?3, ?4, flags, ?5, received, zone, ?6, size, body, email FROM message WHERE id = ?1",
        )?
        .execute(params![message.row, mailbox, new.value(), int(modseq.value()), keywords, tx.now])?;
    if made != 1 {
        return Err(StoreError::from(ErrorKind::Internal).into());
    }
    let copy = tx.conn.last_insert_rowid();
    tx.conn
        .prepare_cached(
            "INSERT INTO extra (message, digest_version, digest, prefix) \
             SELECT ?2, digest_version, digest, prefix FROM extra WHERE message = ?1",
        )?
        .execute([message.row, copy])?;
    tx.conn.prepare_cached("UPDATE body SET refs = refs + 1 WHERE id = ?")?.execute([message.body])?;
    Ok(())
}
