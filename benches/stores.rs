//! The stores beside each other, in one run on one machine: deliveries a second, messages read a second, octets on disk.
//!
//! ```sh
//! cargo run --release -p pillarbox-benches --example stores                         # those that need nothing
//! cargo run --release -p pillarbox-benches --example stores -- postgres://host/db   # and PostgreSQL
//! cargo run --release -p pillarbox-benches --example stores -- large 100000 postgres://host/db
//! ```
//!
//! With `large` it fills a mailbox with so many small messages instead, a thousand in a commit, and asks for what SELECT and a
//! listing of all messages need.
//!
//! A delivery is a message of 4 KB into one INBOX, answered when it is durable, by ten senders at once; no two messages
//! are the same. Then all bodies are read, one after the other. What stands on disk is counted when the store is closed;
//! for PostgreSQL it is what the database says of its size, before and after.
#![allow(clippy::print_stdout, reason = "what it has to say goes there")]

use std::path::Path;
use std::time::Instant;

use bytes::Bytes;
use futures::TryStreamExt;
use mailstore_traits::memory::MemoryStore;
use mailstore_traits::{
    Account, AccountId, Actor, ByteRange, MailStore, MailboxName, MetaFields, MetaFilter, Mode, Placement, SizeHint,
    Stage, Target, UidSet,
};
use store_maildir::MaildirStore;
use store_postgres::PostgresStore;
use store_sqlite::SqliteStore;

const SENDERS: usize = 10;
const EACH: usize = 500;
const OCTETS: usize = 4096;

type Outcome<T = ()> = Result<T, Box<dyn std::error::Error + Send + Sync>>;

#[tokio::main]
async fn main() -> Outcome {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let [word, count, url @ ..] = arguments.as_slice()
        && word == "large"
    {
        return large(count.parse()?, url.first()).await;
    }
    println!("| Store | deliveries a second | bodies read a second | octets on disk a message of {OCTETS} |");
    println!("| --- | ---: | ---: | ---: |");
    row("memory", &measure(&MemoryStore::new()).await?, None);

    let folder = tempfile::tempdir()?;
    let store = SqliteStore::options().open(folder.path().join("mail.sqlite"))?;
    let measured = measure(&store).await?;
    store.close().await;
    row("sqlite", &measured, Some(octets_below(folder.path())?));

    let folder = tempfile::tempdir()?;
    let store = MaildirStore::open(folder.path())?;
    let measured = measure(&store).await?;
    store.close().await;
    row("maildir", &measured, Some(octets_below(folder.path())?));

    if let Some(url) = arguments.first() {
        let store = PostgresStore::connect(url, store_postgres::Options::default()).await?;
        let before = database_size(url).await?;
        let measured = measure(&store).await?;
        row("postgres", &measured, Some(database_size(url).await?.saturating_sub(before)));
    }
    Ok(())
}

/// The same mailbox in each of them, one after the other.
async fn large(count: u32, url: Option<&String>) -> Outcome {
    println!("| Store | {count} messages filled in | SELECT's snapshot | flags and dates of all |");
    println!("| --- | ---: | ---: | ---: |");
    fill("memory", &MemoryStore::new(), count).await?;
    let folder = tempfile::tempdir()?;
    let store = SqliteStore::options().open(folder.path().join("mail.sqlite"))?;
    fill("sqlite", &store, count).await?;
    store.close().await;
    let folder = tempfile::tempdir()?;
    let store = MaildirStore::open(folder.path())?;
    fill("maildir", &store, count).await?;
    store.close().await;
    if let Some(url) = url {
        fill("postgres", &PostgresStore::connect(url, store_postgres::Options::default()).await?, count).await?;
    }
    Ok(())
}

