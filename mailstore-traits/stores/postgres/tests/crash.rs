//! Killed at any moment, a process leaves every message that it acknowledged, once and whole, and none by half; and nothing
//! is left behind that nobody clears away.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::print_stdout, clippy::print_stderr, reason = "tests")]

mod common;
mod server;

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::time::Duration;

use common::*;
use futures::StreamExt;
use mailstore_traits::{
    Account, AccountId, Actor, FlagChange, MailStore, Mode, Placement, Target, TargetMailbox, UidSet,
};
use server::{connect, durable_server};
use store_postgres::{Options, PostgresStore};

const CHILD: &str = "STORE_CRASH_CHILD";
const KILLS: u64 = 20;

/// A message that says of itself what it must be: its number, and octets that follow from it.
fn message(number: u64) -> Vec<u8> {
    let size = if number.is_multiple_of(5) { 66_000 + (number % 7) as usize * 200_000 } else { 500 };
    [format!("{number} ").into_bytes(), octets(number, size)].concat()
}

fn number_of(message: &[u8]) -> u64 {
    let head = message.split(|&octet| octet == b' ').next().unwrap();
    std::str::from_utf8(head).unwrap().parse().unwrap()
}

/// Not a test of its own: what the other test starts and kills.
#[test]
fn child() {
    let Ok(word) = std::env::var(CHILD) else { return };
    let (url, round) = word.rsplit_once('#').unwrap();
    let round: u64 = round.parse().unwrap();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async {
        let store = PostgresStore::connect(url, Options::default().body_grace(Duration::ZERO)).await.unwrap();
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
        for task in 0..4 {
            let store = store.clone();
            tokio::spawn(async move {
                for turn in 0.. {
                    let number = round * 1_000_000 + turn * 4 + task;
                    let blob = blob(&store, &message(number)).await.unwrap();
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
            });
        }
        for turn in 0.. {
            let all = uids(&account, &inbox).await;
            let some: UidSet = all.iter().step_by(2).collect();
            account.move_messages(&inbox, &some, &archive).await.unwrap();
            // Copies that go again: bodies lose and gain messages while the process is killed.
            let newest: UidSet =
                uids(&account, &archive).await.iter().collect::<Vec<_>>().into_iter().rev().take(20).collect();
            let marked = account.store_flags(&archive, &newest, FlagChange::Add(flags("\\Seen $Moved")), None);
            assert!(marked.all(|outcome| async move { outcome.is_ok() }).await);
            account.copy(&archive, &newest, &scratch).await.unwrap();
            account.expunge(&scratch, &UidSet::all(), false).await.unwrap();
            // The only message of its body: its octets are collected.
            let passing = blob(&store, &octets(u64::MAX - turn, 100_000)).await.unwrap();
            account.commit(vec![Placement::new(passing, scratch.clone())], Mode::AllOrNothing).await.unwrap();
            let (work, done) = (format!("Work{round}-{turn}"), format!("Done{round}-{turn}"));
            for child in ["", "/A", "/B"] {
                account.create(&name(&format!("{work}{child}")), None).await.unwrap();
            }
            account.rename(&name(&work), &name(&done)).await.unwrap();
            account.delete(&account.find(&name(&format!("{done}/A"))).await.unwrap()).await.unwrap();
        }
    });
}

/// Starts the child, lets it work for a while, kills it, and gives the numbers that it acknowledged. The while begins with
/// its first acknowledgement, however slow the machine is; but in each fourth round with its start.
fn round(url: &str, round: u64, time: Duration) -> BTreeSet<u64> {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "child", "--nocapture", "--test-threads=1"])
        .env(CHILD, format!("{url}#{round}"))
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let output = child.stdout.take().unwrap();
    let (working, works) = std::sync::mpsc::channel();
    let reader = std::thread::spawn(move || {
        let mut acknowledged = BTreeSet::new();
        let mut output = BufReader::new(output);
        let mut line = String::new();
        while output.read_line(&mut line).unwrap_or(0) > 0 {
            if let Some((_, number)) = line.trim_end_matches('\n').rsplit_once("acknowledged ")
                && line.ends_with('\n')
            {
                acknowledged.insert(number.parse::<u64>().unwrap());
                let _ = working.send(());
            }
            line.clear();
        }
        acknowledged
    });
    if !round.is_multiple_of(4) {
        works.recv_timeout(Duration::from_secs(60)).expect("it works");
    }
    std::thread::sleep(time);
    assert!(child.try_wait().unwrap().is_none(), "the child ended by itself");
    child.kill().unwrap();
    child.wait().unwrap();
    reader.join().unwrap()
}

