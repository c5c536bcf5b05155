//! Messages as they are read: metadata page by page, and the change feed.

use bytes::Bytes;
use mailstore_traits::backend::columns::{
    DELETED, FLAGGED, SEEN, bits, count, email_id, flags, int, modseq, timestamp, uid,
};
use mailstore_traits::{
    Changed, Changes, ErrorKind, MailboxId, MessageDigest, MessageMeta, MetaFields, MetaFilter, ModSeq, Uid, UidSet,
};
use tokio_postgres::Row;

use crate::content::Content;
use crate::error::{Outcome, corrupt};
use crate::mailboxes::row_of;
use crate::pool::Tx;
use crate::transfer::ranges;

/// How many messages are read in one go: no transaction outlives it.
const PAGE: i64 = 256;

/// Up to how many changed messages are looked up by modification sequence; with more, all are looked through.
const FEW: i64 = 10_000;

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

macro_rules! page {
    ($digest:literal, $joins:literal, $narrowed:literal) => {
        concat!(
            "SELECT m.uid, m.modseq, m.flags, m.keywords, m.received, m.zone, m.saved, m.size, m.email, m.uidl",
            $digest,
            " FROM unnest($2::bigint[], $3::bigint[]) AS r (first, last) CROSS JOIN LATERAL \
             (SELECT * FROM message WHERE mailbox = $1 AND uid BETWEEN r.first AND r.last AND modseq > $4 \
              AND flags & $5 = $5 AND flags & $6 = 0 ",
            $narrowed,
            " ORDER BY uid LIMIT $7) m ",
            $joins,
            " ORDER BY m.uid LIMIT $7"
        )
    };
}

macro_rules! pages {
    ($digest:literal, $joins:literal) => {
        // The rarest of what the indices hold comes first.
        [
            page!($digest, $joins, "AND flags & 2 <> 0"),
            page!($digest, $joins, "AND flags & 8 <> 0"),
            page!($digest, $joins, "AND flags & 16 = 0"),
            page!($digest, $joins, ""),
        ]
    };
}

const PLAIN: [&str; 4] = pages!("", "");
const WITH_DIGEST: [&str; 4] = pages!(
    ", coalesce(e.digest_version, b.digest_version), coalesce(e.digest, b.digest)",
    "LEFT JOIN extra e ON e.message = m.id LEFT JOIN body b ON b.id = m.body"
);

/// The next page; the cursor comes back unless it was the last one.
pub(crate) async fn page(tx: &Tx, mut cursor: Cursor) -> Outcome<(Vec<MessageMeta>, Option<Cursor>)> {
    let mailbox = row_of(tx, cursor.account, &cursor.mailbox).await?;
    if cursor.next.is_none()
        && let Some(since) = cursor.filter.changed_since
        && let Some(few) = few_changed(tx, mailbox, since).await?
    {
        cursor.uids = cursor.uids.intersection(&few);
    }
    let since = cursor.filter.changed_since.map_or(0, |since| int(since.value()));
    let (with, without) = (bits(&cursor.filter.with), bits(&cursor.filter.without));
    let [deleted, flagged, unseen, all] = if cursor.fields.digest { WITH_DIGEST } else { PLAIN };
    let sql = match () {
        () if with & DELETED != 0 => deleted,
        () if with & FLAGGED != 0 => flagged,
        () if without & SEEN != 0 => unseen,
        () => all,
    };
    let (firsts, lasts, rest) = ranges(&cursor.uids, cursor.next.unwrap_or(0), PAGE);
    if firsts.is_empty() {
        return Ok((Vec::new(), None));
    }
    let rows = tx.query(sql, &[&mailbox, &firsts, &lasts, &since, &with, &without, &PAGE]).await?;
    let found = rows.iter().map(|row| meta(row, cursor.fields)).collect::<Outcome<Vec<_>>>()?;
    cursor.next = match found.last() {
        Some(last) if int(found.len() as u64) >= PAGE => Some(i64::from(last.uid.value()).saturating_add(1)),
        _ => rest,
    };
    let more = cursor.next.is_some();
    Ok((found, more.then_some(cursor)))
}

/// What has changed since, by the index, so that a client that polls costs what has changed and not the mailbox.
async fn few_changed(tx: &Tx, mailbox: i64, since: ModSeq) -> Outcome<Option<UidSet>> {
    let changed = tx
        .query(
            "SELECT uid FROM message WHERE mailbox = $1 AND modseq > $2 ORDER BY modseq LIMIT $3",
            &[&mailbox, &int(since.value()), &FEW.saturating_add(1)],
        )
        .await?;
    if int(changed.len() as u64) > FEW {
        return Ok(None);
    }
    let mut changed: Vec<i64> = changed.iter().map(|row| row.get(0)).collect();
    changed.sort_unstable();
    Ok(Some(changed.into_iter().map(uid).collect::<Outcome<_>>()?))
}

