//! An IMAP server over a mailbox of a million small messages: how long each command takes, and what the process holds.
//!
//! ```sh
//! cargo run --release -p pillarbox-benches --example imap_million            # a million messages in SQLite
//! cargo run --release -p pillarbox-benches --example imap_million -- 10000   # fewer
//! ```
//!
//! The mailbox is filled by a process of its own; the one that serves and is measured has done nothing before. Times are
//! those of a client on the loopback, from the command's first octet to the last of its tagged answer.
#![allow(clippy::print_stdout)]

use std::error::Error;
use std::path::Path;
use std::time::{Duration, Instant};

use bytes::Bytes;
use mail_message::Digest;
use mailstore_traits::{
    Account, AccountId, Actor, Authenticator, MailStore, MailboxName, Mode, Placement, Result, Secret, SizeHint, Stage,
    UserName,
};
use store_sqlite::{Options, SqliteStore};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

type Outcome<T = ()> = std::result::Result<T, Box<dyn Error>>;

const ACCOUNT: &str = "ada@example.org";

/// Messages in one change while the mailbox is filled.
const BATCH: usize = 1000;

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
    let account = store.open(&AccountId::new(ACCOUNT), &Actor::Service).await?;
    let inbox = account.find(&MailboxName::inbox()).await?;
    let begun = Instant::now();
    let mut left = count;
    while left > 0 {
        let batch = left.min(BATCH);
        let message = format!(
            "From: Charles Babbage <charles@example.net>\r\nTo: {ACCOUNT}\r\nSubject: Notes {left}\r\n\
             Date: Mon, 23 Nov 2026 09:00:00 +0000\r\nMessage-ID: <{left}@example.net>\r\n\r\nA note.\r\n"
        );
        let digest = Digest::of(message.as_bytes()).to_octets();
        let mut stage = Account::stage(&account, SizeHint::Octets(message.len() as u64)).await?;
        stage.write(Bytes::from(message)).await?;
        let blob = stage.finish(Some(digest)).await?;
        let placements = (0..batch).map(|_| Placement::new(blob.clone(), inbox.clone())).collect();
        for placed in account.commit(placements, Mode::PerTarget).await? {
            placed?;
        }
        left -= batch;
    }
    println!("filled with {count} messages in {:.1} s, {BATCH} in a change", begun.elapsed().as_secs_f64());
    store.close().await;
    Ok(())
}

/// Lets in whoever comes.
#[derive(Debug, Clone)]
struct Everybody;

impl Authenticator for Everybody {
    async fn check_password(&self, _: &UserName, _: &Secret<String>) -> Result<Option<AccountId>> {
        Ok(Some(AccountId::new(ACCOUNT)))
    }
}

async fn measure(path: &Path, count: usize) -> Outcome {
    let store: SqliteStore = Options::default().open(path)?;
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let server =
        imap_proto::Server::builder("mail.example.org").allow_insecure_login(true).build_with(store, Everybody);
    tokio::spawn(async move { server.serve(listener).await });
    let mut client = Client { socket: TcpStream::connect(address).await?, buffer: vec![0; 64 * 1024], tag: 0 };
    client.greeting().await?;
    client.command("LOGIN ada x").await?;
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
    ] {
        let command = command.replace("500000", &(count / 2).max(1).to_string());
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

struct Client {
    socket: TcpStream,
    buffer: Vec<u8>,
    tag: u32,
}

impl Client {
    async fn greeting(&mut self) -> Outcome {
        if self.socket.read(&mut self.buffer).await? == 0 {
            return Err("no greeting".into());
        }
        Ok(())
    }

    /// Sends a command and reads to the end of its answer. How long that took, and how many octets came.
    async fn command(&mut self, command: &str) -> Outcome<(Duration, usize)> {
        self.tag += 1;
        let tag = format!("t{:06} ", self.tag);
        let begun = Instant::now();
        self.socket.write_all(format!("{tag}{command}\r\n").as_bytes()).await?;
        let (mut octets, mut line) = (0, Vec::new());
        loop {
            let count = self.socket.read(&mut self.buffer).await?;
            if count == 0 {
                return Err("the server has gone".into());
            }
            octets += count;
            // The last line is all that has to be kept.
            let piece = self.buffer.get(..count).unwrap_or_default();
            line.extend_from_slice(piece);
            let whole = line.len() - 1;
            if let Some(end) = line.get(..whole).and_then(|text| text.iter().rposition(|octet| *octet == b'\n')) {
                line.drain(..=end);
            }
            if line.starts_with(tag.as_bytes()) && line.ends_with(b"\r\n") {
                if !line.get(tag.len()..).is_some_and(|text| text.starts_with(b"OK")) {
                    return Err(String::from_utf8_lossy(&line).into_owned().into());
                }
                return Ok((begun.elapsed(), octets));
            }
        }
    }
}
