//! Accepting connections.

use std::fmt;
use std::future::Future;
use std::io::{self, Write as _};
use std::net::{IpAddr, Shutdown as Half, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::{JoinError, JoinSet};
use tokio::time::{Instant, sleep, timeout};
use tracing::Instrument as _;

use super::counts::{Counted, Counts};
use super::prompt::Prompt;
use super::{Accepted, ConnectionId, Link, Shutdown, metrics, read_proxy_header};

/// So many connections that were turned away are waited for at a time, until they have read why; further ones are closed
/// at once (attack row C3).
const MOST_LINGERING: usize = 64;
/// So long, and no longer.
const LINGERING: Duration = Duration::from_secs(1);

/// What the host says of somebody who connects.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Admission {
    /// Is let in.
    Welcome,
    /// Is told this, in the protocol's own words, and the connection is closed; empty to close in silence.
    TurnAway(Bytes),
}

type Exempt = Arc<dyn Fn(IpAddr) -> bool + Send + Sync>;
type Admit = Arc<dyn Fn(SocketAddr) -> Admission + Send + Sync>;

/// The limits of [`serve`].
#[derive(Clone)]
#[non_exhaustive]
pub struct ServeOptions {
    /// What is spoken, in a word, for logs and metrics: `smtp`.
    pub protocol: &'static str,
    /// The most connections at a time: 1,000 (attack row C3). Those count too that a proxy has not introduced yet.
    pub max_connections: usize,
    /// The most connections at a time from one IPv4 address or one IPv6 network of /64: 50, as Postfix has it (attack row
    /// C3). An office behind one address has some dozens of people, who are connected for seconds; a protocol whose
    /// clients stay, several times each, wants more.
    pub max_connections_per_address: usize,
    /// What one more connection is told before it is closed, in the protocol's own words; empty to close in silence,
    /// as under implicit TLS.
    pub busy: Bytes,
    /// What one more connection of an address that has too many is told.
    pub busy_address: Bytes,
    /// Whether every connection has to begin with a PROXY header, and comes from where that says. Only for a listener that
    /// nobody but the proxy reaches (attack row R2). The limit for each address is for the address in the header then.
    pub proxy_protocol: bool,
    /// A proxy has so long to say whose connection it is: 10 seconds (attack row M15).
    pub proxy_header_timeout: Duration,
    /// After the word to shut down, connections have so long to come to an end: 35 seconds, a little more than a
    /// driver gives a message.
    pub shutdown_grace: Duration,
    exempt: Exempt,
    admit: Option<Admit>,
}

impl Default for ServeOptions {
    fn default() -> Self {
        Self {
            protocol: "mail",
            max_connections: 1000,
            max_connections_per_address: 50,
            busy: Bytes::new(),
            busy_address: Bytes::new(),
            proxy_protocol: false,
            proxy_header_timeout: Duration::from_secs(10),
            shutdown_grace: Duration::from_secs(35),
            exempt: Arc::new(|address| address.to_canonical().is_loopback()),
            admit: None,
        }
    }
}

impl fmt::Debug for ServeOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServeOptions")
            .field("protocol", &self.protocol)
            .field("max_connections", &self.max_connections)
            .field("max_connections_per_address", &self.max_connections_per_address)
            .field("proxy_protocol", &self.proxy_protocol)
            .finish_non_exhaustive()
    }
}

impl ServeOptions {
    /// With a word for what is spoken.
    #[must_use]
    pub fn with_protocol(mut self, protocol: &'static str) -> Self {
        self.protocol = protocol;
        self
    }

    /// At most so many connections at a time, and what one more is told.
    #[must_use]
    pub fn with_max_connections(mut self, most: usize, busy: impl Into<Bytes>) -> Self {
        self.max_connections = most;
        self.busy = busy.into();
        self
    }

    /// At most so many connections at a time from one address, and what one more is told.
    #[must_use]
    pub fn with_max_connections_per_address(mut self, most: usize, busy: impl Into<Bytes>) -> Self {
        self.max_connections_per_address = most;
        self.busy_address = busy.into();
        self
    }

