//! The seam to the ledger: where a message is written before it has a row, and where it is read.

use std::collections::HashSet;
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use mailstore_traits::{AccountId, ErrorKind, MailboxName, Result, Timestamp};
use rusqlite::{Connection, OptionalExtension, params};
use store_sqlite::outside::{Octets, Outside, Prepared, Rewind};

use crate::disk::{CUR, Disk, FRESH, NEW, NOWHERE, Place, sql};
use crate::filename::{split, unique};
use crate::names;
use crate::octets::{Form, Served, measure, trouble, write};
use crate::settle::settle;

/// The messages of the root.
pub(crate) struct Bodies {
    pub(crate) disk: Arc<Disk>,
    /// Messages whose file is not there, or not as it was. The next look at their mailbox deals with them.
    pub(crate) suspects: Mutex<HashSet<i64>>,
    /// Messages whose size was found to be what their name says, and is not written down yet.
    pub(crate) checked: Mutex<HashSet<i64>>,
}

pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Bodies {
    pub(crate) fn new(disk: Arc<Disk>) -> Self {
        Self { disk, suspects: Mutex::default(), checked: Mutex::default() }
    }

    fn suspect(&self, message: i64, why: &'static str) -> mailstore_traits::StoreError {
        lock(&self.suspects).insert(message);
        mailstore_traits::StoreError::new(ErrorKind::Corrupt, why)
    }
}

/// A message among the new files.
struct Fresh {
    disk: Arc<Disk>,
    base: Vec<u8>,
    octets: u64,
    form: Form,
    kept: AtomicBool,
}

impl Prepared for Fresh {
    fn enter(&self, conn: &Connection, message: i64) -> Result<()> {
        let taken: bool = conn
            .prepare_cached("SELECT EXISTS (SELECT 1 FROM file WHERE place = 0 AND base = ?)")
            .and_then(|mut statement| statement.query_row([&self.base], |row| row.get(0)))
            .map_err(sql)?;
        // The first one gets the file, the others a second name of it.
        let (place, base, from) = if taken {
            let fields = self.base.iter().position(|&octet| octet == b',').unwrap_or(self.base.len());
            let base = [unique(&self.disk.host).as_bytes(), self.base.get(fields..).unwrap_or_default()].concat();
            (NOWHERE, base, Some((0_i64, FRESH, self.base.clone())))
        } else {
            (FRESH, self.base.clone(), None)
        };
        let (from_mailbox, from_place, from_name) = match from {
            Some((mailbox, place, name)) => (Some(mailbox), Some(place), Some(name)),
            None => (None, None, None),
        };
        conn.prepare_cached(
            "INSERT OR REPLACE INTO file (message, body, mailbox, place, base, info, octets, exact, checked, \
             from_mailbox, from_place, from_name) SELECT id, body, mailbox, ?2, ?3, x'', ?4, ?5, 1, ?6, ?7, ?8 \
             FROM message WHERE id = ?1",
        )
        .and_then(|mut statement| {
            statement.execute(params![
                message,
                place,
                base,
                i64::try_from(self.octets).unwrap_or(i64::MAX),
                self.form == Form::Exact,
                from_mailbox,
                from_place,
                from_name
            ])
        })
        .map_err(sql)?;
        Ok(())
    }

    fn keep(&self) {
        self.kept.store(true, Ordering::Relaxed);
    }
}

impl Drop for Fresh {
    fn drop(&mut self) {
        if !self.kept.load(Ordering::Relaxed) {
            let _ = self.disk.fresh.remove(&self.base);
        }
    }
}

/// When a message came, as its file tells it.
fn moment(date: Timestamp) -> Option<SystemTime> {
    u64::try_from(date.unix_seconds()).ok().and_then(|seconds| UNIX_EPOCH.checked_add(Duration::from_secs(seconds)))
}

impl Outside for Bodies {
    fn opened(&self, conn: &Connection) -> Result<()> {
        conn.execute_batch(include_str!("schema.sql")).map_err(sql)?;
        // The index is new, or older than what clients have been told.
        conn.execute(
            "UPDATE service SET last_uid_validity = ?1 WHERE last_uid_validity < ?1 AND \
             (last_uid_validity + 1000 < ?1 OR NOT EXISTS (SELECT 1 FROM mailbox))",
            [self.disk.mark()],
        )
        .map_err(sql)?;
        if let Err(error) = settle(&self.disk, conn) {
            tracing::warn!(%error, "not all that a crash has left to be done could be done");
        }
        // What was written down for nobody.
        let names = self.disk.fresh.names().map_err(|error| trouble("listing new messages", &error))?;
        for name in names {
            let wanted: bool = conn
                .query_row(
                    "SELECT EXISTS (SELECT 1 FROM file WHERE place = 0 AND base = ?1) OR \
                     EXISTS (SELECT 1 FROM file WHERE from_place = 0 AND from_name = ?1)",
                    [&name],
                    |row| row.get(0),
                )
                .map_err(sql)?;
            if !wanted {
                let _ = self.disk.fresh.remove(&name);
            }
        }
        Ok(())
    }

