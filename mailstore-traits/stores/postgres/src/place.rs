//! Putting messages into mailboxes, inside one transaction.
//!
//! All that can keep one message out is found out in memory, under the mailboxes' locks, before anything is written: so a
//! target that fails takes nothing with it, and the rest is written in a handful of statements however many there are.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use mailstore_traits::backend::columns::{bits, int, random_key};
use mailstore_traits::{
    AccountId, ErrorKind, Flags, MailboxId, MailboxName, MessageDigest, ModSeq, Mode, Placed, Result, StoreError,
    TargetMailbox, Timestamp, Uid, UidSet,
};
use sha2::{Digest, Sha256};

use crate::content::{Content, write_chunks};
use crate::error::Outcome;
use crate::flags::text;
use crate::ledger::{Counted, Ledger};
use crate::mailboxes::{create, ensure_account, find, find_account};
use crate::options::Options;
use crate::pool::{Kind, Tx};
use crate::quota::Rooms;
use crate::stage::PostgresBlob;
use crate::store::Inner;
use crate::transfer::{Message, Which, erase, next};

/// Whose mailbox: a delivery may be to an account that is not there yet.
pub(crate) enum Owner {
    Row(i64),
    Name(AccountId),
}

/// One message for one mailbox: what `commit` and `deliver` have in common.
pub(crate) struct Arrival {
    pub(crate) owner: Owner,
    pub(crate) mailbox: TargetMailbox,
    pub(crate) blob: PostgresBlob,
    pub(crate) prefix: Bytes,
    pub(crate) digest: Option<MessageDigest>,
    pub(crate) flags: Flags,
    pub(crate) internal_date: Option<Timestamp>,
    pub(crate) replaces: Option<Uid>,
    pub(crate) uid: Option<Uid>,
    pub(crate) uidl: Option<String>,
}

impl Arrival {
    /// What callers of this process who want that mailbox wait by.
    pub(crate) fn key(&self) -> String {
        let name = match &self.mailbox {
            TargetMailbox::Id(id) => return id.as_str().to_owned(),
            TargetMailbox::Named(name) => name.as_str(),
            _ => "INBOX",
        };
        match &self.owner {
            Owner::Row(row) => format!("{row}/{name}"),
            Owner::Name(account) => format!("{}/{name}", account.as_str()),
        }
    }
}

/// Places all of them. What one call puts into one mailbox has one modification sequence.
pub(crate) async fn place_all(store: &Inner, arrivals: Vec<Arrival>, mode: Mode) -> Outcome<Vec<Result<Placed>>> {
    // Accounts that are new are made first, in transactions of their own: an account without mail is no delivery.
    let mut owners = BTreeMap::new();
    for arrival in &arrivals {
        if let Owner::Name(name) = &arrival.owner
            && !owners.contains_key(name)
        {
            owners.insert(name.clone(), store.account_row(name).await?);
        }
    }
    let _turn = store.turns.take(arrivals.iter().map(Arrival::key).collect()).await;
    let mut tx = store.begin(Kind::Write).await?;
    let placed = place_in(&mut tx, &store.options, &owners, arrivals, mode).await;
    store.end(tx, placed).await
}

/// The row of an account, which is made if there is none.
pub(crate) async fn account_row(store: &Inner, name: &AccountId) -> Outcome<i64> {
    let tx = store.begin(Kind::Read).await?;
    let found = find_account(&tx, name).await;
    if let Some(row) = store.end(tx, found).await? {
        return Ok(row);
    }
    let mut tx = store.begin(Kind::Write).await?;
    let made = ensure_account(&mut tx, name).await;
    store.end(tx, made).await
}

/// An arrival and where it goes.
struct Bound {
    arrival: Arrival,
    account: i64,
    mailbox: Result<MailboxId>,
}

