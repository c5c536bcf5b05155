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
//! A host's [`policy`] is asked at each step, and about the message before anybody has it: greylisting, rate limits, SPF,
//! DKIM and DMARC, spam scanning, a header of the host's own.
//!
//! By SMTP there is one reply, and all have it or none. By LMTP there is one for each recipient. A store that cannot
//! deliver to several accounts in one stroke gets messages for one atomic domain only; other recipients are told 452.

mod builder;
mod connection;
mod delivery;
mod envelope;
mod error;
pub mod policy;
mod report;
mod sender;
mod telemetry;
mod trace;
mod transaction;

use std::future::{Future, poll_fn};
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use mail_wire::io::{Accepted, Driver, DriverOptions, Link, ServeOptions, Shutdown, TlsConfig};
use mail_wire::sasl::LoginDelay;
use mailstore_traits::{Authenticator, Directory, MailStore};
use tokio::net::TcpListener;
use tokio::time::timeout;
use tracing::Instrument as _;

use crate::grammar::Domain;
use crate::response::Reply;
use crate::session::{Config, Trust};
use connection::Connection;
use policy::{NoPolicy, Policy, Verdict};

pub use builder::ServerBuilder;
pub use envelope::Envelope;
pub use sender::is_own_address;

/// An SMTP, LMTP or submission server over a store. Cheap to clone; a clone is the same server.
#[derive(Debug)]
pub struct Server<S = (), A = (), D = (), P = NoPolicy> {
    shared: Arc<Shared<S, A, D, P>>,
}

impl<S, A, D, P> Clone for Server<S, A, D, P> {
    fn clone(&self) -> Self {
        Self { shared: Arc::clone(&self.shared) }
    }
}

/// What the connections of a server have in common.
struct Shared<S, A, D, P> {
    config: Arc<Config>,
    store: S,
    authenticator: A,
    directory: D,
    policy: P,
    policy_timeout: Duration,
    /// Whether users are to send in their own names only.
    own_senders: bool,
    max_hops: u64,
    /// Whether senders are told of deliveries that they want to hear of.
    dsn: bool,
    trust: Option<Trusted>,
    tls: Option<TlsConfig>,
    implicit_tls: bool,
    greeting_delay: Duration,
    login_delay: LoginDelay,
    driver: DriverOptions,
    serve: ServeOptions,
}

/// What the host lets a peer say of others, by its address.
#[derive(Clone)]
struct Trusted(Arc<dyn Fn(IpAddr) -> Trust + Send + Sync>);

impl std::fmt::Debug for Trusted {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Trusted")
    }
}

impl<S, A, D, P> std::fmt::Debug for Shared<S, A, D, P> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shared").field("config", &self.config).finish_non_exhaustive()
    }
}

impl<S, A, D, P> Shared<S, A, D, P> {
    /// What is spoken, in a word, for logs and metrics.
    fn protocol(&self) -> &'static str {
        self.driver.protocol
    }

    /// What the host lets a peer say of others. Nobody's login, which this server cannot check.
    fn trust(&self, peer: IpAddr) -> Trust {
        let trust = self.trust.as_ref().map_or(Trust::none(), |trusted| (trusted.0)(peer.to_canonical()));
        Trust { login: false, ..trust }
    }

    /// What the policy says to a step: nothing against it, or the refusal.
    async fn ask(&self, question: impl Future<Output = Verdict>) -> Result<(), Reply> {
        match self.patient(question).await.map(Verdict::refusal) {
            Some(None) => Ok(()),
            Some(Some(reply)) => Err(reply),
            None => Err(transaction::local_error()),
        }
    }

    /// What the policy says, if it says it in time.
    async fn patient<T>(&self, question: impl Future<Output = T>) -> Option<T> {
        let mut question = pin!(question);
        // Most answers are there at once, and no clock is set for them.
        if let Poll::Ready(said) = poll_fn(|context| Poll::Ready(question.as_mut().poll(context))).await {
            return Some(said);
        }
        let said = timeout(self.policy_timeout, question).await;
        if said.is_err() {
            tracing::error!("the policy has not answered in time");
        }
        said.ok()
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
        ServerBuilder::new(host_name)
    }
}

impl<S: MailStore, A: Authenticator, D: Directory, P: Policy> Server<S, A, D, P> {
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
        mail_wire::io::serve(listener, options, shutdown, move |accepted| {
            server.clone().connection(accepted, word.clone())
        })
        .await;
        Ok(())
    }

    /// Serves one connection that the host has accepted itself: from a socket of another kind, or behind a filter of its
    /// own. Neither the caps on connections nor a PROXY header is looked at.
    pub async fn serve_link(&self, link: Link, peer: SocketAddr, shutdown: Shutdown) {
        let accepted = Accepted::new(link, peer);
        let span = accepted.span(self.shared.driver.protocol);
        self.clone().connection(accepted, shutdown).instrument(span).await;
    }

    async fn connection(self, accepted: Accepted, shutdown: Shutdown) {
        tracing::debug!("connected");
        let driver = Driver::new(accepted.link, self.shared.driver, shutdown);
        Connection::new(self.shared, driver, accepted.id, accepted.peer.ip()).run().await;
    }
}
