//! After a commit: what the tables say is done on the disk.
//!
//! Each step may find itself done already, for a crash may have come behind it, and each is of one folder or file. One
//! that fails stays written down and is tried again after the next commit; those who wait for the first try are told.

use std::collections::BTreeSet;
use std::fs::File;
use std::io;

use mailstore_traits::{ErrorKind, Flags, Keyword, MailboxName, Result, StoreError};
use rusqlite::{Connection, params};

use store_sqlite::outside;

use crate::dir::Dir;
use crate::disk::{CUR, Disk, NEW, NOWHERE, Open, Place, sql, wanted};
use crate::filename::{letters, letters_of, split, unique, untold};
use crate::keywords::Keywords;
use crate::names;
use crate::octets::trouble;
use crate::subscriptions;

/// Does what is written down.
pub(crate) fn settle(disk: &Disk, conn: &Connection) -> Result<()> {
    let last: i64 = conn
        .prepare_cached("SELECT last_uid_validity FROM service")
        .and_then(|mut statement| statement.query_row([], |row| row.get(0)))
        .map_err(sql)?;
    disk.raise_mark(last).map_err(|error| trouble("writing the mark of UIDVALIDITY", &error))?;
    let any: bool = conn
        .prepare_cached(
            "SELECT EXISTS (SELECT 1 FROM todo) OR EXISTS (SELECT 1 FROM gone) OR EXISTS (SELECT 1 FROM todo_folder) \
             OR EXISTS (SELECT 1 FROM todo_subscriptions)",
        )
        .and_then(|mut statement| statement.query_row([], |row| row.get(0)))
        .map_err(sql)?;
    if !any {
        return Ok(());
    }
    // What is told here is on the disk itself, and lost words of it are found out there: no waiting for this commit.
    conn.pragma_update(None, "synchronous", 1).map_err(sql)?;
    let done = conn.execute_batch("BEGIN IMMEDIATE").map_err(sql).and_then(|()| {
        let first = Settling { conn, open: Open::new(disk, conn), failed: None }.all()?;
        conn.execute_batch("COMMIT").map_err(sql)?;
        first.map_or(Ok(()), Err)
    });
    if !conn.is_autocommit() {
        let _ = conn.execute_batch("ROLLBACK");
    }
    conn.pragma_update(None, "synchronous", 2).map_err(sql)?;
    done
}

struct Settling<'a> {
    conn: &'a Connection,
    open: Open<'a>,
    /// The first failure of what was not tried before.
    failed: Option<StoreError>,
}

/// A message whose file is to be put right.
struct Message {
    id: i64,
    tried: bool,
    mailbox: i64,
    flags: Flags,
    file_mailbox: i64,
    place: i64,
    base: Vec<u8>,
    info: Vec<u8>,
    from: Option<(i64, i64, Vec<u8>)>,
}