    /// Whether connections begin with a PROXY header.
    #[must_use]
    pub fn with_proxy_protocol(mut self, demanded: bool) -> Self {
        self.proxy_protocol = demanded;
        self
    }

    /// Addresses that the limit for each address is not for: this machine's own, unless this says otherwise. The limit for
    /// all is for them too.
    #[must_use]
    pub fn with_exempt(mut self, exempt: impl Fn(IpAddr) -> bool + Send + Sync + 'static) -> Self {
        self.exempt = Arc::new(exempt);
        self
    }

    /// Asks the host about everybody who connects, before anything is spent on them: a list of who is not wanted, say. It
    /// is asked where connections are accepted, so it answers at once and does not block; whatever takes time belongs to
    /// the session's first event.
    #[must_use]
    pub fn with_admission(mut self, admit: impl Fn(SocketAddr) -> Admission + Send + Sync + 'static) -> Self {
        self.admit = Some(Arc::new(admit));
        self
    }
}

/// Accepts connections and gives each to `handler`, in a task of its own and in its [span](ConnectionId::span), until the
/// word to shut down; then waits for those that are open. A handler that panics ends one connection. Returns when the last
/// one has ended.
///
/// Connections are counted by this listener alone: one that is served on several has the limits on each.
pub async fn serve<H, F>(listener: TcpListener, options: ServeOptions, shutdown: Shutdown, handler: H)
where
    H: Fn(Accepted) -> F + Send + Sync + 'static,
    F: Future<Output = ()> + Send + 'static,
{
    let gate = Arc::new(Gate {
        options,
        counts: Counts::default(),
        lingering: Arc::new(Semaphore::new(MOST_LINGERING)),
        handler,
    });
    let mut connections = JoinSet::new();
    let mut complaint = Complaint::default();
    loop {
        tokio::select! {
            biased;
            () = shutdown.requested() => break,
            Some(ended) = connections.join_next() => tell_of_panic(ended),
            accepted = listener.accept() => match accepted {
                Ok((socket, peer)) => {
                    match gate.let_in(connections.len(), peer) {
                        Ok(counted) => {
                            // Answers are written whole, so there is nothing to gain from waiting for more.
                            let _ = socket.set_nodelay(true);
                            connections.spawn(Arc::clone(&gate).connection(socket, peer, counted));
                        }
                        Err(refusal) => {
                            complaint.of(&gate.options, peer, &refusal);
                            gate.turn_away(socket, &refusal);
                        }
                    }
                }
                Err(error) => rest_after(error).await,
            },
        }
    }
    drop(listener);
    let all_ended = async {
        while let Some(ended) = connections.join_next().await {
            tell_of_panic(ended);
        }
    };
    if timeout(gate.options.shutdown_grace, all_ended).await.is_err() {
        tracing::warn!("connections that did not end in time are cut off");
    }
}

/// Who comes in, and what happens to those who do not.
struct Gate<H> {
    options: ServeOptions,
    counts: Counts,
    lingering: Arc<Semaphore>,
    handler: H,
}

/// Why somebody does not come in, and what they are told.
struct Refusal {
    reason: &'static str,
    words: Bytes,
}