fn meta(row: &Row, fields: MetaFields) -> Outcome<MessageMeta> {
    let date = timestamp(row.get(4), row.get(5));
    let mut meta =
        MessageMeta::new(uid(row.get(0))?, modseq(row.get(1))?, count(row.get(7)), date, email_id(row.get(8))?);
    meta.save_date = Some(timestamp(row.get(6), 0));
    if fields.flags {
        meta.flags = flags(row.get(2), row.get(3))?;
    }
    if fields.uidl {
        meta.uidl = row.get(9);
    }
    if fields.digest
        && let (Some(version), Some(octets)) = (row.get::<_, Option<i64>>(10), row.get::<_, Option<Vec<u8>>>(11))
    {
        let version = u16::try_from(version).map_err(|_| corrupt("a digest's version that is none"))?;
        meta.digest = Some(MessageDigest::new(version, octets));
    }
    Ok(meta)
}

/// A message's prefix, the row of its body, and where the octets are.
pub(crate) async fn find_body(
    tx: &Tx,
    account: i64,
    id: &MailboxId,
    message: Uid,
) -> Outcome<(Bytes, i64, Content, u64)> {
    let mailbox = row_of(tx, account, id).await?;
    let row = tx
        .query_opt(
            "SELECT e.prefix, b.id, b.content, b.object, b.size FROM message m JOIN body b ON b.id = m.body \
             LEFT JOIN extra e ON e.message = m.id WHERE m.mailbox = $1 AND m.uid = $2",
            &[&mailbox, &i64::from(message.value())],
        )
        .await?
        .ok_or(ErrorKind::Expunged)?;
    let prefix: Option<Vec<u8>> = row.get(0);
    let content = match row.get::<_, Option<String>>(3) {
        Some(object) => Content::Object(object),
        None => Content::Chunks(row.get(2)),
    };
    Ok((prefix.unwrap_or_default().into(), row.get(1), content, count(row.get(4))))
}

/// Keeps a digest made anew.
pub(crate) async fn put_digest(
    tx: &Tx,
    account: i64,
    id: &MailboxId,
    message: Uid,
    digest: &MessageDigest,
) -> Outcome<()> {
    let mailbox = row_of(tx, account, id).await?;
    // Locked, so that it is not expunged before the digest has its row.
    let sql = "SELECT id FROM message WHERE mailbox = $1 AND uid = $2 FOR KEY SHARE";
    let row = tx.query_opt(sql, &[&mailbox, &i64::from(message.value())]).await?.ok_or(ErrorKind::Expunged)?;
    tx.execute(
        "INSERT INTO extra (message, digest_version, digest, prefix) VALUES ($1, $2, $3, '') \
         ON CONFLICT (message) DO UPDATE SET digest_version = excluded.digest_version, digest = excluded.digest",
        &[&row.get::<_, i64>(0), &i64::from(digest.version), &&*digest.octets],
    )
    .await
    .map(drop)
}

/// A page of what has happened since.
pub(crate) async fn changes_since(
    tx: &Tx,
    account: i64,
    id: &MailboxId,
    since: ModSeq,
    page: usize,
) -> Outcome<Changes> {
    let sql = "SELECT id, modseq, floor FROM mailbox WHERE object_id = $1 AND account = $2";
    let row = tx.query_one(sql, &[&id.as_str(), &account]).await?;
    let (mailbox, high, floor): (i64, i64, i64) = (row.get(0), row.get(1), row.get(2));
    let asked = int(since.value());
    // One from the future was given out by another life of this mailbox: what came since nobody knows.
    if asked < floor || asked > high {
        return Err(ErrorKind::ModSeqTooOld.into());
    }
    let page = int(page.max(1) as u64);
    // The modification sequence at which the page is full; it is told whole.
    let full = tx
        .query_opt(
            "SELECT modseq FROM ( \
               (SELECT modseq FROM message WHERE mailbox = $1 AND modseq > $2 ORDER BY modseq LIMIT $3) UNION ALL \
               (SELECT modseq FROM tombstone WHERE mailbox = $1 AND modseq > $2 ORDER BY modseq LIMIT $3)) AS both_kinds \
             ORDER BY modseq LIMIT 1 OFFSET $3 - 1",
            &[&mailbox, &asked, &page],
        )
        .await?;
    let up_to = full.map_or(high, |row| row.get(0));
    let mut changes = Changes::none(modseq(up_to)?);
    changes.more = up_to < high;
    let changed = tx
        .query(
            "SELECT uid, modseq, flags, keywords FROM message \
             WHERE mailbox = $1 AND modseq > $2 AND modseq <= $3 ORDER BY modseq, uid",
            &[&mailbox, &asked, &up_to],
        )
        .await?;
    for row in changed {
        changes.changed.push(Changed::new(uid(row.get(0))?, modseq(row.get(1))?, flags(row.get(2), row.get(3))?));
    }
    changes.vanished = vanished(tx, mailbox, asked, up_to).await?;
    Ok(changes)
}

/// What vanished behind one modification sequence, and up to another.
pub(crate) async fn vanished(tx: &Tx, mailbox: i64, behind: i64, up_to: i64) -> Outcome<UidSet> {
    let sql = "SELECT first, last FROM tombstone WHERE mailbox = $1 AND modseq > $2 AND modseq <= $3";
    let mut set = UidSet::new();
    for row in tx.query(sql, &[&mailbox, &behind, &up_to]).await? {
        set.insert_range(uid(row.get(0))?, uid(row.get(1))?);
    }
    Ok(set)
}
