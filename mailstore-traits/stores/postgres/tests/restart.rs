//! The database restarts, is killed, or is not there: what was acknowledged is there, the rest is worth another try, and
//! calls work again when it does.
#![allow(clippy::unwrap_used, clippy::print_stderr, reason = "tests")]

mod common;
mod server;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use common::*;
use futures::StreamExt;
use mailstore_traits::{Account, ErrorKind, Uid};
use server::{connect, durable_server};

/// One after another, for they have one server, and each takes it from the others.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn after_a_restart_of_the_database_calls_work_again() {
    let Some(server) = durable_server() else { return };
    for how in ["fast", "immediate"] {
        under_load(server, how).await;
    }
    idle(server).await;
    lost_in_the_middle(server).await;
}

/// Deliveries go on while it restarts; `immediate` is as a crash: it recovers from its log.
async fn under_load(server: &'static server::Server, how: &str) {
    let url = server.database().await;
    let store = open(&url).await;
    let account = account(&store).await;
    let inbox = inbox(&account).await;
    let mut watch = std::pin::pin!(account.watch(std::slice::from_ref(&inbox)).await.unwrap());
    let stop = Arc::new(AtomicBool::new(false));
    let acknowledged: Arc<Mutex<BTreeMap<Uid, Vec<u8>>>> = Arc::default();
    let failed: Arc<Mutex<Vec<ErrorKind>>> = Arc::default();
    let mut writers = Vec::new();
    for writer in 0..4_u64 {
        let (store, stop) = (store.clone(), Arc::clone(&stop));
        let (acknowledged, failed) = (Arc::clone(&acknowledged), Arc::clone(&failed));
        writers.push(tokio::spawn(async move {
            let mut number = writer << 32;
            while !stop.load(Ordering::Relaxed) {
                number += 1;
                let message = octets(number, if number.is_multiple_of(5) { 150_000 } else { 400 });
                match deliver(&store, &message).await {
                    Ok(placed) => drop(acknowledged.lock().unwrap().insert(placed.uid, message)),
                    Err(error) => {
                        assert!(error.is_retryable(), "{error}");
                        failed.lock().unwrap().push(error.kind());
                        tokio::time::sleep(Duration::from_millis(10)).await;
                    }
                }
            }
        }));
    }
    let count = || acknowledged.lock().unwrap().len();
    let more_than = |before: usize| async move {
        tokio::time::timeout(Duration::from_secs(60), async {
            while count() <= before + 20 {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        })
        .await
        .expect("deliveries go on");
    };
    more_than(0).await;
    tokio::task::block_in_place(|| server.control(&["-m", how, "restart"]));
    more_than(count()).await;
    stop.store(true, Ordering::Relaxed);
    for writer in writers {
        writer.await.unwrap();
    }
    let failed = failed.lock().unwrap().clone();
    assert!(failed.iter().all(|kind| *kind == ErrorKind::Unavailable), "{failed:?}");
    let acknowledged = acknowledged.lock().unwrap().clone();
    let there = uids(&account, &inbox).await;
    for (uid, message) in &acknowledged {
        assert!(there.contains(*uid), "{uid} was acknowledged");
        assert_eq!(read(&account, &inbox, *uid).await.unwrap(), *message, "{uid}");
    }
    // What was under way when it went may be there, but whole.
    eprintln!("{how}: {} acknowledged, {} there, {} to be tried again", acknowledged.len(), there.len(), failed.len());
    assert!(there.len() as usize <= acknowledged.len() + failed.len());
    // The old watch is good still, or ends.
    while tokio::time::timeout(Duration::from_millis(100), watch.next()).await.is_ok() {}
    let other = open(&url).await;
    deliver(&other, b"after").await.unwrap();
    assert_eq!(tokio::time::timeout(Duration::from_secs(60), watch.next()).await.unwrap(), Some(inbox.clone()));
    check_consistency(&url).await;
}

/// Every connection in the pool is dead, and nobody has noticed: the next call works, and is told of no error.
async fn idle(server: &'static server::Server) {
    let url = server.database().await;
    let store = open(&url).await;
    let account = account(&store).await;
    let inbox = inbox(&account).await;
    let looks = (0..8).map(|_| account.snapshot(&inbox, false));
    futures::future::join_all(looks).await.into_iter().for_each(|look| drop(look.unwrap()));
    tokio::task::block_in_place(|| server.control(&["-m", "fast", "restart"]));
    deliver(&store, b"the next call").await.unwrap();
    tokio::task::block_in_place(|| server.control(&["-m", "fast", "stop"]));
    let error = deliver(&store, b"nobody is there").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
    tokio::task::block_in_place(|| server.control(&["start"]));
    deliver(&store, b"the one after").await.unwrap();
    assert_eq!(uids(&account, &inbox).await.len(), 2);
    check_consistency(&url).await;
}

/// Connections are lost in the middle of transactions: they are rolled back, and do not return to the pool.
async fn lost_in_the_middle(server: &'static server::Server) {
    let url = server.database().await;
    let store = open(&url).await;
    let account = account(&store).await;
    let inbox = inbox(&account).await;
    deliver(&store, b"first").await.unwrap();
    let mut client = connect(&url).await;
    let holder = client.transaction().await.unwrap();
    holder.execute("UPDATE mailbox SET modseq = modseq", &[]).await.unwrap();
    // It waits in the middle of its transaction for the mailbox.
    let waiting = tokio::spawn({
        let store = store.clone();
        async move { deliver(&store, b"second").await }
    });
    let killer = connect(&url).await;
    let sql = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity \
               WHERE datname = current_database() AND wait_event_type = 'Lock'";
    tokio::time::timeout(Duration::from_secs(30), async {
        while killer.query_one(sql, &[]).await.unwrap().get::<_, i64>(0) == 0 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    })
    .await
    .expect("one waits");
    let error = waiting.await.unwrap().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
    holder.rollback().await.unwrap();
    assert_eq!(uids(&account, &inbox).await.len(), 1);
    deliver(&store, b"second").await.unwrap();
    assert_eq!(uids(&account, &inbox).await.len(), 2);
    check_consistency(&url).await;
}
