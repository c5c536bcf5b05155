//! Messages as they are read: metadata page by page, bodies, and the change feed.

use bytes::Bytes;
use mailstore_traits::{
    Changed, Changes, ErrorKind, MailboxId, MessageDigest, MessageMeta, MetaFields, MetaFilter, ModSeq, Uid, UidSet,
};
use rusqlite::{Connection, OptionalExtension, Row, params};

use crate::body::Source;
use crate::codec::{DELETED, FLAGGED, Key, SEEN, bits, count, email_id, flags, int, modseq, timestamp, uid};
use crate::error::{Fault, Outcome};
use crate::files::Files;
use crate::mailboxes::row_of;
use crate::outside::Outside;
use crate::place::columns;
use crate::writer::Tx;

/// How many messages are read in one go: no transaction outlives it.
pub(crate) const PAGE: usize = 256;

/// Up to how many changed messages are looked up by modification sequence; with more, all are looked through.
const FEW: usize = 10_000;

/// Which messages are still to be told, and what of them.
pub(crate) struct Cursor {
    pub(crate) account: i64,
    pub(crate) mailbox: MailboxId,
    pub(crate) uids: UidSet,
    pub(crate) fields: MetaFields,
    pub(crate) filter: MetaFilter,
    /// Where the next page begins; `None` before the first one.
    pub(crate) next: Option<i64>,
}

/// The next page; the cursor comes back unless it was the last one.
pub(crate) fn page(conn: &Connection, mut cursor: Cursor) -> Outcome<(Vec<MessageMeta>, Option<Cursor>)> {
    let mailbox = row_of(conn, cursor.account, &cursor.mailbox)?;
    if cursor.next.is_none()
        && let Some(since) = cursor.filter.changed_since
        && let Some(few) = few_changed(conn, mailbox, since)?
    {
        cursor.uids = cursor.uids.intersection(&few);
    }
    let since = cursor.filter.changed_since.map_or(0, |since| int(since.value()));
    let (with, without) = (bits(&cursor.filter.with), bits(&cursor.filter.without));
    // The rarest of what the indices hold.
    let narrowed = match () {
        () if with & DELETED != 0 => "AND m.flags & 2 <> 0",
        () if with & FLAGGED != 0 => "AND m.flags & 8 <> 0",
        () if without & SEEN != 0 => "AND m.flags & 16 = 0",
        () => "",
    };
    let digest = if cursor.fields.digest {
        ", coalesce(e.digest_version, c.digest_version), coalesce(e.digest, c.digest) FROM message m \
         LEFT JOIN extra e ON e.message = m.id LEFT JOIN content c ON c.body = m.body"
    } else {
        " FROM message m"
    };
    let sql = format!(
        "SELECT m.uid, m.modseq, m.flags, m.keywords, m.received, m.zone, m.saved, m.size, m.email, m.uidl{digest} \
         WHERE m.mailbox = ? AND m.uid BETWEEN ? AND ? AND m.modseq > ? AND m.flags & ? = ? AND m.flags & ? = 0 \
         {narrowed} ORDER BY m.uid LIMIT ?"
    );
    let mut statement = conn.prepare_cached(&sql)?;
    let mut found = Vec::new();
    let from = cursor.next.unwrap_or(0);
    let mut asked = 0_usize;
    let mut next = None;
    for range in cursor.uids.ranges() {
        let (first, last) = (i64::from(range.start().value()).max(from), i64::from(range.end().value()));
        if last < from {
            continue;
        }
        let room = PAGE.saturating_sub(found.len());
        // A set of many ranges that hold nothing must not keep a reader for long either.
        if room == 0 || asked >= 4 * PAGE {
            next = Some(first);
            break;
        }
        asked = asked.saturating_add(1);
        let before = found.len();
        let mut rows = statement.query(params![mailbox, first, last, since, with, with, without, int(room as u64)])?;
        while let Some(row) = rows.next()? {
            found.push(meta(row, cursor.fields)?);
        }
        if found.len().saturating_sub(before) == room {
            next = found.last().map(|meta| i64::from(meta.uid.value()).saturating_add(1));
            break;
        }
    }
    cursor.next = next;
    Ok((found, next.is_some().then_some(cursor)))
}

