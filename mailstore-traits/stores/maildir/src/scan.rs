//! What other programs have done: a look at the folders, and what it finds is brought into the ledger.
//!
//! A mailbox is looked at when somebody asks for it and the time of its folders' last change is not the one of the last
//! look. The look is in two steps. The first, on a thread that reads, lists the folders and compares them with the index;
//! mostly there is nothing new. If there is, the second does it again on the one thread that writes, where none of the
//! store's own steps is under way: what differs then is another program's doing.
//!
//! A file that another program renames while its folder is listed may be missing in the list. So a message counts as
//! removed only if its file was missing in both steps.

use std::collections::{HashMap, HashSet};
use std::fs::File;
use std::io;
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use mailstore_traits::{ErrorKind, Flags, MailboxId, MailboxName, Result, StoreError, Timestamp, Uid, UidSet};
use rusqlite::{Connection, OptionalExtension, params};
use store_sqlite::SqliteStore;
use store_sqlite::outside::{self, Entry};

use crate::bodies::{Bodies, lock};
use crate::dir::{Changed, Dir};
use crate::disk::{CUR, Disk, NEW, Place, sql};
use crate::filename::{delivered, flags, is_told, letters, sizes, split};
use crate::keywords::{self, Keywords};
use crate::octets::{measure, trouble};
use crate::settle::subscribed;
use crate::{names, subscriptions};

/// A time of change is good to tell a later change from only when it is as old as this: clocks of file systems tick.
const TICK: Duration = Duration::from_millis(100);
/// How many new messages are taken in one transaction.
const BATCH: usize = 1000;

/// The times of change at the last look.
#[derive(Default)]
pub(crate) struct Seen {
    mailboxes: Mutex<HashMap<i64, Stamp>>,
    homes: Mutex<HashMap<i64, (Changed, Option<Changed>)>>,
}

type Stamp = (Changed, Changed, Option<Changed>);

/// What looks.
#[derive(Clone)]
pub(crate) struct Scanner {
    pub(crate) store: SqliteStore,
    pub(crate) bodies: Arc<Bodies>,
    pub(crate) seen: Arc<Seen>,
}

/// A message's file as the index has it.
struct Known {
    message: i64,
    uid: i64,
    flags: Flags,
    place: i64,
    info: Vec<u8>,
    /// Its file lies where it belongs.
    at_rest: bool,
}

/// A message's file as it lies there.
#[derive(Clone)]
struct Found {
    place: i64,
    info: Vec<u8>,
}

/// A new file, measured.
struct Measured {
    octets: u64,
    served: u64,
    checked: bool,
    date: Timestamp,
}

/// What the first step found.
struct Look {
    row: i64,
    stamp: Option<Stamp>,
    new: HashMap<Vec<u8>, Measured>,
    missing: HashSet<i64>,
    suspects: HashSet<i64>,
    differs: bool,
    more: bool,
}

struct Folder {
    new: Dir,
    cur: Dir,
    keywords: Keywords,
    stamp: Stamp,
}

impl Folder {
    fn open(place: &Place, disk: &Disk) -> io::Result<Self> {
        let folder = place.open(disk)?;
        let (new, cur) = (folder.sub(b"new")?, folder.sub(b"cur")?);
        // The times first: what changes afterwards has a later one.
        let stamp = (new.changed()?, cur.changed()?, folder.file_changed(keywords::FILE));
        Ok(Self { keywords: Keywords::read(&folder)?, new, cur, stamp })
    }

    /// The files by their base. A message goes from `new` to `cur`, so that is listed last, and what lies there counts.
    fn list(&self) -> io::Result<HashMap<Vec<u8>, Found>> {
        let mut found = HashMap::new();
        for (place, dir) in [(NEW, &self.new), (CUR, &self.cur)] {
            for name in dir.names()? {
                // Names with a dot in front are not messages.
                if name.starts_with(b".") {
                    continue;
                }
                let (base, info) = split(&name);
                if !base.is_empty() {
                    found.insert(base.to_vec(), Found { place, info: info.to_vec() });
                }
            }
        }
        Ok(found)
    }

    fn dir(&self, place: i64) -> &Dir {
        if place == NEW { &self.new } else { &self.cur }
    }
}

/// The times, if they are old enough to be told from those of a later change.
fn settled(stamp: Stamp) -> Option<Stamp> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let is_old = |(seconds, nanos): Changed| {
        let then = Duration::new(u64::try_from(seconds).unwrap_or(0), u32::try_from(nanos).unwrap_or(0));
        then.checked_add(TICK).is_some_and(|then| then < now)
    };
    (is_old(stamp.0) && is_old(stamp.1) && stamp.2.is_none_or(is_old)).then_some(stamp)
}

