//! The store's promises, one by one.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

mod common;

use std::time::Duration;

use bytes::Bytes;
use common::*;
use futures::{FutureExt, StreamExt, TryStreamExt};
use mailstore_traits::{
    Account, AccountId, Actor, ByteRange, ErrorKind, FlagChange, ListHint, MailStore, MessageDigest, MetaFilter, Mode,
    Placement, QuotaResource, SizeHint, Stage, Target, TargetMailbox, UidSet,
};
use store_sqlite::SqliteStore;

#[tokio::test]
async fn a_message_comes_back_as_it_went_in_small_and_large() {
    let (_folder, path) = folder();
    let store = SqliteStore::open(&path).unwrap();
    let account = account(&store).await;
    let inbox = inbox(&account).await;
    for len in [0, 1, 65_535, 65_536, 65_537, 200_000] {
        let octets = octets(len);
        let placed = deliver(&store, &octets).await.unwrap();
        assert_eq!(read(&account, &inbox, placed.uid, ByteRange::WHOLE).await.unwrap(), octets, "{len}");
        for (start, wanted) in [(0, 10), (len as u64 / 2, 70_000), (len as u64, 5), (1 << 40, 5), (3, 0)] {
            let range = ByteRange::new(start, wanted).within(len as u64);
            let expected = &octets[range.start as usize..range.end as usize];
            assert_eq!(read(&account, &inbox, placed.uid, ByteRange::new(start, wanted)).await.unwrap(), expected);
        }
    }
    let sizes: Vec<_> = metas(&account, &inbox, MetaFilter::default()).await.iter().map(|meta| meta.size).collect();
    assert_eq!(sizes, [0, 1, 65_535, 65_536, 65_537, 200_000]);
}

#[tokio::test]
async fn a_prefix_stands_in_front_for_its_own_recipient_only() {
    let (_folder, path) = folder();
    let store = SqliteStore::open(&path).unwrap();
    for len in [10, 100_000] {
        let octets = octets(len);
        let blob = blob(&store, &octets).await;
        let bob = AccountId::from("bob@example.org");
        let prefixed = Target::inbox(ada()).with_prefix(Bytes::from_static(b"Received: here\r\n"), None);
        let placed =
            store.deliver(&blob, vec![prefixed, Target::inbox(bob.clone())], Mode::AllOrNothing).await.unwrap();
        let placed: Vec<_> = placed.into_iter().map(Result::unwrap).collect();
        let adas = account(&store).await;
        let bobs = store.open(&bob, &Actor::User(bob.clone())).await.unwrap();
        let whole = [b"Received: here\r\n".as_slice(), &octets].concat();
        assert_eq!(read(&adas, &placed[0].mailbox, placed[0].uid, ByteRange::WHOLE).await.unwrap(), whole);
        assert_eq!(
            read(&adas, &placed[0].mailbox, placed[0].uid, ByteRange::new(10, 20)).await.unwrap(),
            whole[10..whole.len().min(30)]
        );
        assert_eq!(read(&bobs, &placed[1].mailbox, placed[1].uid, ByteRange::WHOLE).await.unwrap(), octets);
    }
}

#[tokio::test]
async fn all_is_there_after_a_reopening() {
    let (_folder, path) = folder();
    let store = SqliteStore::open(&path).unwrap();
    let first = account(&store).await;
    let (small, large) = (octets(300), octets(300_000));
    deliver(&store, &small).await.unwrap();
    deliver(&store, &large).await.unwrap();
    let box_one = first.create(&name("Work/Ideas"), None).await.unwrap();
    first.set_subscribed(&name("Gone"), true).await.unwrap();
    let before = inbox(&first).await;
    store_flags(&first, &before, &uids(&[1]), FlagChange::Add(flags("\\Seen $Junk"))).await;
    let (shot, list) = (first.snapshot(&before, false).await.unwrap(), first.list(ListHint::default()));
    let list: Vec<_> = list.try_collect().await.unwrap();
    drop(first);
    store.close().await;

    let store = SqliteStore::open(&path).unwrap();
    let again = account(&store).await;
    assert_eq!(inbox(&again).await, before);
    assert_eq!(again.snapshot(&before, false).await.unwrap(), shot);
    assert_eq!(again.list(ListHint::default()).try_collect::<Vec<_>>().await.unwrap(), list);
    assert_eq!(again.find(&name("Work/Ideas")).await.unwrap(), box_one.id);
    assert_eq!(read(&again, &before, uid(1), ByteRange::WHOLE).await.unwrap(), small);
    assert_eq!(read(&again, &before, uid(2), ByteRange::WHOLE).await.unwrap(), large);
    let metas = metas(&again, &before, MetaFilter::default()).await;
    assert_eq!(metas[0].flags, flags("\\Seen $Junk"));
    assert_eq!(deliver(&store, b"x").await.unwrap().uid, uid(3));
}

