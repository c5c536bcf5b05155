//! A whole server: sessions over tokio sockets and rustls, a [`MailStore`] to deliver into.
//!
//! ```no_run
//! use mail_wire::io::TlsConfig;
//! use mailstore_traits::memory::MemoryStore;
//! use tokio::net::TcpListener;
//!
//! # async fn run() -> Result<(), Box<dyn std::error::Error>> {
//! let store = MemoryStore::new().with_account("ada@example.org", "correct horse");
//! let tls = TlsConfig::from_pem_files("cert.pem", "key.pem")?;
//! let smtp = smtp_proto::Server::builder("mail.example.org").tls(tls.clone()).build(store.clone());
//! let submission = smtp_proto::Server::builder("mail.example.org").submission().tls(tls).build(store);
//! tokio::try_join!(
//!     smtp.serve(TcpListener::bind("[::]:2525").await?),
//!     submission.serve(TcpListener::bind("[::]:2587").await?),
//! )?;
//! # Ok(())
//! # }
//! ```
//!
//! # What becomes of a message
//!
//! Each recipient is looked up in the [`Directory`] when RCPT names it: unknown ones get 550 5.1.1, other domains' 550
//! 5.7.1, for nothing is relayed, not for somebody who has logged in either. The message is staged chunk by chunk as it
//! comes, so that memory does not depend on its size, and looked at once on its way, for the digest that IMAP will want.
//! At its end come the trace fields, and [`MailStore::deliver`], in a task of its own that runs to its end even if the
//! peer has gone; then, and not before, the reply. A mailbox to which several recipients lead has the message once.
//!
//! By SMTP there is one reply, and all have it or none. By LMTP there is one for each recipient. A store that cannot
//! deliver to several accounts in one stroke gets messages for one atomic domain only; other recipients are told 452.

mod connection;
mod delivery;
mod envelope;
mod error;
mod trace;

use std::hash::{BuildHasher, RandomState};
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use mail_wire::dot::LineEndPolicy;
use mail_wire::io::{Driver, DriverOptions, Link, ServeOptions, Shutdown, TlsConfig};
use mail_wire::proxy::{ProxyHeader, ProxyReader};
use mail_wire::sasl::{Mechanism, SaslConfig};
use mailstore_traits::{Authenticator, Directory, MailStore};
use tokio::io::{AsyncReadExt, join};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;

use crate::grammar::Domain;
use crate::limits::Limits;
use crate::session::{Config, Protocol, Timeouts};
use connection::Connection;

/// A proxy has so long to say whose connection it is.
const PROXY_PATIENCE: Duration = Duration::from_secs(10);

/// An SMTP, LMTP or submission server over a store. Cheap to clone; a clone is the same server.
#[derive(Debug)]
pub struct Server<S = (), A = (), D = ()> {
    shared: Arc<Shared<S, A, D>>,
}

impl<S, A, D> Clone for Server<S, A, D> {
    fn clone(&self) -> Self {
        Self { shared: Arc::clone(&self.shared) }
    }
}

/// What the connections of a server have in common.
struct Shared<S, A, D> {
    config: Arc<Config>,
    store: S,
    authenticator: A,
    directory: D,
    tls: Option<TlsConfig>,
    implicit_tls: bool,
    proxy_protocol: bool,
    login_delay: Duration,
    driver: DriverOptions,
    serve: ServeOptions,
    /// Different in each process, so that two do not give out the same ids.
    id_base: u64,
    ids: AtomicU64,
}

impl<S, A, D> std::fmt::Debug for Shared<S, A, D> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shared").field("config", &self.config).finish_non_exhaustive()
    }
}

impl<S, A, D> Shared<S, A, D> {
    /// What a Received field calls a message, for whoever searches a log.
    fn next_id(&self) -> String {
        let count = self.ids.fetch_add(1, Ordering::Relaxed);
        format!("{:016x}{count:06x}", self.id_base)
    }
}

impl Server {
    /// Begins to describe a server that calls itself by that name.
    ///
    /// # Panics
    /// If it is no domain name. Parse a name that comes from outside into a [`Domain`] before.
    pub fn builder<N>(host_name: N) -> ServerBuilder
    where
        N: TryInto<Domain>,
        N::Error: std::fmt::Debug,
    {
        let host_name = host_name.try_into().expect("the server's own name is a domain name");
        ServerBuilder {
            config: Config::new(host_name, Protocol::Smtp),
            tls: None,
            implicit_tls: false,
            proxy_protocol: false,
            login: None,
            login_delay: Duration::from_secs(1),
            driver: DriverOptions::default(),
            max_connections: ServeOptions::default().max_connections,
        }
    }
}

