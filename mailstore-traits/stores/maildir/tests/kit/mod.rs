//! What the contract kit wants to know of this store.

use std::collections::HashMap;
use std::future::Future;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use mailstore_traits::MailStore;
use mailstore_traits::contract::Factory;
use store_maildir::{MaildirStore, OpenError, Options};
use tempfile::TempDir;

use crate::common::check_consistency;

pub(crate) struct Maildir {
    /// Memory is the process's: it can be told only where nothing else runs.
    alone: bool,
    runtime: tokio::runtime::Runtime,
    roots: Mutex<HashMap<PathBuf, TempDir>>,
    /// Who holds the database's lock.
    holders: Mutex<HashMap<PathBuf, rusqlite::Connection>>,
}

impl Maildir {
    pub(crate) fn new(alone: bool) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        Self { alone, runtime, roots: Mutex::default(), holders: Mutex::default() }
    }
}

impl Factory for Maildir {
    type Store = MaildirStore;

    async fn fresh(&self) -> MaildirStore {
        let root = tempfile::tempdir().unwrap();
        // Short enough for the test in which another program never lets go.
        let options = Options::default().busy_timeout(Duration::from_secs(3)).body_grace(Duration::ZERO);
        let store = MaildirStore::open_with(root.path(), options).unwrap();
        self.roots.lock().unwrap().insert(store.path().to_owned(), root);
        store
    }

    async fn reopen(&self, store: MaildirStore) -> Option<MaildirStore> {
        let root = store.path().to_owned();
        store.close().await;
        check_consistency(&root);
        let store = MaildirStore::open(root).unwrap();
        assert_eq!(store.check(false).await.unwrap(), []);
        Some(store)
    }

    async fn break_down(&self, store: &MaildirStore) -> bool {
        // As a program does that has the database open and hangs.
        let holder = rusqlite::Connection::open(store.path().join(".pillarbox/index.db")).unwrap();
        holder.execute_batch("BEGIN IMMEDIATE").unwrap();
        self.holders.lock().unwrap().insert(store.path().to_owned(), holder);
        true
    }

    async fn mend(&self, store: &MaildirStore) {
        self.holders.lock().unwrap().remove(store.path());
    }

    fn place(&self, store: &MaildirStore) -> Option<String> {
        Some(store.path().display().to_string())
    }

    async fn open_at(&self, place: &str) -> Option<MaildirStore> {
        let deadline = Instant::now() + Duration::from_secs(20);
        loop {
            match MaildirStore::open(place) {
                // A process that another thread is just starting has all open files until it becomes another program.
                Err(OpenError::Index(store_sqlite::OpenError::InUse { .. })) if Instant::now() < deadline => {
                    tokio::time::sleep(Duration::from_millis(20)).await;
                }
                opened => return Some(opened.unwrap()),
            }
        }
    }

    async fn inspect(&self, place: &str) {
        check_consistency(Path::new(place));
    }

    async fn octets_kept(&self, store: &MaildirStore) -> Option<u64> {
        let index = store.path().join(".pillarbox/index.db");
        let freed = "SELECT count(*) FROM body WHERE freed IS NOT NULL";
        let count = || rusqlite::Connection::open(&index).unwrap().query_one(freed, [], |row| row.get::<_, i64>(0));
        // What no message has any more is collected by a thread of the ledger's own, in whole seconds.
        for _ in 0..200 {
            if count().unwrap() == 0 {
                break;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        // Files go after their rows, and a dropped stage's when its turn comes.
        tokio::time::sleep(Duration::from_millis(300)).await;
        Some(octets_of_messages(store.path(), false))
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

/// Octets of messages below a folder: those with a place, those on their way to one, and those on their way out.
fn octets_of_messages(folder: &Path, is_theirs: bool) -> u64 {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    entries
        .map(|entry| match entry.metadata() {
            Ok(about) if about.is_dir() => {
                let name = entry.file_name();
                let is_theirs = is_theirs || ["cur", "new", "tmp", "trash"].iter().any(|theirs| name == *theirs);
                octets_of_messages(&entry.path(), is_theirs)
            }
            Ok(about) if is_theirs => about.len(),
            _ => 0,
        })
        .sum()
}
