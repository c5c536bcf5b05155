//! What a server is to be like.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use mail_wire::dot::LineEndPolicy;
use mail_wire::io::{DriverOptions, ServeOptions, TlsConfig};
use mail_wire::sasl::{LoginDelay, Mechanism, SaslConfig};
use mailstore_traits::{Authenticator, Directory, MailStore};

use super::policy::{NoPolicy, Policy};
use super::{Server, Shared, Trusted};
use crate::grammar::Domain;
use crate::limits::Limits;
use crate::session::{Config, Protocol, Timeouts, Trust};

/// How a server is to be, before it has a store.
#[derive(Debug)]
#[must_use]
pub struct ServerBuilder<P = NoPolicy> {
    settings: Settings,
    policy: P,
}

/// All but the policy.
#[derive(Debug)]
struct Settings {
    config: Config,
    tls: Option<TlsConfig>,
    implicit_tls: bool,
    proxy_protocol: bool,
    login: Option<bool>,
    login_delay: LoginDelay,
    driver: DriverOptions,
    max_connections: usize,
    max_connections_per_address: usize,
    greeting_delay: Duration,
    policy_timeout: Duration,
    own_senders: bool,
    max_hops: u64,
    trust: Option<Trusted>,
}

impl ServerBuilder {
    pub(super) fn new(host_name: Domain) -> Self {
        let settings = Settings {
            config: Config::new(host_name, Protocol::Smtp),
            tls: None,
            implicit_tls: false,
            proxy_protocol: false,
            login: None,
            login_delay: LoginDelay::default(),
            driver: DriverOptions::default(),
            max_connections: ServeOptions::default().max_connections,
            max_connections_per_address: ServeOptions::default().max_connections_per_address,
            greeting_delay: Duration::ZERO,
            policy_timeout: Duration::from_secs(240),
            own_senders: false,
            max_hops: 100,
            trust: None,
        };
        Self { settings, policy: NoPolicy }
    }
}

impl<P: Policy> ServerBuilder<P> {
    /// Speaks TLS, by STARTTLS unless [`implicit_tls`](Self::implicit_tls) says otherwise.
    pub fn tls(mut self, tls: TlsConfig) -> Self {
        self.settings.tls = Some(tls);
        self
    }

    /// Speaks TLS from the first octet (RFC 8314 §3.3, port 465). Needs [`tls`](Self::tls).
    pub fn implicit_tls(mut self, implicit: bool) -> Self {
        self.settings.implicit_tls = implicit;
        self
    }

    /// Wants a PROXY header before the first octet of each connection, which closes without. Only for a listener that
    /// nobody but a trusted proxy reaches (attack row R2).
    pub fn proxy_protocol(mut self, proxied: bool) -> Self {
        self.settings.proxy_protocol = proxied;
        self
    }

    /// Takes logins without TLS. Whoever listens then has the passwords.
    pub fn allow_insecure_login(mut self, allowed: bool) -> Self {
        self.settings.config.auth_needs_tls = !allowed;
        self
    }

    /// Speaks LMTP (RFC 2033).
    pub fn lmtp(mut self) -> Self {
        self.settings.config.protocol = Protocol::Lmtp;
        self.settings.config.mail_needs_auth = false;
        self
    }

    /// Takes mail from users who have logged in, and from nobody else (RFC 6409).
    pub fn submission(mut self) -> Self {
        self.settings.config.protocol = Protocol::Submission;
        self.settings.config.mail_needs_auth = true;
        self
    }

    /// Whether logins are offered: for submission, unless this says otherwise. Servers have nothing to log in for, and an
    /// AUTH on port 25 is an invitation to guess.
    pub fn login(mut self, offered: bool) -> Self {
        self.settings.login = Some(offered);
        self
    }

    /// How long the fourth rejected login of a connection waits: 1 second. Each further one waits twice as long, 16 seconds at
    /// the most (attack row A11).
    pub fn login_delay(mut self, first: Duration) -> Self {
        self.settings.login_delay = LoginDelay::new(first);
        self
    }

