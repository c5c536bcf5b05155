//! A server on a port of its own, a client by hand, and a store that can be made to fail.
#![allow(dead_code, unreachable_pub, reason = "each test uses a part of it")]

use std::future::Future;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use futures::{StreamExt, stream};
use mail_wire::io::{Shutdown, ShutdownHandle, TlsConfig};
use mailstore_traits::memory::{MemoryBlob, MemoryStage, MemoryStore};
use mailstore_traits::{
    Account, AccountId, Actor, Authenticator, Body, ByteRange, Changes, Directory, ErrorKind, ListHint, MailStore,
    MailboxId, MailboxInfo, MailboxName, MailboxStatus, MessageDigest, MessageMeta, MetaFields, MetaFilter, ModSeq,
    Mode, Placed, Recipient, Resolution, Result, Secret, SizeHint, Snapshot, Stage, StoreError, StoreFeatures, Target,
    Uid, UidSet, UserName,
};
use smtp_proto::Server;
use smtp_proto::server::policy::Policy;
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::{self, pki_types};

pub fn memory() -> MemoryStore {
    MemoryStore::new()
        .with_account("ada@example.org", "correct horse")
        .with_account("bob@example.org", "battery staple")
        .with_alias("team@example.org", "ada@example.org")
        .with_alias("team@example.org", "bob@example.org")
}

/// A server that runs, and the word that ends it.
pub struct Running {
    pub port: u16,
    pub shutdown: ShutdownHandle,
    pub task: JoinHandle<()>,
}

pub async fn start<S: MailStore, A: Authenticator, D: Directory, P: Policy>(server: Server<S, A, D, P>) -> Running {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let (shutdown, word) = Shutdown::channel();
    let task = tokio::spawn(async move { server.serve_with_shutdown(listener, word).await.unwrap() });
    Running { port, shutdown, task }
}

impl Running {
    pub async fn connect(&self) -> Client {
        let mut client = Client::new(TcpStream::connect(("127.0.0.1", self.port)).await.unwrap());
        assert!(client.reply().await.starts_with("220 mail.example.org "));
        client
    }
}

trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send> Stream for T {}

/// Somebody who types commands.
pub struct Client {
    stream: BufReader<Box<dyn Stream>>,
}

impl Client {
    pub fn new(stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static) -> Self {
        Self { stream: BufReader::new(Box::new(stream)) }
    }

    /// One whole reply; empty at the end of the connection.
    pub async fn reply(&mut self) -> String {
        let mut reply = String::new();
        loop {
            let before = reply.len();
            match in_time(self.stream.read_line(&mut reply)).await {
                Ok(0) | Err(_) => return reply,
                Ok(_) if reply.as_bytes().get(before + 3) == Some(&b'-') => {}
                Ok(_) => return reply,
            }
        }
    }

    pub async fn send(&mut self, octets: &[u8]) {
        let _ = self.stream.get_mut().write_all(octets).await;
        let _ = self.stream.get_mut().flush().await;
    }

    pub async fn say(&mut self, line: &str) -> String {
        self.send(format!("{line}\r\n").as_bytes()).await;
        self.reply().await
    }

    pub async fn says(&mut self, line: &str, expected: &str) {
        let said = self.say(line).await;
        assert!(said.starts_with(expected), "{line}: {said}");
    }

    /// A message to these, up to its end and without the reply to it.
    pub async fn begin(&mut self, recipients: &[&str], octets: &[u8]) {
        self.says("MAIL FROM:<eve@example.net> SIZE=100", "250 ").await;
        for recipient in recipients {
            self.says(&format!("RCPT TO:<{recipient}>"), "250 ").await;
        }
        self.says("DATA", "354 ").await;
        self.send(octets).await;
    }

    pub async fn handshake(self) -> Self {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = rustls::ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(AnyCertificate))
            .with_no_client_auth();
        let name = pki_types::ServerName::try_from("mail.example.org").unwrap();
        let connector = TlsConnector::from(Arc::new(config));
        let stream = in_time(connector.connect(name, self.stream.into_inner())).await.unwrap();
        Self::new(stream)
    }
}

