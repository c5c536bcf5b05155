//! A POP3 server over sockets, TLS and a [`MailStore`].
//!
//! The maildrop is the account's INBOX. A session holds it alone ([`lease_maildrop`](mailstore_traits::Account::lease_maildrop)),
//! and lets it go when it ends, however it ends; IMAP and delivery go on meanwhile. Messages are removed by UID, at QUIT and
//! at no other time.

mod connection;
mod error;
mod login_interval;
mod maildrop;
mod metrics;
mod own;
mod raw_header;
mod retrieved;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;
use mail_wire::io::{Accepted, DriverOptions, Link, ServeOptions, Shutdown, TlsConfig};
use mail_wire::sasl::{LoginDelay, Mechanism, SaslConfig};
use mailstore_traits::{AccountId, Authenticator, MailStore};
use tokio::net::TcpListener;
use tracing::Instrument as _;

use crate::limits::{Limits, Timeouts};
use crate::response::Expiry;
use crate::session::{Config, Utf8Support};
use login_interval::LoginIntervals;
use own::Own;
use retrieved::Hook;
pub use retrieved::Retrieved;

/// What logs and metrics call it.
const PROTOCOL: &str = "pop3";

/// A POP3 server. A clone is the same server; one can serve several listeners.
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
    with_lease: bool,
    mark_seen: bool,
    login_delay: LoginDelay,
    expiry: Option<Own<Expiry>>,
    logins: Option<LoginIntervals>,
    retrieved: Option<Hook>,
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
            with_lease: true,
            mark_seen: false,
            apop: false,
            utf8: Utf8Support::default(),
            expire: None,
            login_interval: None,
            implementation: None,
            retrieved: None,
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
    with_lease: bool,
    mark_seen: bool,
    sasl: Option<Arc<SaslConfig>>,
    login_delay: LoginDelay,
    apop: bool,
    utf8: Utf8Support,
    expire: Option<(Expiry, Option<Own<Expiry>>)>,
    login_interval: Option<(Duration, Option<Own<Duration>>)>,
    implementation: Option<String>,
    retrieved: Option<Hook>,
    limits: Limits,
    timeouts: Timeouts,
    max_connections: usize,
    max_connections_per_address: usize,
    driver: DriverOptions,
}

impl ServerBuilder {
    /// The certificate. With it STLS is offered; without it nobody can log in, unless
    /// [`allow_insecure_login`](Self::allow_insecure_login) says otherwise.
    #[must_use]
    pub fn tls(mut self, tls: TlsConfig) -> Self {
        self.tls = Some(tls);
        self
    }

    /// TLS from the first octet on, as on port 995 (RFC 8314 §3.2), in place of STLS. Needs [`tls`](Self::tls).
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

    /// Serves a store that cannot lend a maildrop
    /// ([`StoreFeatures::maildrop_lease`](mailstore_traits::StoreFeatures::maildrop_lease)). Two sessions may then be about
    /// one maildrop, which RFC 1939 §4 forbids; UIDs keep them from removing each other's messages. Without this such a
    /// store's logins are refused. A store that can lend is always asked to.
    #[must_use]
    pub fn without_lease(mut self) -> Self {
        self.with_lease = false;
        self
    }

    /// Whether RETR sets `\Seen`, for those who read the same mail by IMAP. It does not unless it is said: a program that
    /// fetches everything has shown nothing to anybody. TOP never does.
    #[must_use]
    pub fn mark_seen(mut self, mark: bool) -> Self {
        self.mark_seen = mark;
        self
    }

    /// Whether APOP is offered (RFC 1939 §7), if the host can check it
    /// ([`Authenticator::apop`]). It is not unless it is said (attack row A14);
    /// [`Config::with_apop`] says what is wrong with it.
    #[must_use]
    pub fn apop(mut self, offered: bool) -> Self {
        self.apop = offered;
        self
    }

    /// Whether UTF8 is offered, and what happens to messages with raw UTF-8 in their header without it (RFC 6856).
    /// [`Utf8Support::AsIs`], unless it is said.
    #[must_use]
    pub fn utf8(mut self, support: Utf8Support) -> Self {
        self.utf8 = support;
        self
    }

    /// How long messages stay, which CAPA then tells (EXPIRE, RFC 2449 §6.7). It is the host's promise, and the host's to
    /// keep: this server removes nothing but what DELE has marked. Nothing is told unless it is said.
    #[must_use]
    pub fn expire(mut self, expiry: Expiry) -> Self {
        self.expire = Some((expiry, None));
        self
    }