    /// What the SASL exchanges need. For SCRAM set the key and the count that unknown users are told by, so that they do
    /// not stand out after a restart (attack row A1).
    pub fn sasl(mut self, sasl: impl Into<Arc<SaslConfig>>) -> Self {
        self.settings.config.sasl = sasl.into();
        self
    }

    /// The ceilings.
    pub fn limits(mut self, limits: Limits) -> Self {
        self.settings.config.limits = limits;
        self
    }

    /// The clocks.
    pub fn timeouts(mut self, timeouts: Timeouts) -> Self {
        self.settings.config.timeouts = timeouts;
        self
    }

    /// What to do with a CR or LF that stands alone in a message (attack row S3).
    pub fn line_ends(mut self, policy: LineEndPolicy) -> Self {
        self.settings.config.line_ends = policy;
        self
    }

    /// What the host decides about mail, in place of nothing: see [`policy`](super::policy). Each connection has a clone.
    pub fn policy<Q: Policy>(self, policy: Q) -> ServerBuilder<Q> {
        ServerBuilder { settings: self.settings, policy }
    }

    /// How long the policy has for one answer: 4 minutes, for a client waits 5 for the reply to most commands (RFC 5321
    /// §4.5.3.2). Then the client is told 451 and comes again.
    pub fn policy_timeout(mut self, timeout: Duration) -> Self {
        self.settings.policy_timeout = timeout;
        self
    }

    /// Whether those who have logged in may only send in their own name, or with the null reverse-path: another sender is
    /// refused with 553 5.7.1 (attack row R3). Their own are all addresses whose mail the directory sends to their account.
    /// Not unless it is said: many hosts let people send as somebody whom only they know.
    pub fn own_senders(mut self, only: bool) -> Self {
        self.settings.own_senders = only;
        self
    }

    /// How many servers a message may have passed through, counted by its Received fields: 100 (RFC 5321 §6.3; attack row
    /// R4). One with as many is refused with 554 5.4.6: it goes round in circles.
    pub fn max_hops(mut self, most: u64) -> Self {
        self.settings.max_hops = most;
        self
    }

    /// Offers DSN (RFC 3461), and carries it out: a sender of this host's own who asked for it finds a report of success in
    /// their mailbox. Failures need none, for a client is told of them at once.
    ///
    /// Reports for other senders are the policy's to send ([`Policy::delivered`]): switch this on where senders are this
    /// host's own users, with [`own_senders`](Self::own_senders), or with a policy that sends them. Not on a listener for
    /// strangers, who would have them sent to whomever they name (attack row R5).
    pub fn dsn(mut self, offered: bool) -> Self {
        self.settings.config.dialect.extensions.dsn = offered;
        self
    }

    /// Which peers may speak for others, by their address: XCLIENT and XFORWARD, from a proxy or a filter of the host's
    /// own. Nobody unless it is said (attack row R2). XCLIENT's LOGIN is not taken: whose account a name is, a password
    /// tells, and none comes with it.
    ///
    /// After XCLIENT the connection is that other client's, for the policy and for the trace fields; limits for each
    /// address are for the peer itself. What XFORWARD says stands in the log, and the policy can see it.
    pub fn trust(mut self, trusted: impl Fn(IpAddr) -> Trust + Send + Sync + 'static) -> Self {
        self.settings.trust = Some(Trusted(Arc::new(trusted)));
        self
    }

    /// The most connections at a time: 1,000. One more is told 421 (attack row C3).
    pub fn max_connections(mut self, most: usize) -> Self {
        self.settings.max_connections = most;
        self
    }

    /// The most connections at a time from one IPv4 address or IPv6 network of /64, this machine's own excepted: 50. One
    /// more is told 421 (attack row C3).
    pub fn max_connections_per_address(mut self, most: usize) -> Self {
        self.settings.max_connections_per_address = most;
        self
    }