pub async fn in_time<F: Future>(future: F) -> F::Output {
    tokio::time::timeout(Duration::from_secs(20), future).await.expect("an answer within 20 seconds")
}

pub fn tls() -> TlsConfig {
    let key = rcgen::generate_simple_self_signed(["mail.example.org".to_owned()]).unwrap();
    TlsConfig::from_pem(key.cert.pem().as_bytes(), key.signing_key.serialize_pem().as_bytes()).unwrap()
}

#[derive(Debug)]
struct AnyCertificate;

impl rustls::client::danger::ServerCertVerifier for AnyCertificate {
    fn verify_server_cert(
        &self,
        _: &pki_types::CertificateDer<'_>,
        _: &[pki_types::CertificateDer<'_>],
        _: &pki_types::ServerName<'_>,
        _: &[u8],
        _: pki_types::UnixTime,
    ) -> std::result::Result<rustls::client::danger::ServerCertVerified, rustls::Error> {
        Ok(rustls::client::danger::ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &pki_types::CertificateDer<'_>,
        _: &rustls::DigitallySignedStruct,
    ) -> std::result::Result<rustls::client::danger::HandshakeSignatureValid, rustls::Error> {
        Ok(rustls::client::danger::HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &pki_types::CertificateDer<'_>,
        _: &rustls::DigitallySignedStruct,
    ) -> std::result::Result<rustls::client::danger::HandshakeSignatureValid, rustls::Error> {
        Ok(rustls::client::danger::HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<rustls::SignatureScheme> {
        rustls::crypto::ring::default_provider().signature_verification_algorithms.supported_schemes()
    }
}

/// The messages of an account's INBOX, as a client of the store reads them.
pub async fn inbox(store: &MemoryStore, account: &str) -> Vec<(MessageMeta, Vec<u8>)> {
    let account = store.open(&AccountId::from(account), &Actor::Service).await.unwrap();
    let inbox = account.find(&MailboxName::inbox()).await.unwrap();
    let uids = account.snapshot(&inbox, false).await.unwrap().uids;
    let mut messages = Vec::new();
    let mut metas = std::pin::pin!(account.fetch_meta(&inbox, &uids, MetaFields::ALL, MetaFilter::default()));
    while let Some(meta) = metas.next().await {
        let meta = meta.unwrap();
        let mut body = account.open_body(&inbox, meta.uid, ByteRange::WHOLE).await.unwrap();
        let mut octets = Vec::new();
        while let Some(chunk) = body.next().await {
            octets.extend_from_slice(&chunk.unwrap());
        }
        messages.push((meta, octets));
    }
    messages
}

/// A memory store that can be made to fail, to wait, and to lack atomic delivery.
#[derive(Clone)]
pub struct Faulty {
    pub inner: MemoryStore,
    pub faults: Arc<Faults>,
}

#[derive(Default)]
pub struct Faults {
    pub stage: Mutex<Option<ErrorKind>>,
    pub write: Mutex<Option<ErrorKind>>,
    pub finish: Mutex<Option<ErrorKind>>,
    pub deliver: Mutex<Option<ErrorKind>>,
    pub resolve: Mutex<Option<ErrorKind>>,
    pub not_atomic: AtomicBool,
    /// Deliveries wait for `go` and say `begun`.
    pub gated: AtomicBool,
    pub panics: AtomicBool,
    pub begun: Notify,
    pub go: Notify,
    pub done: Notify,
}

impl Faulty {
    pub fn new(inner: MemoryStore) -> Self {
        Self { inner, faults: Arc::default() }
    }
}

fn fault(fault: &Mutex<Option<ErrorKind>>) -> Result<()> {
    match *fault.lock().unwrap() {
        Some(kind) => Err(StoreError::new(kind, "row 7 of /var/lib/mail.db")),
        None => Ok(()),
    }
}

pub struct FaultyStage {
    inner: MemoryStage,
    faults: Arc<Faults>,
}

impl Stage for FaultyStage {
    type Blob = MemoryBlob;

    async fn write(&mut self, chunk: Bytes) -> Result<()> {
        fault(&self.faults.write)?;
        self.inner.write(chunk).await
    }

    async fn finish(self, digest: Option<MessageDigest>) -> Result<MemoryBlob> {
        fault(&self.faults.finish)?;
        self.inner.finish(digest).await
    }
}

impl MailStore for Faulty {
    type Account = NoAccount;
    type Stage = FaultyStage;
    type Blob = MemoryBlob;

    fn features(&self) -> StoreFeatures {
        let mut features = self.inner.features();
        features.atomic_delivery &= !self.faults.not_atomic.load(Ordering::SeqCst);
        features
    }

    async fn open(&self, _: &AccountId, _: &Actor) -> Result<NoAccount> {
        Err(ErrorKind::Unsupported.into())
    }

    async fn stage(&self, hint: SizeHint) -> Result<FaultyStage> {
        fault(&self.faults.stage)?;
        Ok(FaultyStage { inner: self.inner.stage(hint).await?, faults: Arc::clone(&self.faults) })
    }

    async fn read_blob(&self, blob: &MemoryBlob, range: ByteRange) -> Result<Body> {
        self.inner.read_blob(blob, range).await
    }

    async fn deliver(&self, blob: &MemoryBlob, targets: Vec<Target>, mode: Mode) -> Result<Vec<Result<Placed>>> {
        fault(&self.faults.deliver)?;
        assert!(!self.faults.panics.load(Ordering::SeqCst), "a store that panics");
        let several = targets.iter().any(|target| Some(&target.account) != targets.first().map(|first| &first.account));
        if mode == Mode::AllOrNothing && several && !self.features().atomic_delivery {
            return Err(ErrorKind::Unsupported.into());
        }
        if self.faults.gated.load(Ordering::SeqCst) {
            self.faults.begun.notify_one();
            self.faults.go.notified().await;
        }
        let placed = self.inner.deliver(blob, targets, mode).await;
        self.faults.done.notify_one();
        placed
    }
}

impl Authenticator for Faulty {
    async fn check_password(&self, user: &UserName, password: &Secret<String>) -> Result<Option<AccountId>> {
        self.inner.check_password(user, password).await
    }
}

impl Directory for Faulty {
    async fn resolve(&self, recipient: &Recipient) -> Result<Resolution> {
        fault(&self.faults.resolve)?;
        self.inner.resolve(recipient).await
    }
}

/// SMTP opens no account, so this one need not exist.
#[derive(Clone)]
pub struct NoAccount;

fn never<T>() -> Result<T> {
    Err(ErrorKind::Unsupported.into())
}

impl Account for NoAccount {
    type Blob = MemoryBlob;
    type Stage = FaultyStage;

    fn features(&self) -> StoreFeatures {
        StoreFeatures::read_only()
    }

    fn list(&self, _: ListHint) -> impl futures::Stream<Item = Result<MailboxInfo>> + Send + 'static {
        stream::iter([never()])
    }

    async fn find(&self, _: &MailboxName) -> Result<MailboxId> {
        never()
    }

    async fn status(&self, _: &[MailboxId]) -> Result<Vec<MailboxStatus>> {
        never()
    }

    async fn snapshot(&self, _: &MailboxId, _: bool) -> Result<Snapshot> {
        never()
    }

    fn fetch_meta(
        &self,
        _: &MailboxId,
        _: &UidSet,
        _: MetaFields,
        _: MetaFilter,
    ) -> impl futures::Stream<Item = Result<MessageMeta>> + Send + 'static {
        stream::iter([never()])
    }

    async fn open_body(&self, _: &MailboxId, _: Uid, _: ByteRange) -> Result<Body> {
        never()
    }

    async fn changes_since(&self, _: &MailboxId, _: ModSeq, _: usize) -> Result<Changes> {
        never()
    }

    async fn watch(&self, _: &[MailboxId]) -> Result<impl futures::Stream<Item = MailboxId> + Send + 'static> {
        never::<stream::Empty<MailboxId>>()
    }
}
