//! Damage that no reader sees is found, told, and mended where it can be.
#![allow(clippy::unwrap_used, reason = "it is a test")]

mod common;

use common::{account, ada, deliver, flags, folder, inbox, metas, name, octets, store_flags, uids};
use futures::executor::block_on;
use mailstore_traits::{Account, FlagChange, MailStore, MetaFilter, ModSeq};
use store_sqlite::{Options, SqliteStore};

fn open(path: &std::path::Path) -> SqliteStore {
    Options::default().open(path).unwrap()
}

/// A store in use: messages small and large, keywords, expunged messages, a second mailbox.
async fn lived_in(store: &SqliteStore) {
    let ada = account(store).await;
    let inbox = inbox(&ada).await;
    for size in [100, 200, 300, 400, 200_000] {
        deliver(store, &octets(size)).await.unwrap();
    }
    let change = FlagChange::Add(flags("\\Seen $Label1 other"));
    store_flags(&ada, &inbox, &uids(&[1, 3]), change).await;
    let archive = ada.create(&name("Archive"), None).await.unwrap().id;
    ada.copy(&inbox, &uids(&[1, 2]), &archive).await.unwrap();
    ada.expunge(&inbox, &uids(&[2]), false).await.unwrap();
}

#[test]
fn what_is_broken_is_found_mended_and_then_gone() {
    for (break_it, told) in [
        ("UPDATE mailbox SET messages = messages + 1", "mailboxes whose counts are wrong: 2"),
        ("UPDATE mailbox SET unseen = 77 WHERE name = 'INBOX'", "mailboxes whose counts are wrong: 1"),
        (
            "UPDATE mailbox SET tombstones = 9 WHERE name = 'INBOX'",
            "mailboxes whose count of expunged messages is wrong: 1",
        ),
        (
            "UPDATE mailbox SET uid_next = 2 WHERE name = 'INBOX'",
            "messages above their mailbox's UIDNEXT or HIGHESTMODSEQ: 3",
        ),
        (
            "UPDATE message SET modseq = 1000 WHERE uid = 4",
            "messages above their mailbox's UIDNEXT or HIGHESTMODSEQ: 1",
        ),
        ("UPDATE message SET size = size + 1 WHERE uid = 3", "messages whose size is wrong: 1"),
        ("UPDATE account SET size = 0", "accounts whose sums are wrong: 1"),
        ("UPDATE body SET refs = refs + 1", "bodies whose count of messages is wrong: 5"),
        ("UPDATE body SET refs = 0, freed = 5 WHERE size = 100", "bodies whose count of messages is wrong: 1"),
        ("UPDATE keyword SET uses = 9 WHERE folded = 'other'", "mailboxes whose list of keywords is wrong: 2"),
        ("DELETE FROM keyword", "mailboxes whose list of keywords is wrong: 2"),
        ("UPDATE tombstone SET first = 1, last = 4", "messages that are there and told as expunged: 1"),
        ("PRAGMA foreign_keys = OFF; DELETE FROM content WHERE body = 1", "messages whose octets are lost: 2"),
    ] {
        let (_folder, path) = folder();
        let store = open(&path);
        block_on(lived_in(&store));
        assert_eq!(block_on(store.check(true)).unwrap(), [], "nothing is wrong yet");
        block_on(store.close());
        rusqlite::Connection::open(&path).unwrap().execute_batch(break_it).unwrap();

        let store = open(&path);
        let found = block_on(store.check(false)).unwrap();
        assert!(found.iter().any(|finding| finding.what == told), "{break_it}: {found:?}");
        assert!(found.iter().all(|finding| !finding.mended), "{found:?}");
        let mended = block_on(store.check(true)).unwrap();
        assert!(mended.iter().all(|finding| finding.mended), "{break_it}: {mended:?}");
        assert_eq!(block_on(store.check(false)).unwrap(), [], "{break_it}");
        // And the store goes on.
        block_on(deliver(&store, &octets(10))).unwrap();
        assert_eq!(block_on(store.check(false)).unwrap(), [], "{break_it}");
    }
}

#[test]
fn a_message_whose_octets_are_lost_is_told_as_expunged() {
    let (_folder, path) = folder();
    let store = open(&path);
    block_on(lived_in(&store));
    let before = block_on(async {
        let ada = account(&store).await;
        ada.snapshot(&inbox(&ada).await, false).await.unwrap().highest_modseq
    });
    block_on(store.close());
    let conn = rusqlite::Connection::open(&path).unwrap();
    conn.execute_batch("PRAGMA foreign_keys = OFF; DELETE FROM content WHERE octets IS NULL").unwrap();
    drop(conn);
    let store = open(&path);
    block_on(async {
        store.check(true).await.unwrap();
        let ada = account(&store).await;
        let inbox = inbox(&ada).await;
        let changes = ada.changes_since(&inbox, before, 100).await.unwrap();
        assert_eq!((changes.vanished, changes.changed.len()), (uids(&[5]), 0));
        assert_eq!(metas(&ada, &inbox, MetaFilter::default()).await.len(), 3);
    });
}

#[test]
fn who_cannot_be_told_exactly_what_went_is_told_so() {
    let (_folder, path) = folder();
    let store = open(&path);
    block_on(lived_in(&store));
    block_on(store.close());
    let conn = rusqlite::Connection::open(&path).unwrap();
    conn.execute_batch("UPDATE tombstone SET first = 1, last = 4").unwrap();
    drop(conn);
    let store = open(&path);
    block_on(async {
        store.check(true).await.unwrap();
        let ada = store.open(&ada(), &mailstore_traits::Actor::Service).await.unwrap();
        let inbox = inbox(&ada).await;
        let told = ada.changes_since(&inbox, ModSeq::MIN, 100).await.unwrap_err();
        assert_eq!(told.kind(), mailstore_traits::ErrorKind::ModSeqTooOld);
    });
}
