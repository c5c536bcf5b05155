//! Mailboxes: their list, making, deleting and renaming them, their counts and their snapshot.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use mailstore_traits::backend::{Known, UidSets};
use mailstore_traits::{
    AccountId, CreatedMailbox, ErrorKind, ListHint, MailboxId, MailboxInfo, MailboxName, MailboxPast, MailboxStatus,
    Snapshot, SpecialUse, StoreError, UidSet,
};
use rusqlite::{Connection, OptionalExtension, params};

use crate::codec::{count, hex, int, keyword, mailbox_id, modseq, random_key, uid, uid_next, uid_validity};
use crate::error::{Fault, Outcome};
use crate::ledger::Ledger;
use crate::messages::vanished;
use crate::options::Options;
use crate::writer::Tx;

/// That account's row, if there is one.
pub(crate) fn find_account(conn: &Connection, account: &AccountId) -> Outcome<Option<i64>> {
    Ok(conn
        .prepare_cached("SELECT id FROM account WHERE name = ?")?
        .query_row([account.as_str()], |row| row.get(0))
        .optional()?)
}

/// That account's row; an account that is new gets an INBOX in the same transaction.
pub(crate) fn ensure_account(tx: &mut Tx<'_>, account: &AccountId) -> Outcome<i64> {
    if let Some(row) = find_account(tx.conn, account)? {
        return Ok(row);
    }
    tx.check_account(account)?;
    tx.conn.prepare_cached("INSERT INTO account (name) VALUES (?)")?.execute([account.as_str()])?;
    let row = tx.conn.last_insert_rowid();
    insert(tx, row, &MailboxName::inbox(), None)?;
    Ok(row)
}

/// The row of the mailbox of that id, if it is that account's.
pub(crate) fn row_of(conn: &Connection, account: i64, id: &MailboxId) -> Outcome<i64> {
    conn.prepare_cached("SELECT id FROM mailbox WHERE object_id = ? AND account = ?")?
        .query_row(params![id.as_str(), account], |row| row.get(0))
        .optional()?
        .ok_or_else(|| ErrorKind::NotFound.into())
}

/// The id of the mailbox of that name.
pub(crate) fn find(conn: &Connection, account: i64, name: &MailboxName) -> Outcome<MailboxId> {
    let id: Option<String> = conn
        .prepare_cached("SELECT object_id FROM mailbox WHERE account = ? AND name = ?")?
        .query_row(params![account, name.as_str()], |row| row.get(0))
        .optional()?;
    Ok(mailbox_id(id.ok_or(ErrorKind::NotFound)?)?)
}

fn stored_name(text: &str) -> Outcome<MailboxName> {
    MailboxName::parse(text).map_err(|_| Fault::corrupt("a mailbox name that is none"))
}

fn special_use(text: Option<String>) -> Option<SpecialUse> {
    let text = text?;
    SpecialUse::ALL.into_iter().find(|special| special.as_str() == text)
}

/// All mailboxes, and subscribed names without one.
pub(crate) fn list(conn: &Connection, account: i64, hint: &ListHint) -> Outcome<Vec<MailboxInfo>> {
    let mut names = BTreeMap::new();
    let mut parents = HashSet::new();
    let mut mailboxes = conn.prepare_cached("SELECT name, object_id, special_use FROM mailbox WHERE account = ?")?;
    let mut rows = mailboxes.query([account])?;
    while let Some(row) = rows.next()? {
        let name = stored_name(&row.get::<_, String>(0)?)?;
        let mut info = MailboxInfo::new(name.clone(), Some(mailbox_id(row.get(1)?)?));
        info.special_use = special_use(row.get(2)?);
        let mut above = name.parent();
        while let Some(parent) = above {
            above = parent.parent();
            if !parents.insert(parent) {
                break;
            }
        }
        names.insert(name, info);
    }
    let mut subscriptions = conn.prepare_cached("SELECT name FROM subscription WHERE account = ?")?;
    let mut rows = subscriptions.query([account])?;
    while let Some(row) = rows.next()? {
        let name = stored_name(&row.get::<_, String>(0)?)?;
        names.entry(name.clone()).or_insert_with(|| MailboxInfo::new(name, None)).subscribed = true;
    }
    let prefix = hint.name_prefix.as_deref().unwrap_or_default();
    let wanted =
        |info: &MailboxInfo| info.name.as_str().starts_with(prefix) && (info.subscribed || !hint.subscribed_only);
    Ok(names
        .into_values()
        .filter(wanted)
        .map(|mut info| {
            info.has_children = Some(parents.contains(&info.name));
            info
        })
        .collect())
}