fn failed(error: &io::Error) -> StoreError {
    match error.kind() {
        // A disk that is not there is not an empty mailbox.
        io::ErrorKind::NotFound => StoreError::new(ErrorKind::Unavailable, "a mailbox's folder is not there"),
        _ => trouble("looking at a mailbox's folder", error),
    }
}

impl Scanner {
    /// Brings in what has happened in a mailbox. One that does not exist is left to whoever asks for it next.
    pub(crate) async fn mailbox(&self, account: i64, id: &MailboxId, force: bool) -> Result<()> {
        loop {
            let (this, wanted) = (self.clone(), id.clone());
            let look = self.store.look(move |conn| this.look(conn, account, &wanted, force)).await?;
            let Some(look) = look else { return Ok(()) };
            if !look.differs {
                if let Some(stamp) = look.stamp {
                    lock(&self.seen.mailboxes).insert(look.row, stamp);
                }
                return Ok(());
            }
            let more = look.more;
            let (this, wanted) = (self.clone(), id.clone());
            self.store.enter(move |entry| this.enter(entry, account, &wanted, look)).await?;
            if !more {
                return Ok(());
            }
        }
    }

    pub(crate) fn place(conn: &Connection, account: i64, id: &MailboxId) -> Result<Option<(i64, Place)>> {
        let row: Option<i64> = conn
            .prepare_cached("SELECT id FROM mailbox WHERE object_id = ? AND account = ?")
            .and_then(|mut statement| statement.query_row(params![id.as_str(), account], |row| row.get(0)).optional())
            .map_err(sql)?;
        let Some(row) = row else { return Ok(None) };
        Ok(Place::find(conn, row)?.filter(|place| place.dir.is_some() && !place.trashed).map(|place| (row, place)))
    }

    /// An account's own folder.
    pub(crate) fn home_place(conn: &Connection, account: i64) -> Result<Option<Place>> {
        let inbox: Option<i64> = conn
            .prepare_cached("SELECT id FROM mailbox WHERE account = ? AND name = 'INBOX'")
            .and_then(|mut statement| statement.query_row([account], |row| row.get(0)).optional())
            .map_err(sql)?;
        Ok(inbox.map(|row| Place::find(conn, row)).transpose()?.flatten())
    }

    /// The first step.
    fn look(&self, conn: &Connection, account: i64, id: &MailboxId, force: bool) -> Result<Option<Look>> {
        let Some((row, place)) = Self::place(conn, account, id)? else { return Ok(None) };
        let folder = match Folder::open(&place, &self.bodies.disk) {
            Ok(folder) => folder,
            // It was removed by another program, or renamed by ourselves a moment ago: the list of folders tells.
            Err(error)
                if error.kind() == io::ErrorKind::NotFound && place.dir.as_ref().is_some_and(|dir| !dir.is_empty()) =>
            {
                return Ok(None);
            }
            Err(error) => return Err(failed(&error)),
        };
        if !force && lock(&self.seen.mailboxes).get(&row) == Some(&folder.stamp) {
            return Ok(None);
        }
        let known = known(conn, row)?;
        let found = folder.list().map_err(|error| failed(&error))?;
        let mut look = Look {
            row,
            stamp: settled(folder.stamp),
            new: HashMap::new(),
            missing: HashSet::new(),
            suspects: HashSet::new(),
            differs: false,
            more: false,
        };
        for (base, known) in &known {
            match found.get(base) {
                // What is not at rest is on its way by the store's own doing.
                None => {
                    if known.at_rest {
                        look.missing.insert(known.message);
                    }
                }
                Some(found) => look.differs |= differs(known, found, &folder.keywords),
            }
        }
        {
            let suspects = lock(&self.bodies.suspects);
            look.suspects
                .extend(known.values().map(|known| known.message).filter(|message| suspects.contains(message)));
        }
        let mut new: Vec<(&Vec<u8>, &Found)> = found
            .iter()
            .filter(|(base, _)| known.get(*base).is_none_or(|known| look.suspects.contains(&known.message)))
            .collect();
        new.sort_by(|(one, _), (other, _)| (delivered(one), *one).cmp(&(delivered(other), *other)));
        look.more = new.len() > BATCH;
        for (base, found) in new.into_iter().take(BATCH) {
            let name = [&**base, &*found.info].concat();
            let suspect = known.contains_key(base);
            match folder.dir(found.place).open(&name).and_then(|file| measured(file, base, suspect)) {
                Ok(measured) => {
                    look.new.insert(base.clone(), measured);
                }
                // A link, a folder, or gone again.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => tracing::warn!(%error, name = %name.escape_ascii(), "a file in a Maildir cannot be read"),
            }
        }
        look.differs |= !look.new.is_empty() || !look.missing.is_empty() || !look.suspects.is_empty();
        Ok(Some(look))
    }