/// What has changed since, by the index, so that a client that polls costs what has changed and not the mailbox.
fn few_changed(conn: &Connection, mailbox: i64, since: ModSeq) -> Outcome<Option<UidSet>> {
    let mut statement = conn
        .prepare_cached("SELECT uid FROM message INDEXED BY message_modseq WHERE mailbox = ? AND modseq > ? LIMIT ?")?;
    let mut changed = statement
        .query_map(params![mailbox, int(since.value()), int(FEW as u64 + 1)], |row| row.get::<_, i64>(0))?
        .collect::<Result<Vec<_>, _>>()?;
    if changed.len() > FEW {
        return Ok(None);
    }
    changed.sort_unstable();
    Ok(Some(changed.into_iter().map(uid).collect::<Result<_, _>>()?))
}

fn meta(row: &Row<'_>, fields: MetaFields) -> Outcome<MessageMeta> {
    let email = email_id(row.get_ref(8)?.as_blob().map_err(rusqlite::Error::from)?)?;
    let date = timestamp(row.get(4)?, row.get(5)?);
    let mut meta = MessageMeta::new(uid(row.get(0)?)?, modseq(row.get(1)?)?, count(row.get(7)?), date, email);
    meta.save_date = Some(timestamp(row.get(6)?, 0));
    if fields.flags {
        meta.flags = flags(row.get(2)?, row.get_ref(3)?.as_str().map_err(rusqlite::Error::from)?)?;
    }
    if fields.uidl {
        meta.uidl = row.get(9)?;
    }
    if fields.digest
        && let (Some(version), Some(octets)) = (row.get::<_, Option<u16>>(10)?, row.get::<_, Option<Vec<u8>>>(11)?)
    {
        meta.digest = Some(MessageDigest::new(version, octets));
    }
    Ok(meta)
}

/// A message's prefix, the octets behind it, and their number.
pub(crate) fn open_body(
    conn: &Connection,
    files: &Files,
    outside: Option<&dyn Outside>,
    account: i64,
    id: &MailboxId,
    message: Uid,
) -> Outcome<(Bytes, Source, u64)> {
    let mailbox = row_of(conn, account, id)?;
    if let Some(outside) = outside {
        let found: Option<(i64, i64)> = conn
            .prepare_cached("SELECT id, size FROM message WHERE mailbox = ? AND uid = ?")?
            .query_row(params![mailbox, message.value()], |row| Ok((row.get(0)?, row.get(1)?)))
            .optional()?;
        let (row, size) = found.ok_or(ErrorKind::Expunged)?;
        return Ok((Bytes::new(), Source::Outside(outside.open(conn, row)?), count(size)));
    }
    type Found = (Option<Vec<u8>>, Key, i64, Option<Vec<u8>>);
    let found: Option<Found> = conn
        .prepare_cached(
            "SELECT e.prefix, b.key, b.size, c.octets FROM message m JOIN body b ON b.id = m.body \
             JOIN content c ON c.body = b.id LEFT JOIN extra e ON e.message = m.id WHERE m.mailbox = ? AND m.uid = ?",
        )?
        .query_row(params![mailbox, message.value()], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?)))
        .optional()?;
    let (prefix, key, size, octets) = found.ok_or(ErrorKind::Expunged)?;
    let (prefix, size) = (prefix.unwrap_or_default().into(), count(size));
    let source = match octets {
        Some(octets) if octets.len() as u64 == size => Source::Memory(octets.into()),
        Some(_) => return Err(Fault::corrupt("a body's octets are not as many as its size")),
        None => Source::File(files.open(&key, size)?),
    };
    Ok((prefix, source, size))
}

