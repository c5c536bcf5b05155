//! Twenty clients at once do what clients do, in any order, and each keeps a model of what it has been told. Whatever the
//! others do, the model must hold: numbers, UIDs, flags.
//!
//! `SOAK_SECONDS=60 cargo test -p pillarbox-imap-proto --features server --test many_clients` goes on for a minute; `SEED`
//! begins where another run began.
#![cfg(feature = "server")]
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::print_stdout, reason = "it is a test")]

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use bytes::BytesMut;
use imap_proto::Server;
use imap_proto::grammar::Dialect;
use imap_proto::response::code::RefusalCode;
use imap_proto::response::{Code, Data, FetchItem, Response, ResponseReader, Status, StatusKind};
use mail_wire::io::{Link, Shutdown};
use mailstore_traits::memory::MemoryStore;
use mailstore_traits::{Flag, FlagChange, Flags};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
use tokio::sync::Barrier;

const CLIENTS: usize = 20;
const MAILBOXES: [&str; 3] = ["INBOX", "Work", "Archive"];
const FLAGS: [&str; 6] = ["\\Seen", "\\Flagged", "\\Deleted", "\\Answered", "$one", "$two"];

/// xorshift: the same numbers for the same seed.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) as usize % sides.max(1)
    }

    fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.roll(from.len())]
    }
}

/// What a client has been told of a message.
#[derive(Debug, Clone, Default)]
struct Known {
    uid: Option<u32>,
    flags: Option<Flags>,
}

struct Client {
    name: usize,
    socket: DuplexStream,
    reader: ResponseReader,
    input: BytesMut,
    tag: u32,
    dice: Dice,
    selected: Option<&'static str>,
    read_only: bool,
    /// By number: the first is 1.
    messages: Vec<Known>,
    /// The command that is under way may not hear of EXPUNGE.
    by_number: bool,
    /// The last commands and answers, for whoever looks into a violation.
    log: Vec<String>,
    commands: u64,
}

impl Client {
    fn violated(&self, words: &str) -> ! {
        let log = self.log.iter().rev().take(6000).rev().cloned().collect::<Vec<_>>().join("\n");
        panic!("client {}: {words}\n{log}\nbelieves {} messages", self.name, self.messages.len());
    }

    async fn next(&mut self) -> Response {
        loop {
            if let Some(response) = self.reader.next(&mut self.input, Dialect::ASCII) {
                match response {
                    Ok(response) => return response,
                    Err(error) => self.violated(&format!("unreadable: {error}")),
                }
            }
            if self.socket.read_buf(&mut self.input).await.unwrap() == 0 {
                self.violated("the server has gone");
            }
        }
    }

    async fn send(&mut self, octets: &str) {
        self.socket.write_all(octets.as_bytes()).await.unwrap();
    }

    /// Sends a command and heeds its answer.
    async fn command(&mut self, command: &str) -> Status {
        self.tag += 1;
        self.commands += 1;
        let tag = format!("c{}", self.tag);
        self.log.push(format!("C: {tag} {command}"));
        let verb = command.split(' ').next().unwrap_or_default();
        self.by_number = matches!(verb, "FETCH" | "STORE" | "SEARCH");
        self.send(&format!("{tag} {command}\r\n")).await;
        self.answer(&tag).await
    }

    async fn answer(&mut self, tag: &str) -> Status {
        loop {
            let response = self.next().await;
            self.log.push(format!("S: {response:?}"));
            match response {
                Response::Status(Some(answered), status) => {
                    if answered.as_str() != tag {
                        self.violated(&format!("{answered} was answered, not {tag}"));
                    }
                    if matches!(status.kind, StatusKind::Bad) {
                        self.violated("a valid command was BAD");
                    }
                    return status;
                }
                Response::Status(None, status) if status.kind == StatusKind::Bye => self.violated("BYE"),
                Response::Data(data) => self.heed(data),
                _ => {}
            }
        }
    }

    fn heed(&mut self, data: Data) {
        match data {
            Data::Exists(count) => {
                let count = count as usize;
                if count < self.messages.len() {
                    self.violated(&format!("EXISTS fell to {count}"));
                }
                self.messages.resize(count, Known::default());
            }
            Data::Expunge(number) => {
                if self.by_number {
                    self.violated("EXPUNGE while numbers are in use");
                }
                let number = number as usize;
                if number == 0 || number > self.messages.len() {
                    self.violated(&format!("EXPUNGE of {number}"));
                }
                self.messages.remove(number - 1);
            }
            Data::Fetch(number, items) => {
                let number = number as usize;
                if number == 0 || number > self.messages.len() {
                    self.violated(&format!("FETCH of {number}"));
                }
                for item in items {
                    let known = self.messages[number - 1].clone();
                    match item {
                        FetchItem::Uid(uid) => {
                            if known.uid.is_some_and(|known| known != uid.value()) {
                                self.violated(&format!("number {number} is UID {uid} now"));
                            }
                            self.messages[number - 1].uid = Some(uid.value());
                            let uids: Vec<u32> = self.messages.iter().filter_map(|message| message.uid).collect();
                            if !uids.is_sorted() {
                                self.violated("UIDs do not rise");
                            }
                        }
                        FetchItem::Flags(flags, _) => self.messages[number - 1].flags = Some(flags),
                        _ => {}
                    }
                }
            }
            _ => {}
        }
    }

