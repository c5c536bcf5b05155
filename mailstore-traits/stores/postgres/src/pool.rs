//! Connections, and transactions on them.
//!
//! A connection goes back to the pool after a commit or a rollback that the database has confirmed, and at no other time:
//! one in an unknown state is closed, and PostgreSQL rolls back what it was at.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use deadpool_postgres::{Hook, HookError, Manager, ManagerConfig, Object, Pool, PoolError, RecyclingMethod, Runtime};
use mailstore_traits::{ErrorKind, StoreError, Timestamp};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use tokio_postgres::config::SslMode;
use tokio_postgres::types::ToSql;
use tokio_postgres::{Config, NoTls, Row};
use tokio_postgres_rustls::MakeRustlsConnect;

use crate::error::{OpenError, Outcome, from_sql};
use crate::options::Options;
use crate::schema::SCHEMA;
use crate::url::take_tls;

/// What a query's placeholders stand for. Queries themselves are `'static`: nothing that a peer says is ever in one.
pub(crate) type Values<'a> = &'a [&'a (dyn ToSql + Sync)];

/// What a transaction is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Sees one state of the database throughout.
    Read,
    /// Sees what others have committed, statement by statement, as rows that it waited for need it.
    Write,
    /// Durable only with the next one that is: octets that no row names yet.
    Ahead,
}

impl Kind {
    fn begin(self) -> &'static str {
        match self {
            Self::Read => "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY",
            Self::Write => "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE",
            Self::Ahead => "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE; SET LOCAL synchronous_commit TO off",
        }
    }
}

/// What a commit changed, for those who watch.
#[derive(Debug, Default)]
pub(crate) struct News {
    /// Mailboxes by row, with their modification sequence.
    pub(crate) mailboxes: BTreeMap<i64, i64>,
    /// Accounts whose list has changed, by row, with the list's version.
    pub(crate) accounts: BTreeMap<i64, i64>,
}

/// A transaction that is under way. Dropped before its [end](Self::end) it takes its connection with it.
pub(crate) struct Tx {
    client: Option<Object>,
    failed: AtomicBool,
    /// Seconds since 1970.
    pub(crate) now: i64,
    pub(crate) news: News,
}

impl Tx {
    pub(crate) async fn begin(pool: &Pool, kind: Kind) -> Outcome<Self> {
        // After a restart of the database every connection that lies in the pool is dead, and not all are known to be.
        // Nothing has been done before BEGIN, so another one is taken.
        let mut tries = pool.status().max_size.saturating_add(1);
        loop {
            let client = pool.get().await.map_err(|error| from_pool(&error))?;
            let begun = client.batch_execute(kind.begin()).await;
            match begun {
                Ok(()) => {
                    let now = Timestamp::now().unix_seconds();
                    return Ok(Self {
                        client: Some(client),
                        failed: AtomicBool::new(false),
                        now,
                        news: News::default(),
                    });
                }
                Err(error) => {
                    drop(Object::take(client));
                    tries = tries.saturating_sub(1);
                    if tries == 0 {
                        return Err(from_sql(&error));
                    }
                }
            }
        }
    }

    fn client(&self) -> Outcome<&Object> {
        self.client.as_ref().ok_or_else(crate::error::closed)
    }

    fn told<T>(&self, answer: Result<T, tokio_postgres::Error>) -> Outcome<T> {
        answer.map_err(|error| {
            // What follows on a failed statement PostgreSQL takes for a rollback, and a COMMIT it answers all the same.
            self.failed.store(true, Ordering::Relaxed);
            from_sql(&error)
        })
    }

    pub(crate) async fn query(&self, sql: &'static str, values: Values<'_>) -> Outcome<Vec<Row>> {
        let client = self.client()?;
        let statement = self.told(client.prepare_cached(sql).await)?;
        self.told(client.query(&statement, values).await)
    }

