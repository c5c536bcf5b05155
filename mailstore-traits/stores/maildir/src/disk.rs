//! Where things lie: the root, accounts' folders in it, mailboxes' folders in them, and in each `new` and `cur`.
//!
//! ```text
//! ROOT/.pillarbox/index.db …      the index and what belongs to it
//! ROOT/.pillarbox/new/            messages that were written down and have no place yet
//! ROOT/.pillarbox/trash/          folders that are being removed
//! ROOT/.pillarbox-uidvalidity     outlives the index
//! ROOT/ada@example.org/           a Maildir
//! ```

use std::collections::HashMap;
use std::io::{self, Read, Write};
use std::path::Path;
use std::sync::atomic::{AtomicI64, Ordering};

use mailstore_traits::{AccountId, MailboxName, Result, StoreError};
use rusqlite::{Connection, OptionalExtension};
use store_sqlite::outside::from_sql;

use crate::dir::Dir;
use crate::filename::split;
use crate::names;
use crate::octets::trouble;

/// In the root; no account's folder begins with a dot.
pub(crate) const OWN: &[u8] = b".pillarbox";
const MARK: &[u8] = b".pillarbox-uidvalidity";
/// How many UIDVALIDITYs the mark is ahead, so that it is seldom written.
const AHEAD: i64 = 1000;

/// Where in a mailbox a file lies.
pub(crate) const FRESH: i64 = 0;
pub(crate) const NEW: i64 = 1;
pub(crate) const CUR: i64 = 2;
pub(crate) const NOWHERE: i64 = 3;

pub(crate) fn sql(error: rusqlite::Error) -> StoreError {
    from_sql(&error)
}

/// The root and what is the store's own in it.
pub(crate) struct Disk {
    pub(crate) root: Dir,
    pub(crate) fresh: Dir,
    pub(crate) trash: Dir,
    pub(crate) host: String,
    mark: AtomicI64,
}

impl Disk {
    pub(crate) fn open(root: &Path) -> io::Result<Self> {
        let root = Dir::root(root)?;
        let own = root.make(OWN)?;
        let (fresh, trash) = (own.make(b"new")?, own.make(b"trash")?);
        let mut text = String::new();
        match root.open(MARK) {
            Ok(file) => file.take(32).read_to_string(&mut text)?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => 0,
            Err(error) => return Err(error),
        };
        let mark = AtomicI64::new(text.trim().parse().unwrap_or(0));
        Ok(Self { root, fresh, trash, host: crate::filename::host(), mark })
    }

    /// No UIDVALIDITY that was ever given out is above it, whatever became of the index.
    pub(crate) fn mark(&self) -> i64 {
        self.mark.load(Ordering::Relaxed)
    }

    /// Raises the mark above a UIDVALIDITY that is about to be told.
    pub(crate) fn raise_mark(&self, last: i64) -> io::Result<()> {
        if last <= self.mark() {
            return Ok(());
        }
        let mark = last.saturating_add(AHEAD);
        let temporary = b".pillarbox-uidvalidity.new";
        let _ = self.root.remove(temporary);
        let mut file = self.root.create(temporary)?;
        writeln!(file, "{mark}")?;
        file.sync_all()?;
        self.root.replace(temporary, MARK)?;
        self.root.sync()?;
        self.mark.store(mark, Ordering::Relaxed);
        Ok(())
    }
}

/// A mailbox's folder as the tables tell it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) home: Vec<u8>,
    /// `None` if it was not made yet.
    pub(crate) dir: Option<Vec<u8>>,
    pub(crate) trashed: bool,
}