async fn place_in(
    tx: &mut Tx,
    options: &Options,
    owners: &BTreeMap<AccountId, i64>,
    arrivals: Vec<Arrival>,
    mode: Mode,
) -> Outcome<Vec<Result<Placed>>> {
    let mut bound = Vec::with_capacity(arrivals.len());
    let (mut accounts, mut makers) = (BTreeSet::new(), BTreeSet::new());
    for arrival in arrivals {
        let account = match &arrival.owner {
            Owner::Row(row) => *row,
            Owner::Name(name) => *owners.get(name).ok_or(ErrorKind::NotFound)?,
        };
        accounts.insert(account);
        let mailbox = match &arrival.mailbox {
            TargetMailbox::Inbox => find(tx, account, &MailboxName::inbox()).await?.ok_or(ErrorKind::NotFound.into()),
            TargetMailbox::Id(id) => Ok(id.clone()),
            TargetMailbox::Named(name) => find(tx, account, name).await?.ok_or(ErrorKind::NotFound.into()),
            _ => Err(ErrorKind::Unsupported.into()),
        };
        if matches!(arrival.mailbox, TargetMailbox::Named(_)) && mailbox.is_err() {
            makers.insert(account);
        }
        bound.push(Bound { arrival, account, mailbox });
    }
    let (accounts, makers): (Vec<i64>, Vec<i64>) = (accounts.into_iter().collect(), makers.into_iter().collect());
    let mut rooms = Rooms::lock(tx, &accounts, &makers).await?;
    for place in &mut bound {
        if let TargetMailbox::Named(name) = &place.arrival.mailbox
            && place.mailbox.is_err()
        {
            place.mailbox = match find(tx, place.account, name).await? {
                Some(id) => Ok(id),
                None => create(tx, options, place.account, name, None).await.map(|made| made.id),
            };
        }
    }
    let ids: Vec<&MailboxId> = bound.iter().filter_map(|place| place.mailbox.as_ref().ok()).collect();
    let mut ledgers: BTreeMap<MailboxId, Ledger> =
        Ledger::lock_all(tx, &ids).await?.into_iter().map(|ledger| (ledger.id.clone(), ledger)).collect();

    let mut batch = Batch::default();
    let mut stamps = BTreeMap::new();
    let mut answers = Vec::with_capacity(bound.len());
    for place in bound {
        let answer = plan(tx, options, place, &mut ledgers, &mut rooms, &mut stamps, &mut batch).await;
        match answer {
            Err(error) if mode == Mode::AllOrNothing => return Err(error),
            answer => answers.push(answer),
        }
    }
    batch.write(tx).await?;
    for (id, ledger) in ledgers {
        if stamps.contains_key(&id) {
            ledger.save(tx, options).await?;
        }
    }
    Ok(answers)
}

/// Finds a message's place, or why it has none; nothing is changed in that case.
async fn plan(
    tx: &Tx,
    options: &Options,
    place: Bound,
    ledgers: &mut BTreeMap<MailboxId, Ledger>,
    rooms: &mut Rooms,
    stamps: &mut BTreeMap<MailboxId, ModSeq>,
    batch: &mut Batch,
) -> Outcome<Placed> {
    let Bound { arrival, account, mailbox } = place;
    let id = mailbox?;
    if arrival.uidl.as_deref().is_some_and(|uidl| !is_unique_id(uidl)) {
        return Err(StoreError::new(ErrorKind::Invalid, "a unique-id that RFC 1939 §7 forbids"));
    }
    let held = ledgers.get_mut(&id).filter(|ledger| ledger.account == account).ok_or(ErrorKind::NotFound)?;
    // On a copy, which takes the other's place when all has gone well.
    let mut ledger = held.clone();
    let modseq = match stamps.get(&id) {
        Some(&stamp) => stamp,
        None => ledger.bump()?,
    };
    let replaced = match arrival.replaces {
        Some(uid) => {
            let (mut found, _) = next(tx, ledger.row, &uid.into(), 0, Which::All).await?;
            let found = found.pop().filter(|found| !batch.replaces(found.row)).ok_or(ErrorKind::Expunged)?;
            ledger.went(found.counted);
            ledger.keywords_went(&found.keywords);
            ledger.bury(modseq, UidSet::from(uid));
            Some(found)
        }
        None => None,
    };
    let size = int((arrival.prefix.len() as u64).saturating_add(arrival.blob.size()));
    let uid = ledger.take_uid(arrival.uid)?;
    let keywords = ledger.keywords_came(options, &text(&arrival.flags))?;
    let counted = Counted { uid: i64::from(uid.value()), flags: bits(&arrival.flags), size };
    ledger.came(counted);
    let freed = replaced.as_ref().map_or((0, 0), |replaced| (1, replaced.counted.size));
    rooms.take(account, 1, size, freed)?;
    let placed = Placed::new(id.clone(), ledger.uid_validity, uid, modseq);
    stamps.insert(id, modseq);
    batch.add(ledger.row, counted, modseq, keywords, arrival, tx.now);
    batch.gone.extend(replaced);
    *held = ledger;
    Ok(placed)
}

