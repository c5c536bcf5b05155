//! What the contract kit wants to know of this store.

use std::collections::HashMap;
use std::future::Future;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use mailstore_traits::contract::Factory;
use store_sqlite::{OpenError, SqliteStore};
use tempfile::TempDir;

use crate::common::check_consistency;

pub(crate) struct Sqlite {
    /// Memory is the process's: it can be told only where nothing else runs.
    alone: bool,
    runtime: tokio::runtime::Runtime,
    folders: Mutex<HashMap<PathBuf, TempDir>>,
    /// Who holds the database's lock.
    holders: Mutex<HashMap<PathBuf, rusqlite::Connection>>,
}

impl Sqlite {
    pub(crate) fn new(alone: bool) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        Self { alone, runtime, folders: Mutex::default(), holders: Mutex::default() }
    }
}

impl Factory for Sqlite {
    type Store = SqliteStore;

    async fn fresh(&self) -> SqliteStore {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("mail.db");
        self.folders.lock().unwrap().insert(path.clone(), folder);
        // Short enough for the test in which another program never lets go.
        let options = SqliteStore::options().busy_timeout(Duration::from_secs(3));
        options.body_grace(Duration::ZERO).open(path).unwrap()
    }

    async fn reopen(&self, store: SqliteStore) -> Option<SqliteStore> {
        let path = store.path().to_owned();
        store.close().await;
        check_consistency(&path);
        Some(SqliteStore::open(path).unwrap())
    }

    async fn beside(&self, store: &SqliteStore) -> Option<SqliteStore> {
        Some(SqliteStore::options().shared().open(store.path()).unwrap())
    }

    async fn break_down(&self, store: &SqliteStore) -> bool {
        // As a program does that has the database open and hangs.
        let holder = rusqlite::Connection::open(store.path()).unwrap();
        holder.execute_batch("BEGIN IMMEDIATE").unwrap();
        self.holders.lock().unwrap().insert(store.path().to_owned(), holder);
        true
    }

    async fn mend(&self, store: &SqliteStore) {
        self.holders.lock().unwrap().remove(store.path());
    }

    fn place(&self, store: &SqliteStore) -> Option<String> {
        Some(store.path().display().to_string())
    }

    async fn open_at(&self, place: &str) -> Option<SqliteStore> {
        let deadline = Instant::now() + Duration::from_secs(20);
        loop {
            match SqliteStore::options().body_grace(Duration::ZERO).open(place) {
                // A process that another thread is just starting has all open files until it becomes another program.
                Err(OpenError::InUse { .. }) if Instant::now() < deadline => {
                    tokio::time::sleep(Duration::from_millis(20)).await;
                }
                opened => return Some(opened.unwrap()),
            }
        }
    }

    async fn inspect(&self, place: &str) {
        check_consistency(Path::new(place));
    }

    async fn octets_kept(&self, store: &SqliteStore) -> Option<u64> {
        let path = store.path();
        let count =
            |sql| rusqlite::Connection::open(path).unwrap().query_one(sql, [], |row| row.get::<_, i64>(0)).unwrap();
        // What no message has any more is collected by a thread of the store's own, in whole seconds.
        wait_until(|| count("SELECT count(*) FROM body WHERE freed IS NOT NULL") == 0).await;
        let rows = count("SELECT coalesce(sum(length(octets)), 0) FROM content");
        Some(rows as u64 + octets_below(&path.with_file_name("mail.db.bodies")))
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

/// For a while; what does not come to pass shows in what is counted afterwards.
async fn wait_until(is_so: impl Fn() -> bool) {
    for _ in 0..200 {
        if is_so() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    // Files go after their rows, and a dropped stage's when its turn comes.
    tokio::time::sleep(Duration::from_millis(300)).await;
}

/// Octets of files below a folder.
fn octets_below(folder: &Path) -> u64 {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    entries
        .map(|entry| match entry.metadata() {
            Ok(about) if about.is_dir() => octets_below(&entry.path()),
            about => about.map_or(0, |about| about.len()),
        })
        .sum()
}
