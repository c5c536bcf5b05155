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

/// Octets that are different at every place.
pub(crate) fn octets(len: usize) -> Vec<u8> {
    (0..len).map(|at| (at ^ (at >> 8) ^ (at >> 16)) as u8).collect()
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
