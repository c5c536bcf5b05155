//! What the contract kit wants to know of this store.

use std::future::Future;
use std::sync::Mutex;
use std::time::Duration;

use mailstore_traits::contract::{Declared, Factory};
use store_postgres::{Options, PostgresStore};

use crate::common::check_consistency;
use crate::server::{connect, server, server_to_stop};

/// How the store is opened, and opened again.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    /// Closed, and opened again.
    #[allow(dead_code, reason = "one test file does not use it")]
    Table,
    /// Opened again while the first stays open: what another process sees.
    #[allow(dead_code, reason = "one test file uses it")]
    SecondPool,
    /// With every body in a folder of objects.
    #[allow(dead_code, reason = "one test file uses it")]
    #[cfg(feature = "object-store")]
    Objects,
    /// On a server that can be stopped.
    #[allow(dead_code, reason = "one test file uses it")]
    OwnServer,
}

pub(crate) struct Postgres {
    form: Form,
    /// Memory is the process's: it can be told only where nothing else runs.
    alone: bool,
    runtime: tokio::runtime::Runtime,
    opened: Mutex<Vec<Opened>>,
}

struct Opened {
    url: String,
    store: PostgresStore,
    folder: tempfile::TempDir,
}

impl Postgres {
    pub(crate) fn new(form: Form, alone: bool) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        Self { form, alone, runtime, opened: Mutex::default() }
    }

    fn options(&self, _folder: &std::path::Path) -> Options {
        let options = Options::new().body_grace(Duration::ZERO);
        match self.form {
            #[cfg(feature = "object-store")]
            Form::Objects => options.inline_octets(0).object_folder(_folder).unwrap(),
            _ => options,
        }
    }

    async fn open(&self, url: String, folder: tempfile::TempDir) -> PostgresStore {
        let store = PostgresStore::connect(&url, self.options(folder.path())).await.unwrap();
        let opened = Opened { url, store: store.clone(), folder };
        self.opened.lock().unwrap().push(opened);
        store
    }
}

impl Factory for Postgres {
    type Store = PostgresStore;

    async fn fresh(&self) -> PostgresStore {
        let server = if self.form == Form::OwnServer { server_to_stop() } else { server() };
        let url = server.expect("asked before").database().await;
        self.open(url, tempfile::tempdir().unwrap()).await
    }

    async fn reopen(&self, store: PostgresStore) -> Option<PostgresStore> {
        let Opened { url, store: first, folder } = {
            let mut opened = self.opened.lock().unwrap();
            let at = opened.iter().position(|opened| opened.store == store)?;
            opened.remove(at)
        };
        if self.form == Form::SecondPool {
            // It goes on clearing away, listening and holding its connections.
            std::mem::forget(first);
        } else {
            drop(first);
            store.close().await;
        }
        Some(self.open(url, folder).await)
    }

    async fn beside(&self, store: &PostgresStore) -> Option<PostgresStore> {
        let (url, options) = {
            let opened = self.opened.lock().unwrap();
            let opened = opened.iter().find(|opened| opened.store == *store)?;
            (opened.url.clone(), self.options(opened.folder.path()))
        };
        Some(PostgresStore::connect(&url, options).await.unwrap())
    }

    async fn break_down(&self, _: &PostgresStore) -> bool {
        if self.form != Form::OwnServer {
            return false;
        }
        let server = server_to_stop().expect("asked before");
        tokio::task::block_in_place(|| server.control(&["-m", "fast", "stop"]));
        true
    }

    async fn mend(&self, _: &PostgresStore) {
        let server = server_to_stop().expect("asked before");
        tokio::task::block_in_place(|| server.control(&["start"]));
    }

    fn place(&self, store: &PostgresStore) -> Option<String> {
        let opened = self.opened.lock().unwrap();
        let opened = opened.iter().find(|opened| opened.store == *store)?;
        Some(format!("{} {}", opened.url, opened.folder.path().display()))
    }

    async fn open_at(&self, place: &str) -> Option<PostgresStore> {
        let (url, folder) = place.split_once(' ')?;
        let options = self.options(folder.as_ref()).lease_beat(Duration::from_secs(1));
        // What a killed process had sent off goes on until it is done or rolled back.
        let client = connect(url).await;
        let others = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() \
                      AND pid <> pg_backend_pid() AND backend_type = 'client backend' AND state <> 'idle'";
        while client.query_one(others, &[]).await.unwrap().get::<_, i64>(0) > 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        Some(PostgresStore::connect(url, options).await.unwrap())
    }

    async fn inspect(&self, place: &str) {
        if let Some((url, _)) = place.split_once(' ') {
            check_consistency(url).await;
        }
    }

    async fn octets_kept(&self, store: &PostgresStore) -> Option<u64> {
        let (url, folder) = {
            let opened = self.opened.lock().unwrap();
            let opened = opened.iter().find(|opened| opened.store == *store)?;
            (opened.url.clone(), opened.folder.path().to_owned())
        };
        // Dropped stages are cleared away by tasks of their own.
        tokio::time::sleep(Duration::from_millis(300)).await;
        store.collect().await.unwrap();
        let client = connect(&url).await;
        let sql = "SELECT coalesce(sum(length(octets)), 0)::bigint FROM chunk";
        let rows: i64 = client.query_one(sql, &[]).await.unwrap().get(0);
        Some(rows as u64 + files(&folder))
    }

    fn declared(&self) -> Declared {
        let mut declared = Declared::default();
        // Each history is a database of its own, which takes a while to make.
        declared.histories = 6;
        // So is each start of a process with its connections.
        declared.kills = 8;
        if self.form != Form::Table {
            // What differs is where bodies lie and how it is opened again; the rest has been seen.
            (declared.histories, declared.kills) = (3, 4);
        }
        declared
    }

    fn block_on<T>(&self, work: impl Future<Output = T>) -> T {
        self.runtime.block_on(work)
    }

    fn memory_in_use(&self) -> Option<u64> {
        if !self.alone {
            return None;
        }
        // In pages of 4 KiB; only Linux tells it this way.
        let pages = std::fs::read_to_string("/proc/self/statm").ok()?;
        Some(pages.split_whitespace().nth(1)?.parse::<u64>().ok()? * 4096)
    }
}

/// Octets of files below a folder.
fn files(folder: &std::path::Path) -> u64 {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    entries
        .map(|entry| match entry.metadata() {
            Ok(about) if about.is_dir() => files(&entry.path()),
            Ok(about) => about.len(),
            Err(_) => 0,
        })
        .sum()
}