/// RFC 1939 §7: 1 to 70 octets of `!` to `~`.
fn is_unique_id(uidl: &str) -> bool {
    (1..=70).contains(&uidl.len()) && uidl.bytes().all(|octet| octet.is_ascii_graphic())
}

/// Rows to be written, column by column.
#[derive(Default)]
struct Batch {
    blobs: BTreeMap<Vec<u8>, PostgresBlob>,
    hashes: Vec<Vec<u8>>,
    mailboxes: Vec<i64>,
    uids: Vec<i64>,
    modseqs: Vec<i64>,
    flags: Vec<i64>,
    keywords: Vec<String>,
    received: Vec<i64>,
    zones: Vec<i64>,
    sizes: Vec<i64>,
    emails: Vec<Vec<u8>>,
    uidls: Vec<Option<String>>,
    extras: Vec<Extra>,
    gone: Vec<Message>,
}

struct Extra {
    mailbox: i64,
    uid: i64,
    digest: Option<MessageDigest>,
    prefix: Bytes,
}

impl Batch {
    fn replaces(&self, row: i64) -> bool {
        self.gone.iter().any(|message| message.row == row)
    }

    fn add(&mut self, mailbox: i64, counted: Counted, modseq: ModSeq, keywords: String, arrival: Arrival, now: i64) {
        let date = arrival.internal_date.unwrap_or(Timestamp::from_unix(now));
        self.mailboxes.push(mailbox);
        self.uids.push(counted.uid);
        self.modseqs.push(int(modseq.value()));
        self.flags.push(counted.flags);
        self.keywords.push(keywords);
        self.received.push(date.unix_seconds());
        self.zones.push(i64::from(date.offset_minutes()));
        self.sizes.push(counted.size);
        self.emails.push(email_key(&arrival.prefix, arrival.blob.hash()));
        self.uidls.push(arrival.uidl);
        self.hashes.push(arrival.blob.hash().to_vec());
        if !arrival.prefix.is_empty() || arrival.digest.is_some() {
            let Arrival { digest, prefix, .. } = arrival;
            self.extras.push(Extra { mailbox, uid: counted.uid, digest, prefix });
        }
        self.blobs.entry(arrival.blob.hash().to_vec()).or_insert(arrival.blob);
    }

