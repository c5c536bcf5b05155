//! Large bodies in a folder of objects.
#![cfg(feature = "object-store")]
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::print_stderr, reason = "tests")]

mod common;
mod server;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use common::*;
use mailstore_traits::{Account, ErrorKind, MailStore, SizeHint, Stage};
use object_store::ObjectStoreExt;
use object_store::memory::InMemory;
use server::{connect, server};
use store_postgres::{Options, PostgresStore};

/// Files below a folder, by their path in it, with their octets.
fn files(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut ahead = vec![folder.to_owned()];
    while let Some(next) = ahead.pop() {
        for entry in std::fs::read_dir(next).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                ahead.push(path);
            } else {
                found.insert(path.strip_prefix(folder).unwrap().to_owned(), std::fs::read(&path).unwrap());
            }
        }
    }
    found
}

fn options(folder: &Path) -> Options {
    Options::default().body_grace(Duration::ZERO).object_folder(folder).unwrap()
}

/// The hash that PostgreSQL makes of octets.
async fn sha256(client: &tokio_postgres::Client, octets: &[u8]) -> String {
    client.query_one("SELECT encode(sha256($1), 'hex')", &[&octets]).await.unwrap().get(0)
}

#[tokio::test(flavor = "multi_thread")]
async fn an_object_is_named_by_its_hash_and_goes_when_its_last_message_has() {
    let Some(server) = server() else { return };
    let url = server.database().await;
    let folder = tempfile::tempdir().unwrap();
    let store = PostgresStore::connect(&url, options(folder.path())).await.unwrap();
    let client = connect(&url).await;
    let account = account(&store).await;
    let inbox = inbox(&account).await;
    // Of one part, and of three.
    for (seed, size) in [(1, 100_000), (2, 11 * 1024 * 1024)] {
        let message = octets(seed, size);
        let uid = deliver(&store, &message).await.unwrap().uid;
        let there = files(folder.path());
        let (name, octets) = there.first_key_value().unwrap();
        assert_eq!(there.len(), 1, "{:?}", there.keys());
        assert!(*octets == message);
        let hash = sha256(&client, &message).await;
        assert!(name.to_str().unwrap().starts_with(&format!("{}/{hash}.", &hash[..2])), "{name:?} is not {hash}");
        // The same octets once more are no object more.
        let again = deliver(&store, &message).await.unwrap().uid;
        assert!(read(&account, &inbox, uid).await.unwrap() == message);
        account.expunge(&inbox, &uid.into(), false).await.unwrap();
        store.collect().await.unwrap();
        assert!(read(&account, &inbox, again).await.unwrap() == message);
        account.expunge(&inbox, &again.into(), false).await.unwrap();
        tokio::time::timeout(Duration::from_secs(30), async {
            while !files(folder.path()).is_empty() {
                store.collect().await.unwrap();
            }
        })
        .await
        .expect("it is collected");
    }
    // Small ones are none.
    deliver(&store, &octets(3, 64 * 1024)).await.unwrap();
    assert!(files(folder.path()).is_empty());
    check_consistency(&url).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_crash_leaves_in_the_folder_is_cleared_away() {
    let Some(server) = server() else { return };
    let url = server.database().await;
    let folder = tempfile::tempdir().unwrap();
    let client = connect(&url).await;
    let store = PostgresStore::connect(&url, options(folder.path())).await.unwrap();
    // Never placed, and never dropped either: as if the process had been killed then.
    let whole = blob(&store, &octets(1, 200_000)).await.unwrap();
    std::mem::forget(whole);
    let mut half = store.stage(SizeHint::Unknown).await.unwrap();
    half.write(octets(2, 6 * 1024 * 1024).into()).await.unwrap();
    std::mem::forget(half);
    assert!(!files(folder.path()).is_empty());
    store.collect().await.unwrap();
    let staged = "SELECT count(*) FROM stage";
    assert_eq!(client.query_one(staged, &[]).await.unwrap().get::<_, i64>(0), 2, "not before its time");
    client.execute("UPDATE stage SET begun = begun - interval '2 days'", &[]).await.unwrap();
    store.collect().await.unwrap();
    assert_eq!(client.query_one(staged, &[]).await.unwrap().get::<_, i64>(0), 0);
    let left: Vec<_> = files(folder.path()).into_keys().collect();
    // An upload that was never completed is the object store's own to end (S3: a lifecycle rule).
    assert!(left.iter().all(|path| path.starts_with("stage")), "{left:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn bodies_stay_where_they_are_when_the_configuration_changes() {
    let Some(server) = server() else { return };
    let url = server.database().await;
    let folder = tempfile::tempdir().unwrap();
    let tables = open(&url).await;
    let objects = PostgresStore::connect(&url, options(folder.path())).await.unwrap();
    let account = account(&objects).await;
    let inbox = inbox(&account).await;
    let (one, two) = (octets(1, 300_000), octets(2, 300_000));
    let first = deliver(&tables, &one).await.unwrap().uid;
    let second = deliver(&objects, &two).await.unwrap().uid;
    assert!(read(&account, &inbox, first).await.unwrap() == one);
    assert!(read(&account, &inbox, second).await.unwrap() == two);
    // A process without the object store can do all but read from there.
    let poor = tables.open(&ada(), &mailstore_traits::Actor::Service).await.unwrap();
    assert!(read(&poor, &inbox, first).await.unwrap() == one);
    assert_eq!(read(&poor, &inbox, second).await.unwrap_err().kind(), ErrorKind::Unavailable);
    assert_eq!(told(&objects).await, Vec::<String>::new());
    assert_eq!(
        told(&tables).await,
        ["bodies in an object store, which this program was not told of and has not read: 1"]
    );
}

/// What a check of the store tells.
async fn told(store: &PostgresStore) -> Vec<String> {
    store.check(false).await.unwrap().into_iter().map(|finding| finding.what).collect()
}

/// Any store of the `object_store` crate will do; and one that has lost an object says so, rather than serve less.
#[tokio::test(flavor = "multi_thread")]
async fn an_object_that_has_gone_is_told_as_corrupt() {
    let Some(server) = server() else { return };
    let url = server.database().await;
    let memory = Arc::new(InMemory::new());
    let store =
        PostgresStore::connect(&url, Options::default().objects(Arc::<InMemory>::clone(&memory))).await.unwrap();
    let account = account(&store).await;
    let inbox = inbox(&account).await;
    let message = octets(1, 6 * 1024 * 1024);
    let uid = deliver(&store, &message).await.unwrap().uid;
    assert!(read(&account, &inbox, uid).await.unwrap() == message);
    let name: String = connect(&url).await.query_one("SELECT object FROM body", &[]).await.unwrap().get(0);
    assert_eq!(told(&store).await, Vec::<String>::new());
    let mut changed = message.clone();
    changed[5_000_000] ^= 1;
    memory.put(&name.as_str().into(), changed.into()).await.unwrap();
    assert_eq!(told(&store).await, ["ada@example.org's INBOX, UID 1: its octets are not those that came"]);
    memory.delete(&name.as_str().into()).await.unwrap();
    assert_eq!(read(&account, &inbox, uid).await.unwrap_err().kind(), ErrorKind::Corrupt);
    assert_eq!(told(&store).await, ["ada@example.org's INBOX, UID 1: its octets are lost"]);
}