impl<H, F> Gate<H>
where
    H: Fn(Accepted) -> F + Send + Sync + 'static,
    F: Future<Output = ()> + Send + 'static,
{
    /// Before anything is known but where the connection comes from. Behind a proxy that says nothing yet.
    fn let_in(&self, open: usize, peer: SocketAddr) -> Result<Option<Counted>, Refusal> {
        if open >= self.options.max_connections {
            return Err(Refusal { reason: "total", words: self.options.busy.clone() });
        }
        if self.options.proxy_protocol { Ok(None) } else { self.admit(peer) }
    }

    fn admit(&self, peer: SocketAddr) -> Result<Option<Counted>, Refusal> {
        if let Some(admit) = &self.options.admit
            && let Admission::TurnAway(words) = admit(peer)
        {
            return Err(Refusal { reason: "policy", words });
        }
        if (self.options.exempt)(peer.ip()) {
            return Ok(None);
        }
        match self.counts.take(peer.ip(), self.options.max_connections_per_address) {
            Some(counted) => Ok(Some(counted)),
            None => Err(Refusal { reason: "address", words: self.options.busy_address.clone() }),
        }
    }

    async fn connection(self: Arc<Self>, socket: TcpStream, peer: SocketAddr, counted: Option<Counted>) {
        let id = ConnectionId::new();
        let protocol = self.options.protocol;
        if !self.options.proxy_protocol {
            let accepted = Accepted { link: Link::plain(Prompt::new(socket)), peer, id };
            (self.handler)(accepted).instrument(id.span(protocol, peer)).await;
            drop(counted);
            return;
        }
        let (mut link, source) = match read_proxy_header(socket, self.options.proxy_header_timeout).await {
            Ok(read) => read,
            Err(error) => {
                metrics::refused(protocol, "proxy");
                if error.kind() == io::ErrorKind::TimedOut {
                    metrics::timeout(protocol, "proxy");
                }
                tracing::warn!(protocol, %id, proxy = %peer, %error, "no PROXY header");
                return;
            }
        };
        // Nobody is named where the proxy looks whether we are up, or does not know: there is no address to count by, and
        // the proxy is trusted.
        let admitted = source.map_or(Ok(None), |source| self.admit(source));
        let peer = source.unwrap_or(peer);
        match admitted {
            Ok(counted) => {
                (self.handler)(Accepted { link, peer, id }).instrument(id.span(protocol, peer)).await;
                drop(counted);
            }
            Err(refusal) => {
                metrics::refused(protocol, refusal.reason);
                tracing::debug!(protocol, %id, %peer, reason = refusal.reason, "turned away");
                // Nobody is left to be told of a failure.
                let _ = timeout(LINGERING, async {
                    link.write_all(&refusal.words).await?;
                    link.shutdown().await
                })
                .await;
            }
        }
    }

    /// Says why, and closes. The words are in the system's hands at once; a task waits until they are read, since closing
    /// with octets unread would make the system take them back, and of those tasks there are few.
    fn turn_away(&self, socket: TcpStream, refusal: &Refusal) {
        metrics::refused(self.options.protocol, refusal.reason);
        if refusal.words.is_empty() {
            return;
        }
        let Ok(mut socket) = socket.into_std() else { return };
        if socket.write_all(&refusal.words).is_err() || socket.shutdown(Half::Write).is_err() {
            return;
        }
        let (Ok(permit), Ok(mut socket)) =
            (Arc::clone(&self.lingering).try_acquire_owned(), TcpStream::from_std(socket))
        else {
            return;
        };
        tokio::spawn(async move {
            let mut dropped = [0; 512];
            let _ =
                timeout(LINGERING, async { while !matches!(socket.read(&mut dropped).await, Ok(0) | Err(_)) {} }).await;
            drop(permit);
        });
    }
}

/// Tells the log who is turned away, once a second at the most: a flood of connections is not to be one of lines too.
#[derive(Default)]
struct Complaint {
    last: Option<Instant>,
    unsaid: u64,
}

impl Complaint {
    fn of(&mut self, options: &ServeOptions, peer: SocketAddr, refusal: &Refusal) {
        let now = Instant::now();
        if self.last.is_some_and(|last| now.duration_since(last) < Duration::from_secs(1)) {
            self.unsaid = self.unsaid.saturating_add(1);
            return;
        }
        self.last = Some(now);
        let others = std::mem::take(&mut self.unsaid);
        tracing::warn!(protocol = options.protocol, %peer, reason = refusal.reason, others, "connection turned away");
    }
}

/// A connection that was aborted before it was accepted is no reason to rest; running out of file descriptors is, or
/// the loop would turn as fast as it can.
async fn rest_after(error: io::Error) {
    if !matches!(error.kind(), io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset) {
        tracing::error!(%error, "cannot accept connections for now");
        sleep(Duration::from_millis(200)).await;
    }
}

fn tell_of_panic(ended: Result<(), JoinError>) {
    if let Err(error) = ended
        && error.is_panic()
    {
        tracing::error!("a connection ended by a panic in the server; the others go on");
    }
}
