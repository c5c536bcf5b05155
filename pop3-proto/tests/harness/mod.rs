//! A client, a certificate, a log, and a store that goes wrong on demand.
#![allow(dead_code, unreachable_pub, reason = "a part of a test program")]

use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use bytes::{Bytes, BytesMut};
use futures::{Stream, StreamExt, stream};
use mail_wire::Secret;
use mail_wire::io::{Link, Shutdown, TlsConfig};
use mailstore_traits::memory::{MemoryAccount, MemoryBlob, MemoryStage, MemoryStore};
use mailstore_traits::{
    Account, AccountId, Actor, Authenticator, Body, ByteRange, Changes, ErrorKind, FlagChange, FlagOutcome, ListHint,
    MailStore, MailboxId, MailboxInfo, MailboxName, MailboxStatus, MaildropLease, MessageMeta, MetaFields, MetaFilter,
    ModSeq, Mode, Placed, Result, SizeHint, Snapshot, Stage, StoreFeatures, Target, Uid, UidSet, UserName,
};
use pop3_proto::{Server, ServerBuilder};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::{ClientConfig, RootCertStore, pki_types::ServerName};

const ADA: &str = "ada@example.org";

pub fn builder() -> ServerBuilder {
    Server::builder("mail.example.org").allow_insecure_login(true)
}

pub fn secure_builder(tls: TlsConfig) -> ServerBuilder {
    Server::builder("mail.example.org").tls(tls)
}

/// A store with one user.
pub fn store() -> TestStore {
    TestStore {
        inner: MemoryStore::new().with_account(ADA, "correct horse"),
        fault: Fault::None,
        given: Arc::default(),
        expunging: Arc::default(),
        go_on: Arc::default(),
    }
}

pub async fn deliver(store: &TestStore, message: &[u8]) {
    let mut stage = store.inner.stage(SizeHint::Unknown).await.unwrap();
    stage.write(Bytes::copy_from_slice(message)).await.unwrap();
    let blob = stage.finish(None).await.unwrap();
    store.inner.deliver(&blob, vec![Target::inbox(AccountId::from(ADA))], Mode::AllOrNothing).await.unwrap();
}

/// The user's mail as another program sees it.
pub async fn account(store: &TestStore) -> MemoryAccount {
    let ada = AccountId::from(ADA);
    store.inner.open(&ada, &Actor::User(ada.clone())).await.unwrap()
}

pub async fn serve<S: MailStore, A: Authenticator>(server: Server<S, A>) -> SocketAddr {
    serve_until(server, Shutdown::never()).await.0
}

pub async fn serve_until<S: MailStore, A: Authenticator>(
    server: Server<S, A>,
    shutdown: Shutdown,
) -> (SocketAddr, JoinHandle<io::Result<()>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    (address, tokio::spawn(async move { server.serve_with_shutdown(listener, shutdown).await }))
}

/// A certificate, and who trusts it.
pub fn certificate() -> (TlsConfig, Arc<ClientConfig>) {
    let made = rcgen::generate_simple_self_signed([String::from("localhost")]).unwrap();
    let tls = TlsConfig::from_pem(made.cert.pem().as_bytes(), made.signing_key.serialize_pem().as_bytes()).unwrap();
    let mut roots = RootCertStore::empty();
    roots.add(made.cert.der().clone()).unwrap();
    let provider = Arc::new(tokio_rustls::rustls::crypto::ring::default_provider());
    let trust = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    (tls, Arc::new(trust))
}

pub trait Io: AsyncRead + AsyncWrite + Unpin + Send {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send> Io for T {}

/// A client that reads what it is told.
pub struct Client {
    pub stream: Box<dyn Io>,
    read: BytesMut,
}

impl Client {
    /// Connected, and greeted.
    pub async fn connect(address: SocketAddr) -> Self {
        let mut client = Self::silent(address).await;
        assert_eq!(client.line().await, "+OK mail.example.org POP3 server ready");
        client
    }

