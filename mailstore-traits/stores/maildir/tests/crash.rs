//! Killed at any moment, the store has every message that it acknowledged, once and whole; and the folders and the index
//! agree.
#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

mod common;

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use common::*;
use futures::StreamExt;
use mailstore_traits::{Account, AccountId, Actor, FlagChange, MailStore, Mode, Target, UidSet};
use store_maildir::MaildirStore;

const CHILD: &str = "MAILDIR_CRASH_CHILD";
const KILLS: u64 = 20;

/// A message that says of itself what it must be; some are larger than what is held in memory.
fn message(number: u64) -> Vec<u8> {
    let lines = if number.is_multiple_of(5) { 2_000 } else { 10 + number % 7 };
    let mut message = format!("Subject: {number}\r\n\r\n").into_bytes();
    (0..lines).for_each(|line| {
        message.extend_from_slice(format!("line {line} of message {number}, and more\r\n").as_bytes())
    });
    message
}

fn number_of(message: &[u8]) -> u64 {
    std::str::from_utf8(message).unwrap().lines().next().unwrap().rsplit_once(' ').unwrap().1.parse().unwrap()
}

/// Not a test of its own: what the other test starts and kills.
#[test]
fn child() {
    let Ok(word) = std::env::var(CHILD) else { return };
    let (root, round) = word.rsplit_once('#').unwrap();
    let round: u64 = round.parse().unwrap();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async {
        let store = MaildirStore::open(root).unwrap();
        let account = account(&store).await;
        let inbox = inbox(&account).await;
        let archive = match account.find(&name("Archive")).await {
            Ok(archive) => archive,
            Err(_) => account.create(&name("Archive"), None).await.unwrap().id,
        };
        let scratch = match account.find(&name("Scratch")).await {
            Ok(scratch) => scratch,
            Err(_) => account.create(&name("Scratch"), None).await.unwrap().id,
        };
        for task in 0..4 {
            let store = store.clone();
            tokio::spawn(async move {
                for turn in 0.. {
                    let number = round * 1_000_000 + turn * 4 + task;
                    let blob = blob(&store, &message(number)).await;
                    let other = AccountId::from(format!("bob{round}").as_str());
                    let targets = vec![Target::inbox(ada()), Target::inbox(other)];
                    let placed = store.deliver(&blob, targets, Mode::AllOrNothing).await.unwrap();
                    assert!(placed.iter().all(Result::is_ok));
                    println!("acknowledged {number}");
                }
            });
        }
        for turn in 0_u64.. {
            let uids = account.snapshot(&inbox, true).await.unwrap().uids;
            let some: UidSet = uids.iter().step_by(2).collect();
            account.move_messages(&inbox, &some, &archive).await.unwrap();
            let recent = account.snapshot(&archive, true).await.unwrap();
            let newest: UidSet = recent.uids.iter().collect::<Vec<_>>().into_iter().rev().take(20).collect();
            let change = FlagChange::Add(flags(if turn.is_multiple_of(2) { "\\Seen $Moved" } else { "\\Answered" }));
            account.store_flags(&archive, &newest, change, None).map(Result::unwrap).collect::<Vec<_>>().await;
            account.copy(&archive, &newest, &scratch).await.unwrap();
            account.expunge(&scratch, &UidSet::all(), false).await.unwrap();
            let (from, to) = if turn.is_multiple_of(2) { ("Parent/A", "Other/A") } else { ("Other/A", "Parent/A") };
            if account.find(&name(from)).await.is_err() {
                let _ = account.create(&name(from), None).await;
            }
            let _ = account.rename(&name(from), &name(to)).await;
        }
    });
}

/// Starts the child, lets it work for a while, kills it, and gives the numbers that it acknowledged.
fn round(root: &Path, round: u64, time: Duration) -> BTreeSet<u64> {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "child", "--nocapture", "--test-threads=1"])
        .env(CHILD, format!("{}#{round}", root.display()))
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let output = child.stdout.take().unwrap();
    let reader = std::thread::spawn(move || {
        let mut acknowledged = BTreeSet::new();
        for line in BufReader::new(output).split(b'\n').map_while(Result::ok) {
            // A line that the kill cut short has too few digits to be another's number.
            if let Some((_, number)) = String::from_utf8_lossy(&line).rsplit_once("acknowledged ")
                && let Ok(number) = number.parse::<u64>()
                && number / 1_000_000 == round
            {
                acknowledged.insert(number);
            }
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
async fn found(store: &MaildirStore, account: &AccountId) -> BTreeMap<u64, u32> {
    let account = store.open(account, &Actor::Service).await.unwrap();
    let mut found = BTreeMap::new();
    for mailbox in ["INBOX", "Archive"] {
        let Ok(mailbox) = account.find(&name(mailbox)).await else { continue };
        let snapshot = account.snapshot(&mailbox, false).await.unwrap();
        for uid in snapshot.uids.iter() {
            let octets = read(&account, &mailbox, uid).await.unwrap();
            let number = number_of(&octets);
            assert!(octets == message(number), "message {number} is not what was delivered");
            *found.entry(number).or_default() += 1;
        }
    }
    found
}

#[tokio::test]
async fn every_acknowledged_message_survives_a_kill_once_and_whole() {
    let root = tempfile::tempdir().unwrap();
    let mut acknowledged = BTreeSet::new();
    for kill in 0..KILLS {
        // A different moment each time, from the opening to the middle of a heavy load.
        let new = round(root.path(), kill, Duration::from_millis(60 + (kill * 7_919) % 400));
        let store = MaildirStore::open(root.path()).unwrap();
        let bobs = found(&store, &AccountId::from(format!("bob{kill}").as_str())).await;
        assert!(bobs.values().all(|&times| times == 1));
        for number in &new {
            assert!(bobs.contains_key(number), "{number} was acknowledged and is not with the second recipient");
        }
        acknowledged.extend(new);
        if kill % 10 == 9 {
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
        check_consistency(root.path());
    }
    assert!(acknowledged.len() > 100, "only {} deliveries: the test tests nothing", acknowledged.len());
}