    /// As [`expire`](Self::expire), where it differs by account: `least` is the shortest that anybody has, which CAPA tells
    /// before the login, and `own` says what one account has, which CAPA tells after it.
    #[must_use]
    pub fn expire_by(mut self, least: Expiry, own: impl Fn(&AccountId) -> Expiry + Send + Sync + 'static) -> Self {
        self.expire = Some((least, Some(Own::new(own))));
        self
    }

    /// How long an account has to wait after a login for the next one, which is refused with `[LOGIN-DELAY]` before that
    /// (RFC 2449 §6.5), in whichever listener of this server. CAPA tells it. Nobody waits unless it is said. A login that
    /// finds its maildrop held by another session costs nothing.
    #[must_use]
    pub fn login_interval(mut self, interval: Duration) -> Self {
        self.login_interval = Some((interval, None));
        self
    }

    /// As [`login_interval`](Self::login_interval), where it differs by account: `longest` is what CAPA tells before the
    /// login, and no account waits longer, whatever `own` says.
    #[must_use]
    pub fn login_interval_by(
        mut self,
        longest: Duration,
        own: impl Fn(&AccountId) -> Duration + Send + Sync + 'static,
    ) -> Self {
        self.login_interval = Some((longest, Some(Own::new(own))));
        self
    }

    /// What CAPA calls the server, after the login only (IMPLEMENTATION, RFC 2449 §6.9). Nothing unless it is said: a
    /// version tells an attacker what to try (attack row R7).
    #[must_use]
    pub fn implementation(mut self, implementation: &str) -> Self {
        self.implementation = Some(implementation.to_owned());
        self
    }

    /// Whom to tell which messages RETR has sent whole, or TOP with as many lines as the message has octets: for a policy like "leave a copy for 14 days", which counts from
    /// there. What DELE has marked is not told when QUIT has removed it. A session waits for the hook at its end and after
    /// every 256 messages; a process that dies may have told less than it has sent, never more.
    #[must_use]
    pub fn on_retrieved(mut self, hook: impl Fn(Retrieved) -> BoxFuture<'static, ()> + Send + Sync + 'static) -> Self {
        self.retrieved = Some(Hook::new(hook));
        self
    }

    /// What SASL exchanges are given, the key for decoy salts above all. A key that lasts as long as the process, unless
    /// it is said; with SCRAM keep one with the passwords ([`SaslConfig::new`]).
    #[must_use]
    pub fn sasl(mut self, sasl: impl Into<Arc<SaslConfig>>) -> Self {
        self.sasl = Some(sasl.into());
        self
    }

    /// How long the fourth rejected login of a connection waits: 1 second. Each further one waits twice as long, 16 seconds at
    /// the most (attack row A11).
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
    /// (attack row C3).
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
        let mut config = Config::new(&self.host_name, sasl)
            .with_limits(self.limits)
            .with_timeouts(self.timeouts)
            .with_mechanisms(Mechanism::offered_by(&authenticator))
            .with_start_tls(self.tls.is_some() && !self.implicit_tls)
            .with_insecure_login(self.allow_insecure_login)
            .with_apop(self.apop && authenticator.apop())
            .with_utf8(self.utf8);
        if let Some(implementation) = &self.implementation {
            config = config.with_implementation(implementation);
        }
        let mut expiry = None;
        if let Some((least, own)) = self.expire {
            config = if own.is_some() { config.with_expire_by_user(least) } else { config.with_expire(least) };
            expiry = own;
        }
        let mut logins = None;
        if let Some((interval, own)) = self.login_interval {
            config = match own {
                Some(_) => config.with_login_interval_by_user(interval),
                None => config.with_login_interval(interval),
            };
            logins = Some(LoginIntervals::new(interval, own, config.limits().login_intervals));
        }
        // In TLS from the first octet on there is nobody who could read it.
        let (busy, busy_address) = match self.implicit_tls {
            true => (&b""[..], &b""[..]),
            false => (
                &b"-ERR [SYS/TEMP] too many connections\r\n"[..],
                &b"-ERR [SYS/TEMP] too many connections from your address\r\n"[..],
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
                with_lease: self.with_lease,
                mark_seen: self.mark_seen,
                login_delay: self.login_delay,
                expiry,
                logins,
                retrieved: self.retrieved,
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

    /// Serves until the word to shut down. Sessions are then told so and closed, a message that is being sent is finished
    /// if it takes no longer than [`ServeOptions::shutdown_grace`], and nothing is removed but what a QUIT has asked for.
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