    pub(crate) async fn query_opt(&self, sql: &'static str, values: Values<'_>) -> Outcome<Option<Row>> {
        let client = self.client()?;
        let statement = self.told(client.prepare_cached(sql).await)?;
        self.told(client.query_opt(&statement, values).await)
    }

    pub(crate) async fn query_one(&self, sql: &'static str, values: Values<'_>) -> Outcome<Row> {
        self.query_opt(sql, values).await?.ok_or_else(|| ErrorKind::NotFound.into())
    }

    pub(crate) async fn execute(&self, sql: &'static str, values: Values<'_>) -> Outcome<u64> {
        let client = self.client()?;
        let statement = self.told(client.prepare_cached(sql).await)?;
        self.told(client.execute(&statement, values).await)
    }

    /// A mailbox has changed; its watchers hear of it after the commit.
    pub(crate) fn mailbox_changed(&mut self, row: i64, modseq: i64) {
        self.news.mailboxes.insert(row, modseq);
    }

    /// Commits if the outcome is good, rolls back if it is not; gives the outcome and what there is to tell.
    pub(crate) async fn end<T>(mut self, outcome: Outcome<T>) -> Outcome<(T, News)> {
        let client = self.client.take().ok_or_else(crate::error::closed)?;
        let failed = self.failed.load(Ordering::Relaxed);
        let (good, last) = match outcome {
            Ok(_) if failed => (Err(StoreError::from(ErrorKind::Internal)), "ROLLBACK"),
            Ok(value) => (Ok(value), "COMMIT"),
            Err(error) => (Err(error), "ROLLBACK"),
        };
        // Held by a guard: if this future is dropped here, too, the connection does not go back.
        let guard = Guard(Some(client));
        let ended = match &guard.0 {
            Some(client) => client.batch_execute(last).await,
            None => Ok(()),
        };
        match (ended, good) {
            (Ok(()), good) => {
                guard.give_back();
                good.map(|value| (value, std::mem::take(&mut self.news)))
            }
            (Err(_), Err(error)) => Err(error),
            (Err(error), Ok(_)) => Err(from_sql(&error)),
        }
    }
}

impl Drop for Tx {
    fn drop(&mut self) {
        drop(Guard(self.client.take()));
    }
}

/// Closes a connection unless it is given back.
struct Guard(Option<Object>);

impl Guard {
    fn give_back(mut self) {
        drop(self.0.take());
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        if let Some(client) = self.0.take() {
            drop(Object::take(client));
        }
    }
}

fn from_pool(error: &PoolError) -> StoreError {
    match error {
        PoolError::Backend(error) => {
            let error = from_sql(error);
            // Whatever keeps us from connecting (a password that was changed, say), mail is not lost over it.
            StoreError::new(ErrorKind::Unavailable, error.to_string())
        }
        error => StoreError::new(ErrorKind::Unavailable, error.to_string()),
    }
}

/// What is said on every connection of ours before anything else.
fn settings(options: &Options) -> String {
    let wait = options.lock_wait.as_millis().min(1 << 30);
    format!(
        "SET search_path = {SCHEMA}; SET lock_timeout = {wait}; \
         SET idle_in_transaction_session_timeout = {idle}; SET client_min_messages = warning; \
         SET tcp_keepalives_idle = 30; SET tcp_keepalives_interval = 10; SET tcp_keepalives_count = 3; \
         SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') = 'off'",
        // A machine that has stopped in the middle of a write must not hold its mailbox for ever.
        idle = wait.saturating_mul(3),
    )
}

/// How the database is reached.
#[derive(Clone)]
pub(crate) struct Connector {
    pub(crate) config: Config,
    tls: Option<MakeRustlsConnect>,
    settings: String,
}

