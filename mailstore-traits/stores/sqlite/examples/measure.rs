//! Where should a body lie? Delivers and reads bodies of several sizes, once kept in the database and once in files, and
//! prints megabytes and messages in a second for each: what `Options::inline_octets` is chosen by.
//!
//! ```text
//! cargo run --release -p pillarbox-store-sqlite --example measure -- /path/on/the/disk/in/question
//! ```
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a measurement that fails says so by panicking")]

use std::path::PathBuf;
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures::TryStreamExt;
use mailstore_traits::{
    Account, AccountId, Actor, ByteRange, MailStore, MailboxName, Mode, Placed, SizeHint, Stage, Target,
};
use store_sqlite::SqliteStore;

/// How many deliver at once, as many connections do.
const SENDERS: usize = 16;
const OCTETS: usize = 64 << 20;

async fn deliver(store: &SqliteStore, chunk: &Bytes, size: usize) -> Placed {
    let mut stage = store.stage(SizeHint::Octets(size as u64)).await.unwrap();
    let mut left = size;
    while left > 0 {
        let part = left.min(chunk.len());
        stage.write(chunk.slice(..part)).await.unwrap();
        left -= part;
    }
    let blob = stage.finish(None).await.unwrap();
    let target = Target::inbox(AccountId::from("ada"));
    store.deliver(&blob, vec![target], Mode::AllOrNothing).await.unwrap().remove(0).unwrap()
}

async fn measure(folder: &std::path::Path, size: usize, inline: usize) -> (Duration, Duration, usize) {
    let folder = tempfile::tempdir_in(folder).unwrap();
    let store = SqliteStore::options().inline_octets(inline).open(folder.path().join("mail.db")).unwrap();
    let account = store.open(&AccountId::from("ada"), &Actor::Service).await.unwrap();
    let inbox = account.find(&MailboxName::inbox()).await.unwrap();
    let chunk = Bytes::from(vec![b'x'; 16 * 1024]);
    let each = (OCTETS / size / SENDERS).clamp(1, 500);

    let begun = Instant::now();
    let senders: Vec<_> = (0..SENDERS)
        .map(|_| {
            let (store, chunk) = (store.clone(), chunk.clone());
            tokio::spawn(async move {
                for _ in 0..each {
                    deliver(&store, &chunk, size).await;
                }
            })
        })
        .collect();
    futures::future::try_join_all(senders).await.unwrap();
    let wrote = begun.elapsed();

    let begun = Instant::now();
    for uid in account.snapshot(&inbox, false).await.unwrap().uids.iter() {
        let body = account.open_body(&inbox, uid, ByteRange::WHOLE).await.unwrap();
        let octets = body.try_fold(0, |sum, chunk| async move { Ok(sum + chunk.len()) }).await.unwrap();
        assert_eq!(octets, size);
    }
    (wrote, begun.elapsed(), each * SENDERS)
}

#[tokio::main]
async fn main() {
    let folder = std::env::args().nth(1).map_or_else(std::env::temp_dir, PathBuf::from);
    println!(
        "{:>10} {:>9} {:>12} {:>10} {:>12} {:>10}",
        "octets", "kept in", "in: msg/s", "MB/s", "out: msg/s", "MB/s"
    );
    for size in [4 << 10, 16 << 10, 64 << 10, 256 << 10, 1 << 20, 4 << 20] {
        for (place, inline) in [("database", 16 << 20), ("file", 1024)] {
            let (wrote, read, messages) = measure(&folder, size, inline).await;
            let rate = |time: Duration| {
                let per_second = messages as f64 / time.as_secs_f64();
                (per_second, per_second * size as f64 / 1e6)
            };
            let ((written, written_mb), (got, got_mb)) = (rate(wrote), rate(read));
            println!("{size:>10} {place:>9} {written:>12.0} {written_mb:>10.1} {got:>12.0} {got_mb:>10.1}");
        }
    }
}
