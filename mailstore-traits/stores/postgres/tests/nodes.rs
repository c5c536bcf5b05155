//! Several processes on one database: here, several stores, which share nothing but it.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::print_stderr, reason = "tests")]

mod common;
mod server;

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use common::*;
use futures::StreamExt;
use mailstore_traits::{
    Account, AccountId, Actor, ErrorKind, FlagChange, MailStore, Mode, Placement, Target, TargetMailbox, Uid, UidSet,
};
use server::{connect, server};
use store_postgres::{Options, PostgresStore};

/// No test waits longer than this for what must come.
const AT_LAST: Duration = Duration::from_secs(60);

macro_rules! server_or_skip {
    () => {
        match server() {
            Some(server) => server,
            None => return,
        }
    };
}

/// What holds a commit up for a random while, behind everything that it writes: whoever was given a smaller number may
/// be visible later than whoever was given a larger one, if nothing keeps them apart.
const DELAY: &str = "CREATE FUNCTION pillarbox.delay() RETURNS trigger LANGUAGE plpgsql AS \
    'BEGIN PERFORM pg_sleep(random() * 0.01); RETURN NULL; END'; \
    CREATE CONSTRAINT TRIGGER delay AFTER INSERT ON pillarbox.message DEFERRABLE INITIALLY DEFERRED \
    FOR EACH ROW EXECUTE FUNCTION pillarbox.delay()";

/// Contract row 42, on two nodes: who has seen a UID or a modification sequence never sees a smaller one come later.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn what_is_seen_is_never_preceded_later_by_another_nodes_writes() {
    const EACH: u32 = 60;
    let url = server_or_skip!().database().await;
    let (one, two, reader) = tokio::join!(open(&url), open(&url), open(&url));
    connect(&url).await.batch_execute(DELAY).await.unwrap();
    let account = account(&reader).await;
    let inbox = inbox(&account).await;
    let mut writers = Vec::new();
    for writer in 0..6_u64 {
        let store = if writer % 2 == 0 { one.clone() } else { two.clone() };
        writers.push(tokio::spawn(async move {
            for number in 0..EACH {
                // Of different sizes, so that they are differently long under way between UID and commit.
                let size = if number % 7 == 0 { 200_000 } else { 300 };
                deliver(&store, &octets(writer * 1000 + u64::from(number), size)).await.unwrap();
            }
        }));
    }
    let mut seen = BTreeSet::new();
    let mut from = account.snapshot(&inbox, false).await.unwrap();
    seen.extend(from.uids.iter());
    let mut since = from.highest_modseq;
    let mut looks = 0;
    loop {
        let done = writers.iter().all(|writer| writer.is_finished());
        let changes = account.changes_since(&inbox, since, 10).await.unwrap();
        for changed in &changes.changed {
            assert!(changed.modseq > since, "{changed:?} came after {since} had been told");
            assert!(
                seen.last().is_none_or(|last| changed.uid > *last),
                "UID {} became visible after {:?}",
                changed.uid,
                seen.last()
            );
            seen.insert(changed.uid);
        }
        since = changes.up_to;
        looks += 1;
        if done && !changes.more && changes.changed.is_empty() {
            break;
        }
    }
    for writer in writers {
        writer.await.unwrap();
    }
    assert_eq!(seen.len(), 6 * EACH as usize, "messages that the reader was told of");
    from = account.snapshot(&inbox, false).await.unwrap();
    assert_eq!(from.uids, seen.into_iter().collect::<UidSet>());
    assert!(looks > 10, "the reader looked only {looks} times while they wrote");
    check_consistency(&url).await;
}