/// Makes a mailbox. Parents are left out: a name in the middle need not have a mailbox.
pub(crate) fn create(
    tx: &mut Tx<'_>,
    options: &Options,
    account: i64,
    name: &MailboxName,
    special: Option<SpecialUse>,
) -> Outcome<CreatedMailbox> {
    if find(tx.conn, account, name).is_ok() {
        return Err(ErrorKind::AlreadyExists.into());
    }
    refuse_view(special)?;
    let (mailboxes, limit): (i64, Option<i64>) = tx
        .conn
        .prepare_cached("SELECT mailboxes, limit_mailboxes FROM account WHERE id = ?")?
        .query_row([account], |row| Ok((row.get(0)?, row.get(1)?)))?;
    if limit.is_some_and(|limit| mailboxes >= limit) {
        return Err(ErrorKind::OverQuota.into());
    }
    if mailboxes >= int(options.mailboxes) {
        return Err(StoreError::new(ErrorKind::LimitExceeded, "too many mailboxes").into());
    }
    insert(tx, account, name, special)
}

/// These are for views of other mailboxes' messages (RFC 6154 §2, RFC 8457 §2), and this store has no views.
fn refuse_view(special: Option<SpecialUse>) -> Outcome<()> {
    if matches!(special, Some(SpecialUse::All | SpecialUse::Flagged | SpecialUse::Important)) {
        return Err(StoreError::new(ErrorKind::Unsupported, "this store has no virtual mailboxes").into());
    }
    Ok(())
}

/// Makes a mailbox that goes on where one of another store ended, or makes that of the one that is there.
pub(crate) fn restore(
    tx: &mut Tx<'_>,
    options: &Options,
    account: i64,
    name: &MailboxName,
    special: Option<SpecialUse>,
    past: MailboxPast,
) -> Outcome<CreatedMailbox> {
    refuse_view(special)?;
    let id = match find(tx.conn, account, name) {
        Ok(id) => id,
        Err(_) => create(tx, options, account, name, special)?.id,
    };
    let mut ledger = Ledger::load(tx, account, &id)?;
    if ledger.uid_next != 1 && ledger.uid_validity != past.uid_validity {
        return Err(ErrorKind::AlreadyExists.into());
    }
    if let Some(special) = special {
        tx.conn
            .prepare_cached("UPDATE mailbox SET special_use = ? WHERE id = ?")?
            .execute(params![special.as_str(), ledger.row])?;
        tx.list_changed(account)?;
    }
    ledger.go_on_from(past);
    ledger.save(tx, options)?;
    // Whoever uses the name again gets a larger one.
    tx.conn
        .prepare_cached("UPDATE service SET last_uid_validity = max(last_uid_validity, ?)")?
        .execute([past.uid_validity.value()])?;
    Ok(CreatedMailbox::new(id, past.uid_validity))
}

fn insert(tx: &mut Tx<'_>, account: i64, name: &MailboxName, special: Option<SpecialUse>) -> Outcome<CreatedMailbox> {
    tx.check_mailbox(name)?;
    let id = mailbox_id(format!("m{}", hex(&random_key()?)))?;
    let validity = next_uid_validity(tx)?;
    tx.conn
        .prepare_cached(
            "INSERT INTO mailbox (object_id, account, name, special_use, uid_validity) VALUES (?, ?, ?, ?, ?)",
        )?
        .execute(params![id.as_str(), account, name.as_str(), special.map(SpecialUse::as_str), validity])?;
    tx.conn.prepare_cached("UPDATE account SET mailboxes = mailboxes + 1 WHERE id = ?")?.execute([account])?;
    tx.list_changed(account)?;
    Ok(CreatedMailbox::new(id, uid_validity(validity)?))
}

