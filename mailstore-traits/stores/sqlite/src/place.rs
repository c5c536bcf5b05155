//! Putting messages into mailboxes, inside one transaction.

use std::collections::BTreeMap;

use bytes::Bytes;
use mailstore_traits::{
    AccountId, ErrorKind, Flags, Keyword, MessageDigest, ModSeq, Mode, Placed, StoreError, TargetMailbox, Timestamp,
    Uid, UidSet,
};
use rusqlite::{OptionalExtension, params};

use crate::codec::{bits, int, random_key};
use crate::error::{Fault, Outcome};
use crate::ledger::{Counted, Ledger};
use crate::mailboxes::{create, ensure_account, find};
use crate::options::Options;
use crate::stage::SqliteBlob;
use crate::transfer::remove;
use crate::writer::Tx;

/// Whose mailbox: a delivery may be to an account that is not there yet.
pub(crate) enum Owner {
    Row(i64),
    Name(AccountId),
}

/// One message for one mailbox: what `commit` and `deliver` have in common.
pub(crate) struct Arrival {
    pub(crate) owner: Owner,
    pub(crate) mailbox: TargetMailbox,
    pub(crate) blob: SqliteBlob,
    pub(crate) prefix: Bytes,
    pub(crate) digest: Option<MessageDigest>,
    pub(crate) flags: Flags,
    pub(crate) internal_date: Option<Timestamp>,
    pub(crate) replaces: Option<Uid>,
    pub(crate) uid: Option<Uid>,
    pub(crate) uidl: Option<String>,
}

/// Places all of them. What one call puts into one mailbox has one modification sequence.
pub(crate) fn place_all(
    tx: &mut Tx<'_>,
    options: &Options,
    arrivals: Vec<Arrival>,
    mode: Mode,
) -> Outcome<Vec<Result<Placed, StoreError>>> {
    let mut stamps = BTreeMap::new();
    let mut answers = Vec::with_capacity(arrivals.len());
    for arrival in arrivals {
        if mode == Mode::AllOrNothing {
            answers.push(Ok(place(tx, options, arrival, &mut stamps)?));
            continue;
        }
        tx.conn.prepare_cached("SAVEPOINT target")?.execute([])?;
        match place(tx, options, arrival, &mut stamps) {
            Ok(placed) => answers.push(Ok(placed)),
            // After such a failure SQLite itself may have rolled back everything: the call as a whole has failed.
            Err(Fault::Sql(error)) => return Err(error.into()),
            Err(Fault::Store(error)) => {
                tx.conn.prepare_cached("ROLLBACK TO target")?.execute([])?;
                answers.push(Err(error));
            }
        }
        tx.conn.prepare_cached("RELEASE target")?.execute([])?;
    }
    Ok(answers)
}

