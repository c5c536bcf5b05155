//! An IMAP server over sockets, TLS and a [`MailStore`].
//!
//! The store never hears of a sequence number. Each session has a [`view`](crate::view) of its mailbox, which is what its
//! client believes; the store's changes come into it by UID and modification sequence, and go out when the RFC allows.

mod append;
mod connection;
pub mod error;
mod fetch;

mod idle;
mod mailboxes;
mod metrics;
mod news;
mod search;
mod select;
mod selected;
mod store;
mod transfer;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use mail_wire::io::{Accepted, DriverOptions, Link, ServeOptions, Shutdown, TlsConfig};
use mail_wire::sasl::{LoginDelay, Mechanism, SaslConfig};
use mailstore_traits::{Authenticator, MailStore, MailboxName, SpecialUse};
use tokio::net::TcpListener;
use tracing::Instrument as _;

use crate::limits::{Limits, Timeouts};
use crate::session::Config;

/// What logs and metrics call it.
const PROTOCOL: &str = "imap";

/// An IMAP server. A clone is the same server; one can serve several listeners.
#[derive(Debug)]
pub struct Server<S, A> {
    shared: Arc<Shared<S, A>>,
}

impl<S, A> Clone for Server<S, A> {
    fn clone(&self) -> Self {
        Self { shared: Arc::clone(&self.shared) }
    }
}

/// What the connections of a server have in common.
#[derive(Debug)]
struct Shared<S, A> {
    config: Arc<Config>,
    options: ServeOptions,
    driver: DriverOptions,
    tls: Option<TlsConfig>,
    implicit_tls: bool,
    login_delay: LoginDelay,
    default_mailboxes: Vec<(MailboxName, SpecialUse)>,
    store: S,
    authenticator: A,
}

impl Server<(), ()> {
    /// Begins a server of that name: what the greeting and the farewell call it.
    pub fn builder(host_name: &str) -> ServerBuilder {
        ServerBuilder {
            host_name: host_name.to_owned(),
            tls: None,
            implicit_tls: false,
            allow_insecure_login: false,
            proxy_protocol: false,
            id: Vec::new(),
            default_mailboxes: Vec::new(),
            sasl: None,
            login_delay: LoginDelay::default(),
            limits: Limits::default(),
            timeouts: Timeouts::default(),
            max_connections: ServeOptions::default().max_connections,
            max_connections_per_address: ServeOptions::default().max_connections_per_address,
            driver: DriverOptions::default(),
        }
    }
}

/// What a server is to be like.
#[derive(Debug)]
pub struct ServerBuilder {
    host_name: String,
    tls: Option<TlsConfig>,
    implicit_tls: bool,
    allow_insecure_login: bool,
    proxy_protocol: bool,
    id: Vec<(String, String)>,
    default_mailboxes: Vec<(MailboxName, SpecialUse)>,
    sasl: Option<Arc<SaslConfig>>,
    login_delay: LoginDelay,
    limits: Limits,
    timeouts: Timeouts,
    max_connections: usize,
    max_connections_per_address: usize,
    driver: DriverOptions,
}

impl ServerBuilder {
    /// The certificate. With it STARTTLS is offered; without it nobody can log in, unless
    /// [`allow_insecure_login`](Self::allow_insecure_login) says otherwise.
    #[must_use]
    pub fn tls(mut self, tls: TlsConfig) -> Self {
        self.tls = Some(tls);
        self
    }

    /// TLS from the first octet on, as on port 993 (RFC 8314 §3.2), in place of STARTTLS. Needs [`tls`](Self::tls).
    #[must_use]
    pub fn implicit_tls(mut self, implicit: bool) -> Self {
        self.implicit_tls = implicit;
        self
    }

    /// Takes logins without TLS, where anybody on the way reads the password. For tests.
    #[must_use]
    pub fn allow_insecure_login(mut self, allowed: bool) -> Self {
        self.allow_insecure_login = allowed;
        self
    }

    /// Every connection begins with a PROXY header, version 1 or 2, and comes from where it says. Only for a listener that
    /// nobody but the proxy reaches (attack row R2).
    #[must_use]
    pub fn proxy_protocol(mut self, demanded: bool) -> Self {
        self.proxy_protocol = demanded;
        self
    }

    /// What ID tells of the server, after the login only (RFC 2971). Nothing unless it is said: see
    /// [`Config::with_id`].
    #[must_use]
    pub fn id(mut self, fields: impl IntoIterator<Item = (String, String)>) -> Self {
        self.id = fields.into_iter().collect();
        self
    }