    async fn select(&mut self) {
        let mailbox = self.dice.pick(&MAILBOXES);
        self.messages.clear();
        self.selected = None;
        self.read_only = self.dice.roll(8) == 0;
        let verb = if self.read_only { "EXAMINE" } else { "SELECT" };
        let status = self.command(&format!("{verb} {mailbox}")).await;
        assert_eq!(status.kind, StatusKind::Ok, "{status:?}");
        self.selected = Some(mailbox);
    }

    fn a_range(&mut self) -> (usize, usize) {
        let (one, other) = (self.dice.roll(self.messages.len()) + 1, self.dice.roll(self.messages.len()) + 1);
        let (first, last) = (one.min(other), one.max(other));
        (first, last.min(first + 5))
    }

    /// Something that a client may do now.
    async fn act(&mut self) {
        let choice = self.dice.roll(100);
        if self.selected.is_none() || choice < 2 {
            return self.select().await;
        }
        if choice < 14 || self.messages.is_empty() {
            let flag = self.dice.pick(&FLAGS);
            let mailbox = self.dice.pick(&MAILBOXES);
            let text = "Subject: x\r\n\r\nhello\r\n";
            return self.check(&format!("APPEND {mailbox} ({flag}) {{{}+}}\r\n{text}", text.len())).await;
        }
        let (first, last) = self.a_range();
        let uid = |known: &Known| known.uid.unwrap_or(1);
        let (low, high) = (uid(&self.messages[first - 1]), uid(&self.messages[last - 1]));
        let by_uid = self.dice.roll(2) == 0;
        let set = if by_uid { format!("{low}:{}", high.max(low)) } else { format!("{first}:{last}") };
        let uid = if by_uid { "UID " } else { "" };
        let to = self.dice.pick(&MAILBOXES);
        match choice {
            14..30 => self.check(&format!("{uid}FETCH {set} (UID FLAGS)")).await,
            30..33 => self.check(&format!("{uid}FETCH {set} (BODY[TEXT])")).await,
            33..36 => self.check("FETCH 1:* (UID FLAGS)").await,
            36..58 if !self.read_only => self.store(uid, &set, first, last).await,
            58..63 => self.check(&format!("{uid}COPY {set} {to}")).await,
            63..68 if !self.read_only => self.check(&format!("{uid}MOVE {set} {to}")).await,
            68..74 if !self.read_only => self.check("EXPUNGE").await,
            74..76 if !self.read_only => self.check(&format!("UID EXPUNGE {low}:{}", high.max(low))).await,
            76..81 => self.check(&format!("{uid}SEARCH UNSEEN")).await,
            81..84 => self.check(&format!("STATUS {to} (MESSAGES UNSEEN)")).await,
            84..89 => self.idle().await,
            89 => {
                self.check("UNSELECT").await;
                self.selected = None;
                self.messages.clear();
            }
            _ => self.check("NOOP").await,
        }
    }

    /// One that may be refused for what others have done meanwhile, and for nothing else.
    async fn check(&mut self, command: &str) {
        let status = self.command(command).await;
        let gone = matches!(&status.code, Some(Code::Refusal(RefusalCode::ExpungeIssued)));
        if status.kind != StatusKind::Ok && !gone {
            self.violated(&format!("{status:?}"));
        }
    }

    async fn store(&mut self, uid: &str, set: &str, first: usize, last: usize) {
        let flags: Flags = [Flag::parse(self.dice.pick(&FLAGS)).unwrap()].into_iter().collect();
        let text = flags.iter().map(Flag::as_str).collect::<Vec<_>>().join(" ");
        let (sign, change) = match self.dice.roll(5) {
            0 => ("", FlagChange::Replace(flags)),
            1 | 2 => ("-", FlagChange::Remove(flags)),
            _ => ("+", FlagChange::Add(flags)),
        };
        let silent = self.dice.roll(2) == 0;
        // By number, so that it is known which messages are meant.
        let (uid, set) = if silent { ("", format!("{first}:{last}")) } else { (uid, set.to_owned()) };
        // Of what it has not been told a client knows nothing after it either; of the rest it works out what it is now,
        // and then heeds what it is told.
        if silent {
            for message in &mut self.messages[first - 1..last] {
                message.flags = message.flags.as_ref().map(|flags| change.apply(flags));
            }
        }
        let words = if silent { "FLAGS.SILENT" } else { "FLAGS" };
        self.check(&format!("{uid}STORE {set} {sign}{words} ({text})")).await;
    }