    async fn write(self, tx: &Tx) -> Outcome<()> {
        if !self.gone.is_empty() {
            erase(tx, &self.gone).await?;
        }
        // By rising hash: two that bring the same bodies do not wait for each other in a circle.
        let mut bodies = BTreeMap::new();
        for (hash, blob) in &self.blobs {
            bodies.insert(hash, add_body(tx, blob).await?);
        }
        let body_of = |hash: &Vec<u8>| bodies.get(hash).copied().ok_or(StoreError::from(ErrorKind::Internal));
        let body_rows = self.hashes.iter().map(body_of).collect::<Outcome<Vec<i64>>>()?;
        if body_rows.is_empty() {
            return Ok(());
        }
        let made = tx
            .query(
                "INSERT INTO message (mailbox, uid, modseq, flags, keywords, received, zone, size, body, email, uidl, \
                 saved) SELECT *, $12::bigint FROM unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::bigint[], \
                 $5::text[], $6::bigint[], $7::bigint[], $8::bigint[], $9::bigint[], $10::bytea[], $11::text[]) \
                 RETURNING id, mailbox, uid",
                &[
                    &self.mailboxes,
                    &self.uids,
                    &self.modseqs,
                    &self.flags,
                    &self.keywords,
                    &self.received,
                    &self.zones,
                    &self.sizes,
                    &body_rows,
                    &self.emails,
                    &self.uidls,
                    &tx.now,
                ],
            )
            .await?;
        let rows: BTreeMap<(i64, i64), i64> = made.iter().map(|row| ((row.get(1), row.get(2)), row.get(0))).collect();
        for extra in &self.extras {
            let row = rows.get(&(extra.mailbox, extra.uid)).ok_or(ErrorKind::Internal)?;
            let (version, digest) = columns(extra.digest.as_ref());
            tx.execute(
                "INSERT INTO extra (message, digest_version, digest, prefix) VALUES ($1, $2, $3, $4)",
                &[row, &version, &digest, &&*extra.prefix],
            )
            .await?;
        }
        Ok(())
    }
}

/// One email id stands for one content (RFC 8474 §5.1), and with a prefix in front it is another content.
fn email_key(prefix: &[u8], hash: &[u8]) -> Vec<u8> {
    let mut key = if prefix.is_empty() {
        hash.to_vec()
    } else {
        let len = prefix.len() as u64;
        Sha256::new().chain_update(len.to_be_bytes()).chain_update(prefix).chain_update(hash).finalize().to_vec()
    };
    key.truncate(16);
    key
}

fn columns(digest: Option<&MessageDigest>) -> (Option<i64>, Option<&[u8]>) {
    (digest.map(|digest| i64::from(digest.version)), digest.map(|digest| &*digest.octets))
}

/// The row of a blob's body, held until the commit, so that it is not collected before the message's row names it. Octets
/// that are there already are not kept twice.
async fn add_body(tx: &Tx, blob: &PostgresBlob) -> Outcome<i64> {
    // Twice: it may be collected after the one look and before the other, and be there again.
    for _ in 0..3 {
        let sql = "SELECT id FROM body WHERE hash = $1 FOR KEY SHARE";
        if let Some(row) = tx.query_opt(sql, &[&blob.hash()]).await? {
            return Ok(row.get(0));
        }
        let object = match blob.content() {
            Content::Object(name) => Some(name),
            _ => None,
        };
        // Small ones get a new name each time: the one before may be about to be cleared away.
        let key = if matches!(blob.content(), Content::Memory(_)) { random_key()? } else { *blob.key() };
        let (version, digest) = columns(blob.digest());
        let made = tx
            .query_opt(
                "INSERT INTO body (hash, size, content, object, digest_version, digest) VALUES ($1, $2, $3, $4, $5, $6) \
                 ON CONFLICT (hash) DO NOTHING RETURNING id",
                &[&blob.hash(), &int(blob.size()), &&key[..], &object, &version, &digest],
            )
            .await?;
        let Some(made) = made else { continue };
        match blob.content() {
            Content::Memory(octets) => write_chunks(tx, &key, 0, octets).await?,
            // From now on they are the body's.
            content => {
                let taken = tx.execute("DELETE FROM stage WHERE content = $1", &[&&key[..]]).await?;
                if taken != 1 {
                    return Err(StoreError::new(ErrorKind::Unavailable, "the staged message has been cleared away"));
                }
                // They were written with no wait for a disk: a crash of the database since may have taken the last of them.
                if let Content::Chunks(_) = content {
                    let sql = "SELECT coalesce(sum(length(octets)), 0)::bigint FROM chunk WHERE content = $1";
                    let there: i64 = tx.query_one(sql, &[&&key[..]]).await?.get(0);
                    if there != int(blob.size()) {
                        return Err(StoreError::new(ErrorKind::Unavailable, "the database lost what had been staged"));
                    }
                }
            }
        }
        return Ok(made.get(0));
    }
    Err(ErrorKind::Unavailable.into())
}