/// The next UIDVALIDITY of the service: rises with every mailbox made, and is never behind the clock, so that a
/// database restored from an older copy gives out larger ones than it did in the time that was lost.
fn next_uid_validity(tx: &Tx<'_>) -> Outcome<i64> {
    let next: i64 = tx
        .conn
        .prepare_cached(
            "UPDATE service SET last_uid_validity = max(last_uid_validity + 1, ?) RETURNING last_uid_validity",
        )?
        .query_row([tx.now.clamp(1, i64::from(u32::MAX))], |row| row.get(0))?;
    if next > i64::from(u32::MAX) {
        return Err(StoreError::new(ErrorKind::LimitExceeded, "all UIDVALIDITYs have been given out").into());
    }
    Ok(next)
}

/// Deletes a mailbox at once, however many messages it has: they are cleared away afterwards, bit by bit.
pub(crate) fn delete(tx: &mut Tx<'_>, options: &Options, account: i64, id: &MailboxId) -> Outcome<()> {
    let ledger = Ledger::load(tx, account, id)?;
    let name: String =
        tx.conn.prepare_cached("SELECT name FROM mailbox WHERE id = ?")?.query_row([ledger.row], |row| row.get(0))?;
    if name == MailboxName::inbox().as_str() {
        return Err(ErrorKind::NotPermitted.into());
    }
    doom(tx, options, ledger)?;
    tx.list_changed(account)
}

/// Takes a mailbox out of its account.
pub(crate) fn doom(tx: &mut Tx<'_>, options: &Options, mut ledger: Ledger) -> Outcome<()> {
    ledger.bump()?;
    tx.conn
        .prepare_cached(
            "UPDATE account SET mailboxes = mailboxes - 1, messages = messages - ?, size = size - ? WHERE id = ?",
        )?
        .execute(params![ledger.messages, ledger.size, ledger.account])?;
    tx.conn.prepare_cached("UPDATE mailbox SET account = NULL, name = NULL WHERE id = ?")?.execute([ledger.row])?;
    ledger.save(tx, options)
}

/// Renames a name and all below it.
pub(crate) fn rename(tx: &mut Tx<'_>, account: i64, from: &MailboxName, to: &MailboxName) -> Outcome<()> {
    if from.is_inbox() || to.is_below(from) {
        return Err(ErrorKind::Invalid.into());
    }
    let mut moved = Vec::new();
    {
        // Names compare by octets, and `0` is the octet behind the separator `/`.
        let mut statement = tx.conn.prepare_cached(
            "SELECT id, name FROM mailbox WHERE account = ?1 AND (name = ?2 OR (name > ?2 || '/' AND name < ?2 || '0'))",
        )?;
        let mut rows = statement.query(params![account, from.as_str()])?;
        while let Some(row) = rows.next()? {
            moved.push((row.get::<_, i64>(0)?, stored_name(&row.get::<_, String>(1)?)?));
        }
    }
    if moved.is_empty() {
        return Err(ErrorKind::NotFound.into());
    }
    let rows: BTreeSet<i64> = moved.iter().map(|(row, _)| *row).collect();
    let mut named = Vec::new();
    for (row, name) in &moved {
        let name = match name.rebased(from, to) {
            Some(name) => name.map_err(|error| StoreError::new(ErrorKind::Invalid, error.to_string()))?,
            None => to.clone(),
        };
        let taken: Option<i64> = tx
            .conn
            .prepare_cached("SELECT id FROM mailbox WHERE account = ? AND name = ?")?
            .query_row(params![account, name.as_str()], |row| row.get(0))
            .optional()?;
        if from == to || taken.is_some_and(|taken| !rows.contains(&taken)) {
            return Err(ErrorKind::AlreadyExists.into());
        }
        tx.check_mailbox(&name)?;
        named.push((*row, name));
    }
    // First out of each other's way: a child may get the name that its parent had.
    for row in &rows {
        tx.conn.prepare_cached("UPDATE mailbox SET name = NULL WHERE id = ?")?.execute([row])?;
    }
    for (row, name) in named {
        tx.conn.prepare_cached("UPDATE mailbox SET name = ? WHERE id = ?")?.execute(params![name.as_str(), row])?;
    }
    tx.list_changed(account)
}