async fn fill<S: MailStore>(name: &str, store: &S, count: u32) -> Outcome {
    let account = store.open(&AccountId::from("large@example.org"), &Actor::Service).await?;
    let inbox = account.find(&MailboxName::inbox()).await?;
    let begun = Instant::now();
    let mut placements = Vec::new();
    for number in 0..count {
        let mut stage = account.stage(SizeHint::Unknown).await?;
        stage.write(format!("Subject: {number}\r\n\r\nHello\r\n").into()).await?;
        placements.push(Placement::new(stage.finish(None).await?, inbox.clone()));
        if placements.len() == 1000 || number + 1 == count {
            account.commit(std::mem::take(&mut placements), Mode::AllOrNothing).await?;
        }
    }
    let filled = begun.elapsed();
    let begun = Instant::now();
    let snapshot = account.snapshot(&inbox, false).await?;
    let selected = begun.elapsed();
    let begun = Instant::now();
    let fields = MetaFields::FIXED.with_flags();
    let metas = account.fetch_meta(&inbox, &UidSet::all(), fields, MetaFilter::default());
    let found = metas.try_fold(0_u64, async |found, _| Ok(found + 1)).await?;
    assert_eq!((found, snapshot.uids.len()), (u64::from(count), u64::from(count)), "all of them");
    let seconds = |time: std::time::Duration| format!("{:.3} s", time.as_secs_f64());
    println!("| {name} | {} | {} | {} |", seconds(filled), seconds(selected), seconds(begun.elapsed()));
    Ok(())
}

struct Measured {
    delivered: f64,
    read: f64,
}

fn row(name: &str, measured: &Measured, disk: Option<u64>) {
    let disk = disk.map_or_else(|| "none".to_owned(), |octets| (octets / (SENDERS * EACH) as u64).to_string());
    println!("| {name} | {:.0} | {:.0} | {disk} |", measured.delivered, measured.read);
}

/// A message that is no other one's.
fn message(sender: usize, number: usize) -> Bytes {
    let mut text = format!("From: <a@example.org>\r\nSubject: {sender} {number}\r\n\r\n").into_bytes();
    let mut state = (sender * EACH + number) as u64 + 1;
    while text.len() < OCTETS {
        // Text that no page compresses to nothing.
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        text.extend_from_slice(format!("{state:016x}").as_bytes());
        if text.len() % 70 < 16 {
            text.extend_from_slice(b"\r\n");
        }
    }
    text.truncate(OCTETS - 2);
    text.extend_from_slice(b"\r\n");
    text.into()
}

async fn measure<S: MailStore>(store: &S) -> Outcome<Measured> {
    let whose = AccountId::from("ada@example.org");
    let account = store.open(&whose, &Actor::Service).await?;
    let begun = Instant::now();
    let senders = (0..SENDERS).map(|sender| {
        let (store, whose) = (store.clone(), whose.clone());
        tokio::spawn(async move {
            for number in 0..EACH {
                let mut stage = store.stage(SizeHint::Octets(OCTETS as u64)).await?;
                stage.write(message(sender, number)).await?;
                let blob = stage.finish(None).await?;
                for placed in store.deliver(&blob, vec![Target::inbox(whose.clone())], Mode::AllOrNothing).await? {
                    placed?;
                }
            }
            Outcome::Ok(())
        })
    });
    for sender in futures::future::try_join_all(senders).await? {
        sender?;
    }
    let delivered = begun.elapsed();

    let inbox = account.find(&MailboxName::inbox()).await?;
    let uids: UidSet = account.snapshot(&inbox, false).await?.uids;
    assert_eq!(uids.len(), (SENDERS * EACH) as u64, "every message that was answered is there");
    let begun = Instant::now();
    for uid in uids.iter() {
        let body = account.open_body(&inbox, uid, ByteRange::WHOLE).await?;
        let octets = body.try_fold(0, async |sum, chunk| Ok(sum + chunk.len())).await?;
        assert_eq!(octets, OCTETS, "all of it");
    }
    let rate = |time: std::time::Duration| (SENDERS * EACH) as f64 / time.as_secs_f64();
    Ok(Measured { delivered: rate(delivered), read: rate(begun.elapsed()) })
}

/// As the file system counts: whole blocks.
fn octets_below(folder: &Path) -> Outcome<u64> {
    let mut sum = 0;
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        let data = entry.metadata()?;
        #[cfg(unix)]
        let octets = std::os::unix::fs::MetadataExt::blocks(&data) * 512;
        #[cfg(not(unix))]
        let octets = data.len();
        sum += octets + if data.is_dir() { octets_below(&entry.path())? } else { 0 };
    }
    Ok(sum)
}

async fn database_size(url: &str) -> Outcome<u64> {
    let (client, connection) = tokio_postgres::connect(url, tokio_postgres::NoTls).await?;
    let connection = tokio::spawn(connection);
    let size: i64 = client.query_one("SELECT pg_database_size(current_database())", &[]).await?.get(0);
    drop(client);
    connection.await??;
    Ok(u64::try_from(size)?)
}
