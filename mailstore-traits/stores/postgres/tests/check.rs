//! Damage that no reader sees is found, told, and mended where it can be, while the servers work.
#![allow(clippy::unwrap_used, clippy::print_stderr, reason = "tests")]

mod common;
mod server;

use common::*;
use futures::TryStreamExt;
use mailstore_traits::{Account, ErrorKind, FlagChange, MailStore, ModSeq, Uid, UidSet};
use server::{connect, server};
use store_postgres::PostgresStore;

fn set(uids: &[u32]) -> UidSet {
    uids.iter().map(|uid| Uid::new(*uid).unwrap()).collect()
}

/// A store in use: messages small and large, keywords, expunged messages, a second mailbox.
async fn lived_in(store: &PostgresStore) {
    let ada = account(store).await;
    let inbox = inbox(&ada).await;
    for (seed, size) in [(1, 100), (2, 200), (3, 300), (4, 400), (5, 200_000)] {
        deliver(store, &octets(seed, size)).await.unwrap();
    }
    let change = FlagChange::Add(flags("\\Seen $Label1 other"));
    ada.store_flags(&inbox, &set(&[1, 3]), change, None).try_for_each(|_| async { Ok(()) }).await.unwrap();
    let archive = ada.create(&name("Archive"), None).await.unwrap().id;
    ada.copy(&inbox, &set(&[1, 2]), &archive).await.unwrap();
    ada.expunge(&inbox, &set(&[2]), false).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_broken_is_found_mended_and_then_gone() {
    let Some(server) = server() else { return };
    for (break_it, told) in [
        ("UPDATE mailbox SET messages = messages + 1", "mailboxes whose counts are wrong: 2"),
        ("UPDATE mailbox SET unseen = 77 WHERE name = 'INBOX'", "mailboxes whose counts are wrong: 1"),
        ("UPDATE mailbox SET size = 0 WHERE name = 'INBOX'", "mailboxes whose counts are wrong: 1"),
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
        ("UPDATE keyword SET uses = 9 WHERE folded = 'other'", "mailboxes whose list of keywords is wrong: 2"),
        ("DELETE FROM keyword", "mailboxes whose list of keywords is wrong: 2"),
        (
            "INSERT INTO keyword SELECT id, 'nobodys', 'Nobodys', 1 FROM mailbox WHERE name = 'INBOX'",
            "mailboxes whose list of keywords is wrong: 1",
        ),
        ("UPDATE tombstone SET first = 1, last = 4", "messages that are there and told as expunged: 1"),
        (
            "INSERT INTO chunk VALUES ('left', 0, 'over'), ('left', 1, 'over')",
            "contents that neither a body nor the list of staged ones names: 1",
        ),
        (
            "INSERT INTO body (hash, size, content) VALUES (sha256(''), 0, 'none')",
            "bodies that no message has and that nobody would clear away: 1",
        ),
        (
            "INSERT INTO lease VALUES (0, 'token', clock_timestamp(), clock_timestamp())",
            "leases of mailboxes that are not there: 1",
        ),
    ] {
        let url = server.database().await;
        let store = open(&url).await;
        lived_in(&store).await;
        assert_eq!(store.check(true).await.unwrap(), [], "nothing is wrong yet");
        connect(&url).await.batch_execute(break_it).await.unwrap();

        let found = store.check(false).await.unwrap();
        assert!(found.iter().any(|finding| finding.what == told), "{break_it}: {found:?}");
        assert!(found.iter().all(|finding| !finding.mended), "{found:?}");
        let mended = store.check(true).await.unwrap();
        assert!(mended.iter().all(|finding| finding.mended), "{break_it}: {mended:?}");
        assert_eq!(store.check(false).await.unwrap(), [], "{break_it}");
        // And the store goes on.
        deliver(&store, &octets(9, 10)).await.unwrap();
        assert_eq!(store.check(false).await.unwrap(), [], "{break_it}");
        check_consistency(&url).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn octets_that_are_lost_are_told_and_their_message_is_left() {
    let Some(server) = server() else { return };
    let url = server.database().await;
    let store = open(&url).await;
    lived_in(&store).await;
    let break_it = "DELETE FROM chunk WHERE n = 1; UPDATE chunk SET octets = set_byte(octets, 7, get_byte(octets, 7) # 1) \
                    WHERE content = (SELECT content FROM body WHERE size = 100)";
    connect(&url).await.batch_execute(break_it).await.unwrap();
    let found = store.check(true).await.unwrap();
    let told: Vec<_> = found.iter().map(|finding| finding.what.as_str()).collect();
    assert_eq!(
        told,
        [
            "ada@example.org's Archive, UID 1: its octets are not those that came",
            "ada@example.org's INBOX, UID 1: its octets are not those that came",
            "ada@example.org's INBOX, UID 5: its octets are lost",
        ]
    );
    assert!(
        found.iter().all(|finding| !finding.mended),
        "nobody but their owner can say whether they are worth keeping"
    );
    let ada = account(&store).await;
    assert_eq!(uids(&ada, &inbox(&ada).await).await, set(&[1, 3, 4, 5]));
}

#[tokio::test(flavor = "multi_thread")]
async fn who_cannot_be_told_exactly_what_went_is_told_so() {
    let Some(server) = server() else { return };
    let url = server.database().await;
    let store = open(&url).await;
    lived_in(&store).await;
    connect(&url).await.batch_execute("UPDATE tombstone SET first = 1, last = 4").await.unwrap();
    store.check(true).await.unwrap();
    let ada = account(&store).await;
    let told = ada.changes_since(&inbox(&ada).await, ModSeq::MIN, 100).await.unwrap_err();
    assert_eq!(told.kind(), ErrorKind::ModSeqTooOld);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_another_node_is_at_is_no_damage() {
    let Some(server) = server() else { return };
    let url = server.database().await;
    let (one, other) = (open(&url).await, open(&url).await);
    let writer = tokio::spawn(async move {
        let ada = account(&other).await;
        let inbox = inbox(&ada).await;
        for seed in 0..40 {
            let uid = deliver(&other, &octets(seed, 70_000)).await.unwrap().uid;
            if seed % 2 == 0 {
                ada.expunge(&inbox, &uid.into(), false).await.unwrap();
            }
        }
    });
    let mut looks = 0;
    while !writer.is_finished() || looks == 0 {
        assert_eq!(one.check(looks % 2 == 1).await.unwrap(), []);
        looks += 1;
    }
    writer.await.unwrap();
    assert_eq!(one.check(false).await.unwrap(), []);
}