    /// How long a client of another server's is watched before it is greeted, on a listener for [`Protocol::Smtp`] without
    /// implicit TLS. One that talks meanwhile is no mail server but somebody's program in a hurry, and the policy hears of
    /// it: see [`Policy::connected`] (attack row C4). 0: only what has come with the connection itself is seen. With a few
    /// seconds much of what sends spam gives itself away, and everybody else waits.
    pub fn greeting_delay(mut self, delay: Duration) -> Self {
        self.settings.greeting_delay = delay;
        self
    }

    /// The sizes and times of the connections.
    pub fn driver_options(mut self, options: DriverOptions) -> Self {
        self.settings.driver = options;
        self
    }

    /// Anything else of the session's [`Config`]: extensions, leniencies. What the server itself decides (TLS, mechanisms)
    /// is set when it is built.
    pub fn configure(mut self, change: impl FnOnce(&mut Config)) -> Self {
        change(&mut self.settings.config);
        self
    }

    /// A server over a store that knows its users and their addresses too.
    ///
    /// # Panics
    /// As [`build_with`](Self::build_with).
    pub fn build<S>(self, store: S) -> Server<S, S, S, P>
    where
        S: MailStore + Authenticator + Directory,
    {
        self.build_with(store.clone(), store.clone(), store)
    }

    /// A server over a store, with somebody else who knows the users, and somebody who knows the addresses.
    ///
    /// # Panics
    /// If TLS is to be implicit and there is none: such a listener would speak in clear.
    pub fn build_with<S, A, D>(self, store: S, authenticator: A, directory: D) -> Server<S, A, D, P>
    where
        S: MailStore,
        A: Authenticator,
        D: Directory,
    {
        let Self { mut settings, policy } = self;
        assert!(settings.tls.is_some() || !settings.implicit_tls, "implicit TLS needs a TLS configuration");
        if settings.config.mail_needs_auth && settings.tls.is_none() && settings.config.auth_needs_tls {
            tracing::warn!("without TLS nobody can log in here, and without a login no mail is taken");
        }
        settings.config.starttls = settings.tls.is_some() && !settings.implicit_tls;
        let offers_login = settings.login.unwrap_or(settings.config.protocol == Protocol::Submission);
        settings.config.mechanisms = match offers_login {
            true => Mechanism::offered_by(&authenticator),
            false => Vec::new(),
        };
        let protocol = match settings.config.protocol {
            Protocol::Lmtp => "lmtp",
            Protocol::Submission => "submission",
            Protocol::Smtp => "smtp",
        };
        let mut driver = settings.driver;
        driver.protocol = protocol;
        // In TLS from the first octet on there is nobody who could read it.
        let busy = |status, text| match settings.implicit_tls {
            true => Bytes::new(),
            false => Bytes::from(format!("421 {status} {} {text}\r\n", settings.config.host_name)),
        };
        let serve = ServeOptions::default()
            .with_protocol(protocol)
            .with_max_connections(settings.max_connections, busy("4.3.2", "too many connections"))
            .with_max_connections_per_address(
                settings.max_connections_per_address,
                busy("4.7.0", "too many connections from your address"),
            )
            .with_proxy_protocol(settings.proxy_protocol);
        let dsn = settings.config.dialect.extensions.dsn;
        let shared = Shared {
            config: Arc::new(settings.config).consistent(),
            store,
            authenticator,
            directory,
            tls: settings.tls,
            implicit_tls: settings.implicit_tls,
            greeting_delay: settings.greeting_delay,
            login_delay: settings.login_delay,
            driver,
            serve,
            policy,
            policy_timeout: settings.policy_timeout,
            own_senders: settings.own_senders,
            max_hops: settings.max_hops,
            dsn,
            trust: settings.trust,
        };
        Server { shared: Arc::new(shared) }
    }
}
