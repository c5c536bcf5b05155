//! What the tests of a store have in common.
#![allow(dead_code, reason = "each test file uses a part of it")]
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "only tests use it")]

use std::path::PathBuf;

use bytes::Bytes;
use futures::{StreamExt, TryStreamExt};
use mailstore_traits::{
    Account, AccountId, Actor, ByteRange, Flag, FlagChange, FlagOutcome, Flags, MailStore, MailboxId, MailboxName,
    MessageMeta, MetaFields, MetaFilter, Mode, Placed, Result, SizeHint, Stage, Target, Uid, UidSet,
};
use store_sqlite::{SqliteAccount, SqliteBlob, SqliteStore};

/// A folder of its own, and the path of a database in it.
pub(crate) fn folder() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("mail.db");
    (folder, path)
}

pub(crate) fn ada() -> AccountId {
    AccountId::from("ada@example.org")
}

pub(crate) async fn account(store: &SqliteStore) -> SqliteAccount {
    store.open(&ada(), &Actor::Service).await.unwrap()
}

pub(crate) async fn inbox(account: &SqliteAccount) -> MailboxId {
    account.find(&MailboxName::inbox()).await.unwrap()
}

pub(crate) fn name(name: &str) -> MailboxName {
    MailboxName::parse(name).unwrap()
}

pub(crate) fn uid(uid: u32) -> Uid {
    Uid::new(uid).unwrap()
}

pub(crate) fn uids(uids: &[u32]) -> UidSet {
    uids.iter().map(|&uid| Uid::new(uid).unwrap()).collect()
}

pub(crate) fn flags(text: &str) -> Flags {
    text.split_whitespace().map(|flag| Flag::parse(flag).unwrap()).collect()
}

/// Octets that are different at every place; made once, for a debug build takes its time over each.
pub(crate) fn octets(len: usize) -> Vec<u8> {
    static OCTETS: std::sync::OnceLock<Vec<u8>> = std::sync::OnceLock::new();
    let all = OCTETS.get_or_init(|| (0..1 << 19).map(|at: usize| (at ^ (at >> 8) ^ (at >> 16)) as u8).collect());
    all.repeat(len.div_ceil(all.len()))[..len].to_vec()
}

pub(crate) async fn blob(store: &SqliteStore, octets: &[u8]) -> SqliteBlob {
    let mut stage = store.stage(SizeHint::Unknown).await.unwrap();
    for chunk in octets.chunks(10_000) {
        stage.write(Bytes::copy_from_slice(chunk)).await.unwrap();
    }
    stage.finish(None).await.unwrap()
}

pub(crate) async fn deliver(store: &SqliteStore, octets: &[u8]) -> Result<Placed> {
    let blob = blob(store, octets).await;
    Ok(store.deliver(&blob, vec![Target::inbox(ada())], Mode::AllOrNothing).await?.remove(0).unwrap())
}

pub(crate) async fn read(account: &SqliteAccount, mailbox: &MailboxId, uid: Uid, range: ByteRange) -> Result<Vec<u8>> {
    let body = account.open_body(mailbox, uid, range).await?;
    let len = body.len();
    let chunks: Vec<Bytes> = body.try_collect().await?;
    assert!(chunks.iter().all(|chunk| chunk.len() <= 64 * 1024), "a chunk that is good to hold in memory");
    let octets = chunks.concat();
    assert_eq!(octets.len() as u64, len);
    Ok(octets)
}

pub(crate) async fn metas(account: &SqliteAccount, mailbox: &MailboxId, filter: MetaFilter) -> Vec<MessageMeta> {
    account.fetch_meta(mailbox, &UidSet::all(), MetaFields::ALL, filter).try_collect().await.unwrap()
}

pub(crate) async fn store_flags(
    account: &SqliteAccount,
    mailbox: &MailboxId,
    uids: &UidSet,
    change: FlagChange,
) -> Vec<FlagOutcome> {
    account.store_flags(mailbox, uids, change, None).map(Result::unwrap).collect().await
}

/// Looks at the database behind the store's back: nothing in it may contradict anything else. The store is closed, or
/// was killed.
pub(crate) fn check_consistency(path: &std::path::Path) {
    let conn = rusqlite::Connection::open(path).unwrap();
    let number = |sql: &str| conn.query_row(sql, [], |row| row.get::<_, i64>(0)).unwrap();
    let word: String = conn.query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
    assert_eq!(word, "ok");
    assert!(!conn.prepare("PRAGMA foreign_key_check").unwrap().exists([]).unwrap());
    for (what, sql) in [
        (
            "a mailbox's counts",
            "SELECT count(*) FROM mailbox b WHERE account IS NOT NULL AND (messages, size, unseen, deleted, recent) <> \
             (SELECT count(*), coalesce(sum(size), 0), coalesce(sum(flags & 16 = 0), 0), \
              coalesce(sum(flags & 2 <> 0), 0), coalesce(sum(uid >= b.recent_from), 0) \
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
            "an account's sums",
            "SELECT count(*) FROM account a WHERE (mailboxes, messages, size) <> \
             (SELECT count(*), coalesce(sum(messages), 0), coalesce(sum(size), 0) FROM mailbox WHERE account = a.id)",
        ),
        (
            "a body's references",
            // Grouped once: message has no index by body, and needs none.
            "SELECT count(*) FROM body b LEFT JOIN (SELECT body, count(*) AS n FROM message GROUP BY body) m \
             ON m.body = b.id WHERE refs <> coalesce(n, 0) OR (freed IS NULL) <> (refs > 0) \
             OR NOT EXISTS (SELECT 1 FROM content WHERE body = b.id)",
        ),
        ("a message's body", "SELECT count(*) FROM message WHERE body NOT IN (SELECT id FROM body)"),
        (
            "a message's size",
            "SELECT count(*) FROM message m JOIN body b ON b.id = m.body LEFT JOIN extra e ON e.message = m.id \
             WHERE m.size <> b.size + coalesce(length(e.prefix), 0)",
        ),
    ] {
        assert_eq!(number(sql), 0, "{what} are wrong");
    }
    let mut keywords = conn
        .prepare(
            "SELECT k.uses, (SELECT count(*) FROM message m WHERE m.mailbox = k.mailbox AND \
                  instr(' ' || lower(m.keywords) || ' ', ' ' || k.folded || ' ') > 0) FROM keyword k \
             JOIN mailbox b ON b.id = k.mailbox WHERE b.account IS NOT NULL",
        )
        .unwrap();
    let uses = keywords.query_map([], |row| Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?))).unwrap();
    for (counted, used) in uses.map(Result::unwrap) {
        assert_eq!(counted, used, "a keyword's uses are wrong");
    }
    let mut files =
        conn.prepare("SELECT lower(hex(key)), size FROM body JOIN content ON body = id WHERE octets IS NULL").unwrap();
    let files = files.query_map([], |row| Ok((row.get::<_, String>(0)?, row.get::<_, i64>(1)?))).unwrap();
    for (file, size) in files.map(Result::unwrap) {
        let mut folder = path.as_os_str().to_owned();
        folder.push(".bodies");
        let file = PathBuf::from(folder).join(&file[..2]).join(&file);
        assert_eq!(std::fs::metadata(&file).unwrap().len(), size as u64, "{}", file.display());
    }
}

/// How many body files there are.
pub(crate) fn body_files(path: &std::path::Path) -> usize {
    let mut folder = path.as_os_str().to_owned();
    folder.push(".bodies");
    let folders = std::fs::read_dir(folder).unwrap();
    folders.map(|folder| std::fs::read_dir(folder.unwrap().path()).unwrap().count()).sum()
}
