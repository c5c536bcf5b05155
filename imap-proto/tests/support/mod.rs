//! A server over a store, and clients that talk to it line by line.
#![allow(
    dead_code,
    unreachable_pub,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "each test uses a part of it"
)]

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::BytesMut;
use futures::Stream;
use imap_proto::Server;
use mail_wire::io::{Link, Shutdown};
use mailstore_traits::memory::MemoryStore;
use mailstore_traits::{
    Account, AccountId, Actor, Authenticator, Body, ByteRange, Changes, FlagChange, FlagOutcome, ListHint, MailStore,
    MailboxId, MailboxInfo, MailboxName, MailboxStatus, MessageMeta, MetaFields, MetaFilter, ModSeq, Mode, Placed,
    Placement, Result, SizeHint, Snapshot, SpecialUse, StoreFeatures, Target, Uid, UidSet,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};

/// A server over a store in memory with one account, ada, whose password is secret.
pub fn server() -> Server<MemoryStore, MemoryStore> {
    let store = MemoryStore::new().with_account("ada", "secret");
    Server::builder("mail.example.org")
        .allow_insecure_login(true)
        .default_mailboxes([("Sent", SpecialUse::Sent), ("Trash", SpecialUse::Trash)])
        .build(store)
}

/// A client on a connection of its own.
pub struct Client {
    socket: DuplexStream,
    input: BytesMut,
}

impl Client {
    pub async fn connect<S: MailStore, A: Authenticator>(server: &Server<S, A>) -> Self {
        let (near, far) = tokio::io::duplex(64 * 1024);
        let server = server.clone();
        tokio::spawn(async move {
            server.serve_link(Link::plain(far), "127.0.0.1:1".parse().unwrap(), Shutdown::never()).await;
        });
        let mut client = Self { socket: near, input: BytesMut::new() };
        assert!(client.line().await.starts_with("* OK [CAPABILITY "));
        client
    }

    /// Logged in.
    pub async fn ada<S: MailStore, A: Authenticator>(server: &Server<S, A>) -> Self {
        let mut client = Self::connect(server).await;
        client.talk(&[("l LOGIN ada secret", &["l OK [CAPABILITY *] Logged in"])]).await;
        client
    }

    pub async fn send(&mut self, octets: &[u8]) {
        self.socket.write_all(octets).await.unwrap();
    }

    /// The next line; a literal belongs to the line that announces it, and is told with `|` for CRLF.
    pub async fn line(&mut self) -> String {
        String::from_utf8_lossy(&self.raw_line().await).replace("\r\n", "|")
    }

    /// The same as it came.
    pub async fn raw_line(&mut self) -> Vec<u8> {
        let mut whole = Vec::new();
        loop {
            let line = self.until_crlf().await;
            let literal = line.strip_suffix(b"}").and_then(|line| {
                let from = line.iter().rposition(|octet| *octet == b'{')?;
                std::str::from_utf8(&line[from + 1..]).ok()?.parse::<usize>().ok()
            });
            whole.extend_from_slice(&line);
            let Some(octets) = literal else { return whole };
            while self.input.len() < octets {
                self.read().await;
            }
            whole.extend_from_slice(b"\r\n");
            whole.extend_from_slice(&self.input.split_to(octets));
        }
    }

    async fn until_crlf(&mut self) -> BytesMut {
        loop {
            if let Some(end) = self.input.windows(2).position(|pair| pair == b"\r\n") {
                let line = self.input.split_to(end);
                let _ = self.input.split_to(2);
                return line;
            }
            self.read().await;
        }
    }

    async fn read(&mut self) {
        let read = tokio::time::timeout(Duration::from_secs(20), self.socket.read_buf(&mut self.input));
        let count = read.await.expect("the server says something").unwrap();
        assert!(count > 0, "the server has gone; it said {:?}", self.input);
    }

    /// All lines up to the tagged answer.
    pub async fn ask(&mut self, command: &str) -> Vec<String> {
        self.send(format!("{command}\r\n").as_bytes()).await;
        let tag = command.split(' ').next().unwrap();
        let mut lines = Vec::new();
        loop {
            lines.push(self.line().await);
            if lines.last().unwrap().starts_with(&format!("{tag} ")) {
                return lines;
            }
        }
    }

    /// Commands and what each is answered with, line by line; `*` stands for anything behind the first octet.
    pub async fn talk(&mut self, talk: &[(&str, &[&str])]) {
        for (command, expected) in talk {
            let lines = self.ask(command).await;
            let same =
                lines.len() == expected.len() && lines.iter().zip(*expected).all(|(line, like)| is_like(line, like));
            assert!(same, "C: {command}\nexpected\n  {}\nand heard\n  {}", expected.join("\n  "), lines.join("\n  "));
        }
    }

    /// Appends a message to a mailbox.
    pub async fn append(&mut self, mailbox: &str, flags: &str, message: &str) {
        let head = format!("p APPEND {mailbox} ({flags}) {{{}+}}\r\n{message}", message.len());
        let answer = self.ask(&head).await;
        assert!(answer.last().unwrap().starts_with("p OK"), "{answer:?}");
    }

    /// Whether the server has closed the connection, with nothing more said.
    pub async fn is_closed(&mut self) -> bool {
        let had_said_all = self.input.is_empty();
        let read = tokio::time::timeout(Duration::from_secs(20), self.socket.read_buf(&mut self.input));
        had_said_all && read.await.expect("it closes").unwrap() == 0
    }
}