    async fn idle(&mut self) {
        self.tag += 1;
        self.commands += 1;
        let tag = format!("c{}", self.tag);
        self.by_number = false;
        self.log.push(format!("C: {tag} IDLE"));
        self.send(&format!("{tag} IDLE\r\n")).await;
        let wait = Duration::from_millis(self.dice.roll(5) as u64);
        loop {
            match self.next().await {
                Response::Continue(_) => break,
                Response::Data(data) => {
                    self.log.push(format!("S: {data:?}"));
                    self.heed(data);
                }
                other => self.violated(&format!("{other:?} in place of a continuation")),
            }
        }
        tokio::time::sleep(wait).await;
        self.send("DONE\r\n").await;
        assert_eq!(self.answer(&tag).await.kind, StatusKind::Ok);
    }

    /// Nobody else does anything now: what is believed after a NOOP is what there is.
    async fn agree(&mut self) {
        if self.selected.is_none() {
            return;
        }
        self.check("NOOP").await;
        let believed: Vec<Known> = self.messages.clone();
        self.check("FETCH 1:* (UID FLAGS)").await;
        if self.messages.len() != believed.len() {
            self.violated("messages came or went while nobody did anything");
        }
        for (number, (before, now)) in believed.iter().zip(&self.messages).enumerate() {
            let differs = before.flags.is_some() && before.flags != now.flags;
            if differs || before.uid.is_some() && before.uid != now.uid {
                let number = number + 1;
                self.violated(&format!("number {number} was believed to be {before:?} and is {now:?}"));
            }
        }
    }

    /// What it believes, by UID.
    fn beliefs(&self) -> BTreeMap<u32, Flags> {
        self.messages.iter().filter_map(|known| Some((known.uid?, known.flags.clone()?))).collect()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_client_believes_what_is_true_whatever_the_others_do() {
    let seconds: Option<u64> = std::env::var("SOAK_SECONDS").ok().and_then(|seconds| seconds.parse().ok());
    let seed: u64 = std::env::var("SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or_else(|| {
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
        now.as_nanos() as u64 | 1
    });
    println!("SEED={seed}");
    let store = MemoryStore::new().with_account("ada", "secret");
    let server = Server::builder("mail.example.org")
        .allow_insecure_login(true)
        .default_mailboxes([
            ("Work", mailstore_traits::SpecialUse::Important),
            ("Archive", mailstore_traits::SpecialUse::Archive),
        ])
        .build(store);
    let barrier = Arc::new(Barrier::new(CLIENTS));
    let commands = Arc::new(AtomicU64::new(0));
    let begun = Instant::now();
    let mut tasks = tokio::task::JoinSet::new();
    for name in 0..CLIENTS {
        let (server, barrier, commands) = (server.clone(), Arc::clone(&barrier), Arc::clone(&commands));
        let (near, far) = tokio::io::duplex(4096);
        tokio::spawn(async move {
            server.serve_link(Link::plain(far), "127.0.0.1:1".parse().unwrap(), Shutdown::never()).await;
        });
        tasks.spawn(async move {
            let mut client = Client {
                name,
                socket: near,
                reader: ResponseReader::default(),
                input: BytesMut::new(),
                tag: 0,
                dice: Dice(seed.wrapping_mul(name as u64 * 2 + 1) | 1),
                selected: None,
                read_only: false,
                messages: Vec::new(),
                by_number: false,
                log: Vec::new(),
                commands: 0,
            };
            client.next().await;
            client.check("LOGIN ada secret").await;
            if name % 3 == 0 {
                client.check("ENABLE CONDSTORE").await;
            }
            for round in 0.. {
                for _ in 0..50 {
                    client.act().await;
                    client.log.drain(..client.log.len().saturating_sub(6000));
                }
                barrier.wait().await;
                client.agree().await;
                let goes_on = match seconds {
                    Some(seconds) => begun.elapsed() < Duration::from_secs(seconds),
                    None => round < 4,
                };
                // All of them go on, or none.
                if barrier.wait().await.is_leader() {
                    commands.store(u64::from(goes_on), Ordering::SeqCst);
                }
                barrier.wait().await;
                if commands.load(Ordering::SeqCst) == 0 {
                    break;
                }
            }
            (client.selected, client.beliefs(), client.commands)
        });
    }
    let mut by_mailbox: BTreeMap<&str, BTreeMap<u32, Flags>> = BTreeMap::new();
    let mut total = 0;
    while let Some(done) = tasks.join_next().await {
        let (selected, beliefs, count) = done.unwrap();
        total += count;
        // Those that look at one mailbox believe the same of it.
        if let Some(mailbox) = selected {
            let others = by_mailbox.entry(mailbox).or_insert_with(|| beliefs.clone());
            assert_eq!(*others, beliefs, "SEED={seed}: {mailbox}");
        }
    }
    println!("{total} commands of {CLIENTS} clients without a violation");
    assert!(total >= CLIENTS as u64 * 250);
}