    fn check_account(&self, account: &AccountId) -> Result<()> {
        names::home(account).map(|_| ())
    }

    fn check_mailbox(&self, name: &MailboxName) -> Result<()> {
        names::folder(name).map(|_| ())
    }

    fn prepare(&self, prefix: &[u8], body: &mut dyn Rewind, date: Option<Timestamp>) -> Result<Arc<dyn Prepared>> {
        let failed = |error: io::Error| trouble("writing a message", &error);
        let base = unique(&self.disk.host);
        let mut file = self.disk.fresh.create(base.as_bytes()).map_err(failed)?;
        let mut fresh = Fresh {
            disk: Arc::clone(&self.disk),
            base: base.clone().into_bytes(),
            octets: 0,
            form: Form::Lines,
            kept: AtomicBool::new(false),
        };
        let (form, octets, served) = write(prefix, body, &mut file).map_err(failed)?;
        let named = match form {
            Form::Lines => format!("{base},S={octets},W={served}"),
            Form::Exact => format!("{base},S={octets}"),
        };
        if let Some(moment) = date.and_then(moment) {
            file.set_modified(moment).map_err(failed)?;
        }
        file.sync_all().map_err(failed)?;
        self.disk.fresh.rename(base.as_bytes(), &self.disk.fresh, named.as_bytes()).map_err(failed)?;
        (fresh.base, fresh.octets, fresh.form) = (named.into_bytes(), octets, form);
        Ok(Arc::new(fresh))
    }

    fn settle(&self, conn: &Connection) -> Result<()> {
        settle(&self.disk, conn)
    }

    fn open(&self, conn: &Connection, message: i64) -> Result<Box<dyn Octets>> {
        type Row = (i64, i64, Vec<u8>, Vec<u8>, i64, bool, bool, i64);
        let found: Option<Row> = conn
            .prepare_cached(
                "SELECT f.mailbox, f.place, f.base, f.info, f.octets, f.exact, f.checked, m.size FROM file f \
                 JOIN message m ON m.id = f.message WHERE f.message = ?",
            )
            .and_then(|mut statement| {
                statement
                    .query_row([message], |row| {
                        Ok((
                            row.get(0)?,
                            row.get(1)?,
                            row.get(2)?,
                            row.get(3)?,
                            row.get(4)?,
                            row.get(5)?,
                            row.get(6)?,
                            row.get(7)?,
                        ))
                    })
                    .optional()
            })
            .map_err(sql)?;
        let Some((mailbox, place, base, info, octets, exact, checked, size)) = found else {
            return Err(ErrorKind::Expunged.into());
        };
        let failed = |error: io::Error| trouble("opening a message's file", &error);
        let opened = match place {
            FRESH => self.disk.fresh.open(&base),
            NEW | CUR => {
                let found = Place::find(conn, mailbox)?.ok_or(ErrorKind::Expunged)?;
                found.open(&self.disk).and_then(|folder| {
                    let inner = [folder.sub(b"new")?, folder.sub(b"cur")?];
                    let [new, cur] = &inner;
                    let dir = if place == NEW { new } else { cur };
                    match dir.open(&[&*base, &*info].concat()) {
                        Err(error) if error.kind() == io::ErrorKind::NotFound => {
                            // Another program has given it another name.
                            for dir in [cur, new] {
                                if let Some(name) = dir.names()?.iter().find(|name| split(name).0 == base) {
                                    return dir.open(name);
                                }
                            }
                            Err(error)
                        }
                        result => result,
                    }
                })
            }
            _ => Err(io::ErrorKind::NotFound.into()),
        };
        let mut file = match opened {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(self.suspect(message, "a message's file is not where it was"));
            }
            result => result.map_err(failed)?,
        };
        let len = file.metadata().map_err(failed)?.len();
        if i64::try_from(len) != Ok(octets) {
            return Err(self.suspect(message, "a message's file is not what it was"));
        }
        if !checked && !lock(&self.checked).contains(&message) {
            let (_, served) = measure(&mut file).map_err(failed)?;
            if i64::try_from(served) != Ok(size) {
                return Err(self.suspect(message, "a message's size is not what its name says"));
            }
            let mut checked = lock(&self.checked);
            // Forgotten, it is counted once more.
            if checked.len() >= 10_000 {
                checked.clear();
            }
            checked.insert(message);
            drop(checked);
            io::Seek::rewind(&mut file).map_err(failed)?;
        }
        Ok(Box::new(Served::new(file, if exact { Form::Exact } else { Form::Lines })))
    }
}
