//! What IMAP's clients cost: a list of envelopes, a thousand that idle, a mailbox in which nothing happens.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::time::{Duration, Instant};

use crate::mailbox::{Client, Outcome};
use crate::process::Server;

/// How long 64 octets take to a process that sends them back, and their way home: the median.
fn round_trip() -> Outcome<Duration> {
    let server = Server::start(&["echo", "threads", "64", "64"])?;
    let mut socket = TcpStream::connect(("127.0.0.1", server.port))?;
    socket.set_nodelay(true)?;
    let mut octets = [b'x'; 64];
    let mut times = Vec::new();
    for _ in 0..20_000 {
        let begun = Instant::now();
        socket.write_all(&octets)?;
        socket.read_exact(&mut octets)?;
        times.push(begun.elapsed());
    }
    times.sort_unstable();
    Ok(times.get(times.len() / 2).copied().unwrap_or_default())
}

/// `FETCH 1:*` of ten thousand messages whose digests are kept.
pub(crate) async fn fetch(count: usize) -> Outcome {
    const ROUNDS: usize = 20;
    let trip = round_trip()?.as_secs_f64() * 1e6;
    println!(
        "A loopback round trip of 64 octets: {trip:.1} µs (median).\n\n\
         | Store | Command | octets a message | µs a message | server CPU, µs a message |\n\
         | --- | --- | ---: | ---: | ---: |"
    );
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("mail.sqlite");
    for (store, place) in [("memory", "memory"), ("SQLite", path.to_str().ok_or("path")?)] {
        let server = Server::start(&["imap", place, &count.to_string(), "2000"])?;
        let mut client = Client::connect(server.port).await?;
        client.command("SELECT INBOX").await?;
        for command in ["FETCH 1:* ENVELOPE", "FETCH 1:* (UID FLAGS)"] {
            client.command(command).await?;
            let before = server.cpu()?;
            let (mut took, mut octets) = (Duration::ZERO, 0);
            for _ in 0..ROUNDS {
                let (time, came) = client.command(command).await?;
                took += time;
                octets += came;
            }
            let messages = ROUNDS * count;
            let cpu = server.cpu()?.since(before).each(messages);
            println!(
                "| {store} | `{command}` | {} | {:.2} | {cpu:.2} |",
                octets / messages,
                took.as_secs_f64() * 1e6 / messages as f64
            );
        }
    }
    Ok(())
}

/// Connections that idle, each after it has fetched something large.
pub(crate) async fn idle(count: usize) -> Outcome {
    println!(
        "| Store | Before IDLE each | connections | KiB each, proportional |\n\
         | --- | --- | ---: | ---: |"
    );
    for (what, commands) in [
        ("SELECT", &["SELECT INBOX"][..]),
        ("SELECT, all envelopes, a body of 1 MB", &["SELECT INBOX", "FETCH 1:* ENVELOPE", "FETCH 1 BODY.PEEK[]"]),
    ] {
        let server = Server::start(&["imap", "memory", "100", "1000000"])?;
        let mut idling = Vec::new();
        // The first ones' memory is the server's own: threads, arenas, tables.
        for _ in 0..50 {
            idling.push(idler(&server, commands).await?);
        }
        let before = server.proportional()?;
        for _ in 0..count {
            idling.push(idler(&server, commands).await?);
        }
        // The last ones' tasks have gone to sleep by then.
        tokio::time::sleep(Duration::from_millis(200)).await;
        let each = server.proportional()?.saturating_sub(before) as f64 / 1024.0 / count as f64;
        println!("| memory | {what} | {count} | {each:.1} |");
    }
    Ok(())
}

async fn idler(server: &Server, commands: &[&str]) -> Outcome<tokio::net::TcpStream> {
    let mut client = Client::connect(server.port).await?;
    for command in commands {
        client.command(command).await?;
    }
    client.idle().await
}

/// SELECT of a mailbox, and NOOP while nothing happens in it.
pub(crate) async fn select() -> Outcome {
    const NOOPS: usize = 2000;
    println!(
        "| Messages | SELECT, ms | server CPU, ms | NOOP, µs | server CPU, µs |\n\
         | ---: | ---: | ---: | ---: | ---: |"
    );
    let folder = tempfile::tempdir()?;
    for count in [100, 10_000, 1_000_000] {
        let path = folder.path().join(format!("{count}.sqlite"));
        let place = path.to_str().ok_or("path")?;
        // By a process of its own: the one that is measured has done nothing before.
        fill_apart(&path, count)?;
        let server = Server::start(&["imap", place, "0", "0"])?;
        let mut client = Client::connect(server.port).await?;
        client.command("SELECT INBOX").await?;
        // The system counts CPU time in hundredths of a second, so what is short is done often.
        let selects = if count > 100_000 { 20 } else { 500 };
        let before = server.cpu()?;
        let mut select = Duration::ZERO;
        for _ in 0..selects {
            select += client.command("SELECT INBOX").await?.0;
        }
        let select_cpu = server.cpu()?.since(before).each(selects) / 1e3;
        let before = server.cpu()?;
        let begun = Instant::now();
        for _ in 0..NOOPS {
            client.command("NOOP").await?;
        }
        let noop = begun.elapsed().as_secs_f64() * 1e6 / NOOPS as f64;
        let noop_cpu = server.cpu()?.since(before).each(NOOPS);
        println!(
            "| {count} | {:.2} | {select_cpu:.2} | {noop:.0} | {noop_cpu:.0} |",
            select.as_secs_f64() * 1e3 / selects as f64
        );
    }
    Ok(())
}

fn fill_apart(path: &Path, count: usize) -> Outcome {
    let mut command = std::process::Command::new(std::env::current_exe()?);
    let filled = command.args([crate::process::SERVE, "fill"]).arg(path).arg(count.to_string()).status()?;
    if filled.success() { Ok(()) } else { Err("the mailbox could not be filled".into()) }
}
