//! Mailboxes to serve, and a client that asks for what is in them.

use std::error::Error;
use std::fmt::Write as _;
use std::time::{Duration, Instant};

use bytes::Bytes;
use mail_message::Digest;
use mailstore_traits::{
    Account, AccountId, Actor, Authenticator, MailStore, MailboxName, Mode, Placement, Result, Secret, SizeHint, Stage,
    UserName,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

pub(crate) type Outcome<T = ()> = std::result::Result<T, Box<dyn Error + Send + Sync>>;

pub(crate) const ACCOUNT: &str = "ada@example.org";

/// Messages in one change while a mailbox is filled.
const BATCH: usize = 1000;

/// Lets in whoever comes.
#[derive(Debug, Clone)]
pub(crate) struct Everybody;

impl Authenticator for Everybody {
    async fn check_password(&self, _: &UserName, _: &Secret<String>) -> Result<Option<AccountId>> {
        Ok(Some(AccountId::new(ACCOUNT)))
    }
}

/// The message of that number: a header as people's programs write it, and that much text.
pub(crate) fn message(number: usize, text: usize) -> String {
    const LINE: &str = "The engine weaves algebraic patterns just as the loom weaves flowers.\r\n";
    let mut message = format!(
        "From: Charles Babbage <charles@example.net>\r\nTo: {ACCOUNT}\r\nSubject: Notes {number}\r\n\
         Date: Mon, 23 Nov 2026 09:00:00 +0000\r\nMessage-ID: <{number}@example.net>\r\n"
    );
    if text == 0 {
        message.push_str("\r\nA note.\r\n");
        return message;
    }
    let _ = write!(
        message,
        "Cc: Augusta King <augusta@example.com>, \"Menabrea, L. F.\" <luigi@example.com>\r\n\
         In-Reply-To: <{}@example.org>\r\nReferences: <{}@example.org>\r\n\
         MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n",
        number.saturating_sub(1),
        number.saturating_sub(1)
    );
    let end = message.len().saturating_add(text);
    while message.len() < end {
        message.push_str(LINE);
    }
    message
}

/// Puts messages with their digests into the INBOX. Those of one change share their octets if `alike`.
pub(crate) async fn fill<S: MailStore>(store: &S, count: usize, text: usize, alike: bool) -> Outcome {
    let account = store.open(&AccountId::new(ACCOUNT), &Actor::Service).await?;
    let inbox = account.find(&MailboxName::inbox()).await?;
    let mut left = count;
    while left > 0 {
        let batch = left.min(BATCH);
        let mut placements = Vec::with_capacity(batch);
        for number in 0..batch {
            if number > 0 && alike {
                placements.extend(placements.first().cloned());
                continue;
            }
            let message = message(left.saturating_sub(number), text);
            let digest = Digest::of(message.as_bytes()).to_octets();
            let mut stage = Account::stage(&account, SizeHint::Octets(message.len() as u64)).await?;
            stage.write(Bytes::from(message)).await?;
            placements.push(Placement::new(stage.finish(Some(digest)).await?, inbox.clone()));
        }
        for placed in account.commit(placements, Mode::PerTarget).await? {
            placed?;
        }
        left -= batch;
    }
    Ok(())
}

/// A client of an IMAP server.
pub(crate) struct Client {
    socket: TcpStream,
    buffer: Vec<u8>,
    tag: u32,
}

impl Client {
    /// One that has been greeted and has logged in.
    pub(crate) async fn connect(port: u16) -> Outcome<Self> {
        let socket = TcpStream::connect(("127.0.0.1", port)).await?;
        socket.set_nodelay(true)?;
        let mut client = Self { socket, buffer: vec![0; 64 * 1024], tag: 0 };
        if client.socket.read(&mut client.buffer).await? == 0 {
            return Err("no greeting".into());
        }
        client.command("LOGIN ada x").await?;
        Ok(client)
    }

    /// Sends a command and reads to the end of its answer. How long that took, and how many octets came.
    pub(crate) async fn command(&mut self, command: &str) -> Outcome<(Duration, usize)> {
        self.tag += 1;
        let tag = format!("t{:06} ", self.tag);
        let begun = Instant::now();
        self.socket.write_all(format!("{tag}{command}\r\n").as_bytes()).await?;
        let (octets, line) = self.read_to(tag.as_bytes()).await?;
        if !line.get(tag.len()..).is_some_and(|text| text.starts_with(b"OK")) {
            return Err(String::from_utf8_lossy(&line).into_owned().into());
        }
        Ok((begun.elapsed(), octets))
    }

    /// Sends IDLE and waits until it has begun. The client's own buffer is given back.
    pub(crate) async fn idle(mut self) -> Outcome<TcpStream> {
        self.socket.write_all(b"i IDLE\r\n").await?;
        self.read_to(b"+").await?;
        Ok(self.socket)
    }

    /// Reads to a line that begins so. How many octets came, and that line.
    async fn read_to(&mut self, begin: &[u8]) -> Outcome<(usize, Vec<u8>)> {
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
            if line.starts_with(begin) && line.ends_with(b"\r\n") {
                return Ok((octets, line));
            }
        }
    }
}