fn is_like(line: &str, like: &str) -> bool {
    // The first octet of an untagged response is a star of its own.
    let (first, rest) = like.split_at(1);
    let Some(mut left) = line.strip_prefix(first) else { return false };
    let mut pieces = rest.split('*').peekable();
    let mut begins = true;
    while let Some(piece) = pieces.next() {
        let is_last = pieces.peek().is_none();
        left = match (begins, is_last) {
            (true, true) => return left == piece,
            (true, false) => match left.strip_prefix(piece) {
                Some(left) => left,
                None => return false,
            },
            (false, true) => return left.ends_with(piece),
            (false, false) => match left.find(piece) {
                Some(at) => &left[at + piece.len()..],
                None => return false,
            },
        };
        begins = false;
    }
    true
}

/// A server whose store counts how often a body is opened.
pub fn counting() -> (Server<Counting, MemoryStore>, Arc<AtomicUsize>) {
    let store = MemoryStore::new().with_account("ada", "secret");
    let opened = Arc::new(AtomicUsize::new(0));
    let counted = Counting { store: store.clone(), opened: Arc::clone(&opened) };
    let server = Server::builder("mail.example.org").allow_insecure_login(true).build_with(counted, store);
    (server, opened)
}

/// A store in memory, and how often a body was opened.
#[derive(Clone)]
pub struct Counting {
    store: MemoryStore,
    opened: Arc<AtomicUsize>,
}

/// One of its accounts.
#[derive(Clone)]
pub struct CountingAccount {
    account: <MemoryStore as MailStore>::Account,
    opened: Arc<AtomicUsize>,
}

impl MailStore for Counting {
    type Account = CountingAccount;
    type Stage = <MemoryStore as MailStore>::Stage;
    type Blob = <MemoryStore as MailStore>::Blob;

    fn features(&self) -> StoreFeatures {
        MailStore::features(&self.store)
    }

    async fn open(&self, account: &AccountId, actor: &Actor) -> Result<CountingAccount> {
        Ok(CountingAccount { account: self.store.open(account, actor).await?, opened: Arc::clone(&self.opened) })
    }

    async fn stage(&self, hint: SizeHint) -> Result<Self::Stage> {
        MailStore::stage(&self.store, hint).await
    }

    async fn read_blob(&self, blob: &Self::Blob, range: ByteRange) -> Result<Body> {
        self.store.read_blob(blob, range).await
    }

    async fn deliver(&self, blob: &Self::Blob, targets: Vec<Target>, mode: Mode) -> Result<Vec<Result<Placed>>> {
        self.store.deliver(blob, targets, mode).await
    }
}

impl Account for CountingAccount {
    type Blob = <MemoryStore as MailStore>::Blob;
    type Stage = <MemoryStore as MailStore>::Stage;

    fn features(&self) -> StoreFeatures {
        self.account.features()
    }

    fn list(&self, hint: ListHint) -> impl Stream<Item = Result<MailboxInfo>> + Send + 'static {
        self.account.list(hint)
    }

    async fn find(&self, name: &MailboxName) -> Result<MailboxId> {
        self.account.find(name).await
    }

    async fn status(&self, mailboxes: &[MailboxId]) -> Result<Vec<MailboxStatus>> {
        self.account.status(mailboxes).await
    }

    async fn snapshot(&self, mailbox: &MailboxId, claim_recent: bool) -> Result<Snapshot> {
        self.account.snapshot(mailbox, claim_recent).await
    }

    fn fetch_meta(
        &self,
        mailbox: &MailboxId,
        uids: &UidSet,
        fields: MetaFields,
        filter: MetaFilter,
    ) -> impl Stream<Item = Result<MessageMeta>> + Send + 'static {
        self.account.fetch_meta(mailbox, uids, fields, filter)
    }

    async fn open_body(&self, mailbox: &MailboxId, uid: Uid, range: ByteRange) -> Result<Body> {
        self.opened.fetch_add(1, Ordering::SeqCst);
        self.account.open_body(mailbox, uid, range).await
    }

    async fn changes_since(&self, mailbox: &MailboxId, since: ModSeq, page: usize) -> Result<Changes> {
        self.account.changes_since(mailbox, since, page).await
    }

    async fn stage(&self, hint: SizeHint) -> Result<Self::Stage> {
        Account::stage(&self.account, hint).await
    }

    async fn commit(&self, placements: Vec<Placement<Self::Blob>>, mode: Mode) -> Result<Vec<Result<Placed>>> {
        self.account.commit(placements, mode).await
    }

    fn store_flags(
        &self,
        mailbox: &MailboxId,
        uids: &UidSet,
        change: FlagChange,
        unchanged_since: Option<ModSeq>,
    ) -> impl Stream<Item = Result<FlagOutcome>> + Send + 'static {
        self.account.store_flags(mailbox, uids, change, unchanged_since)
    }

    async fn expunge(&self, mailbox: &MailboxId, uids: &UidSet, only_deleted: bool) -> Result<(UidSet, ModSeq)> {
        self.account.expunge(mailbox, uids, only_deleted).await
    }

    async fn watch(&self, mailboxes: &[MailboxId]) -> Result<impl Stream<Item = MailboxId> + Send + 'static> {
        self.account.watch(mailboxes).await
    }
}
