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
    let store = store_sqlite::Options::default().shared().open(path).unwrap();
    assert_eq!(futures::executor::block_on(store.check(false)).unwrap(), []);
    drop(store);
    let conn = rusqlite::Connection::open(path).unwrap();
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