/// Writers of different mailboxes do not wait for each other, whoever's they are: one in the middle of its transaction holds
/// up nobody but those who write to its own mailbox.
#[tokio::test(flavor = "multi_thread")]
async fn a_writer_that_stands_still_holds_up_its_own_mailbox_only() {
    let url = server_or_skip!().database().await;
    let quick = Options::default().lock_wait(Duration::from_millis(700));
    let store = PostgresStore::connect(&url, quick).await.unwrap();
    let account = account(&store).await;
    let inbox = inbox(&account).await;
    let other = account.create(&name("Other"), None).await.unwrap().id;
    let message = blob(&store, b"one").await.unwrap();
    let mut client = connect(&url).await;
    let held = client.transaction().await.unwrap();
    held.execute("UPDATE mailbox SET modseq = modseq WHERE object_id = $1", &[&inbox.as_str()]).await.unwrap();
    let put = |mailbox| account.commit(vec![Placement::new(message.clone(), mailbox)], Mode::AllOrNothing);
    put(other.clone()).await.unwrap();
    account.create(&name("Third"), None).await.unwrap();
    store.deliver(&message, vec![Target::inbox(AccountId::from("bob@example.org"))], Mode::AllOrNothing).await.unwrap();
    account.snapshot(&inbox, false).await.unwrap();
    let waited = put(inbox.clone()).await.unwrap_err();
    assert_eq!(waited.kind(), ErrorKind::Unavailable, "{waited}");
    assert!(waited.is_retryable());
    held.rollback().await.unwrap();
    put(inbox).await.unwrap();
    check_consistency(&url).await;
}

/// A flood of mail to one mailbox does not take all connections: who waits for a mailbox has none.
#[tokio::test(flavor = "multi_thread")]
async fn a_flood_to_one_mailbox_leaves_connections_for_the_others() {
    let url = server_or_skip!().database().await;
    let options = Options::default().connections(3).lock_wait(AT_LAST).wait(Duration::from_secs(5));
    let store = PostgresStore::connect(&url, options).await.unwrap();
    let account = account(&store).await;
    let inbox = inbox(&account).await;
    let other = account.create(&name("Other"), None).await.unwrap().id;
    let message = blob(&store, b"one").await.unwrap();
    let mut client = connect(&url).await;
    let held = client.transaction().await.unwrap();
    held.execute("UPDATE mailbox SET modseq = modseq WHERE object_id = $1", &[&inbox.as_str()]).await.unwrap();
    let flood: Vec<_> = (0..30)
        .map(|_| {
            let (store, message) = (store.clone(), message.clone());
            tokio::spawn(async move { store.deliver(&message, vec![Target::inbox(ada())], Mode::AllOrNothing).await })
        })
        .collect();
    let waiting =
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'";
    let watcher = connect(&url).await;
    tokio::time::timeout(AT_LAST, async {
        while watcher.query_one(waiting, &[]).await.unwrap().get::<_, i64>(0) == 0 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    })
    .await
    .expect("the flood has come");
    // None of these gets a connection where each of the flood has one.
    for _ in 0..5 {
        account.commit(vec![Placement::new(message.clone(), other.clone())], Mode::AllOrNothing).await.unwrap();
        account.snapshot(&inbox, false).await.unwrap();
    }
    held.rollback().await.unwrap();
    let mut modseqs = BTreeSet::new();
    for delivery in flood {
        modseqs.insert(delivery.await.unwrap().unwrap().remove(0).unwrap().modseq);
    }
    assert_eq!(uids(&account, &inbox).await.len(), 30);
    // Those that waited share commits, each of which has one modification sequence.
    assert!(modseqs.len() <= 3, "{modseqs:?}");
    check_consistency(&url).await;
}