/// Subscribes or unsubscribes a name.
pub(crate) fn set_subscribed(
    tx: &mut Tx<'_>,
    options: &Options,
    account: i64,
    name: &MailboxName,
    subscribed: bool,
) -> Outcome<()> {
    let changed = if subscribed {
        let subscriptions: i64 = tx
            .conn
            .prepare_cached("SELECT count(*) FROM subscription WHERE account = ?")?
            .query_row([account], |row| row.get(0))?;
        let changed = tx
            .conn
            .prepare_cached("INSERT INTO subscription (account, name) VALUES (?, ?) ON CONFLICT DO NOTHING")?
            .execute(params![account, name.as_str()])?;
        if changed > 0 && subscriptions >= int(options.mailboxes) {
            return Err(StoreError::new(ErrorKind::LimitExceeded, "too many subscriptions").into());
        }
        changed
    } else {
        tx.conn
            .prepare_cached("DELETE FROM subscription WHERE account = ? AND name = ?")?
            .execute(params![account, name.as_str()])?
    };
    if changed > 0 { tx.list_changed(account) } else { Ok(()) }
}

/// The counts of mailboxes, those that exist.
pub(crate) fn status(conn: &Connection, account: i64, ids: &[MailboxId]) -> Outcome<Vec<MailboxStatus>> {
    let mut statement = conn.prepare_cached(
        "SELECT uid_validity, modseq, messages, unseen, deleted, recent, size, uid_next FROM mailbox \
         WHERE object_id = ? AND account = ?",
    )?;
    let mut found = Vec::new();
    for id in ids {
        let mut rows = statement.query(params![id.as_str(), account])?;
        let Some(row) = rows.next()? else { continue };
        let mut status = MailboxStatus::empty(id.clone(), uid_validity(row.get(0)?)?, modseq(row.get(1)?)?);
        status.messages = count(row.get(2)?);
        status.unseen = count(row.get(3)?);
        status.deleted = count(row.get(4)?);
        status.recent = count(row.get(5)?);
        status.size = count(row.get(6)?);
        status.uid_next = uid_next(row.get(7)?);
        found.push(status);
    }
    Ok(found)
}

/// The first UID and the last, each found at once in an index.
const SNAPSHOT_ENDS: &str = "SELECT (SELECT min(uid) FROM message WHERE mailbox = ?1), \
                             (SELECT max(uid) FROM message WHERE mailbox = ?1)";

/// The query of [`snapshot`] that may be as long as the mailbox; it reads an index and no rows.
pub(crate) const SNAPSHOT_UIDS: &str = "SELECT uid FROM message WHERE mailbox = ? AND uid >= ? ORDER BY uid";

/// A mailbox as it is; and where its `\Recent` ends, if there is any to claim.
pub(crate) fn snapshot(
    conn: &Connection,
    options: &Options,
    known: &UidSets,
    account: i64,
    id: &MailboxId,
) -> Outcome<(Snapshot, Option<i64>)> {
    let (row, validity, high, next, recent_from, messages): (i64, i64, i64, i64, i64, i64) = conn
        .prepare_cached(
            "SELECT id, uid_validity, modseq, uid_next, recent_from, messages FROM mailbox \
             WHERE object_id = ? AND account = ?",
        )?
        .query_row(params![id.as_str(), account], |row| {
            Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?, row.get(5)?))
        })
        .optional()?
        .ok_or(ErrorKind::NotFound)?;
    let mut snapshot = Snapshot::empty(uid_validity(validity)?, modseq(high)?);
    snapshot.uid_next = uid_next(next);
    snapshot.uids = uids(conn, known, id, (row, validity, high, next, messages))?;
    let mut statement = conn.prepare_cached("SELECT spelling FROM keyword WHERE mailbox = ? ORDER BY folded")?;
    let mut rows = statement.query([row])?;
    while let Some(row) = rows.next()? {
        snapshot.keywords.push(keyword(&row.get::<_, String>(0)?)?);
    }
    for keyword in &snapshot.keywords {
        snapshot.permanent_flags.insert(keyword.clone());
    }
    snapshot.new_keywords = (snapshot.keywords.len() as u64) < options.keywords;
    let first_unseen: Option<i64> = conn
        .prepare_cached("SELECT uid FROM message WHERE mailbox = ? AND flags & 16 = 0 ORDER BY uid LIMIT 1")?
        .query_row([row], |row| row.get(0))
        .optional()?;
    snapshot.first_unseen = first_unseen.map(uid).transpose()?;
    if recent_from < next {
        let recent = UidSet::from_range(uid(recent_from)?, mailstore_traits::Uid::MAX);
        snapshot.first_recent = snapshot.uids.intersection(&recent).first();
    }
    Ok((snapshot, (recent_from < next).then_some(next)))
}

