//! Serving: what is kept is opened, listeners are bound, and then mail comes and goes until a signal ends it.

use std::io::IsTerminal;
use std::net::SocketAddr;

use mail_wire::io::{Shutdown, ShutdownHandle};
use mailstore_traits::MailStore;
use mailstore_traits::memory::MemoryStore;
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tracing_subscriber::EnvFilter;

use crate::accounts::Accounts;
use crate::config::{Role, Settings};
use crate::data::DataFolder;
use crate::error::{Failure, Outcome, reason};
use crate::options::{Options, StoreChoice};
use crate::out::say;
use crate::retention::{self, Policy};
use crate::servers::Servers;
use crate::{descriptors, observe, setup, store, tls};

/// Serves until a signal; returns when everything is in and closed.
pub(crate) fn serve(options: &Options) -> Outcome {
    let settings = Settings::new(options)?;
    log_to_stderr(settings.place.log.as_deref().unwrap_or("info"))?;
    let folder = DataFolder::open_or_make(&settings.place.data)?;
    let _lock = folder.lock()?;
    if folder.is_open_to_others() {
        tracing::warn!("other users may look into {0}; `chmod 700 {0}` keeps them out", folder.path().display());
    }
    let accounts = Accounts::open(folder.path())?;
    accounts.set_served_domains(&settings.domains)?;
    accounts.set_served_store(settings.place.store_named.then_some(&settings.place.store))?;
    let certificate = match &settings.tls_files {
        Some((cert, key)) => tls::from_files(cert, key)?,
        None => tls::self_signed(&folder, &settings.domains, &settings.hostname)?,
    };
    if let Some(news) = &certificate.news {
        tracing::info!(file = %certificate.file.display(), "{news}");
    }
    if settings.allow_insecure_login {
        tracing::warn!("passwords are taken without TLS, where everybody on the way can read them");
    }
    descriptors::provide(settings.listeners.len().saturating_mul(settings.max_connections));
    crate::runtime()?.block_on(async {
        // Trace fields come on top of what a sender may send.
        let most = settings.place.max_message_size.0.saturating_add(1 << 20).max(1 << 30);
        let database = match &settings.place.store {
            StoreChoice::Postgres(url) => Some(store::postgres(url, most).await?),
            StoreChoice::Sqlite(_) | StoreChoice::Maildir(_) | StoreChoice::Memory => None,
        };
        let accounts = match &database {
            Some(database) => accounts.shared_by(store::shared_accounts(database, &settings.domains)?),
            None => accounts,
        };
        for account in [&settings.postmaster, &settings.catch_all].into_iter().flatten() {
            if accounts.require(account).is_err() {
                tracing::warn!(
                    "there is no account {account} yet, which mail is to go to; `account add {account}` makes it"
                );
            }
        }
        let (bound, listeners) = bind_all(&settings.listeners).await?;
        let (handle, shutdown) = Shutdown::channel();
        let metrics = match settings.metrics {
            Some(address) => {
                let (address, listener) = bind("metrics", address).await?;
                tokio::spawn(observe::serve(observe::install()?, listener, shutdown.clone()));
                Some(observe::address(address))
            }
            None => None,
        };
        let servers = Servers::new(&settings, &certificate, accounts.clone())?;
        // A password is only told when nothing can come between any more.
        let ready = || {
            let first = setup::first_account(&accounts, &settings)?;
            setup::print(&settings, &bound, metrics.as_deref(), &certificate, &accounts, first.as_ref())
        };
        let sweeping = (accounts.clone(), settings.retention);
        if let Some(database) = database {
            let served = run(database.clone(), &servers, listeners, sweeping, ready, handle, shutdown).await;
            database.close().await;
            return served;
        }
        match &settings.place.store {
            StoreChoice::Maildir(path) => {
                let store = store::maildir(path, most)?;
                let served = run(store.clone(), &servers, listeners, sweeping, ready, handle, shutdown).await;
                store.close().await;
                served
            }
            StoreChoice::Sqlite(path) => {
                let options = store_sqlite::Options::default().max_message(most);
                let store = options.open(path).map_err(|error| Failure::failed(error.to_string()))?;
                let served = run(store.clone(), &servers, listeners, sweeping, ready, handle, shutdown).await;
                store.close().await;
                served
            }
            StoreChoice::Memory | StoreChoice::Postgres(_) => {
                run(MemoryStore::new(), &servers, listeners, sweeping, ready, handle, shutdown).await
            }
        }
    })
}