/// Deliveries to several mailboxes in opposite orders, of the same bodies, moves to and fro, and a quota: all at once.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn writers_to_many_mailboxes_on_two_nodes_do_not_wait_in_a_circle() {
    let url = server_or_skip!().database().await;
    let (one, two) = tokio::join!(open(&url), open(&url));
    let account = account(&one).await;
    account.set_quota("", &[(mailstore_traits::QuotaResource::Message, 100_000)]).await.unwrap();
    let mut mailboxes = vec![inbox(&account).await];
    for mailbox in ["A", "B"] {
        mailboxes.push(account.create(&name(mailbox), None).await.unwrap().id);
    }
    let mut work = Vec::new();
    for worker in 0..6_usize {
        let (store, mut mailboxes) = (if worker % 2 == 0 { one.clone() } else { two.clone() }, mailboxes.clone());
        mailboxes.rotate_left(worker % 3);
        if worker > 2 {
            mailboxes.reverse();
        }
        work.push(tokio::spawn(async move {
            let account = store.open(&ada(), &Actor::Service).await.unwrap();
            for number in 0..15_u64 {
                let body = blob(&store, &octets(number, 70_000)).await.unwrap();
                let into =
                    |id: &mailstore_traits::MailboxId| Target::inbox(ada()).with_mailbox(TargetMailbox::Id(id.clone()));
                let mut targets: Vec<Target> = mailboxes.iter().map(into).collect();
                targets.push(Target::inbox(AccountId::from(format!("new{number}").as_str())));
                targets.push(Target::inbox(ada()).with_mailbox(TargetMailbox::Named(name(&format!("Named{number}")))));
                let placed = store.deliver(&body, targets, Mode::AllOrNothing).await.unwrap();
                assert!(placed.iter().all(Result::is_ok));
                let some: UidSet = uids(&account, &mailboxes[0]).await.iter().take(3).collect();
                account.move_messages(&mailboxes[0], &some, &mailboxes[1]).await.unwrap();
                account.copy(&mailboxes[1], &some, &mailboxes[2]).await.unwrap();
                account.expunge(&mailboxes[2], &some, false).await.unwrap();
            }
        }));
    }
    tokio::time::timeout(AT_LAST * 2, futures::future::join_all(work))
        .await
        .expect("none waits for ever")
        .into_iter()
        .for_each(Result::unwrap);
    check_consistency(&url).await;
    // The same octets are there once, whoever brought them.
    let bodies: i64 = connect(&url).await.query_one("SELECT count(*) FROM body", &[]).await.unwrap().get(0);
    assert_eq!(bodies, 15);
}

/// Contract row 54.
#[tokio::test(flavor = "multi_thread")]
async fn a_watcher_hears_of_another_nodes_changes() {
    let url = server_or_skip!().database().await;
    let (one, two) = tokio::join!(open(&url), open(&url));
    let (here, there) = tokio::join!(account(&one), account(&two));
    let inbox = inbox(&here).await;
    let mut watch = std::pin::pin!(here.watch(std::slice::from_ref(&inbox)).await.unwrap());
    let mut list = std::pin::pin!(here.watch_account().await.unwrap());
    // A delivery, a flag, an expunge, and the list.
    let uid = deliver(&two, b"one").await.unwrap().uid;
    assert_eq!(tokio::time::timeout(AT_LAST, watch.next()).await.unwrap(), Some(inbox.clone()));
    let outcomes = there.store_flags(&inbox, &uid.into(), FlagChange::Add(flags("\\Seen")), None);
    assert_eq!(outcomes.count().await, 1);
    assert_eq!(tokio::time::timeout(AT_LAST, watch.next()).await.unwrap(), Some(inbox.clone()));
    there.expunge(&inbox, &uid.into(), false).await.unwrap();
    assert_eq!(tokio::time::timeout(AT_LAST, watch.next()).await.unwrap(), Some(inbox.clone()));
    there.create(&name("New"), None).await.unwrap();
    assert_eq!(tokio::time::timeout(AT_LAST, list.next()).await.unwrap(), Some(()));
}

