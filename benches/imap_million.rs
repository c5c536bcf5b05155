//! An IMAP server over a mailbox of a million small messages: how long each command takes, and what the process holds.
//!
//! ```sh
//! cargo run --release -p pillarbox-benches --example imap_million            # a million messages in SQLite
//! cargo run --release -p pillarbox-benches --example imap_million -- 10000   # fewer
//! ```
//!
//! The mailbox is filled by a process of its own; the one that serves and is measured has done nothing before. Times are
//! those of a client on the loopback, from the command's first octet to the last of its tagged answer.
#![allow(clippy::print_stdout, dead_code, reason = "the client can do more than is asked of it here")]

#[path = "server/mailbox.rs"]
mod mailbox;

use std::path::Path;
use std::time::Instant;

use mailbox::{Client, Everybody, Outcome};
use store_sqlite::{Options, SqliteStore};
use tokio::net::TcpListener;

#[tokio::main]
async fn main() -> Outcome {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.as_slice() {
        [word, path, count] if word == "fill" => fill(Path::new(path), count.parse()?).await,
        _ => {
            let count = arguments.first().map_or(Ok(1_000_000), |count| count.parse())?;
            let folder = tempfile::tempdir()?;
            let path = folder.path().join("mail.sqlite");
            let filled = std::process::Command::new(std::env::current_exe()?)
                .arg("fill")
                .arg(&path)
                .arg(count.to_string())
                .status()?;
            if !filled.success() {
                return Err("the mailbox could not be filled".into());
            }
            measure(&path, count).await
        }
    }
}

async fn fill(path: &Path, count: usize) -> Outcome {
    let store = Options::default().open(path)?;
    let begun = Instant::now();
    mailbox::fill(&store, count, 0, true).await?;
    println!("filled with {count} messages in {:.1} s, 1000 in a change", begun.elapsed().as_secs_f64());
    store.close().await;
    Ok(())
}

async fn measure(path: &Path, count: usize) -> Outcome {
    let store: SqliteStore = Options::default().open(path)?;
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let server =
        imap_proto::Server::builder("mail.example.org").allow_insecure_login(true).build_with(store, Everybody);
    tokio::spawn(async move { server.serve(listener).await });
    let mut client = Client::connect(address.port()).await?;
    let before = resident()?;
    println!("{count} messages; the process holds {before} KiB before SELECT");
    println!("{:<44} {:>10} {:>12} {:>10}", "command", "ms", "octets", "KiB held");
    for command in [
        "SELECT INBOX",
        "NOOP",
        "UID FETCH 1:* (FLAGS)",
        "UID SEARCH UNSEEN",
        "UID SEARCH RETURN (COUNT) UNSEEN",
        "STORE 500000 +FLAGS (\\Flagged)",
        "NOOP",
        "UID SEARCH FLAGGED",
        "UID STORE 1:* +FLAGS.SILENT (\\Seen)",
        "NOOP",
        "UID SEARCH UNSEEN",
        "UID FETCH 1:* (FLAGS) (CHANGEDSINCE 1)",
        "STATUS INBOX (MESSAGES UNSEEN)",
        "EXAMINE INBOX",
        // From here on there are gaps.
        "SELECT INBOX",
        "STORE 500000 +FLAGS.SILENT (\\Deleted)",
        "EXPUNGE",
        "SELECT INBOX",
        "SELECT INBOX",
        "STORE 250000 +FLAGS.SILENT (\\Deleted)",
        "EXPUNGE",
        "SELECT INBOX",
    ] {
        let (half, quarter) = ((count / 2).max(1), (count / 4).max(1));
        let command = command.replace("500000", &half.to_string()).replace("250000", &quarter.to_string());
        let (took, octets) = client.command(&command).await?;
        println!("{command:<44} {:>10.1} {octets:>12} {:>10}", took.as_secs_f64() * 1e3, resident()?);
    }
    Ok(())
}

/// KiB of memory that the process holds.
fn resident() -> Outcome<u64> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).ok_or("no VmRSS")?;
    Ok(line.trim().trim_end_matches(" kB").trim().parse()?)
}