    /// The second step.
    fn enter(&self, entry: &mut Entry<'_, '_>, account: i64, id: &MailboxId, look: Look) -> Result<()> {
        let Some((row, place)) = Self::place(entry.conn(), account, id)? else { return Ok(()) };
        let folder = Folder::open(&place, &self.bodies.disk).map_err(|error| failed(&error))?;
        let known = known(entry.conn(), row)?;
        let found = folder.list().map_err(|error| failed(&error))?;
        // Messages that another look has taken in meanwhile, and every message that is not at rest.
        let mut changed: Vec<(&Known, &Found)> = Vec::new();
        let mut gone = UidSet::new();
        for (base, known) in &known {
            let is_suspect = look.suspects.contains(&known.message) && look.new.contains_key(base);
            match found.get(base) {
                Some(_) if is_suspect => insert(&mut gone, known.uid),
                Some(found) if differs(known, found, &folder.keywords) => changed.push((known, found)),
                Some(_) => {}
                None if known.at_rest && look.missing.contains(&known.message) => insert(&mut gone, known.uid),
                None => {}
            }
        }
        changed.sort_by_key(|(known, _)| known.uid);
        let mut new: Vec<(&Vec<u8>, &Measured, &Found)> = look
            .new
            .iter()
            .filter(|(base, _)| known.get(*base).is_none_or(|known| look.suspects.contains(&known.message)))
            .filter_map(|(base, measured)| Some((base, measured, found.get(base)?)))
            .collect();
        new.sort_by(|(one, ..), (other, ..)| (delivered(one), *one).cmp(&(delivered(other), *other)));
        entry.change(account, id, |change| {
            let conn = change.conn();
            // Out of the tables first, so that nothing is written down to be removed: the files are not ours to remove.
            for uid in gone.iter() {
                forget(conn, row, uid)?;
            }
            change.vanished(&gone)?;
            for (known, found) in &changed {
                let now = said(&known.flags, &found.info, &folder.keywords);
                if now != known.flags {
                    match change.flagged(known.message, &now) {
                        // More keywords than a mailbox may have.
                        Err(error) if error.kind() == ErrorKind::LimitExceeded => {}
                        result => result?,
                    }
                }
                run(
                    conn,
                    "UPDATE file SET mailbox = ?, place = ?, info = ?, from_mailbox = NULL, from_place = NULL, \
                     from_name = NULL WHERE message = ?",
                    params![row, found.place, found.info, known.message],
                )?;
            }
            for (base, measured, found) in &new {
                if is_ours(conn, row, base)? {
                    continue;
                }
                let told = flags(letters(&found.info), &folder.keywords);
                let (message, _) = change.arrived(measured.served, &told, measured.date)?;
                run(
                    conn,
                    "INSERT OR REPLACE INTO file (message, body, mailbox, place, base, info, octets, exact, checked) \
                     SELECT id, body, mailbox, ?, ?, ?, ?, 0, ? FROM message WHERE id = ?",
                    params![
                        found.place,
                        base,
                        found.info,
                        i64::try_from(measured.octets).unwrap_or(i64::MAX),
                        measured.checked,
                        message
                    ],
                )?;
            }
            Ok(())
        })?;
        let mut suspects = lock(&self.bodies.suspects);
        suspects.retain(|message| !look.suspects.contains(message));
        Ok(())
    }

    /// Brings in which folders there are, and which names are subscribed.
    pub(crate) async fn home(&self, account: i64) -> Result<()> {
        let this = self.clone();
        let look = self.store.look(move |conn| this.look_home(conn, account)).await?;
        let Some((stamp, differs)) = look else { return Ok(()) };
        if differs {
            let this = self.clone();
            return self.store.enter(move |entry| this.enter_home(entry, account)).await;
        }
        let (home, file) = stamp;
        if settled((home, home, file)).is_some() {
            lock(&self.seen.homes).insert(account, stamp);
        }
        Ok(())
    }

    fn open_home(&self, conn: &Connection, account: i64) -> Result<Option<Dir>> {
        let name: String = conn
            .prepare_cached("SELECT name FROM account WHERE id = ?")
            .and_then(|mut statement| statement.query_row([account], |row| row.get(0)))
            .map_err(sql)?;
        match self.bodies.disk.root.sub(&names::home(&name.as_str().into())?) {
            Ok(home) => Ok(Some(home)),
            Err(error) => Err(failed(&error)),
        }
    }