    /// Mailboxes that an account gets at its first login: made, with what they are for, and subscribed, if there is nothing
    /// but an INBOX. Later ones make none, so what a user deletes stays deleted. A store that knows no special uses gets
    /// them without. None unless it is said. What is no name of a mailbox is left out.
    #[must_use]
    pub fn default_mailboxes<'n>(mut self, mailboxes: impl IntoIterator<Item = (&'n str, SpecialUse)>) -> Self {
        let named = |(name, special_use)| Some((MailboxName::parse(name).ok()?, special_use));
        self.default_mailboxes = mailboxes.into_iter().filter_map(named).collect();
        self
    }

    /// What SASL exchanges are given, the key for decoy salts above all. A key that lasts as long as the process, unless
    /// it is said; with SCRAM keep one with the passwords ([`SaslConfig::new`]).
    #[must_use]
    pub fn sasl(mut self, sasl: impl Into<Arc<SaslConfig>>) -> Self {
        self.sasl = Some(sasl.into());
        self
    }

    /// How long the fourth rejected login of a connection waits: 1 second. Each further one waits twice as long, 16 seconds
    /// at the most (attack row A11).
    #[must_use]
    pub fn login_delay(mut self, first: Duration) -> Self {
        self.login_delay = LoginDelay::new(first);
        self
    }

    /// Other limits.
    #[must_use]
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// Other times to wait.
    #[must_use]
    pub fn timeouts(mut self, timeouts: Timeouts) -> Self {
        self.timeouts = timeouts;
        self
    }

    /// The most connections at a time: 1,000 (attack row C3).
    #[must_use]
    pub fn max_connections(mut self, most: usize) -> Self {
        self.max_connections = most;
        self
    }

    /// The most connections at a time from one IPv4 address or IPv6 network of /64, this machine's own excepted: 50
    /// (attack row C3). Clients of IMAP hold several.
    #[must_use]
    pub fn max_connections_per_address(mut self, most: usize) -> Self {
        self.max_connections_per_address = most;
        self
    }

    /// Other sizes and times for reading, writing and handshakes.
    #[must_use]
    pub fn driver_options(mut self, options: DriverOptions) -> Self {
        self.driver = options;
        self
    }

    /// The server of a store that knows its users itself.
    pub fn build<S: MailStore + Authenticator>(self, store: S) -> Server<S, S> {
        let authenticator = store.clone();
        self.build_with(store, authenticator)
    }

    /// The server of a store, and of something else that knows the users.
    pub fn build_with<S: MailStore, A: Authenticator>(self, store: S, authenticator: A) -> Server<S, A> {
        let sasl = self.sasl.unwrap_or_else(|| Arc::new(SaslConfig::from_os_random()));
        let config = Config::new(&self.host_name, sasl)
            .with_limits(self.limits)
            .with_timeouts(self.timeouts)
            .with_mechanisms(Mechanism::offered_by(&authenticator))
            .with_start_tls(self.tls.is_some() && !self.implicit_tls)
            .with_insecure_login(self.allow_insecure_login)
            .with_id(self.id);
        // In TLS from the first octet on there is nobody who could read it.
        let (busy, busy_address) = match self.implicit_tls {
            true => (&b""[..], &b""[..]),
            false => (
                &b"* BYE [UNAVAILABLE] Too many connections\r\n"[..],
                &b"* BYE [UNAVAILABLE] Too many connections from your address\r\n"[..],
            ),
        };
        let options = ServeOptions::default()
            .with_protocol(PROTOCOL)
            .with_max_connections(self.max_connections, busy)
            .with_max_connections_per_address(self.max_connections_per_address, busy_address)
            .with_proxy_protocol(self.proxy_protocol);
        let mut driver = self.driver;
        driver.protocol = PROTOCOL;
        Server {
            shared: Arc::new(Shared {
                config: Arc::new(config),
                options,
                driver,
                tls: self.tls,
                implicit_tls: self.implicit_tls,
                login_delay: self.login_delay,
                default_mailboxes: self.default_mailboxes,
                store,
                authenticator,
            }),
        }
    }
}

impl<S: MailStore, A: Authenticator> Server<S, A> {
    /// Serves for ever.
    ///
    /// # Errors
    /// As [`serve_with_shutdown`](Self::serve_with_shutdown).
    pub async fn serve(&self, listener: TcpListener) -> io::Result<()> {
        self.serve_with_shutdown(listener, Shutdown::never()).await
    }

    /// Serves until the word to shut down. Sessions are then told so and closed; a message that is coming or going is
    /// finished if it takes no longer than [`ServeOptions::shutdown_grace`].
    ///
    /// # Errors
    /// [`io::ErrorKind::InvalidInput`] if TLS is to come first and there is no certificate. Trouble with single connections
    /// ends those.
    pub async fn serve_with_shutdown(&self, listener: TcpListener, shutdown: Shutdown) -> io::Result<()> {
        let Shared { options, implicit_tls, tls, .. } = &*self.shared;
        if *implicit_tls && tls.is_none() {
            let words = "TLS from the first octet on needs a certificate: call tls() on the builder";
            return Err(io::Error::new(io::ErrorKind::InvalidInput, words));
        }
        let (server, word) = (self.clone(), shutdown.clone());
        mail_wire::io::serve(listener, options.clone(), shutdown, move |accepted| {
            let (shared, word) = (Arc::clone(&server.shared), word.clone());
            async move { connection::serve_link(&shared, accepted.link, accepted.peer, word).await }
        })
        .await;
        Ok(())
    }

    /// Serves one connection that the host has accepted itself: from a socket of another kind, or behind a filter of its
    /// own. `peer` is for the log. Neither the cap on connections nor a PROXY header is looked at.
    pub async fn serve_link(&self, link: Link, peer: SocketAddr, shutdown: Shutdown) {
        let accepted = Accepted::new(link, peer);
        let span = accepted.span(PROTOCOL);
        connection::serve_link(&self.shared, accepted.link, peer, shutdown).instrument(span).await;
    }
}
