//! What is done behind the callers' backs: clearing away, and looking for other processes' changes.

use std::fs::{self, File};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use rusqlite::{Connection, OptionalExtension, params};

use crate::codec::{Key, hex};
use crate::error::Outcome;
use crate::files::Files;
use crate::pool::lock;
use crate::transfer::clear_deleted_mailbox;
use crate::writer::{Ending, Tx, Writer};
use mailstore_traits::backend::Hub;

/// How often files without a row are looked for.
const SWEEP: Duration = Duration::from_secs(3600);
/// How often bodies without a message, and deleted mailboxes, are looked for.
const COLLECT: Duration = Duration::from_secs(30);
/// How often another process's changes are looked for while somebody watches.
const POLL: Duration = Duration::from_secs(1);
/// How many bodies are collected in one transaction.
const BATCH: usize = 256;

/// Tells the keeper to stop, or to look now.
#[derive(Default)]
pub(crate) struct Bell {
    state: Mutex<(bool, bool)>,
    rung: Condvar,
}

impl Bell {
    pub(crate) fn stop(&self) {
        lock(&self.state).0 = true;
        self.rung.notify_all();
    }

    /// There is something to clear away.
    pub(crate) fn ring(&self) {
        lock(&self.state).1 = true;
        self.rung.notify_all();
    }

    fn stopped(&self) -> bool {
        lock(&self.state).0
    }

    /// `false` when the store is closed.
    fn wait(&self, time: Duration) -> bool {
        let state = lock(&self.state);
        let (mut state, _) = self
            .rung
            .wait_timeout_while(state, time, |(stop, ring)| !*stop && !*ring)
            .unwrap_or_else(PoisonError::into_inner);
        state.1 = false;
        !state.0
    }
}

/// What the keeper works with.
pub(crate) struct Keeper {
    pub(crate) bell: Arc<Bell>,
    pub(crate) conn: Connection,
    pub(crate) writer: Writer,
    pub(crate) files: Arc<Files>,
    pub(crate) grace: Duration,
    /// Not with an older copy, or an empty file in the database's place: what it does not know may be all that is left of
    /// somebody's mail, or belong to the database that is about to be put back.
    pub(crate) sweeps: bool,
    /// Tools that have the store open beside the owner hold this shared: their bodies are not known here.
    pub(crate) tools: File,
}

impl Keeper {
    pub(crate) fn start(self) -> std::io::Result<JoinHandle<()>> {
        thread::Builder::new().name("store-keeper".to_owned()).spawn(move || self.work())
    }

    fn work(self) {
        let mut since_sweep = SWEEP;
        loop {
            // Nothing is collected under a tool's feet; it has its turn later.
            if self.tools.try_lock().is_ok() {
                if self.sweeps && since_sweep >= SWEEP {
                    self.sweep();
                    since_sweep = Duration::ZERO;
                }
                self.collect();
                let _ = self.tools.unlock();
            }
            since_sweep = since_sweep.saturating_add(COLLECT);
            if !self.bell.wait(COLLECT.min(self.grace.max(Duration::from_millis(50)))) {
                return;
            }
        }
    }