/// How a server is to be, before it has a store.
#[derive(Debug)]
#[must_use]
pub struct ServerBuilder {
    config: Config,
    tls: Option<TlsConfig>,
    implicit_tls: bool,
    proxy_protocol: bool,
    login: Option<bool>,
    login_delay: Duration,
    driver: DriverOptions,
    max_connections: usize,
}

impl ServerBuilder {
    /// Speaks TLS, by STARTTLS unless [`implicit_tls`](Self::implicit_tls) says otherwise.
    pub fn tls(mut self, tls: TlsConfig) -> Self {
        self.tls = Some(tls);
        self
    }

    /// Speaks TLS from the first octet (RFC 8314 §3.3, port 465). Needs [`tls`](Self::tls).
    pub fn implicit_tls(mut self, implicit: bool) -> Self {
        self.implicit_tls = implicit;
        self
    }

    /// Wants a PROXY header before the first octet of each connection, which closes without. Only for a listener that
    /// nobody but a trusted proxy reaches (attack row R2).
    pub fn proxy_protocol(mut self, proxied: bool) -> Self {
        self.proxy_protocol = proxied;
        self
    }

    /// Takes logins without TLS. Whoever listens then has the passwords.
    pub fn allow_insecure_login(mut self, allowed: bool) -> Self {
        self.config.auth_needs_tls = !allowed;
        self
    }

    /// Speaks LMTP (RFC 2033).
    pub fn lmtp(mut self) -> Self {
        self.config.protocol = Protocol::Lmtp;
        self.config.mail_needs_auth = false;
        self
    }

    /// Takes mail from users who have logged in, and from nobody else (RFC 6409).
    pub fn submission(mut self) -> Self {
        self.config.protocol = Protocol::Submission;
        self.config.mail_needs_auth = true;
        self
    }

    /// Whether logins are offered: for submission, unless this says otherwise. Servers have nothing to log in for, and an
    /// AUTH on port 25 is an invitation to guess.
    pub fn login(mut self, offered: bool) -> Self {
        self.login = Some(offered);
        self
    }

    /// How long the first delayed login waits: 1 second. Each further one waits twice as long, 16 seconds at the most
    /// (attack row A11).
    pub fn login_delay(mut self, delay: Duration) -> Self {
        self.login_delay = delay;
        self
    }

    /// What the SASL exchanges need. For SCRAM set the key and the count that unknown users are told by, so that they do
    /// not stand out after a restart (attack row A1).
    pub fn sasl(mut self, sasl: Arc<SaslConfig>) -> Self {
        self.config.sasl = sasl;
        self
    }

    /// The ceilings.
    pub fn limits(mut self, limits: Limits) -> Self {
        self.config.limits = limits;
        self
    }

    /// The clocks.
    pub fn timeouts(mut self, timeouts: Timeouts) -> Self {
        self.config.timeouts = timeouts;
        self
    }

    /// What to do with a CR or LF that stands alone in a message (attack row S3).
    pub fn line_ends(mut self, policy: LineEndPolicy) -> Self {
        self.config.line_ends = policy;
        self
    }

    /// The most connections at a time: 1,000. One more is told 421 (attack row C3).
    pub fn max_connections(mut self, most: usize) -> Self {
        self.max_connections = most;
        self
    }

    /// The sizes and times of the connections.
    pub fn driver_options(mut self, options: DriverOptions) -> Self {
        self.driver = options;
        self
    }

    /// Anything else of the session's [`Config`]: extensions, leniencies. What the server itself decides (TLS, mechanisms)
    /// is set when it is built.
    pub fn configure(mut self, change: impl FnOnce(&mut Config)) -> Self {
        change(&mut self.config);
        self
    }

    /// A server over a store that knows its users and their addresses too.
    ///
    /// # Panics
    /// As [`build_with`](Self::build_with).
    pub fn build<S>(self, store: S) -> Server<S, S, S>
    where
        S: MailStore + Authenticator + Directory,
    {
        self.build_with(store.clone(), store.clone(), store)
    }

