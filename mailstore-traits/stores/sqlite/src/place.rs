//! Putting messages into mailboxes, inside one transaction.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use mailstore_traits::{
    AccountId, ErrorKind, Flags, Keyword, MessageDigest, ModSeq, Mode, Placed, StoreError, TargetMailbox, Timestamp,
    Uid, UidSet,
};
use rusqlite::{OptionalExtension, params};

use crate::codec::{Key, bits, int, random_key};
use crate::error::{Fault, Outcome};
use crate::ledger::{Counted, Ledger};
use crate::mailboxes::{create, ensure_account, find};
use crate::options::Options;
use crate::outside::Prepared;
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
    /// Where it has been written, if messages lie outside the database.
    pub(crate) prepared: Option<Arc<dyn Prepared>>,
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
    let uid = ledger.take_uid(arrival.uid)?;
    let flags = bits(&arrival.flags);
    let text = arrival.flags.keywords().map(Keyword::as_str).collect::<Vec<_>>().join(" ");
    let keywords = ledger.keywords_came(tx, options, &text)?;
    let date = arrival.internal_date.unwrap_or(Timestamp::from_unix(tx.now));
    // One email id stands for one content (RFC 8474 §5.1), and with a prefix in front it is another content.
    let email = if arrival.prefix.is_empty() { arrival.blob.key() } else { random_key()? };
    let body = if tx.is_outside() && !arrival.prefix.is_empty() {
        // What is in front is part of the file, and a copy of the file has it too.
        insert_body(tx, &email, size, None, None)?
    } else {
        add_body(tx, &arrival.blob)?
    };
    let uidl = arrival.uidl;
    let message = Row { uid, modseq, bits: flags, keywords, date, size, body, email, uidl }.insert(tx, ledger.row)?;
    if let Some(prepared) = &arrival.prepared {
        prepared.enter(tx.conn, message)?;
    }
    if !arrival.prefix.is_empty() || arrival.digest.is_some() {
        let (version, digest) = columns(arrival.digest.as_ref());
        tx.conn
            .prepare_cached("INSERT INTO extra (message, digest_version, digest, prefix) VALUES (?, ?, ?, ?)")?
            .execute(params![message, version, digest, if tx.is_outside() { &[] } else { &*arrival.prefix }])?;
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
    let octets = blob.octets().filter(|_| !tx.is_outside()).map(|octets| &**octets);
    insert_body(tx, &blob.key(), blob.size(), blob.digest(), octets)
}

/// The row of a new body, with one reference. Octets that are not given lie in a file.
pub(crate) fn insert_body(
    tx: &Tx<'_>,
    key: &Key,
    size: u64,
    digest: Option<&MessageDigest>,
    octets: Option<&[u8]>,
) -> Outcome<i64> {
    tx.conn.prepare_cached("INSERT INTO body (key, size, refs) VALUES (?, ?, 1)")?.execute(params![key, int(size)])?;
    let row = tx.conn.last_insert_rowid();
    let (version, digest) = columns(digest);
    tx.conn
        .prepare_cached("INSERT INTO content (body, digest_version, digest, octets) VALUES (?, ?, ?, ?)")?
        .execute(params![row, version, digest, octets])?;
    Ok(row)
}

/// A row of the table `message` that is still to be made.
pub(crate) struct Row {
    pub(crate) uid: Uid,
    pub(crate) modseq: ModSeq,
    pub(crate) bits: i64,
    pub(crate) keywords: String,
    pub(crate) date: Timestamp,
    pub(crate) size: u64,
    pub(crate) body: i64,
    pub(crate) email: Key,
    pub(crate) uidl: Option<String>,
}

impl Row {
    pub(crate) fn insert(self, tx: &Tx<'_>, mailbox: i64) -> Outcome<i64> {
        tx.conn
            .prepare_cached(
                "INSERT INTO message (mailbox, uid, modseq, flags, keywords, received, zone, saved, size, body, email, \
                 uidl) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            )?
            .execute(params![
                mailbox,
                self.uid.value(),
                int(self.modseq.value()),
                self.bits,
                self.keywords,
                self.date.unix_seconds(),
                self.date.offset_minutes(),
                tx.now,
                int(self.size),
                self.body,
                self.email,
                self.uidl,
            ])?;
        Ok(tx.conn.last_insert_rowid())
    }
}