impl Settling<'_> {
    fn all(mut self) -> Result<Option<StoreError>> {
        self.folders()?;
        self.subscriptions()?;
        // Copies are made while their originals lie where they were.
        self.messages(true)?;
        self.messages(false)?;
        self.gone()?;
        self.open.sync()?;
        Ok(self.failed)
    }

    fn run(&self, sql_text: &str, params: impl rusqlite::Params) -> Result<()> {
        self.conn.prepare_cached(sql_text).and_then(|mut statement| statement.execute(params)).map_err(sql)?;
        Ok(())
    }

    /// A step has been tried.
    fn tried(&mut self, table: &str, key: &str, id: i64, before: bool, result: Result<()>) -> Result<()> {
        match result {
            Ok(()) => self.run(&format!("DELETE FROM {table} WHERE {key} = ?"), [id]),
            Err(error) => {
                if before {
                    tracing::debug!(%error, table, id, "a step in a Maildir fails again");
                } else {
                    tracing::warn!(%error, table, id, "a step in a Maildir failed; it is tried again");
                    self.failed.get_or_insert(error);
                }
                self.run(&format!("UPDATE {table} SET tried = 1 WHERE {key} = ?"), [id])
            }
        }
    }

    fn folders(&mut self) -> Result<()> {
        type Todo = (i64, bool, Option<i64>, Option<String>);
        let mut todo: Vec<Todo> = self
            .conn
            .prepare_cached(
                "SELECT t.mailbox, t.tried, m.account, m.name FROM todo_folder t LEFT JOIN mailbox m ON m.id = t.mailbox",
            )
            .and_then(|mut statement| {
                statement
                    .query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?)))?
                    .collect::<rusqlite::Result<_>>()
            })
            .map_err(sql)?;
        // What goes makes room for what is renamed; and a name that moves up moves before what gets its place.
        todo.sort_by_key(|(row, _, account, name)| {
            (account.is_some(), name.as_ref().map(|name| name.matches('/').count()), *row)
        });
        let mut waiting = todo.len();
        while !todo.is_empty() {
            let mut blocked = Vec::new();
            for (mailbox, tried, account, name) in todo {
                let result = match (&account, &name) {
                    (Some(_), Some(name)) => self.put_folder(mailbox, name),
                    _ => self.remove_folder(mailbox, account.is_none() && !self.exists(mailbox)?),
                };
                self.open.forget(mailbox);
                // The name may be free once the others have moved.
                if blocked.len() < waiting
                    && result.as_ref().is_err_and(|error| error.kind() == ErrorKind::AlreadyExists)
                {
                    blocked.push((mailbox, tried, account, name));
                } else {
                    self.tried("todo_folder", "mailbox", mailbox, tried, result)?;
                }
            }
            if blocked.len() == waiting {
                for (mailbox, tried, ..) in blocked {
                    let result = Err(ErrorKind::Unavailable.into());
                    self.tried("todo_folder", "mailbox", mailbox, tried, result)?;
                }
                return Ok(());
            }
            waiting = blocked.len();
            todo = blocked;
        }
        Ok(())
    }

    fn exists(&self, mailbox: i64) -> Result<bool> {
        self.conn
            .prepare_cached("SELECT EXISTS (SELECT 1 FROM mailbox WHERE id = ?)")
            .and_then(|mut statement| statement.query_row([mailbox], |row| row.get(0)))
            .map_err(sql)
    }

    /// Makes a mailbox's folder, or gives it the name that the mailbox has.
    fn put_folder(&self, mailbox: i64, name: &str) -> Result<()> {
        let disk = self.open.disk;
        let Some(place) = Place::find(self.conn, mailbox)? else { return Ok(()) };
        // Another program may write the name in another way.
        let says = |dir: &Vec<u8>| names::mailbox(dir).is_some_and(|says| says.as_str() == name);
        let dir = match place.dir.clone().filter(says) {
            Some(dir) => dir,
            None => wanted(name)?,
        };
        let failed = |error: io::Error| trouble("making a mailbox's folder", &error);
        let home = disk.root.make(&place.home).map_err(failed)?;
        let had = place.dir.filter(|had| !place.trashed && *had != dir);
        let renamed = had.as_ref().map(|had| home.rename(had, &home, &dir));
        match renamed {
            None => {}
            Some(Ok(())) => home.sync().map_err(failed)?,
            // Done before a crash, or removed by another program: then there is nothing to keep.
            Some(Err(error)) if error.kind() == io::ErrorKind::NotFound => {}
            Some(Err(error)) if error.kind() == io::ErrorKind::AlreadyExists => {
                return Err(ErrorKind::AlreadyExists.into());
            }
            Some(Err(error)) => return Err(trouble("renaming a mailbox's folder", &error)),
        }
        let folder = if dir.is_empty() { disk.root.sub(&place.home) } else { home.make(&dir) }.map_err(failed)?;
        for inner in [&b"cur"[..], b"new", b"tmp"] {
            folder.make(inner).map_err(failed)?;
        }
        if !dir.is_empty() && folder.create(b"maildirfolder").is_ok() {
            folder.sync().map_err(failed)?;
        }
        self.run("UPDATE folder SET dir = ? WHERE mailbox = ?", params![dir, mailbox])
    }

    /// Puts a deleted mailbox's folder out of the way at once, and removes it when its messages have been cleared away.
    fn remove_folder(&self, mailbox: i64, for_good: bool) -> Result<()> {
        let disk = self.open.disk;
        let Some(place) = Place::find(self.conn, mailbox)? else { return Ok(()) };
        let trash = mailbox.to_string().into_bytes();
        let failed = |error: io::Error| trouble("removing a mailbox's folder", &error);
        if let Some(dir) = place.dir.as_ref().filter(|dir| !place.trashed && !dir.is_empty()) {
            let home = disk.root.sub(&place.home).map_err(failed)?;
            match home.rename(dir, &disk.trash, &trash) {
                Ok(()) => home.sync().and_then(|()| disk.trash.sync()).map_err(failed)?,
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(failed(error)),
            }
        }
        if for_good {
            match disk.trash.remove_all(&trash, 8) {
                Ok(()) => {}
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(failed(error)),
            }
            return self.run("DELETE FROM folder WHERE mailbox = ?", [mailbox]);
        }
        self.run("UPDATE folder SET dir = ?, trashed = 1 WHERE mailbox = ?", params![trash, mailbox])
    }

    fn subscriptions(&mut self) -> Result<()> {
        let todo: Vec<(i64, bool, String)> = self
            .conn
            .prepare_cached(
                "SELECT t.account, t.tried, a.name FROM todo_subscriptions t JOIN account a ON a.id = t.account",
            )
            .and_then(|mut statement| {
                statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?.collect()
            })
            .map_err(sql)?;
        for (account, tried, name) in todo {
            let result = self.write_subscriptions(account, &name);
            self.tried("todo_subscriptions", "account", account, tried, result)?;
        }
        Ok(())
    }

    fn write_subscriptions(&self, account: i64, name: &str) -> Result<()> {
        let names = subscribed(self.conn, account)?;
        let failed = |error: io::Error| trouble("writing the subscriptions", &error);
        let home = self.open.disk.root.make(&names::home(&name.into())?).map_err(failed)?;
        if subscriptions::read(&home).map_err(failed)?.as_ref() == Some(&names) {
            return Ok(());
        }
        subscriptions::write(&home, &names).map_err(failed)
    }

    fn messages(&mut self, copies: bool) -> Result<()> {
        let todo = self.todo(copies)?;
        for message in todo {
            let (id, tried) = (message.id, message.tried);
            let result = self.put(message);
            self.tried("todo", "message", id, tried, result)?;
        }
        Ok(())
    }

    fn todo(&self, copies: bool) -> Result<Vec<Message>> {
        let text = format!(
            "SELECT t.message, t.tried, m.mailbox, m.flags, m.keywords, f.mailbox, f.place, f.base, f.info, \
             f.from_mailbox, f.from_place, f.from_name FROM todo t JOIN message m ON m.id = t.message \
             JOIN file f ON f.message = t.message WHERE f.from_name IS {} NULL ORDER BY t.message",
            if copies { "NOT" } else { "" }
        );
        let mut statement = self.conn.prepare_cached(&text).map_err(sql)?;
        let mut rows = statement.query([]).map_err(sql)?;
        let mut found = Vec::new();
        while let Some(row) = rows.next().map_err(sql)? {
            let read = || -> rusqlite::Result<Message> {
                let name: Option<Vec<u8>> = row.get(11)?;
                Ok(Message {
                    id: row.get(0)?,
                    tried: row.get(1)?,
                    mailbox: row.get(2)?,
                    flags: outside::flags(row.get(3)?, row.get_ref(4)?.as_str()?)
                        .map_err(|_| rusqlite::Error::InvalidQuery)?,
                    file_mailbox: row.get(5)?,
                    place: row.get(6)?,
                    base: row.get(7)?,
                    info: row.get(8)?,
                    from: match name {
                        Some(name) => Some((row.get(9)?, row.get(10)?, name)),
                        None => None,
                    },
                })
            };
            found.push(read().map_err(sql)?);
        }
        Ok(found)
    }

    /// Puts a message's file where it belongs, under the name that says its flags.
    fn put(&mut self, message: Message) -> Result<()> {
        let folder = self.open.get(message.mailbox, NOWHERE)?;
        let failed = |error: io::Error| trouble("reading a mailbox's keywords", &error);
        let mut keywords = Keywords::read(folder).map_err(failed)?;
        let wanted: Vec<Keyword> = untold(&message.flags, &keywords).cloned().collect();
        if !wanted.is_empty() {
            keywords = Keywords::add(folder, &wanted).map_err(failed)?;
        }
        let said = letters(&message.info);
        // What letters say that have no meaning here is another program's; in another folder they say something else.
        let before = if message.mailbox == message.file_mailbox { said } else { &[] };
        let letters = letters_of(&message.flags, &keywords, before);
        if matches!(message.place, NEW | CUR) && message.mailbox == message.file_mailbox && letters == said {
            return Ok(());
        }
        let place = if letters.is_empty() && message.place != CUR { NEW } else { CUR };
        let info = if place == NEW { Vec::new() } else { [b":2,", &*letters].concat() };
        let target = (message.mailbox, place);
        let name = [&*message.base, &*info].concat();
        let (source, from) = match &message.from {
            Some((mailbox, place, name)) => ((*mailbox, *place), name.clone()),
            None => ((message.file_mailbox, message.place), [&*message.base, &*message.info].concat()),
        };
        let copy = message.from.is_some();
        match self.step(copy, source, &from, target, &name) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists && copy => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                // Renamed by another program meanwhile; or put there already, before a crash; or gone.
                if let Some((place, info)) = self.open.resolve(source.0, split(&from).0)? {
                    let (source, from) = ((source.0, place), [split(&from).0, &*info].concat());
                    if (source, &from) != (target, &name) {
                        self.step(copy, source, &from, target, &name)
                            .map_err(|error| trouble("putting a message in its place", &error))?;
                    }
                } else if self.open.resolve(target.0, &message.base)?.is_none() {
                    // The next look at the mailbox finds out that there is no such message any more.
                    tracing::warn!(message = message.id, "a message's file was removed by another program");
                }
            }
            Err(error) => return Err(trouble("putting a message in its place", &error)),
        }
        self.run(
            "UPDATE file SET mailbox = ?, place = ?, info = ?, from_mailbox = NULL, from_place = NULL, \
             from_name = NULL WHERE message = ?",
            params![message.mailbox, place, info, message.id],
        )
    }

    fn step(&mut self, copy: bool, source: (i64, i64), from: &[u8], target: (i64, i64), to: &[u8]) -> io::Result<()> {
        {
            let disk = self.open.disk;
            let (source, target) = self.open.both(source, target).map_err(io::Error::other)?;
            if !copy {
                source.rename(from, target, to)?;
            } else if let Err(error) = source.link(from, target, to) {
                match error.kind() {
                    io::ErrorKind::NotFound | io::ErrorKind::AlreadyExists => return Err(error),
                    // A file system without links, or one that has given out all that it has for this file.
                    _ => copy_octets(&source.open(from)?, disk, target, to)?,
                }
            }
        }
        self.open.changed(target.0, target.1);
        if !copy {
            self.open.changed(source.0, source.1);
        }
        Ok(())
    }

    fn gone(&mut self) -> Result<()> {
        type Gone = (i64, bool, i64, i64, Vec<u8>, Vec<u8>);
        let todo: Vec<Gone> = self
            .conn
            .prepare_cached("SELECT id, tried, mailbox, place, base, info FROM gone ORDER BY mailbox, place")
            .and_then(|mut statement| {
                statement
                    .query_map([], |row| {
                        Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?, row.get(5)?))
                    })?
                    .collect()
            })
            .map_err(sql)?;
        for (id, tried, mailbox, place, base, info) in todo {
            let result = self.remove(mailbox, place, &base, &info);
            self.tried("gone", "id", id, tried, result)?;
        }
        Ok(())
    }

    fn remove(&mut self, mailbox: i64, place: i64, base: &[u8], info: &[u8]) -> Result<()> {
        if Place::find(self.conn, mailbox)?.is_none() {
            // The folder was removed with all that was in it.
            return Ok(());
        }
        let failed = |error: io::Error| trouble("removing a message's file", &error);
        let removed = match self.open.get(mailbox, place) {
            Ok(dir) if place != NOWHERE => dir.remove(&[base, info].concat()),
            _ => Err(io::ErrorKind::NotFound.into()),
        };
        match removed {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let Some((found, info)) = self.open.resolve(mailbox, base)? else { return Ok(()) };
                self.open.get(mailbox, found)?.remove(&[base, &*info].concat()).map_err(failed)?;
                self.open.changed(mailbox, found);
            }
            Err(error) => return Err(failed(error)),
        }
        self.open.changed(mailbox, place);
        Ok(())
    }
}

/// A second file where a file cannot have a second name.
fn copy_octets(mut original: &File, disk: &Disk, target: &Dir, to: &[u8]) -> io::Result<()> {
    let name = unique(&disk.host).into_bytes();
    let mut made = disk.fresh.create(&name)?;
    io::copy(&mut original, &mut made)?;
    made.set_modified(original.metadata()?.modified()?)?;
    made.sync_all()?;
    disk.fresh.rename(&name, target, to)
}

/// The names that an account is subscribed to.
pub(crate) fn subscribed(conn: &Connection, account: i64) -> Result<BTreeSet<MailboxName>> {
    let mut statement = conn.prepare_cached("SELECT name FROM subscription WHERE account = ?").map_err(sql)?;
    let names: Vec<String> = statement
        .query_map([account], |row| row.get(0))
        .and_then(|rows| rows.collect::<rusqlite::Result<_>>())
        .map_err(sql)?;
    names
        .iter()
        .map(|name| MailboxName::parse(name).map_err(|error| StoreError::new(ErrorKind::Corrupt, error.to_string())))
        .collect()
}