    /// Runs a piece of work on the writing thread, when it comes to it.
    fn write<T: Send + 'static>(&self, work: impl FnOnce(&mut Tx<'_>) -> Outcome<T> + Send + 'static) -> Option<T> {
        let (done, result) = std::sync::mpsc::channel();
        let posted = self.writer.post(work, move |ending| {
            let _ = done.send(match ending {
                Ending::Done(value) => Some(value),
                Ending::Failed(error) | Ending::Unknown(error) => {
                    tracing::warn!(%error, "clearing away failed; it is tried again");
                    None
                }
            });
        });
        if posted { result.recv().ok().flatten() } else { None }
    }

    /// Clears away deleted mailboxes' messages and bodies without any.
    fn collect(&self) {
        let doomed = "SELECT 1 FROM mailbox WHERE account IS NULL LIMIT 1";
        while !self.bell.stopped()
            && self.conn.query_row(doomed, [], |_| Ok(())).optional().ok().flatten().is_some()
            && self.write(|tx| clear_deleted_mailbox(tx)) == Some(true)
        {}
        let grace = i64::try_from(self.grace.as_secs()).unwrap_or(i64::MAX);
        while !self.bell.stopped() && self.has_freed(grace) {
            let Some(keys) = self.write(move |tx| forget_bodies(tx, grace)) else { return };
            // The rows are gone for good before the files are; a crash in between leaves files for the sweep.
            for key in &keys {
                if !self.files.is_held(key) {
                    self.files.remove(key);
                }
            }
            if keys.is_empty() {
                return;
            }
        }
    }

    fn has_freed(&self, grace: i64) -> bool {
        let due = mailstore_traits::Timestamp::now().unix_seconds().saturating_sub(grace);
        let found = self
            .conn
            .prepare_cached("SELECT 1 FROM body WHERE freed IS NOT NULL AND freed < ? LIMIT 1")
            .and_then(|mut statement| statement.query_row([due], |_| Ok(())).optional());
        matches!(found, Ok(Some(())))
    }

    /// Removes files that no row names and nobody here holds: what a crash left.
    fn sweep(&self) {
        let Ok(folders) = fs::read_dir(self.files.folder()) else { return };
        for folder in folders.flatten() {
            let Ok(files) = fs::read_dir(folder.path()) else { continue };
            for file in files.flatten() {
                if self.bell.stopped() {
                    return;
                }
                let Some(key) = file.file_name().to_str().and_then(parse_key) else { continue };
                // Held first, row second: a body that is let go of in between has its row by then.
                if !self.files.is_held(&key) && self.is_unknown(&key) {
                    tracing::info!(key = %hex(&key), "removed a body's file that no message names");
                    self.files.remove(&key);
                }
            }
        }
    }

    fn is_unknown(&self, key: &Key) -> bool {
        let found = self
            .conn
            .prepare_cached("SELECT 1 FROM body WHERE key = ?")
            .and_then(|mut statement| statement.query_row([key], |_| Ok(())).optional());
        matches!(found, Ok(None))
    }
}

fn parse_key(name: &str) -> Option<Key> {
    let mut key = Key::default();
    if name.len() != 32 || !name.is_ascii() {
        return None;
    }
    for (octet, digits) in key.iter_mut().zip(name.as_bytes().chunks(2)) {
        *octet = u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?;
    }
    Some(key)
}

/// Forgets bodies whose last message went long enough ago, and tells which of them have files.
fn forget_bodies(tx: &mut Tx<'_>, grace: i64) -> Outcome<Vec<Key>> {
    let mut keys = Vec::new();
    let due: Vec<(i64, Key)> = tx
        .conn
        .prepare_cached("SELECT id, key FROM body WHERE freed IS NOT NULL AND freed < ? AND refs = 0 LIMIT ?")?
        .query_map(params![tx.now.saturating_sub(grace), i64::try_from(BATCH).unwrap_or(256)], |row| {
            Ok((row.get(0)?, row.get(1)?))
        })?
        .collect::<Result<_, _>>()?;
    for (row, key) in due {
        tx.conn.prepare_cached("DELETE FROM content WHERE body = ?")?.execute([row])?;
        tx.conn.prepare_cached("DELETE FROM body WHERE id = ?")?.execute([row])?;
        keys.push(key);
    }
    Ok(keys)
}

/// Starts the thread that looks for what other processes have committed, once a second while somebody watches.
pub(crate) fn start_poller(hub: Arc<Hub>, conn: Connection) -> std::io::Result<JoinHandle<()>> {
    thread::Builder::new().name("store-watch".to_owned()).spawn(move || {
        let mut seen = 0;
        while hub.wait(POLL) {
            // SQLite's own counter: one page in shared memory is looked at, and no table unless it has moved.
            let version: rusqlite::Result<i64> = conn.query_row("PRAGMA data_version", [], |row| row.get(0));
            match version {
                Ok(version) if version == seen => continue,
                Ok(version) => seen = version,
                Err(error) => tracing::warn!(%error, "could not look for other processes' changes"),
            }
            if let Err(error) = poll(&hub, &conn) {
                tracing::warn!(%error, "could not look for other processes' changes");
                seen = 0;
            }
        }
    })
}

fn poll(hub: &Hub, conn: &Connection) -> rusqlite::Result<()> {
    let (mailboxes, accounts) = hub.watched();
    let mut statement = conn.prepare_cached("SELECT modseq FROM mailbox WHERE id = ? AND account IS NOT NULL")?;
    let mut found = Vec::new();
    for row in mailboxes {
        found.push((row, statement.query_row([row], |row| row.get(0)).optional()?));
    }
    let mut statement = conn.prepare_cached("SELECT list_version FROM account WHERE id = ?")?;
    let mut lists = Vec::new();
    for row in accounts {
        if let Some(version) = statement.query_row([row], |row| row.get(0)).optional()? {
            lists.push((row, version));
        }
    }
    hub.found(&found, &lists);
    Ok(())
}