/// The UIDs of a mailbox's `messages`, with this UIDVALIDITY, at this modification sequence and UIDNEXT. Where as many UIDs lie between the first
/// and the last, there are no gaps, and nothing in between is read. Of a large mailbox with gaps that was read before, what
/// has changed since is read.
fn uids(
    conn: &Connection,
    known: &UidSets,
    id: &MailboxId,
    (mailbox, validity, high, next, messages): (i64, i64, i64, i64, i64),
) -> Outcome<UidSet> {
    let ends: (Option<i64>, Option<i64>) =
        conn.prepare_cached(SNAPSHOT_ENDS)?.query_row([mailbox], |row| Ok((row.get(0)?, row.get(1)?)))?;
    let (Some(first), Some(last)) = ends else { return Ok(UidSet::new()) };
    if last.saturating_sub(first).saturating_add(1) == messages {
        return Ok(UidSet::from_range(uid(first)?, uid(last)?));
    }
    let messages = count(messages);
    if !UidSets::is_worth(messages) {
        return read_uids(conn, mailbox, 1);
    }
    let mut found = None;
    if let Some(before) = known.get(id, validity, high) {
        if before.modseq == high {
            return Ok(before.uids);
        }
        let added = read_uids(conn, mailbox, before.uid_next)?;
        let vanished = vanished(conn, mailbox, before.modseq, high)?;
        found = before.after(&added, &vanished, messages);
    }
    let uids = match found {
        Some(uids) => uids,
        None => read_uids(conn, mailbox, 1)?,
    };
    known.keep(id, Known { uid_validity: validity, modseq: high, uid_next: next, uids: uids.clone() });
    Ok(uids)
}

/// The UIDs from `from` on; runs are joined as they are read.
fn read_uids(conn: &Connection, mailbox: i64, from: i64) -> Outcome<UidSet> {
    let mut set = UidSet::new();
    let mut statement = conn.prepare_cached(SNAPSHOT_UIDS)?;
    let mut rows = statement.query([mailbox, from])?;
    let mut run: Option<(i64, i64)> = None;
    while let Some(row) = rows.next()? {
        let next: i64 = row.get(0)?;
        run = match run {
            Some((first, last)) if last.saturating_add(1) == next => Some((first, next)),
            Some((first, last)) => {
                set.insert_range(uid(first)?, uid(last)?);
                Some((next, next))
            }
            None => Some((next, next)),
        };
    }
    if let Some((first, last)) = run {
        set.insert_range(uid(first)?, uid(last)?);
    }
    Ok(set)
}