    /// A server over a store, with somebody else who knows the users, and somebody who knows the addresses.
    ///
    /// # Panics
    /// If TLS is to be implicit and there is none: such a listener would speak in clear.
    pub fn build_with<S, A, D>(mut self, store: S, authenticator: A, directory: D) -> Server<S, A, D>
    where
        S: MailStore,
        A: Authenticator,
        D: Directory,
    {
        assert!(self.tls.is_some() || !self.implicit_tls, "implicit TLS needs a TLS configuration");
        if self.config.mail_needs_auth && self.tls.is_none() && self.config.auth_needs_tls {
            tracing::warn!("without TLS nobody can log in here, and without a login no mail is taken");
        }
        self.config.starttls = self.tls.is_some() && !self.implicit_tls;
        let offers_login = self.login.unwrap_or(self.config.protocol == Protocol::Submission);
        self.config.mechanisms = match offers_login {
            true => mechanisms(&authenticator),
            false => Vec::new(),
        };
        let busy = match self.implicit_tls {
            true => Bytes::new(),
            false => Bytes::from(format!("421 4.3.2 {} too many connections\r\n", self.config.host_name)),
        };
        let shared = Shared {
            config: Arc::new(self.config),
            store,
            authenticator,
            directory,
            tls: self.tls,
            implicit_tls: self.implicit_tls,
            proxy_protocol: self.proxy_protocol,
            login_delay: self.login_delay,
            driver: self.driver,
            serve: ServeOptions::default().with_max_connections(self.max_connections, busy),
            id_base: RandomState::new().hash_one(std::process::id()),
            ids: AtomicU64::new(0),
        };
        Server { shared: Arc::new(shared) }
    }
}

/// What the host can carry out, and no more.
fn mechanisms(authenticator: &impl Authenticator) -> Vec<Mechanism> {
    Mechanism::ALL
        .into_iter()
        .filter(|mechanism| match mechanism {
            Mechanism::ScramSha256 => authenticator.scram(),
            Mechanism::CramMd5 => authenticator.cram_md5(),
            Mechanism::OauthBearer | Mechanism::Xoauth2 => authenticator.tokens(),
            Mechanism::Plain | Mechanism::Login => true,
            _ => false,
        })
        .collect()
}

impl<S: MailStore, A: Authenticator, D: Directory> Server<S, A, D> {
    /// Accepts connections for ever.
    ///
    /// # Errors
    /// None today: a listener that fails is tried again. The result lets servers be joined.
    pub async fn serve(&self, listener: TcpListener) -> io::Result<()> {
        self.serve_with_shutdown(listener, Shutdown::never()).await
    }

    /// Accepts connections until the word to shut down. Messages on their way in are finished and answered, everybody else
    /// is told 421; returns when the last connection has ended.
    ///
    /// # Errors
    /// As [`serve`](Self::serve).
    pub async fn serve_with_shutdown(&self, listener: TcpListener, shutdown: Shutdown) -> io::Result<()> {
        let (server, word) = (self.clone(), shutdown.clone());
        let options = self.shared.serve.clone();
        mail_wire::io::serve(listener, options, shutdown, move |socket, peer| {
            server.clone().connection(socket, peer, word.clone())
        })
        .await;
        Ok(())
    }

    async fn connection(self, socket: TcpStream, peer: SocketAddr, shutdown: Shutdown) {
        let (link, peer) = if self.shared.proxy_protocol {
            match proxied(socket, peer).await {
                Ok(proxied) => proxied,
                Err(error) => {
                    tracing::warn!(%peer, %error, "no PROXY header");
                    return;
                }
            }
        } else {
            (Link::plain(socket), peer)
        };
        tracing::debug!(%peer, "connected");
        let driver = Driver::new(link, self.shared.driver, shutdown);
        Connection::new(self.shared, driver, peer.ip()).run().await;
    }
}

/// Reads the PROXY header, and gives the connection with whatever was read behind it in front again.
async fn proxied(socket: TcpStream, peer: SocketAddr) -> io::Result<(Link, SocketAddr)> {
    let (mut reader, writer) = socket.into_split();
    let (mut input, mut header) = (BytesMut::new(), ProxyReader::new());
    let read = async {
        loop {
            match header.next(&mut input).map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))? {
                Some(header) => return Ok::<_, io::Error>(header),
                None if reader.read_buf(&mut input).await? == 0 => return Err(io::ErrorKind::UnexpectedEof.into()),
                None => {}
            }
        }
    };
    let header = timeout(PROXY_PATIENCE, read).await.map_err(|_| io::Error::from(io::ErrorKind::TimedOut))??;
    let peer = match header {
        ProxyHeader::Proxied { source, .. } => source,
        _ => peer,
    };
    let reader = io::Cursor::new(input.freeze()).chain(reader);
    Ok((Link::plain(join(reader, writer)), peer))
}