    fn look_home(&self, conn: &Connection, account: i64) -> Result<Option<HomeLook>> {
        let Some(home) = self.open_home(conn, account)? else { return Ok(None) };
        let io = |error: io::Error| failed(&error);
        let stamp = (home.changed().map_err(io)?, home.file_changed(subscriptions::FILE));
        if lock(&self.seen.homes).get(&account) == Some(&stamp) {
            return Ok(None);
        }
        let differs = !Difference::find(conn, account, &home)?.is_empty();
        Ok(Some((stamp, differs)))
    }

    fn enter_home(&self, entry: &mut Entry<'_, '_>, account: i64) -> Result<()> {
        let Some(home) = self.open_home(entry.conn(), account)? else { return Ok(()) };
        let difference = Difference::find(entry.conn(), account, &home)?;
        for (row, id) in difference.gone {
            // Its folder is not there to be removed, and its messages went with it.
            run(entry.conn(), "UPDATE folder SET dir = NULL WHERE mailbox = ?", [row])?;
            entry.deleted(account, &id)?;
        }
        for (name, dir) in difference.made {
            match entry.created(account, &name) {
                Ok(made) => {
                    let conn = entry.conn();
                    run(
                        conn,
                        "UPDATE folder SET dir = ? WHERE mailbox = (SELECT id FROM mailbox WHERE object_id = ?)",
                        params![dir, made.id.as_str()],
                    )?;
                }
                Err(error) => {
                    tracing::warn!(%error, name = name.as_str(), "a folder in a Maildir cannot be taken for a mailbox");
                }
            }
        }
        for (name, subscribed) in difference.subscribed {
            entry.set_subscribed(account, &name, subscribed)?;
        }
        Ok(())
    }
}

type HomeLook = ((Changed, Option<Changed>), bool);

/// How an account's folders differ from its mailboxes.
struct Difference {
    made: Vec<(MailboxName, Vec<u8>)>,
    gone: Vec<(i64, MailboxId)>,
    subscribed: Vec<(MailboxName, bool)>,
}

impl Difference {
    fn is_empty(&self) -> bool {
        self.made.is_empty() && self.gone.is_empty() && self.subscribed.is_empty()
    }

    fn find(conn: &Connection, account: i64, home: &Dir) -> Result<Self> {
        let io = |error: io::Error| failed(&error);
        let mut statement = conn
            .prepare_cached(
                "SELECT m.id, m.object_id, m.name, f.dir, m.id IN (SELECT mailbox FROM todo_folder) FROM mailbox m \
                 JOIN folder f ON f.mailbox = m.id WHERE m.account = ?",
            )
            .map_err(sql)?;
        type Mailbox = (i64, String, String, Option<Vec<u8>>, bool);
        let mailboxes: Vec<Mailbox> = statement
            .query_map([account], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?)))
            .and_then(|rows| rows.collect::<rusqlite::Result<_>>())
            .map_err(sql)?;
        let mut dirs = HashSet::new();
        let mut names_taken = HashSet::new();
        let mut difference = Self { made: Vec::new(), gone: Vec::new(), subscribed: Vec::new() };
        for (row, id, name, dir, moves) in mailboxes {
            names_taken.insert(name);
            let Some(dir) = dir.filter(|dir| !dir.is_empty()) else { continue };
            if !moves && !home.has_folder(&dir) {
                let id = MailboxId::new(id).map_err(|_| StoreError::from(ErrorKind::Corrupt))?;
                difference.gone.push((row, id));
            }
            dirs.insert(dir);
        }
        let mut found: Vec<Vec<u8>> = home.names().map_err(io)?;
        found.sort_unstable();
        for dir in found {
            if dir.starts_with(b".") && !dirs.contains(&dir) && home.has_folder(&dir) {
                let Some(name) = names::mailbox(&dir) else { continue };
                let is_maildir =
                    home.sub(&dir).is_ok_and(|folder| folder.has_folder(b"cur") && folder.has_folder(b"new"));
                if is_maildir && names_taken.insert(name.as_str().to_owned()) {
                    difference.made.push((name, dir));
                }
            }
        }
        // Not while our own is still to be written.
        let waits: bool = conn
            .prepare_cached("SELECT EXISTS (SELECT 1 FROM todo_subscriptions WHERE account = ?)")
            .and_then(|mut statement| statement.query_row([account], |row| row.get(0)))
            .map_err(sql)?;
        if !waits && let Some(names) = subscriptions::read(home).map_err(io)? {
            let known = subscribed(conn, account)?;
            difference.subscribed.extend(names.difference(&known).map(|name| (name.clone(), true)));
            difference.subscribed.extend(known.difference(&names).map(|name| (name.clone(), false)));
        }
        Ok(difference)
    }
}

