//! Killed at any moment, the store has every message that it acknowledged, once and whole, and none by half.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

mod common;

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use common::*;
use mailstore_traits::{
    Account, AccountId, Actor, ByteRange, FlagChange, MailStore, Mode, Target, TargetMailbox, UidSet,
};
use store_sqlite::SqliteStore;

const CHILD: &str = "STORE_CRASH_CHILD";
const KILLS: u64 = 30;

/// A message that says of itself what it must be: its number, its size, and octets that follow from both.
fn message(number: u64) -> Vec<u8> {
    let size =
        if number.is_multiple_of(5) { 66_000 + (number % 7) as usize * 30_000 } else { 500 + (number % 97) as usize };
    let head = format!("{number} {size}\r\n").into_bytes();
    let fill = octets(size);
    [head, fill].concat()
}

fn number_of(message: &[u8]) -> u64 {
    let head = message.split(|&octet| octet == b' ').next().unwrap();
    std::str::from_utf8(head).unwrap().parse().unwrap()
}

/// Not a test of its own: what the other test starts and kills.
#[test]
fn child() {
    let Ok(word) = std::env::var(CHILD) else { return };
    let (path, round) = word.rsplit_once('#').unwrap();
    let round: u64 = round.parse().unwrap();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async {
        let store = SqliteStore::options().body_grace(Duration::ZERO).open(path).unwrap();
        let account = account(&store).await;
        let inbox = inbox(&account).await;
        let mut made = Vec::new();
        for mailbox in ["Archive", "Scratch"] {
            made.push(match account.find(&name(mailbox)).await {
                Ok(mailbox) => mailbox,
                Err(_) => account.create(&name(mailbox), None).await.unwrap().id,
            });
        }
        let [archive, scratch] = made.try_into().unwrap();
        let deliverers: Vec<_> = (0..6)
            .map(|task| {
                let store = store.clone();
                tokio::spawn(async move {
                    for turn in 0.. {
                        let number = round * 1_000_000 + turn * 6 + task;
                        let blob = blob(&store, &message(number)).await;
                        // Two recipients, one of them in a mailbox that a kill may find half made.
                        let other = AccountId::from(format!("bob{round}").as_str());
                        let targets = vec![
                            Target::inbox(ada()),
                            Target::inbox(other).with_mailbox(TargetMailbox::Named(name("New"))),
                        ];
                        let placed = store.deliver(&blob, targets, Mode::AllOrNothing).await.unwrap();
                        assert!(placed.iter().all(Result::is_ok));
                        println!("acknowledged {number}");
                    }
                })
            })
            .collect();
        let mover = tokio::spawn(async move {
            loop {
                let uids = account.snapshot(&inbox, true).await.unwrap().uids;
                let some: UidSet = uids.iter().step_by(2).collect();
                account.move_messages(&inbox, &some, &archive).await.unwrap();
                // Copies that go again: bodies lose and gain references while the process is killed.
                let recent = account.snapshot(&archive, true).await.unwrap();
                let newest: UidSet = recent.uids.iter().collect::<Vec<_>>().into_iter().rev().take(20).collect();
                store_flags(&account, &archive, &newest, FlagChange::Add(flags("\\Seen $Moved"))).await;
                account.copy(&archive, &newest, &scratch).await.unwrap();
                account.expunge(&scratch, &UidSet::all(), false).await.unwrap();
            }
        });
        let _ = futures::future::join_all(deliverers).await;
        mover.abort();
    });
}

/// Starts the child, lets it work for a while, kills it, and gives the numbers that it acknowledged.
fn round(path: &Path, round: u64, time: Duration) -> BTreeSet<u64> {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "child", "--nocapture", "--test-threads=1"])
        .env(CHILD, format!("{}#{round}", path.display()))
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let output = child.stdout.take().unwrap();
    let reader = std::thread::spawn(move || {
        let mut acknowledged = BTreeSet::new();
        let mut output = BufReader::new(output);
        let mut line = String::new();
        while output.read_line(&mut line).unwrap_or(0) > 0 {
            if let Some((_, number)) = line.trim_end_matches('\n').rsplit_once("acknowledged ")
                && line.ends_with('\n')
            {
                acknowledged.insert(number.parse::<u64>().unwrap());
            }
            line.clear();
        }
        acknowledged
    });
    std::thread::sleep(time);
    assert!(child.try_wait().unwrap().is_none(), "the child ended by itself");
    child.kill().unwrap();
    child.wait().unwrap();
    reader.join().unwrap()
}

/// How often each message is there, in the mailboxes of one account; each is whole.
async fn found(store: &SqliteStore, account: &AccountId) -> BTreeMap<u64, u32> {
    let account = store.open(account, &Actor::Service).await.unwrap();
    let mut found = BTreeMap::new();
    for mailbox in ["INBOX", "Archive", "New"] {
        let Ok(mailbox) = account.find(&name(mailbox)).await else { continue };
        let snapshot = account.snapshot(&mailbox, false).await.unwrap();
        for uid in snapshot.uids.iter() {
            let octets = read(&account, &mailbox, uid, ByteRange::WHOLE).await.unwrap();
            let number = number_of(&octets);
            assert!(octets == message(number), "message {number} is not what was delivered");
            *found.entry(number).or_default() += 1;
        }
    }
    found
}

#[tokio::test]
async fn every_acknowledged_message_survives_a_kill_once_and_whole() {
    let (_folder, path) = folder();
    let mut acknowledged = BTreeSet::new();
    for kill in 0..KILLS {
        // A different moment each time, from the opening to the middle of a heavy load.
        let time = Duration::from_millis(40 + (kill * 7_919) % 360);
        let new = round(&path, kill, time);
        check_consistency(&path);

        let store = SqliteStore::options().body_grace(Duration::ZERO).open(&path).unwrap();
        let bobs = found(&store, &AccountId::from(format!("bob{kill}").as_str())).await;
        assert!(bobs.values().all(|&times| times == 1));
        for number in &new {
            assert!(bobs.contains_key(number), "{number} was acknowledged and is not with the second recipient");
        }
        acknowledged.extend(new);
        if kill % 15 == 14 {
            let adas = found(&store, &ada()).await;
            for number in &acknowledged {
                assert!(adas.contains_key(number), "{number} was acknowledged and is not there");
            }
            assert!(adas.values().all(|&times| times == 1), "a message is there more than once");
            for number in adas.keys().filter(|number| **number / 1_000_000 == kill) {
                assert!(bobs.contains_key(number), "{number} reached one recipient of two");
            }
        }
        store.close().await;
        check_consistency(&path);
    }
    assert!(acknowledged.len() > 100, "only {} deliveries: the test tests nothing", acknowledged.len());
}