#[tokio::test(flavor = "multi_thread")]
async fn many_deliveries_share_a_commit() {
    let (_folder, path) = folder();
    let store = SqliteStore::open(&path).unwrap();
    account(&store).await;
    let before = store.stats();
    let tasks: Vec<_> = (0..64)
        .map(|n| {
            let store = store.clone();
            tokio::spawn(async move { deliver(&store, format!("message {n}").as_bytes()).await.unwrap().uid })
        })
        .collect();
    let mut given: Vec<_> = futures::future::join_all(tasks).await.into_iter().map(Result::unwrap).collect();
    given.sort();
    given.dedup();
    assert_eq!(given.len(), 64);
    let after = store.stats();
    assert_eq!(after.works - before.works, 64);
    assert!(after.commits - before.commits <= 32, "{} commits for 64 deliveries", after.commits - before.commits);
}

#[tokio::test]
async fn one_delivery_that_fails_takes_no_other_with_it() {
    let (_folder, path) = folder();
    let store = SqliteStore::open(&path).unwrap();
    let account = account(&store).await;
    let gone = account.create(&name("Gone"), None).await.unwrap().id;
    account.delete(&gone).await.unwrap();
    let blob = blob(&store, b"hello").await;
    let targets = || {
        vec![
            Target::inbox(ada()),
            Target::inbox(ada()).with_mailbox(TargetMailbox::Id(gone.clone())),
            Target::inbox(ada()).with_mailbox(TargetMailbox::Named(name("New"))),
        ]
    };
    let whole = store.deliver(&blob, targets(), Mode::AllOrNothing).await;
    assert_eq!(whole.unwrap_err().kind(), ErrorKind::NotFound);
    assert!(account.find(&name("New")).await.is_err());
    assert!(metas(&account, &inbox(&account).await, MetaFilter::default()).await.is_empty());

    let each = store.deliver(&blob, targets(), Mode::PerTarget).await.unwrap();
    assert!(each[0].is_ok() && each[2].is_ok());
    assert_eq!(each[1].as_ref().unwrap_err().kind(), ErrorKind::NotFound);
    assert_eq!(metas(&account, &inbox(&account).await, MetaFilter::default()).await.len(), 1);
}

