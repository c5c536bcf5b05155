//! Memory while large messages go through: a file of its own, for the process's size is what is measured.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

mod common;

use bytes::Bytes;
use common::*;
use futures::StreamExt;
use mailstore_traits::{Account, ByteRange, MailStore, Mode, SizeHint, Stage, Target};
use store_sqlite::SqliteStore;

/// The most memory that the process ever had resident, in octets.
fn peak() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.split_whitespace().next().unwrap().parse::<u64>().unwrap() * 1024
}

#[tokio::test]
async fn sixty_megabytes_in_and_out_need_a_few_in_memory() {
    const CHUNKS: usize = 960;
    let (_folder, path) = folder();
    let store = SqliteStore::open(&path).unwrap();
    deliver(&store, b"warm").await.unwrap();
    let chunk = octets(64 * 1024);
    let before = peak();
    let mut stages = Vec::new();
    for _ in 0..4 {
        stages.push(store.stage(SizeHint::Unknown).await.unwrap());
    }
    for _ in 0..CHUNKS {
        for stage in &mut stages {
            stage.write(Bytes::copy_from_slice(&chunk)).await.unwrap();
        }
    }
    let account = account(&store).await;
    let inbox = inbox(&account).await;
    for stage in stages {
        let blob = stage.finish(None).await.unwrap();
        let placed = store.deliver(&blob, vec![Target::inbox(ada())], Mode::AllOrNothing).await.unwrap();
        let uid = placed[0].as_ref().unwrap().uid;
        let mut body = account.open_body(&inbox, uid, ByteRange::WHOLE).await.unwrap();
        assert_eq!(body.len(), (CHUNKS * chunk.len()) as u64);
        while let Some(read) = body.next().await {
            assert!(read.unwrap() == chunk);
        }
    }
    let grown = peak() - before;
    assert!(grown < 6 << 20, "{grown} octets more for four messages of 60 MiB");
}
