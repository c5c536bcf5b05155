//! Killed at any moment under load, it has every message that it answered 250 for, once, and no half of one.
//!
//! Twenty rounds; as many as `PILLARBOX_KILLS` says, if it does.
#![cfg(unix)]
#![allow(missing_docs, clippy::indexing_slicing, clippy::print_stdout, clippy::print_stderr, reason = "tests")]

mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use support::{Line, Server};

const SENDERS: usize = 6;
const DOMAIN: [&str; 3] = ["--domain", "example.org", "--allow-insecure-login"];

/// A message that says its own name and how long it is.
fn message(id: u64) -> Vec<u8> {
    // Some lie in the database, some in a file, some need several reads.
    let lines = [1, 40, 3_000, 300][usize::try_from(id % 4).expect("small")];
    let mut text = format!("Subject: {id}\r\nX-Lines: {lines}\r\n\r\n").into_bytes();
    for line in 0..lines {
        text.extend_from_slice(format!("{id} {line} {}\r\n", "x".repeat(50)).as_bytes());
    }
    text
}

/// Sends until the server has gone; keeps the ids that were answered.
fn send(port: u16, next: &AtomicU64, stop: &AtomicBool, answered: &Mutex<BTreeSet<u64>>) -> std::io::Result<()> {
    let mut line = Line::try_connect(port)?;
    line.reply()?;
    line.ask("EHLO client.example.net", "250")?;
    while !stop.load(Ordering::Relaxed) {
        let id = next.fetch_add(1, Ordering::Relaxed);
        line.ask("MAIL FROM:<a@example.net>", "250")?;
        // Two recipients that are one account would be one message; two accounts, one each.
        line.ask("RCPT TO:<me@example.org>", "250")?;
        line.ask("DATA", "354")?;
        let mut data = message(id);
        data.extend_from_slice(b".\r\n");
        line.send(&data)?;
        if line.reply()?.starts_with("250") {
            answered.lock().expect("nobody panics").insert(id);
        }
    }
    Ok(())
}

/// Everything in the maildrop: how often each id, each of them whole.
fn fetch(server: &Server, password: &str) -> BTreeMap<u64, usize> {
    let mut line = server.connect("pop3");
    line.line().expect("a greeting");
    line.ask("USER me@example.org", "+OK").expect("taken");
    line.ask(&format!("PASS {password}"), "+OK").expect("taken");
    let stat = line.ask("STAT", "+OK").expect("taken");
    let count: usize = stat.split_whitespace().nth(1).expect("a count").parse().expect("a number");
    let mut found = BTreeMap::new();
    for number in 1..=count {
        line.ask(&format!("RETR {number}"), "+OK").expect("taken");
        let octets = line.multiline().expect("a message");
        let text = String::from_utf8_lossy(&octets);
        let id = text.split("Subject: ").nth(1).and_then(|rest| rest.lines().next()).and_then(|id| id.parse().ok());
        let id: u64 = id.unwrap_or_else(|| panic!("a message that nobody sent: {text}"));
        assert!(octets.ends_with(&message(id)), "message {id} is not whole");
        *found.entry(id).or_default() += 1;
    }
    line.ask("QUIT", "+OK").expect("taken");
    found
}

fn check(server: &Server, password: &str, answered: &BTreeSet<u64>, round: u64) {
    let found = fetch(server, password);
    let lost: Vec<_> = answered.iter().filter(|id| !found.contains_key(id)).collect();
    let twice: Vec<_> = found.iter().filter(|(_, times)| **times > 1).collect();
    assert!(lost.is_empty(), "round {round}: answered 250 and lost: {lost:?}");
    assert!(twice.is_empty(), "round {round}: there more than once: {twice:?}");
}

/// Nothing lies about that belongs to no message, beyond what waits for its sweep.
fn octets_below(path: &Path) -> u64 {
    let entries = std::fs::read_dir(path).expect("a folder").map(|entry| entry.expect("there"));
    entries
        .map(|entry| match entry.metadata() {
            Ok(data) if data.is_dir() => octets_below(&entry.path()),
            Ok(data) => data.len(),
            Err(_) => 0,
        })
        .sum()
}

#[test]
fn sec_c7_every_message_that_was_answered_is_there_once_after_a_kill() {
    let rounds: u64 = std::env::var("PILLARBOX_KILLS").ok().and_then(|rounds| rounds.parse().ok()).unwrap_or(20);
    let folder = tempfile::tempdir().expect("a folder for the test");
    let data = folder.path().join("data");
    let mut server = Server::start(&data, &DOMAIN);
    let password = server.password.clone().expect("a first start");
    let answered = Arc::new(Mutex::new(BTreeSet::new()));
    let next = Arc::new(AtomicU64::new(0));
    let mut random = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).expect("a clock").subsec_nanos();
    for round in 1..=rounds {
        let (port, stop) = (server.port("smtp"), Arc::new(AtomicBool::new(false)));
        let senders: Vec<_> = (0..SENDERS)
            .map(|_| {
                let (next, stop, answered) = (Arc::clone(&next), Arc::clone(&stop), Arc::clone(&answered));
                std::thread::spawn(move || send(port, &next, &stop, &answered))
            })
            .collect();
        // Any odd multiplier would do; the moment is what matters.
        random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        std::thread::sleep(Duration::from_millis(u64::from(random >> 16) % 300));
        server.kill();
        stop.store(true, Ordering::Relaxed);
        for sender in senders {
            // Its connection broke, as it should.
            let _ = sender.join().expect("no panic");
        }
        server = Server::start(&data, &DOMAIN);
        if round % 5 == 0 || round == rounds {
            check(&server, &password, &answered.lock().expect("nobody panics"), round);
        }
    }
    let count = answered.lock().expect("nobody panics").len();
    println!("{count} messages were answered over {rounds} kills; {} octets on disk", octets_below(&data));
    assert!(count > 0, "nothing was delivered, so nothing was tested");
}