fn run(conn: &Connection, text: &str, params: impl rusqlite::Params) -> Result<()> {
    conn.prepare_cached(text).and_then(|mut statement| statement.execute(params)).map_err(sql)?;
    Ok(())
}

fn insert(set: &mut UidSet, uid: i64) {
    if let Some(uid) = u32::try_from(uid).ok().and_then(Uid::new) {
        set.insert_range(uid, uid);
    }
}

/// Whether a file is one that the store is still to move away or to remove.
fn is_ours(conn: &Connection, mailbox: i64, base: &[u8]) -> Result<bool> {
    conn.prepare_cached(
        "SELECT EXISTS (SELECT 1 FROM file WHERE base = ?2 AND mailbox = ?1) OR \
         EXISTS (SELECT 1 FROM gone WHERE mailbox = ?1 AND base = ?2)",
    )
    .and_then(|mut statement| statement.query_row(params![mailbox, base], |row| row.get(0)))
    .map_err(sql)
}

/// Takes a message's file out of the tables, so that it is not removed with the message.
fn forget(conn: &Connection, mailbox: i64, uid: Uid) -> Result<()> {
    run(
        conn,
        "DELETE FROM file WHERE message = (SELECT id FROM message WHERE mailbox = ? AND uid = ?)",
        params![mailbox, uid.value()],
    )
}

/// Whether a file says something else of its message than the index does.
fn differs(known: &Known, found: &Found, keywords: &Keywords) -> bool {
    if known.place != found.place || known.info != found.info {
        return true;
    }
    // The letters are the same; what they mean may not be.
    letters(&found.info).iter().any(u8::is_ascii_lowercase) && said(&known.flags, &found.info, keywords) != known.flags
}

/// A message's flags as its file says them; keywords that no letter can say stay.
fn said(before: &Flags, info: &[u8], keywords: &Keywords) -> Flags {
    let mut said = flags(letters(info), keywords);
    for keyword in before.keywords().filter(|keyword| !is_told(keyword, keywords)) {
        said.insert(keyword.clone());
    }
    said
}

/// The files of a mailbox's messages, by their base.
fn known(conn: &Connection, mailbox: i64) -> Result<HashMap<Vec<u8>, Known>> {
    let mut statement = conn
        .prepare_cached(
            "SELECT f.base, m.id, m.uid, m.flags, m.keywords, f.place, f.info, \
             f.mailbox = m.mailbox AND f.place IN (1, 2) FROM message m JOIN file f ON f.message = m.id WHERE m.mailbox = ?",
        )
        .map_err(sql)?;
    let mut rows = statement.query([mailbox]).map_err(sql)?;
    let mut known = HashMap::new();
    while let Some(row) = rows.next().map_err(sql)? {
        let read = || -> rusqlite::Result<(Vec<u8>, Known)> {
            let keywords = row.get_ref(4)?.as_str()?;
            let flags = outside::flags(row.get(3)?, keywords).map_err(|_| rusqlite::Error::InvalidQuery)?;
            let known = Known {
                message: row.get(1)?,
                uid: row.get(2)?,
                flags,
                place: row.get(5)?,
                info: row.get(6)?,
                at_rest: row.get(7)?,
            };
            Ok((row.get(0)?, known))
        };
        let (base, message) = read().map_err(sql)?;
        known.insert(base, message);
    }
    Ok(known)
}

/// What is to be known of a new file. Sizes that its name tells are believed until it is first read: a Maildir of a
/// hundred thousand messages opens without reading them.
fn measured(mut file: File, base: &[u8], suspect: bool) -> io::Result<Measured> {
    let about = file.metadata()?;
    let since = about.modified()?.duration_since(UNIX_EPOCH).unwrap_or_default();
    let date = Timestamp::from_unix(i64::try_from(since.as_secs()).unwrap_or(0));
    if !suspect
        && let (Some(octets), Some(served)) = sizes(base)
        && octets == about.len()
        && served >= octets
        && served <= octets.saturating_mul(2)
    {
        return Ok(Measured { octets, served, checked: false, date });
    }
    let (octets, served) = measure(&mut file)?;
    Ok(Measured { octets, served, checked: true, date })
}