/// Keeps a digest made anew.
pub(crate) fn put_digest(
    tx: &Tx<'_>,
    account: i64,
    id: &MailboxId,
    message: Uid,
    digest: &MessageDigest,
) -> Outcome<()> {
    let mailbox = row_of(tx.conn, account, id)?;
    let row: Option<i64> = tx
        .conn
        .prepare_cached("SELECT id FROM message WHERE mailbox = ? AND uid = ?")?
        .query_row(params![mailbox, message.value()], |row| row.get(0))
        .optional()?;
    let row = row.ok_or(ErrorKind::Expunged)?;
    let (version, octets) = columns(Some(digest));
    tx.conn
        .prepare_cached(
            "INSERT INTO extra (message, digest_version, digest, prefix) VALUES (?1, ?2, ?3, x'') \
             ON CONFLICT DO UPDATE SET digest_version = ?2, digest = ?3",
        )?
        .execute(params![row, version, octets])?;
    Ok(())
}

/// A page of what has happened since.
pub(crate) fn changes_since(
    conn: &Connection,
    account: i64,
    id: &MailboxId,
    since: ModSeq,
    page: usize,
) -> Outcome<Changes> {
    let (mailbox, high, floor): (i64, i64, i64) = conn
        .prepare_cached("SELECT id, modseq, floor FROM mailbox WHERE object_id = ? AND account = ?")?
        .query_row(params![id.as_str(), account], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
        .optional()?
        .ok_or(ErrorKind::NotFound)?;
    let asked = int(since.value());
    // One from the future was given out by another life of this mailbox: what came since nobody knows.
    if asked < floor || asked > high {
        return Err(ErrorKind::ModSeqTooOld.into());
    }
    let page = int(page.max(1) as u64);
    // The modification sequence at which the page is full; it is told whole.
    let full: Option<i64> = conn
        .prepare_cached(
            "SELECT modseq FROM ( \
               SELECT * FROM (SELECT modseq FROM message INDEXED BY message_modseq \
                 WHERE mailbox = ?1 AND modseq > ?2 ORDER BY modseq LIMIT ?3) \
               UNION ALL \
               SELECT * FROM (SELECT modseq FROM tombstone \
                 WHERE mailbox = ?1 AND modseq > ?2 ORDER BY modseq LIMIT ?3)) \
             ORDER BY modseq LIMIT 1 OFFSET ?3 - 1",
        )?
        .query_row(params![mailbox, asked, page], |row| row.get(0))
        .optional()?;
    let up_to = full.unwrap_or(high);
    let mut changes = Changes::none(modseq(up_to)?);
    changes.more = up_to < high;
    let mut statement = conn.prepare_cached(
        "SELECT uid, modseq, flags, keywords FROM message INDEXED BY message_modseq \
         WHERE mailbox = ? AND modseq > ? AND modseq <= ? ORDER BY modseq, uid",
    )?;
    let mut rows = statement.query(params![mailbox, asked, up_to])?;
    while let Some(row) = rows.next()? {
        let text = row.get_ref(3)?.as_str().map_err(rusqlite::Error::from)?;
        changes.changed.push(Changed::new(uid(row.get(0)?)?, modseq(row.get(1)?)?, flags(row.get(2)?, text)?));
    }
    changes.vanished = vanished(conn, mailbox, asked, up_to)?;
    Ok(changes)
}

/// What vanished behind one modification sequence, and up to another.
pub(crate) fn vanished(conn: &Connection, mailbox: i64, behind: i64, up_to: i64) -> Outcome<UidSet> {
    let mut set = UidSet::new();
    let mut statement =
        conn.prepare_cached("SELECT first, last FROM tombstone WHERE mailbox = ? AND modseq > ? AND modseq <= ?")?;
    let mut rows = statement.query(params![mailbox, behind, up_to])?;
    while let Some(row) = rows.next()? {
        set.insert_range(uid(row.get(0)?)?, uid(row.get(1)?)?);
    }
    Ok(set)
}