async fn run<S: MailStore>(
    store: S,
    servers: &Servers,
    listeners: Vec<(Role, TcpListener)>,
    (accounts, retention): (Accounts, Policy),
    ready: impl FnOnce() -> Outcome,
    handle: ShutdownHandle,
    shutdown: Shutdown,
) -> Outcome {
    ready()?;
    let mut signals = Signals::new()?;
    let mut tasks = JoinSet::new();
    for (role, listener) in listeners {
        tasks.spawn(servers.serve(role, store.clone(), listener, shutdown.clone())?);
    }
    // Dropped with this function: what a sweep leaves undone the next one does.
    let mut background = JoinSet::new();
    background.spawn(retention::keep_sweeping(store, accounts, retention));
    say!("ready");
    tokio::select! {
        name = signals.next() => tracing::info!("{name}: no new connections; those that are open may finish"),
        ended = tasks.join_next() => {
            return Err(Failure::failed(format!("a listener ended by itself ({ended:?}); please report this")));
        }
    }
    handle.shut_down();
    background.shutdown().await;
    let finished = async { while tasks.join_next().await.is_some() {} };
    tokio::select! {
        () = finished => {
            tracing::info!("stopped");
            Ok(())
        }
        name = signals.next() => {
            // What was answered is on disk; what was not, the sender sends again.
            tracing::warn!("{name} again: ended at once");
            std::process::exit(1);
        }
    }
}

/// Binds every listener before anything is promised; port 0 asks the system for a free one.
async fn bind_all(wanted: &[(Role, SocketAddr)]) -> Outcome<(Vec<(Role, SocketAddr)>, Vec<(Role, TcpListener)>)> {
    let (mut bound, mut listeners) = (Vec::new(), Vec::new());
    for &(role, address) in wanted {
        let (address, listener) = bind(role.name(), address).await?;
        bound.push((role, address));
        listeners.push((role, listener));
    }
    Ok((bound, listeners))
}

async fn bind(option: &str, address: SocketAddr) -> Outcome<(SocketAddr, TcpListener)> {
    let failed = |error| cannot_listen(option, address, &error);
    let listener = TcpListener::bind(address).await.map_err(failed)?;
    Ok((listener.local_addr().map_err(failed)?, listener))
}

fn cannot_listen(option: &str, address: SocketAddr, error: &std::io::Error) -> Failure {
    use std::io::ErrorKind;
    let port = address.port();
    Failure::failed(match error.kind() {
        ErrorKind::AddrInUse => format!(
            "port {port} is in use by another program; stop that one, or give --{option} another ADDRESS:PORT, or `off`"
        ),
        ErrorKind::PermissionDenied => format!(
            "port {port} may not be opened by this user; ports below 1024 need root or the capability \
             CAP_NET_BIND_SERVICE, or give --{option} a higher port"
        ),
        ErrorKind::AddrNotAvailable => {
            format!("this machine has no address {}; give --{option} one that it has, or 0.0.0.0 for all", address.ip())
        }
        _ => format!("cannot listen on {address} (--{option}): {}", reason(error)),
    })
}

fn log_to_stderr(filter: &str) -> Outcome {
    let filter = EnvFilter::builder().parse(filter).map_err(|_| {
        Failure::usage(format!("`{filter}` is no filter for logs; write one like info or info,smtp_proto=debug"))
    })?;
    let colours = std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none();
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_ansi(colours).init();
    Ok(())
}

/// The signals that end a server.
#[derive(Debug)]
struct Signals {
    #[cfg(unix)]
    interrupt: tokio::signal::unix::Signal,
    #[cfg(unix)]
    terminate: tokio::signal::unix::Signal,
}

impl Signals {
    #[cfg(unix)]
    fn new() -> Outcome<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        let hear = |kind| signal(kind).map_err(|error| Failure::failed(format!("cannot listen for signals: {error}")));
        Ok(Self { interrupt: hear(SignalKind::interrupt())?, terminate: hear(SignalKind::terminate())? })
    }

    #[cfg(unix)]
    async fn next(&mut self) -> &'static str {
        tokio::select! {
            _ = self.interrupt.recv() => "SIGINT",
            _ = self.terminate.recv() => "SIGTERM",
        }
    }

    #[cfg(not(unix))]
    fn new() -> Outcome<Self> {
        Ok(Self {})
    }

    #[cfg(not(unix))]
    async fn next(&mut self) -> &'static str {
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
        "Ctrl-C"
    }
}
