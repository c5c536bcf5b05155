//! Memory stays flat while a hundred sessions send: what a message needs is a chunk, however large it is.
//!
//! Each session sends 8 MiB, together a hundred times what may be held; `PILLARBOX_MEMORY_MIB` makes it up to 25.
#![cfg(target_os = "linux")]
#![allow(missing_docs, clippy::indexing_slicing, clippy::print_stdout, clippy::print_stderr, reason = "tests")]

mod support;

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Barrier};
use std::time::Duration;

use support::{Line, Server};

const SESSIONS: usize = 100;
/// What each has sent when the measuring begins: more than any buffer holds.
const WARM: usize = 512 << 10;
/// What "flat" allows: the allocator's own ups and downs.
const TOLERATED_KIB: u64 = 8 << 10;

fn session(port: u16, size: usize, gates: &[Barrier; 2], sent: &AtomicU64) -> std::io::Result<()> {
    let mut line = Line::try_connect(port)?;
    line.reply()?;
    line.ask("EHLO client.example.net", "250")?;
    line.ask("MAIL FROM:<a@example.net>", "250")?;
    line.ask("RCPT TO:<me@example.org>", "250")?;
    line.ask("DATA", "354")?;
    let chunk = [b'x'; 76].into_iter().chain(*b"\r\n").collect::<Vec<_>>().repeat(100);
    let mut done = 0;
    let mut warm = false;
    while done < size {
        if !warm && done >= WARM {
            warm = true;
            gates[0].wait();
            gates[1].wait();
        }
        line.send(&chunk)?;
        done += chunk.len();
        sent.fetch_add(chunk.len() as u64, Ordering::Relaxed);
    }
    line.send(b".\r\n")?;
    let reply = line.reply()?;
    if reply.starts_with("250") { Ok(()) } else { Err(std::io::Error::other(reply)) }
}

#[test]
fn memory_is_flat_while_a_hundred_sessions_send() {
    let chosen = std::env::var("PILLARBOX_MEMORY_MIB").ok().and_then(|count| count.parse::<usize>().ok());
    // A chunk is sent whole, so the last one may go a little further.
    let size = (chosen.unwrap_or(8).clamp(1, 25) << 20) - 20_000;
    let folder = tempfile::tempdir().expect("a folder for the test");
    let server = Server::start(&folder.path().join("data"), &["--domain", "example.org"]);
    let port = server.port("smtp");
    let gates = Arc::new([Barrier::new(SESSIONS + 1), Barrier::new(SESSIONS + 1)]);
    let (sent, ended) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicUsize::new(0)));
    let sessions: Vec<_> = (0..SESSIONS)
        .map(|_| {
            let (gates, sent, ended) = (Arc::clone(&gates), Arc::clone(&sent), Arc::clone(&ended));
            std::thread::spawn(move || {
                let result = session(port, size, &gates, &sent);
                ended.fetch_add(1, Ordering::Relaxed);
                result
            })
        })
        .collect();
    gates[0].wait();
    // What has been sent is on its way through the sockets; let it arrive.
    std::thread::sleep(Duration::from_millis(500));
    let before = server.resident();
    gates[1].wait();
    let mut most = before;
    while ended.load(Ordering::Relaxed) < SESSIONS {
        most = most.max(server.resident());
        std::thread::sleep(Duration::from_millis(5));
    }
    for session in sessions {
        session.join().expect("no panic").expect("every message is taken");
    }
    let sent = sent.load(Ordering::Relaxed) >> 20;
    println!("{SESSIONS} sessions sent {sent} MiB; resident {before} KiB before, {most} KiB at the most");
    assert!(most - before <= TOLERATED_KIB, "grew by {} KiB, from {before}", most - before);
}