fn place(tx: &mut Tx<'_>, options: &Options, arrival: Arrival, stamps: &mut BTreeMap<i64, ModSeq>) -> Outcome<Placed> {
    if arrival.uidl.as_deref().is_some_and(|uidl| !is_unique_id(uidl)) {
        return Err(StoreError::new(ErrorKind::Invalid, "a unique-id that RFC 1939 §7 forbids").into());
    }
    let account = match &arrival.owner {
        Owner::Row(row) => *row,
        Owner::Name(name) => ensure_account(tx, name)?,
    };
    let id = match &arrival.mailbox {
        TargetMailbox::Inbox => find(tx.conn, account, &mailstore_traits::MailboxName::inbox())?,
        TargetMailbox::Id(id) => id.clone(),
        TargetMailbox::Named(name) => match find(tx.conn, account, name) {
            Err(Fault::Store(error)) if error.kind() == ErrorKind::NotFound => {
                create(tx, options, account, name, None)?.id
            }
            found => found?,
        },
        _ => return Err(ErrorKind::Unsupported.into()),
    };
    let mut ledger = Ledger::load(tx, account, &id)?;
    let modseq = match stamps.get(&ledger.row) {
        Some(&stamp) => stamp,
        None => ledger.bump()?,
    };
    let size = (arrival.prefix.len() as u64).saturating_add(arrival.blob.size());
    let replaced = match arrival.replaces {
        Some(uid) => {
            let replaced = UidSet::from(uid);
            if remove(tx, &mut ledger, &replaced, false)?.is_empty() {
                return Err(ErrorKind::Expunged.into());
            }
            replaced
        }
        None => UidSet::new(),
    };
    ledger.check_quota(tx, 1, size)?;
    let body = add_body(tx, &arrival.blob)?;
    let uid = ledger.take_uid(arrival.uid)?;
    let flags = bits(&arrival.flags);
    let text = arrival.flags.keywords().map(Keyword::as_str).collect::<Vec<_>>().join(" ");
    let keywords = ledger.keywords_came(tx, options, &text)?;
    let date = arrival.internal_date.unwrap_or(Timestamp::from_unix(tx.now));
    // One email id stands for one content (RFC 8474 §5.1), and with a prefix in front it is another content.
    let email = if arrival.prefix.is_empty() { arrival.blob.key() } else { random_key()? };
    tx.conn
        .prepare_cached(
            "INSERT INTO message (mailbox, uid, modseq, flags, keywords, received, zone, saved, size, body, email, \
             uidl) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        )?
        .execute(params![
            ledger.row,
            uid.value(),
            int(modseq.value()),
            flags,
            keywords,
            date.unix_seconds(),
            date.offset_minutes(),
            tx.now,
            int(size),
            body,
            email,
            arrival.uidl,
        ])?;
    if !arrival.prefix.is_empty() || arrival.digest.is_some() {
        let message = tx.conn.last_insert_rowid();
        let (version, digest) = columns(arrival.digest.as_ref());
        tx.conn
            .prepare_cached("INSERT INTO extra (message, digest_version, digest, prefix) VALUES (?, ?, ?, ?)")?
            .execute(params![message, version, digest, &*arrival.prefix])?;
    }
    ledger.came(Counted { uid: i64::from(uid.value()), flags, size: int(size) });
    ledger.bury(tx, modseq, &replaced)?;
    stamps.insert(ledger.row, modseq);
    let placed = Placed::new(id, ledger.uid_validity, uid, modseq);
    ledger.save(tx, options)?;
    Ok(placed)
}

/// RFC 1939 §7: 1 to 70 octets of `!` to `~`.
fn is_unique_id(uidl: &str) -> bool {
    (1..=70).contains(&uidl.len()) && uidl.bytes().all(|octet| octet.is_ascii_graphic())
}

pub(crate) fn columns(digest: Option<&MessageDigest>) -> (Option<u16>, Option<&[u8]>) {
    (digest.map(|digest| digest.version), digest.map(|digest| &*digest.octets))
}

/// The row of a blob's body with one more reference: the row is made with the first placement.
fn add_body(tx: &Tx<'_>, blob: &SqliteBlob) -> Outcome<i64> {
    let known: Option<i64> = tx
        .conn
        .prepare_cached("UPDATE body SET refs = refs + 1, freed = NULL WHERE key = ? RETURNING id")?
        .query_row([blob.key()], |row| row.get(0))
        .optional()?;
    if let Some(row) = known {
        return Ok(row);
    }
    tx.conn
        .prepare_cached("INSERT INTO body (key, size, refs) VALUES (?, ?, 1)")?
        .execute(params![blob.key(), int(blob.size())])?;
    let row = tx.conn.last_insert_rowid();
    let (version, digest) = columns(blob.digest());
    tx.conn
        .prepare_cached("INSERT INTO content (body, digest_version, digest, octets) VALUES (?, ?, ?, ?)")?
        .execute(params![row, version, digest, blob.octets().map(|octets| &**octets)])?;
    Ok(row)
}