    /// Greeted, over a pipe in memory: with a clock that stands still a socket's octets could come after the time.
    pub async fn without_socket<S: MailStore, A: Authenticator>(server: Server<S, A>) -> Self {
        let (ours, theirs) = tokio::io::duplex(64 * 1024);
        let peer = SocketAddr::from(([192, 0, 2, 1], 4711));
        tokio::spawn(async move { server.serve_link(Link::plain(theirs), peer, Shutdown::never()).await });
        let mut client = Self { stream: Box::new(ours), read: BytesMut::new() };
        assert_eq!(client.line().await, "+OK mail.example.org POP3 server ready");
        client
    }

    /// Connected.
    pub async fn silent(address: SocketAddr) -> Self {
        Self { stream: Box::new(TcpStream::connect(address).await.unwrap()), read: BytesMut::new() }
    }

    pub async fn handshake(self, trust: &Arc<ClientConfig>) -> io::Result<Self> {
        assert!(self.read.is_empty(), "clear text behind the word to begin");
        let name = ServerName::try_from("localhost").unwrap();
        let stream = TlsConnector::from(Arc::clone(trust)).connect(name, self.stream).await?;
        Ok(Self { stream: Box::new(stream), read: BytesMut::new() })
    }

    pub async fn log_in(&mut self) {
        assert_eq!(self.say(&format!("USER {ADA}")).await, "+OK send PASS");
        let told = self.say("PASS correct horse").await;
        assert!(told.starts_with("+OK maildrop has"), "{told}");
    }

    /// Tries until whoever holds the maildrop has let it go.
    pub async fn log_in_when_free(&mut self) -> String {
        loop {
            self.say(&format!("USER {ADA}")).await;
            let told = self.say("PASS correct horse").await;
            if !told.starts_with("-ERR [IN-USE]") {
                assert!(told.starts_with("+OK maildrop has"), "{told}");
                return told;
            }
        }
    }

    pub async fn write(&mut self, octets: &[u8]) {
        self.stream.write_all(octets).await.unwrap();
        self.stream.flush().await.unwrap();
    }

    pub async fn say(&mut self, line: &str) -> String {
        self.write(format!("{line}\r\n").as_bytes()).await;
        self.line().await
    }

    pub async fn line(&mut self) -> String {
        String::from_utf8(self.octets_of_line().await).unwrap()
    }

    async fn octets_of_line(&mut self) -> Vec<u8> {
        loop {
            if let Some(at) = self.read.windows(2).position(|pair| pair == b"\r\n") {
                let line = self.read.split_to(at + 2);
                return line[..at].to_vec();
            }
            let read = self.stream.read_buf(&mut self.read).await.unwrap();
            assert!(read > 0, "closed in the middle of {}", self.read.escape_ascii());
        }
    }

    /// A response of several lines, without the first and the last.
    pub async fn listing(&mut self, command: &str) -> Vec<String> {
        let told = self.say(command).await;
        assert!(told.starts_with("+OK"), "{told}");
        let mut lines = Vec::new();
        loop {
            match self.line().await.as_str() {
                "." => return lines,
                line => lines.push(line.to_owned()),
            }
        }
    }

    /// A message, without the dots that were stuffed.
    pub async fn message(&mut self, command: &str) -> Vec<u8> {
        let told = self.say(command).await;
        assert!(told.starts_with("+OK"), "{told}");
        let mut message = Vec::new();
        loop {
            let line = self.octets_of_line().await;
            if line == b"." {
                return message;
            }
            message.extend_from_slice(line.strip_prefix(b".").unwrap_or(&line));
            message.extend_from_slice(b"\r\n");
        }
    }

    /// Some octets, which nobody looks at.
    pub async fn some(&mut self, most: usize) -> usize {
        if !self.read.is_empty() {
            return self.read.split().len();
        }
        let mut octets = vec![0; most];
        let read = self.stream.read(&mut octets).await.unwrap();
        assert!(read > 0, "closed too early");
        read
    }