impl Connector {
    pub(crate) fn new(url: &str, options: &Options) -> Result<Self, OpenError> {
        let said = take_tls(url)?;
        let roots = said.roots.as_ref().or(options.roots.as_ref());
        if roots.is_some() && said.refuses {
            return Err(OpenError::Url("sslmode=disable and certificates to check contradict each other".into()));
        }
        let mut config: Config =
            said.url.parse().map_err(|error: tokio_postgres::Error| OpenError::Url(error.to_string()))?;
        if roots.is_none() && (said.demands || config.get_ssl_mode() == SslMode::Require) {
            // A certificate that nobody checks keeps nobody out.
            return Err(OpenError::Certificates(
                "sslmode asks for TLS, and nothing says whom to trust: add sslrootcert=FILE, on Debian with the system's \
                 /etc/ssl/certs/ca-certificates.crt"
                    .into(),
            ));
        }
        if config.get_application_name().is_none() {
            config.application_name("pillarbox");
        }
        if config.get_connect_timeout().is_none() {
            config.connect_timeout(Duration::from_secs(10));
        }
        config.keepalives_idle(Duration::from_secs(30));
        let tls = match roots {
            Some(path) => {
                // Asked for, it is not given up because somebody on the way says that the server has none.
                config.ssl_mode(SslMode::Require);
                Some(MakeRustlsConnect::new(client_config(path)?))
            }
            None => None,
        };
        Ok(Self { config, tls, settings: settings(options) })
    }

    /// The pool of connections for queries.
    pub(crate) fn pool(&self, options: &Options) -> Result<Pool, OpenError> {
        let recycling = ManagerConfig { recycling_method: RecyclingMethod::Fast };
        let manager = match &self.tls {
            Some(tls) => Manager::from_config(self.config.clone(), tls.clone(), recycling),
            None => Manager::from_config(self.config.clone(), NoTls, recycling),
        };
        let settings = self.settings.clone();
        Pool::builder(manager)
            .max_size(options.connections)
            .runtime(Runtime::Tokio1)
            .wait_timeout(Some(options.wait))
            .create_timeout(Some(options.wait))
            .post_create(Hook::async_fn(move |client, _| {
                let settings = settings.clone();
                Box::pin(async move { client.batch_execute(&settings).await.map_err(HookError::Backend) })
            }))
            .build()
            .map_err(|error| OpenError::Unreachable(error.to_string()))
    }

    /// A connection of its own, for what holds it long; what comes in by itself is handed to `hear`.
    pub(crate) async fn connect(
        &self,
        hear: impl Fn(&str) + Send + 'static,
    ) -> Result<(tokio_postgres::Client, tokio::task::JoinHandle<()>), tokio_postgres::Error> {
        let (client, task) = match &self.tls {
            Some(tls) => {
                let (client, connection) = self.config.connect(tls.clone()).await?;
                (client, tokio::spawn(drive(connection, hear)))
            }
            None => {
                let (client, connection) = self.config.connect(NoTls).await?;
                (client, tokio::spawn(drive(connection, hear)))
            }
        };
        client.batch_execute(&self.settings).await?;
        Ok((client, task))
    }
}

async fn drive<S, T>(mut connection: tokio_postgres::Connection<S, T>, hear: impl Fn(&str) + Send)
where
    S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin,
    T: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin,
{
    while let Some(Ok(message)) = std::future::poll_fn(|cx| connection.poll_message(cx)).await {
        if let tokio_postgres::AsyncMessage::Notification(notification) = message {
            hear(notification.payload());
        }
    }
}

fn client_config(path: &std::path::Path) -> Result<rustls::ClientConfig, OpenError> {
    let bad = |error: String| OpenError::Certificates(format!("{}: {error}", path.display()));
    let mut roots = rustls::RootCertStore::empty();
    for certificate in CertificateDer::pem_file_iter(path).map_err(|error| bad(error.to_string()))? {
        let certificate = certificate.map_err(|error| bad(error.to_string()))?;
        roots.add(certificate).map_err(|error| bad(error.to_string()))?;
    }
    if roots.is_empty() {
        return Err(bad("there is none in it".to_owned()));
    }
    let provider = std::sync::Arc::new(rustls::crypto::ring::default_provider());
    Ok(rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| bad(error.to_string()))?
        .with_root_certificates(roots)
        .with_no_client_auth())
}