/// How often each message is there, in the mailboxes of one account; each is whole.
async fn found(store: &PostgresStore, account: &AccountId) -> BTreeMap<u64, u32> {
    let account = store.open(account, &Actor::Service).await.unwrap();
    let mut found = BTreeMap::new();
    for mailbox in ["INBOX", "Archive", "New"] {
        let Ok(mailbox) = account.find(&name(mailbox)).await else { continue };
        for uid in uids(&account, &mailbox).await.iter() {
            let octets = read(&account, &mailbox, uid).await.unwrap();
            let number = number_of(&octets);
            assert!(octets == message(number), "message {number} is not what was delivered");
            *found.entry(number).or_default() += 1;
        }
    }
    found
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_acknowledged_message_survives_a_kill_once_and_whole() {
    if std::env::var_os(CHILD).is_some() {
        return;
    }
    let Some(server) = durable_server() else { return };
    let url = server.database().await;
    // Another node, which goes on serving while the first is killed again and again.
    let store = PostgresStore::connect(&url, Options::default().body_grace(Duration::ZERO)).await.unwrap();
    let client = connect(&url).await;
    let mut acknowledged = BTreeSet::new();
    let mut renamed = 0;
    for kill in 0..KILLS {
        // A different moment each time, from the connecting to the middle of a heavy load.
        let time = Duration::from_millis(60 + (kill * 7_919) % 500);
        let new = tokio::task::block_in_place(|| round(&url, kill, time));
        // What the killed one was at is rolled back when PostgreSQL sees that it has gone; nothing waits for that.
        deliver(&store, &message(kill + (1 << 40))).await.unwrap();
        check_consistency(&url).await;

        let bobs = found(&store, &AccountId::from(format!("bob{kill}").as_str())).await;
        assert!(bobs.values().all(|&times| times == 1));
        for number in &new {
            assert!(bobs.contains_key(number), "{number} was acknowledged and is not with the second recipient");
        }
        acknowledged.extend(new);
        // A rename of a name with children is one step, and a list has no half of it.
        let halves = "SELECT count(*) FROM mailbox WHERE name LIKE '%/B' AND NOT EXISTS (SELECT 1 FROM mailbox AS up \
                      WHERE up.account = mailbox.account AND up.name = split_part(mailbox.name, '/', 1))";
        assert_eq!(client.query_one(halves, &[]).await.unwrap().get::<_, i64>(0), 0);
        let whole = "SELECT count(*) FROM mailbox WHERE name LIKE 'Done%/B'";
        renamed = client.query_one(whole, &[]).await.unwrap().get::<_, i64>(0);
    }
    assert!(renamed > 0, "nothing was renamed: the test tests nothing");
    let adas = found(&store, &ada()).await;
    for number in &acknowledged {
        assert!(adas.contains_key(number), "{number} was acknowledged and is not there");
    }
    assert!(adas.values().all(|&times| times == 1), "a message is there more than once");
    for round in 0..KILLS {
        let bobs = found(&store, &AccountId::from(format!("bob{round}").as_str())).await;
        let of_round = adas.keys().filter(|number| **number / 1_000_000 == round && **number < 1 << 40);
        for number in of_round {
            assert!(bobs.contains_key(number), "{number} reached one recipient of two");
        }
    }
    assert!(acknowledged.len() > 20, "only {} deliveries: the test tests nothing", acknowledged.len());
    eprintln!("{KILLS} kills, {} deliveries acknowledged", acknowledged.len());
    // What they left in the middle of staging is cleared away, when it is a day old.
    let left = "SELECT count(*) FROM stage";
    let staged: i64 = client.query_one(left, &[]).await.unwrap().get(0);
    eprintln!("{staged} bodies were left by half");
    client.execute("UPDATE stage SET begun = begun - interval '2 days'", &[]).await.unwrap();
    store.collect().await.unwrap();
    assert_eq!(client.query_one(left, &[]).await.unwrap().get::<_, i64>(0), 0);
    check_consistency(&url).await;
}