    /// What comes until the end.
    pub async fn rest(&mut self) -> Vec<u8> {
        let mut rest = self.read.split().to_vec();
        // A connection that was cut off may say so.
        let _ = self.stream.read_to_end(&mut rest).await;
        rest
    }

    pub async fn is_at_end(&mut self) -> bool {
        self.read.is_empty() && self.stream.read(&mut [0]).await.unwrap() == 0
    }
}

/// What is logged in this thread for as long as it lives.
pub struct Log {
    text: Arc<Mutex<Vec<u8>>>,
    _guard: tracing::subscriber::DefaultGuard,
}

impl Log {
    pub fn text(&self) -> String {
        String::from_utf8(self.text.lock().unwrap().clone()).unwrap()
    }
}

struct LogWriter(Arc<Mutex<Vec<u8>>>);

impl io::Write for LogWriter {
    fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(octets);
        Ok(octets.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

pub fn captured_log() -> Log {
    let text = Arc::new(Mutex::new(Vec::new()));
    // Somebody has to listen everywhere: a line that a thread beside this one comes to first, with nobody listening, would be
    // switched off for all.
    static LISTENED: std::sync::Once = std::sync::Once::new();
    LISTENED.call_once(|| {
        let nobody =
            tracing_subscriber::fmt().with_max_level(tracing::Level::TRACE).with_writer(std::io::sink).finish();
        tracing::subscriber::set_global_default(nobody).unwrap();
    });
    let writer = Arc::clone(&text);
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_ansi(false)
        .with_writer(move || LogWriter(Arc::clone(&writer)))
        .finish();
    Log { text, _guard: tracing::subscriber::set_default(subscriber) }
}

/// What a [`TestStore`] does wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    None,
    /// Every message has so many octets, made as they are read.
    Endless(u64),
    FailsInBody,
    ShortBody,
    WrongSize,
    SlowExpunge,
    NoExpunge,
    NoLease,
}

/// A memory store that goes wrong.
#[derive(Clone)]
pub struct TestStore {
    pub inner: MemoryStore,
    pub fault: Fault,
    /// Octets of bodies that have been given out.
    pub given: Arc<AtomicU64>,
    /// An expunge has begun.
    pub expunging: Arc<Notify>,
    /// It may go on.
    pub go_on: Arc<Notify>,
}

#[derive(Clone)]
pub struct TestAccount {
    inner: MemoryAccount,
    store: TestStore,
}

impl MailStore for TestStore {
    type Account = TestAccount;
    type Stage = MemoryStage;
    type Blob = MemoryBlob;

    fn features(&self) -> StoreFeatures {
        self.inner.features()
    }

    async fn open(&self, account: &AccountId, actor: &Actor) -> Result<TestAccount> {
        Ok(TestAccount { inner: self.inner.open(account, actor).await?, store: self.clone() })
    }

    async fn stage(&self, hint: SizeHint) -> Result<MemoryStage> {
        MailStore::stage(&self.inner, hint).await
    }

    async fn read_blob(&self, blob: &MemoryBlob, range: ByteRange) -> Result<Body> {
        self.inner.read_blob(blob, range).await
    }

    async fn deliver(&self, blob: &MemoryBlob, targets: Vec<Target>, mode: Mode) -> Result<Vec<Result<Placed>>> {
        self.inner.deliver(blob, targets, mode).await
    }
}

impl Authenticator for TestStore {
    async fn check_password(&self, user: &UserName, password: &Secret<String>) -> Result<Option<AccountId>> {
        self.inner.check_password(user, password).await
    }
}

impl Account for TestAccount {
    type Blob = MemoryBlob;
    type Stage = MemoryStage;

    fn features(&self) -> StoreFeatures {
        let mut features = self.inner.features();
        features.maildrop_lease = self.store.fault != Fault::NoLease;
        features
    }