/// Claims `\Recent` for the reader of a snapshot that ended before `next`; answers from where on it got it, for another
/// may have claimed meanwhile.
pub(crate) fn claim_recent(
    tx: &mut Tx<'_>,
    account: i64,
    id: &MailboxId,
    next: i64,
) -> Outcome<Option<mailstore_traits::Uid>> {
    let (row, from): (i64, i64) = tx
        .conn
        .prepare_cached("SELECT id, recent_from FROM mailbox WHERE object_id = ? AND account = ?")?
        .query_row(params![id.as_str(), account], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?
        .ok_or(ErrorKind::NotFound)?;
    if from >= next {
        return Ok(None);
    }
    tx.conn
        .prepare_cached(
            "UPDATE mailbox SET recent_from = ?2, \
             recent = (SELECT count(*) FROM message WHERE mailbox = ?1 AND uid >= ?2) WHERE id = ?1",
        )?
        .execute(params![row, next])?;
    Ok(Some(uid(from)?))
}

/// The modification sequences of those mailboxes that exist, by row.
pub(crate) fn versions(conn: &Connection, rows: &[i64]) -> Outcome<Vec<(i64, i64)>> {
    let mut statement = conn.prepare_cached("SELECT modseq FROM mailbox WHERE id = ? AND account IS NOT NULL")?;
    let mut found = Vec::new();
    for &row in rows {
        if let Some(modseq) = statement.query_row([row], |row| row.get(0)).optional()? {
            found.push((row, modseq));
        }
    }
    Ok(found)
}

/// The version of an account's list of mailboxes and subscriptions.
pub(crate) fn list_version(conn: &Connection, account: i64) -> Outcome<i64> {
    Ok(conn.prepare_cached("SELECT list_version FROM account WHERE id = ?")?.query_row([account], |row| row.get(0))?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::{MIGRATIONS, migrate};

    fn plan(conn: &Connection, sql: &str) -> String {
        let mut statement = conn.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).unwrap();
        let steps = statement.query_map([], |row| row.get::<_, String>(3)).unwrap();
        steps.map(Result::unwrap).collect::<Vec<_>>().join("; ")
    }

    #[test]
    fn what_a_client_does_in_a_loop_reads_an_index() {
        let mut conn = Connection::open_in_memory().unwrap();
        migrate(&mut conn, MIGRATIONS).unwrap();
        let snapshot = plan(&conn, &SNAPSHOT_UIDS.replace('?', "1"));
        assert!(snapshot.contains("USING COVERING INDEX") && !snapshot.contains("TEMP B-TREE"), "{snapshot}");
        for (filter, index) in [
            ("m.flags & 16 = 0", "message_unseen"),
            ("m.flags & 2 <> 0", "message_deleted"),
            ("m.flags & 8 <> 0", "message_flagged"),
        ] {
            let found = plan(
                &conn,
                &format!(
                    "SELECT m.uid, m.size FROM message m WHERE m.mailbox = 1 AND m.uid BETWEEN 1 AND 9 \
                     AND {filter} ORDER BY m.uid LIMIT 5"
                ),
            );
            assert!(found.contains(index) && !found.contains("TEMP B-TREE"), "{filter}: {found}");
        }
        let changed = plan(&conn, "SELECT uid FROM message WHERE mailbox = 1 AND modseq > 7 ORDER BY modseq LIMIT 9");
        assert!(changed.contains("message_modseq") && !changed.contains("TEMP B-TREE"), "{changed}");
    }

    #[test]
    fn the_uids_are_told_with_gaps_and_without() {
        let id = MailboxId::new("m").unwrap();
        for there in [&[][..], &[7], &[1, 2, 3], &[5, 6, 7, 8], &[1, 3], &[1, 2, 4], &[2, 4, 5, 9, 10]] {
            let mut conn = Connection::open_in_memory().unwrap();
            migrate(&mut conn, MIGRATIONS).unwrap();
            conn.execute("INSERT INTO mailbox (id, object_id, uid_validity) VALUES (1, 'm', 1), (2, 'n', 2)", [])
                .unwrap();
            let mut insert = conn
                .prepare(
                    "INSERT INTO message (mailbox, uid, modseq, flags, keywords, received, zone, saved, size, body, email) \
                     VALUES (?, ?, 1, 0, '', 0, 0, 0, 0, 0, x'')",
                )
                .unwrap();
            for uid in there {
                insert.execute([1, *uid]).unwrap();
            }
            // Another mailbox's are none of its own.
            for uid in 1..20 {
                insert.execute([2, uid]).unwrap();
            }
            let told = uids(&conn, &UidSets::new(9), &id, (1, 1, 1, 20, there.len() as i64)).unwrap();
            assert_eq!(told.iter().map(|uid| i64::from(uid.value())).collect::<Vec<_>>(), there);
        }
        let mut conn = Connection::open_in_memory().unwrap();
        migrate(&mut conn, MIGRATIONS).unwrap();
        let ends = plan(&conn, &SNAPSHOT_ENDS.replace("?1", "1"));
        assert!(ends.matches("SEARCH message USING COVERING INDEX").count() == 2, "{ends}");
    }
}