/// Nobody tells: the change is made behind the stores' backs, as one is whose process was killed before it could.
#[tokio::test(flavor = "multi_thread")]
async fn a_change_that_nobody_told_of_is_found() {
    let url = server_or_skip!().database().await;
    let store = open(&url).await;
    let account = account(&store).await;
    let inbox = inbox(&account).await;
    let mut watch = std::pin::pin!(account.watch(std::slice::from_ref(&inbox)).await.unwrap());
    let client = connect(&url).await;
    let change = "UPDATE mailbox SET modseq = modseq + 1";
    client.execute(change, &[]).await.unwrap();
    assert_eq!(tokio::time::timeout(AT_LAST, watch.next()).await.unwrap(), Some(inbox.clone()), "while it listens");
    // Its listening connection is lost, and cannot come back: polling it is.
    let listeners = client
        .query(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE 'LISTEN%' AND datname = \
                current_database()",
            &[],
        )
        .await
        .unwrap();
    assert_eq!(listeners.len(), 1);
    let begun = Instant::now();
    client.execute(change, &[]).await.unwrap();
    assert_eq!(tokio::time::timeout(AT_LAST, watch.next()).await.unwrap(), Some(inbox.clone()), "while it does not");
    eprintln!("found after {:?} without listening", begun.elapsed());
    // It listens again.
    let listening = "SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'LISTEN%' AND datname = current_database()";
    tokio::time::timeout(AT_LAST, async {
        while client.query_one(listening, &[]).await.unwrap().get::<_, i64>(0) != 1 {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    })
    .await
    .expect("it listens again");
}

/// Processes that start at once on an empty database, or on one of an older form.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn processes_that_start_at_once_migrate_once() {
    const OF_2: &str = "DROP TABLE fetched, chore; UPDATE version SET version = 1";
    let url = server_or_skip!().database().await;
    let client = connect(&url).await;
    for round in 1..=2 {
        let stores = futures::future::join_all((0..6).map(|_| open(&url))).await;
        let versions = client.query("SELECT version FROM version", &[]).await.unwrap();
        assert_eq!(versions.iter().map(|row| row.get::<_, i64>(0)).collect::<Vec<_>>(), [2]);
        for store in &stores {
            deliver(store, b"hello").await.unwrap();
        }
        let account = account(&stores[0]).await;
        assert_eq!(uids(&account, &inbox(&account).await).await.len(), 6 * round);
        if round == 1 {
            client.batch_execute(OF_2).await.unwrap();
        }
    }
    // One of a later version is left as it is.
    client.execute("UPDATE version SET version = 99", &[]).await.unwrap();
    let error = PostgresStore::connect(&url, Options::default()).await.unwrap_err();
    assert!(error.to_string().contains("newer version (schema 99"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn another_programs_tables_are_not_in_the_way() {
    let url = server_or_skip!().database().await;
    let client = connect(&url).await;
    client.batch_execute("CREATE TABLE public.account (x int); CREATE TABLE public.version (y int)").await.unwrap();
    let store = open(&url).await;
    deliver(&store, b"hello").await.unwrap();
    let rows: i64 = client.query_one("SELECT count(*) FROM public.account", &[]).await.unwrap().get(0);
    assert_eq!(rows, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn sec_p6_a_lease_holds_on_every_node_and_moves_on() {
    let url = server_or_skip!().database().await;
    let (one, two) = tokio::join!(open(&url), open(&url));
    let (here, there) = tokio::join!(account(&one), account(&two));
    let inbox = inbox(&here).await;
    let lease = here.lease_maildrop(&inbox).await.unwrap();
    assert_eq!(there.lease_maildrop(&inbox).await.unwrap_err().kind(), ErrorKind::InUse);
    drop(lease);
    tokio::time::timeout(AT_LAST, async {
        while there.lease_maildrop(&inbox).await.is_err() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    })
    .await
    .expect("given back on one node, it can be had on the other");
}

#[tokio::test(flavor = "multi_thread")]
async fn sec_p6_a_lease_of_a_node_that_was_killed_runs_out_and_a_live_ones_does_not() {
    let url = server_or_skip!().database().await;
    let beat = Duration::from_millis(600);
    let options = || Options::default().lease_beat(beat);
    let dead = PostgresStore::connect(&url, options()).await.unwrap();
    let live = PostgresStore::connect(&url, options()).await.unwrap();
    let (there, here) = tokio::join!(account(&dead), account(&live));
    let inbox = inbox(&here).await;
    let lease = there.lease_maildrop(&inbox).await.unwrap();
    tokio::time::sleep(beat * 3).await;
    assert_eq!(here.lease_maildrop(&inbox).await.unwrap_err().kind(), ErrorKind::InUse, "its node is there");
    // Killed: nothing beats any more, and nothing is given back.
    dead.clone().close().await;
    std::mem::forget(lease);
    let taken = tokio::time::timeout(AT_LAST, async {
        loop {
            if let Ok(lease) = here.lease_maildrop(&inbox).await {
                return lease;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    })
    .await
    .expect("it runs out");
    drop(taken);
}

#[tokio::test(flavor = "multi_thread")]
async fn sec_p6_a_lease_ends_at_its_limit_and_takes_nothing_from_the_next_holder() {
    let url = server_or_skip!().database().await;
    let limit = Options::default().lease_time(Duration::from_millis(200));
    let store = PostgresStore::connect(&url, limit).await.unwrap();
    let other = open(&url).await;
    let (here, there) = tokio::join!(account(&store), account(&other));
    let inbox = inbox(&here).await;
    let hung = here.lease_maildrop(&inbox).await.unwrap();
    tokio::time::sleep(Duration::from_millis(300)).await;
    let next = there.lease_maildrop(&inbox).await.unwrap();
    drop(hung);
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(here.lease_maildrop(&inbox).await.unwrap_err().kind(), ErrorKind::InUse);
    drop(next);
}

/// A body that one node reads is not collected by another, however often that looks.
#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_is_read_on_one_node_is_not_collected_by_another() {
    let url = server_or_skip!().database().await;
    let grace = Duration::from_millis(900);
    let options = || Options::default().body_grace(grace);
    let reader = PostgresStore::connect(&url, options()).await.unwrap();
    let other = PostgresStore::connect(&url, options()).await.unwrap();
    let (here, there) = tokio::join!(account(&reader), account(&other));
    let inbox = inbox(&here).await;
    let message = octets(1, 300_000);
    let uid = deliver(&other, &message).await.unwrap().uid;
    let mut body = here.open_body(&inbox, uid, mailstore_traits::ByteRange::WHOLE).await.unwrap();
    let mut read = body.next().await.unwrap().unwrap().to_vec();
    there.expunge(&inbox, &uid.into(), false).await.unwrap();
    for _ in 0..12 {
        tokio::time::sleep(grace / 4).await;
        other.collect().await.unwrap();
    }
    while let Some(chunk) = body.next().await {
        read.extend_from_slice(&chunk.expect("it is there to the end"));
    }
    assert_eq!(read, message);
    drop(body);
    let client = connect(&url).await;
    tokio::time::timeout(AT_LAST, async {
        while client.query_one("SELECT count(*) FROM chunk", &[]).await.unwrap().get::<_, i64>(0) > 0 {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    })
    .await
    .expect("collected in the end");
    check_consistency(&url).await;
}

/// Octets that come again while they are being collected, on two nodes.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn octets_that_come_again_while_they_are_collected_are_there() {
    let url = server_or_skip!().database().await;
    let options = || Options::default().body_grace(Duration::ZERO);
    let one = PostgresStore::connect(&url, options()).await.unwrap();
    let two = PostgresStore::connect(&url, options()).await.unwrap();
    let account = account(&one).await;
    let inbox = inbox(&account).await;
    let collector = tokio::spawn({
        let (one, two) = (one.clone(), two.clone());
        async move {
            loop {
                one.collect().await.unwrap();
                two.collect().await.unwrap();
            }
        }
    });
    for turn in 0..60_u64 {
        // Two bodies, one of each kind, come and go all the time.
        let message = octets(turn % 2, if turn % 4 < 2 { 100 } else { 150_000 });
        let store = if turn % 3 == 0 { &two } else { &one };
        let uid = deliver(store, &message).await.unwrap().uid;
        assert_eq!(read(&account, &inbox, uid).await.unwrap(), message, "turn {turn}");
        account.expunge(&inbox, &uid.into(), false).await.unwrap();
    }
    collector.abort();
    let _ = collector.await;
    check_consistency(&url).await;
}

/// Chunks are written ahead with no wait for a disk. If the database crashes before the message is placed, the last of them
/// may be lost, and the row must not name what is not there.
#[tokio::test(flavor = "multi_thread")]
async fn octets_that_the_database_lost_are_not_acknowledged() {
    let url = server_or_skip!().database().await;
    let store = open(&url).await;
    let account = account(&store).await;
    let inbox = inbox(&account).await;
    let client = connect(&url).await;
    for lost in ["DELETE FROM chunk WHERE n = (SELECT max(n) FROM chunk)", "DELETE FROM chunk", "DELETE FROM stage"] {
        let message = blob(&store, &octets(1, 1_500_000)).await.unwrap();
        assert!(client.execute(lost, &[]).await.unwrap() > 0);
        let placed = account.commit(vec![Placement::new(message, inbox.clone())], Mode::AllOrNothing).await;
        let error = placed.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unavailable, "{lost}: {error}");
    }
    // The last of them this test has made nobody's; the others clear themselves away, and in doing so may meet this.
    let nobodys = "DELETE FROM chunk WHERE content NOT IN (SELECT content FROM stage)";
    let mut tries = 0;
    while let Err(error) = client.execute(nobodys, &[]).await {
        tries += 1;
        assert!(tries < 50 && error.code() == Some(&tokio_postgres::error::SqlState::T_R_DEADLOCK_DETECTED), "{error}");
    }
    assert!(uids(&account, &inbox).await.is_empty());
    deliver(&store, &octets(1, 1_500_000)).await.unwrap();
    check_consistency(&url).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restored_copy_gets_new_uid_validities() {
    let url = server_or_skip!().database().await;
    let store = open(&url).await;
    let before = {
        let account = account(&store).await;
        account.snapshot(&inbox(&account).await, false).await.unwrap()
    };
    store.close().await;
    let store = PostgresStore::connect(&url, Options::default().restored()).await.unwrap();
    let account = account(&store).await;
    let after = account.snapshot(&inbox(&account).await, false).await.unwrap();
    assert!(after.uid_validity > before.uid_validity);
    assert!(account.create(&name("New"), None).await.unwrap().uid_validity > after.uid_validity);
}

#[tokio::test]
async fn what_cannot_be_opened_says_why_and_no_password() {
    for (url, word) in [
        ("mysql://x", "postgres://user"),
        ("postgres://mail:hunter2@127.0.0.1:1/mail", "reached"),
        ("postgres://mail:hunter2@127.0.0.1:1/mail?sslmode=require", "sslrootcert=FILE"),
    ] {
        let error = PostgresStore::connect(url, Options::default()).await.unwrap_err().to_string();
        assert!(error.contains(word) && !error.contains("hunter2"), "{error}");
    }
    let missing = Options::default().root_certificates("/nowhere/roots.pem");
    let error = PostgresStore::connect("postgres://127.0.0.1:1/mail", missing).await.unwrap_err().to_string();
    assert!(error.contains("/nowhere/roots.pem"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn names_are_values_and_never_sql() {
    let url = server_or_skip!().database().await;
    let store = open(&url).await;
    let evil = "x'; DROP TABLE pillarbox.message; --";
    let account = store.open(&AccountId::from(evil), &Actor::Service).await.unwrap();
    let mailbox = account.create(&name(evil), None).await.unwrap().id;
    account.set_subscribed(&name(evil), true).await.unwrap();
    account.rename(&name(evil), &name("%' OR 1=1")).await.unwrap();
    assert_eq!(account.find(&name("%' OR 1=1")).await.unwrap(), mailbox);
    // Text with a NUL is none to PostgreSQL: refused, and the connection is good.
    let error = store.open(&AccountId::from("a\0b"), &Actor::Service).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid, "{error}");
    assert_eq!(uids(&account, &mailbox).await.first(), None::<Uid>);
}