    fn list(&self, hint: ListHint) -> impl Stream<Item = Result<MailboxInfo>> + Send + 'static {
        self.inner.list(hint)
    }

    async fn find(&self, name: &MailboxName) -> Result<MailboxId> {
        self.inner.find(name).await
    }

    async fn status(&self, mailboxes: &[MailboxId]) -> Result<Vec<MailboxStatus>> {
        self.inner.status(mailboxes).await
    }

    async fn snapshot(&self, mailbox: &MailboxId, claim_recent: bool) -> Result<Snapshot> {
        assert!(!claim_recent, "POP3 claims nothing");
        self.inner.snapshot(mailbox, claim_recent).await
    }

    fn fetch_meta(
        &self,
        mailbox: &MailboxId,
        uids: &UidSet,
        fields: MetaFields,
        filter: MetaFilter,
    ) -> impl Stream<Item = Result<MessageMeta>> + Send + 'static {
        let fault = self.store.fault;
        self.inner.fetch_meta(mailbox, uids, fields, filter).map(move |meta| {
            meta.map(|mut meta| {
                match fault {
                    Fault::Endless(size) => meta.size = size,
                    Fault::WrongSize => meta.size += 1,
                    _ => {}
                }
                meta
            })
        })
    }

    async fn open_body(&self, mailbox: &MailboxId, uid: Uid, range: ByteRange) -> Result<Body> {
        let body = self.inner.open_body(mailbox, uid, range).await?;
        match self.store.fault {
            Fault::Endless(size) => {
                let given = Arc::clone(&self.store.given);
                let line = Bytes::from("0123456789abcde\r\n".repeat(4096));
                let chunks = stream::unfold(size, move |left| {
                    let (given, line) = (Arc::clone(&given), line.clone());
                    async move {
                        let len = left.min(line.len() as u64);
                        given.fetch_add(len, Ordering::SeqCst);
                        (len > 0).then(|| (Ok(line.slice(..len as usize)), left - len))
                    }
                });
                Ok(Body::new(size, chunks))
            }
            Fault::FailsInBody => {
                let parts = [Ok(Bytes::from("Subject: half\r\n")), Err(ErrorKind::Unavailable.into())];
                Ok(Body::new(body.len(), stream::iter(parts)))
            }
            Fault::ShortBody => Ok(Body::new(body.len(), stream::iter([Ok(Bytes::from("Subject: half\r\n"))]))),
            _ => Ok(body),
        }
    }

    async fn changes_since(&self, mailbox: &MailboxId, since: ModSeq, page: usize) -> Result<Changes> {
        self.inner.changes_since(mailbox, since, page).await
    }

    fn store_flags(
        &self,
        mailbox: &MailboxId,
        uids: &UidSet,
        change: FlagChange,
        unchanged_since: Option<ModSeq>,
    ) -> impl Stream<Item = Result<FlagOutcome>> + Send + 'static {
        self.inner.store_flags(mailbox, uids, change, unchanged_since)
    }

    async fn expunge(&self, mailbox: &MailboxId, uids: &UidSet, only_deleted: bool) -> Result<(UidSet, ModSeq)> {
        assert!(!only_deleted, "POP3's marks are no flags");
        match self.store.fault {
            Fault::NoExpunge => return Err(ErrorKind::Unavailable.into()),
            Fault::SlowExpunge => {
                self.store.expunging.notify_one();
                self.store.go_on.notified().await;
            }
            _ => {}
        }
        self.inner.expunge(mailbox, uids, only_deleted).await
    }

    async fn watch(&self, mailboxes: &[MailboxId]) -> Result<impl Stream<Item = MailboxId> + Send + 'static> {
        self.inner.watch(mailboxes).await
    }

    async fn lease_maildrop(&self, mailbox: &MailboxId) -> Result<MaildropLease> {
        assert!(self.store.fault != Fault::NoLease, "a store that does not lend is asked to");
        self.inner.lease_maildrop(mailbox).await
    }
}
