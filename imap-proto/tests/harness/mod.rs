//! A whole server over a store in memory, and clients of it.
#![allow(dead_code, unreachable_pub, reason = "each test takes what it needs")]
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "it is a test")]

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use bytes::BytesMut;
use imap_proto::{Server, ServerBuilder};
use mail_wire::io::{Link, Shutdown, TlsConfig};
use mailstore_traits::memory::MemoryStore;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::{ClientConfig, RootCertStore, pki_types::ServerName};

pub type Memory = Server<MemoryStore, MemoryStore>;

/// A store with two users.
pub fn store() -> MemoryStore {
    MemoryStore::new().with_account("ada", "correct horse").with_account("bob", "battery staple")
}

pub fn builder() -> ServerBuilder {
    Server::builder("mail.example.org").allow_insecure_login(true)
}

pub fn server() -> Memory {
    builder().build(store())
}

pub async fn listen(server: Memory) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { server.serve(listener).await });
    address
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
    /// Greeted, over a pipe in memory: with a clock that stands still a socket's octets could come after the time.
    pub async fn new(server: &Memory) -> Self {
        Self::with_shutdown(server, Shutdown::never()).await
    }

    pub async fn with_shutdown(server: &Memory, shutdown: Shutdown) -> Self {
        let (ours, theirs) = tokio::io::duplex(64 * 1024);
        let (server, peer) = (server.clone(), SocketAddr::from(([192, 0, 2, 1], 4711)));
        tokio::spawn(async move { server.serve_link(Link::plain(theirs), peer, shutdown).await });
        let mut client = Self { stream: Box::new(ours), read: BytesMut::new() };
        let greeting = client.line().await;
        assert!(greeting.starts_with("* OK [CAPABILITY "), "{greeting}");
        client
    }

    pub async fn logged_in(server: &Memory) -> Self {
        let mut client = Self::new(server).await;
        let told = client.say("LOGIN ada \"correct horse\"").await;
        assert!(told.starts_with("t OK "), "{told}");
        client
    }

    /// Connected by a socket, and greeted.
    pub async fn connect(address: SocketAddr) -> Self {
        let mut client = Self { stream: Box::new(TcpStream::connect(address).await.unwrap()), read: BytesMut::new() };
        let greeting = client.line().await;
        assert!(greeting.starts_with("* "), "{greeting}");
        client
    }

    pub async fn handshake(self, trust: &Arc<ClientConfig>) -> io::Result<Self> {
        assert!(self.read.is_empty(), "clear text behind the word to begin");
        let name = ServerName::try_from("localhost").unwrap();
        let stream = TlsConnector::from(Arc::clone(trust)).connect(name, self.stream).await?;
        Ok(Self { stream: Box::new(stream), read: BytesMut::new() })
    }

    pub async fn write(&mut self, octets: impl AsRef<[u8]>) {
        self.stream.write_all(octets.as_ref()).await.unwrap();
        self.stream.flush().await.unwrap();
    }

    /// A command by the tag `t`: all that is said up to its answer, that included.
    pub async fn say(&mut self, command: impl AsRef<[u8]>) -> String {
        self.write([b"t ", command.as_ref(), b"\r\n"].concat()).await;
        self.answer().await
    }

    /// All up to the answer of `t`, or to a BYE.
    pub async fn answer(&mut self) -> String {
        let mut told = String::new();
        loop {
            let line = self.line().await;
            told.push_str(&line);
            told.push('\n');
            if line.starts_with("t ") || line.starts_with("* BYE ") || line.starts_with("* BAD ") {
                return told;
            }
        }
    }

    /// A message by APPEND.
    pub async fn append(&mut self, message: impl AsRef<[u8]>) -> String {
        let message = message.as_ref();
        self.write(format!("t APPEND INBOX {{{}+}}\r\n", message.len())).await;
        self.write(message).await;
        self.write("\r\n").await;
        self.answer().await
    }

    pub async fn line(&mut self) -> String {
        String::from_utf8_lossy(&self.octets_of_line().await).into_owned()
    }

    pub async fn octets_of_line(&mut self) -> Vec<u8> {
        loop {
            if let Some(at) = self.read.windows(2).position(|pair| pair == b"\r\n") {
                let line = self.read.split_to(at + 2);
                return line[..at].to_vec();
            }
            let read = self.stream.read_buf(&mut self.read).await.unwrap();
            assert!(read > 0, "closed in the middle of {}", self.read.escape_ascii());
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