#[tokio::test]
async fn a_blob_that_was_never_placed_leaves_nothing() {
    let (folder, path) = folder();
    let store = SqliteStore::open(&path).unwrap();
    let files = || {
        let bodies = folder.path().join("mail.db.bodies");
        std::fs::read_dir(bodies).unwrap().flat_map(|dir| std::fs::read_dir(dir.unwrap().path()).unwrap()).count()
    };
    let finished = blob(&store, &octets(200_000)).await;
    let mut unfinished = store.stage(SizeHint::Unknown).await.unwrap();
    unfinished.write(octets(200_000).into()).await.unwrap();
    assert_eq!(files(), 2);
    drop((finished.clone(), unfinished));
    assert_eq!(
        futures::TryStreamExt::try_concat(
            store.read_blob(&finished, ByteRange::new(100_000, 5)).await.unwrap().map_ok(|chunk| chunk.to_vec())
        )
        .await
        .unwrap(),
        octets(200_000)[100_000..100_005]
    );
    drop(finished);
    for _ in 0..100 {
        if files() == 0 {
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("{} files are left", files());
}

#[tokio::test]
async fn a_body_is_collected_after_its_last_message_and_an_open_stream_completes() {
    let (folder, path) = folder();
    let store = SqliteStore::options().body_grace(Duration::ZERO).open(&path).unwrap();
    let account = account(&store).await;
    let inbox = inbox(&account).await;
    let large = octets(400_000);
    deliver(&store, &large).await.unwrap();
    account.copy(&inbox, &uids(&[1]), &inbox).await.unwrap();
    let files = || {
        let bodies = folder.path().join("mail.db.bodies");
        std::fs::read_dir(bodies).unwrap().flat_map(|dir| std::fs::read_dir(dir.unwrap().path()).unwrap()).count()
    };
    account.expunge(&inbox, &uids(&[1]), false).await.unwrap();
    tokio::time::sleep(Duration::from_millis(1500)).await;
    assert_eq!(files(), 1, "the copy still needs it");

    let mut open = account.open_body(&inbox, uid(2), ByteRange::WHOLE).await.unwrap();
    let mut got = open.next().await.unwrap().unwrap().to_vec();
    account.expunge(&inbox, &uids(&[2]), false).await.unwrap();
    for _ in 0..200 {
        if files() == 0 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(files(), 0);
    while let Some(chunk) = open.next().await {
        got.extend_from_slice(&chunk.unwrap());
    }
    assert_eq!(got, large);
    let later = account.open_body(&inbox, uid(2), ByteRange::WHOLE).await;
    assert_eq!(later.unwrap_err().kind(), ErrorKind::Expunged);
}

#[tokio::test]
async fn changing_flags_goes_on_when_nobody_listens() {
    let (_folder, path) = folder();
    let store = SqliteStore::open(&path).unwrap();
    let account = account(&store).await;
    let inbox = inbox(&account).await;
    let blob = blob(&store, b"x").await;
    let placements = (0..5000).map(|_| Placement::new(blob.clone(), inbox.clone())).collect();
    account.commit(placements, Mode::AllOrNothing).await.unwrap();
    drop(account.store_flags(&inbox, &mailstore_traits::UidSet::all(), FlagChange::Add(flags("\\Seen")), None));
    let mut part =
        Box::pin(account.store_flags(&inbox, &mailstore_traits::UidSet::all(), FlagChange::Add(flags("$Done")), None));
    part.next().await.unwrap().unwrap();
    drop(part);
    for _ in 0..500 {
        let status = account.status(std::slice::from_ref(&inbox)).await.unwrap().remove(0);
        let all = metas(&account, &inbox, MetaFilter::default()).await;
        if status.unseen == 0 && all.iter().all(|meta| meta.flags == flags("\\Seen $Done")) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("flags are not carried out in full");
}

#[tokio::test]
async fn digests_are_kept_and_may_be_made_anew() {
    let (_folder, path) = folder();
    let store = SqliteStore::open(&path).unwrap();
    let account = account(&store).await;
    let inbox = inbox(&account).await;
    let mut stage = store.stage(SizeHint::Octets(5)).await.unwrap();
    stage.write("hello".into()).await.unwrap();
    let blob = stage.finish(Some(MessageDigest::new(1, "one"))).await.unwrap();
    let own = MessageDigest::new(2, "own");
    let targets = vec![
        Target::inbox(ada()),
        Target::inbox(ada()).with_prefix(Bytes::from_static(b"A: b\r\n"), Some(own.clone())),
    ];
    store.deliver(&blob, targets, Mode::AllOrNothing).await.unwrap();
    account.put_digest(&inbox, uid(1), MessageDigest::new(3, "new")).await.unwrap();
    let found = metas(&account, &inbox, MetaFilter::default()).await;
    assert_eq!(found[0].digest, Some(MessageDigest::new(3, "new")));
    assert_eq!(found[1].digest, Some(own));
    assert_ne!(found[0].email_id, found[1].email_id, "with a prefix it is another content");
    assert_eq!(read(&account, &inbox, uid(1), ByteRange::WHOLE).await.unwrap(), b"hello");
}

#[tokio::test]
async fn a_quota_holds_at_the_announcement_and_at_the_commit() {
    let (_folder, path) = folder();
    let store = SqliteStore::open(&path).unwrap();
    let account = account(&store).await;
    account.set_quota("", &[(QuotaResource::Storage, 2), (QuotaResource::Message, 3)]).await.unwrap();
    let inbox = inbox(&account).await;
    let refused = account.stage(SizeHint::Octets(2049)).await.err().unwrap();
    assert_eq!(refused.kind(), ErrorKind::OverQuota);
    deliver(&store, &octets(1500)).await.unwrap();
    assert_eq!(deliver(&store, &octets(549)).await.unwrap_err().kind(), ErrorKind::OverQuota);
    deliver(&store, &octets(548)).await.unwrap();
    deliver(&store, b"").await.unwrap();
    assert_eq!(deliver(&store, b"").await.unwrap_err().kind(), ErrorKind::OverQuota);
    let copy = account.copy(&inbox, &uids(&[1]), &inbox).await;
    assert_eq!(copy.unwrap_err().kind(), ErrorKind::OverQuota);
    let other = account.create(&name("Other"), None).await.unwrap().id;
    account.move_messages(&inbox, &uids(&[1, 2, 3]), &other).await.unwrap();
    let root = account.quota_roots(&other).await.unwrap().remove(0);
    assert_eq!(root.resources, [(QuotaResource::Storage, 2, 2), (QuotaResource::Message, 3, 3)]);
    account.delete(&other).await.unwrap();
    deliver(&store, &octets(2048)).await.unwrap();
}

#[tokio::test]
async fn a_watcher_hears_of_a_change_and_costs_nothing_afterwards() {
    let (_folder, path) = folder();
    let store = SqliteStore::open(&path).unwrap();
    let account = account(&store).await;
    let inbox = inbox(&account).await;
    let mut watch = Box::pin(account.watch(std::slice::from_ref(&inbox)).await.unwrap());
    assert_eq!(watch.next().now_or_never(), None);
    for _ in 0..100 {
        deliver(&store, b"x").await.unwrap();
    }
    assert_eq!(watch.next().await, Some(inbox.clone()));
    let mut list = Box::pin(account.watch_account().await.unwrap());
    account.create(&name("New"), None).await.unwrap();
    assert_eq!(list.next().await, Some(()));
    assert_eq!(list.next().now_or_never(), None);
    drop(account);
    store.close().await;
    assert_eq!(watch.next().await, None, "its end means: watch again");
}

#[tokio::test]
async fn a_closed_store_says_so() {
    let (_folder, path) = folder();
    let store = SqliteStore::open(&path).unwrap();
    let account = account(&store).await;
    let other = store.clone();
    store.close().await;
    assert_eq!(account.find(&name("INBOX")).await.unwrap_err().kind(), ErrorKind::Unavailable);
    assert_eq!(account.create(&name("A"), None).await.unwrap_err().kind(), ErrorKind::Unavailable);
    other.close().await;
}

#[tokio::test]
async fn what_is_remembered_of_a_large_mailbox_is_read_anew_when_what_vanished_is_forgotten() {
    let (_folder, path) = folder();
    let store = SqliteStore::options().tombstones(10).open(&path).unwrap();
    let account = account(&store).await;
    let inbox = inbox(&account).await;
    let one = blob(&store, b"Subject: one\r\n\r\n").await;
    let placements = vec![Placement::new(one, inbox.clone()); 2_000];
    account.commit(placements, Mode::AllOrNothing).await.unwrap();
    let mut there: UidSet = (1..=2_000).map(uid).collect();
    for round in 0..40u32 {
        // One by one they leave more words than are kept; the first snapshot has gaps and none before it.
        for step in 0..round {
            let gone = uid(3 + round * 41 + step * 2);
            account.expunge(&inbox, &gone.into(), false).await.unwrap();
            there.remove(gone);
        }
        assert_eq!(account.snapshot(&inbox, false).await.unwrap().uids, there, "{round}");
        assert_eq!(account.snapshot(&inbox, false).await.unwrap().uids, there, "{round}, unchanged");
    }
    store.close().await;
}
