//! What the tests of this store have in common.
#![allow(dead_code, reason = "each test file uses a part of it")]

use bytes::Bytes;
use futures::TryStreamExt;
use mailstore_traits::{
    Account, AccountId, Actor, ByteRange, Flag, Flags, MailStore, MailboxId, MailboxName, Mode, Placed, Result,
    SizeHint, Stage, Target, Uid, UidSet,
};
use store_postgres::{Options, PostgresAccount, PostgresBlob, PostgresStore};

use crate::server::connect;

pub(crate) fn ada() -> AccountId {
    AccountId::from("ada@example.org")
}

pub(crate) async fn open(url: &str) -> PostgresStore {
    PostgresStore::connect(url, Options::default()).await.unwrap()
}

pub(crate) async fn account(store: &PostgresStore) -> PostgresAccount {
    store.open(&ada(), &Actor::Service).await.unwrap()
}

pub(crate) async fn inbox(account: &PostgresAccount) -> MailboxId {
    account.find(&MailboxName::inbox()).await.unwrap()
}

pub(crate) fn name(name: &str) -> MailboxName {
    MailboxName::parse(name).unwrap()
}

pub(crate) fn flags(text: &str) -> Flags {
    text.split_whitespace().map(|flag| Flag::parse(flag).unwrap()).collect()
}

/// Octets that are different at every place, and other ones for each seed.
pub(crate) fn octets(seed: u64, len: usize) -> Vec<u8> {
    let start = seed.wrapping_mul(0xd6e8_feb8_6659_fd93);
    (0..len as u64).map(|at| (start.wrapping_add(at).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40) as u8).collect()
}

pub(crate) async fn blob(store: &PostgresStore, octets: &[u8]) -> Result<PostgresBlob> {
    let mut stage = store.stage(SizeHint::Unknown).await?;
    for chunk in octets.chunks(100_000) {
        stage.write(Bytes::copy_from_slice(chunk)).await?;
    }
    stage.finish(None).await
}

pub(crate) async fn deliver(store: &PostgresStore, octets: &[u8]) -> Result<Placed> {
    let blob = blob(store, octets).await?;
    store.deliver(&blob, vec![Target::inbox(ada())], Mode::AllOrNothing).await?.remove(0)
}

pub(crate) async fn read(account: &PostgresAccount, mailbox: &MailboxId, uid: Uid) -> Result<Vec<u8>> {
    let body = account.open_body(mailbox, uid, ByteRange::WHOLE).await?;
    let len = body.len();
    let chunks: Vec<Bytes> = body.try_collect().await?;
    let octets = chunks.concat();
    assert_eq!(octets.len() as u64, len);
    Ok(octets)
}

pub(crate) async fn uids(account: &PostgresAccount, mailbox: &MailboxId) -> UidSet {
    account.snapshot(mailbox, false).await.unwrap().uids
}

/// Looks at the database behind the store's back: nothing in it may contradict anything else.
pub(crate) async fn check_consistency(url: &str) {
    let client = connect(url).await;
    for (what, sql) in [
        (
            "a mailbox's counts",
            "SELECT count(*) FROM mailbox b WHERE account IS NOT NULL AND (messages, size, unseen, deleted, recent) <> \
             (SELECT count(*), coalesce(sum(size), 0), count(*) FILTER (WHERE flags & 16 = 0), \
              count(*) FILTER (WHERE flags & 2 <> 0), count(*) FILTER (WHERE uid >= b.recent_from) \
              FROM message WHERE mailbox = b.id)",
        ),
        (
            "UIDNEXT and HIGHESTMODSEQ",
            "SELECT count(*) FROM message m JOIN mailbox b ON b.id = m.mailbox \
             WHERE m.uid >= b.uid_next OR m.modseq > b.modseq",
        ),
        (
            "tombstones",
            "SELECT count(*) FROM mailbox b WHERE account IS NOT NULL AND (tombstones <> \
             (SELECT count(*) FROM tombstone WHERE mailbox = b.id) OR EXISTS (SELECT 1 FROM tombstone t \
              JOIN message m ON m.mailbox = t.mailbox AND m.uid BETWEEN t.first AND t.last WHERE t.mailbox = b.id))",
        ),
        (
            "a message's size",
            "SELECT count(*) FROM message m JOIN body b ON b.id = m.body LEFT JOIN extra e ON e.message = m.id \
             WHERE m.size <> b.size + coalesce(length(e.prefix), 0)",
        ),
        (
            "a body's octets",
            "SELECT count(*) FROM body b WHERE object IS NULL AND size <> \
             (SELECT coalesce(sum(length(octets)), 0) FROM chunk WHERE content = b.content)",
        ),
        (
            "a body's hash",
            "SELECT count(*) FROM body b WHERE object IS NULL AND hash <> \
             (SELECT sha256(coalesce(string_agg(octets, '' ORDER BY n), '')) FROM chunk WHERE content = b.content)",
        ),
        ("what is to be cleared away", "SELECT count(*) FROM stage JOIN body USING (content)"),
        (
            "octets that nobody knows of",
            "SELECT count(*) FROM chunk WHERE content NOT IN (SELECT content FROM body) AND content NOT IN \
             (SELECT content FROM stage)",
        ),
        (
            "bodies that nobody collects",
            "SELECT count(*) FROM body WHERE id NOT IN (SELECT body FROM message) AND id NOT IN (SELECT body FROM freed)",
        ),
        (
            "a keyword's uses",
            "SELECT count(*) FROM keyword k JOIN mailbox b ON b.id = k.mailbox WHERE b.account IS NOT NULL AND k.uses <> \
             (SELECT count(*) FROM message m WHERE m.mailbox = k.mailbox AND \
              position(' ' || k.folded || ' ' IN ' ' || lower(m.keywords) || ' ') > 0)",
        ),
    ] {
        let wrong: i64 = client.query_one(sql, &[]).await.unwrap().get(0);
        assert_eq!(wrong, 0, "{what}: {wrong} wrong");
    }
}