impl Place {
    /// That of the mailbox's row, also for a while after that has gone.
    pub(crate) fn find(conn: &Connection, mailbox: i64) -> Result<Option<Self>> {
        let found: Option<(String, Option<Vec<u8>>, bool)> = conn
            .prepare_cached(
                "SELECT a.name, f.dir, f.trashed FROM folder f JOIN account a ON a.id = f.account WHERE f.mailbox = ?",
            )
            .map_err(sql)?
            .query_row([mailbox], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
            .optional()
            .map_err(sql)?;
        let Some((account, dir, trashed)) = found else { return Ok(None) };
        Ok(Some(Self { home: names::home(&AccountId::from(account.as_str()))?, dir, trashed }))
    }

    /// Opens it.
    pub(crate) fn open(&self, disk: &Disk) -> io::Result<Dir> {
        let dir = self.dir.as_ref().ok_or(io::ErrorKind::NotFound)?;
        if self.trashed {
            return disk.trash.sub(dir);
        }
        let home = disk.root.sub(&self.home)?;
        if dir.is_empty() { Ok(home) } else { home.sub(dir) }
    }
}

/// The folder that a mailbox should have.
pub(crate) fn wanted(name: &str) -> Result<Vec<u8>> {
    let name = MailboxName::parse(name)
        .map_err(|error| StoreError::new(mailstore_traits::ErrorKind::Corrupt, error.to_string()))?;
    names::folder(&name)
}

/// Folders that are open while work on many messages is done.
pub(crate) struct Open<'a> {
    pub(crate) disk: &'a Disk,
    pub(crate) conn: &'a Connection,
    open: HashMap<(i64, i64), Dir>,
    changed: std::collections::HashSet<(i64, i64)>,
}

/// How many folders are open at once: a process may open 1,024 files, and has others.
const MOST: usize = 128;

impl<'a> Open<'a> {
    pub(crate) fn new(disk: &'a Disk, conn: &'a Connection) -> Self {
        Self { disk, conn, open: HashMap::new(), changed: std::collections::HashSet::new() }
    }

    /// `new` or `cur` of a mailbox; [`NOWHERE`] stands for the folder itself, which has them in it.
    pub(crate) fn get(&mut self, mailbox: i64, place: i64) -> Result<&Dir> {
        if place == FRESH {
            return Ok(&self.disk.fresh);
        }
        let key = (mailbox, place);
        if !self.open.contains_key(&key) {
            if self.open.len() >= MOST {
                self.sync()?;
                self.open.clear();
            }
            let found = Place::find(self.conn, mailbox)?.ok_or(mailstore_traits::ErrorKind::Corrupt)?;
            let folder = found.open(self.disk);
            let opened = match place {
                NEW => folder.and_then(|folder| folder.sub(b"new")),
                CUR => folder.and_then(|folder| folder.sub(b"cur")),
                _ => folder,
            };
            self.open.insert(key, opened.map_err(|error| trouble("opening a mailbox's folder", &error))?);
        }
        self.open.get(&key).ok_or_else(|| mailstore_traits::ErrorKind::Internal.into())
    }

    /// Two at once.
    pub(crate) fn both(&mut self, one: (i64, i64), other: (i64, i64)) -> Result<(&Dir, &Dir)> {
        if self.open.len().saturating_add(2) > MOST {
            self.sync()?;
            self.open.clear();
        }
        self.get(one.0, one.1)?;
        self.get(other.0, other.1)?;
        let get = |(mailbox, place): (i64, i64)| {
            if place == FRESH { Some(&self.disk.fresh) } else { self.open.get(&(mailbox, place)) }
        };
        get(one).zip(get(other)).ok_or_else(|| mailstore_traits::ErrorKind::Internal.into())
    }

    /// Forgets what it knows of a mailbox whose folder has another name by now.
    pub(crate) fn forget(&mut self, mailbox: i64) {
        self.open.retain(|(known, _), _| *known != mailbox);
    }

    /// Its names have changed and are to be durable.
    pub(crate) fn changed(&mut self, mailbox: i64, place: i64) {
        if place != FRESH {
            self.changed.insert((mailbox, place));
        }
    }

    /// Makes all names durable that have changed.
    pub(crate) fn sync(&mut self) -> Result<()> {
        for key in self.changed.drain() {
            if let Some(dir) = self.open.get(&key) {
                dir.sync().map_err(|error| trouble("making a mailbox's names durable", &error))?;
            }
        }
        Ok(())
    }

    /// Where a file of that base lies in a mailbox, if another program has given it another name: its place and info.
    pub(crate) fn resolve(&mut self, mailbox: i64, base: &[u8]) -> Result<Option<(i64, Vec<u8>)>> {
        for place in [CUR, NEW] {
            let Ok(dir) = self.get(mailbox, place) else { continue };
            let names = dir.names().map_err(|error| trouble("listing a mailbox's folder", &error))?;
            if let Some(name) = names.iter().find(|name| split(name).0 == base) {
                return Ok(Some((place, split(name).1.to_vec())));
            }
        }
        Ok(None)
    }
}
