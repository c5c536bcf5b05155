//! Opening a store: whose file it is, who owns it, and whether it is the newest copy.

use std::fs::{self, File, TryLockError};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use rusqlite::{Connection, OpenFlags};

use crate::OpenError;
use crate::files::{private_file, private_folder, sync_folder};
use crate::options::Options;
use crate::schema::{Form, MIGRATIONS, identify, migrate};

/// The database's neighbours: its path with something behind it.
pub(crate) fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

/// The lock file: held by the owner, and a mark of how far the database had come.
///
/// The mark is how a database that was restored from an older copy is found out: it has seen fewer commits than the
/// mark says.
pub(crate) struct OwnerLock {
    file: File,
}

impl OwnerLock {
    /// Takes the lock, or says who has it.
    pub(crate) fn take(path: &Path) -> Result<Self, OpenError> {
        let file = open_lock(&beside(path, ".lock"))?;
        match file.try_lock() {
            Ok(()) => Ok(Self { file }),
            Err(TryLockError::WouldBlock) => Err(OpenError::InUse { path: path.into() }),
            Err(TryLockError::Error(error)) => Err(OpenError::from_io(path, error)),
        }
    }

    /// The last mark, 0 if there is none.
    pub(crate) fn mark(&mut self) -> i64 {
        let mut text = String::new();
        let read = self.file.seek(SeekFrom::Start(0)).and_then(|_| (&self.file).take(32).read_to_string(&mut text));
        if read.is_ok() { text.trim().parse().unwrap_or(0) } else { 0 }
    }

    /// Sets the mark: of fixed width, so that one write replaces another whole.
    pub(crate) fn set_mark(&mut self, commits: i64) {
        let written = self.file.seek(SeekFrom::Start(0)).and_then(|_| writeln!(self.file, "{commits:020}"));
        if let Err(error) = written {
            tracing::warn!(%error, "could not write the mark into the lock file");
        }
    }
}

/// Opens a lock file; it is never removed, for whoever waits for it would hold another file then.
pub(crate) fn open_lock(path: &Path) -> Result<File, OpenError> {
    private_file()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .open(path)
        .map_err(|error| OpenError::from_io(path, error))
}

/// A connection with the settings that every one of the store's has.
pub(crate) fn connect(path: &Path, options: &Options) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let conn = Connection::open_with_flags(path, flags)?;
    conn.busy_timeout(options.busy)?;
    conn.set_prepared_statement_cache_capacity(128);
    conn.pragma_update(None, "foreign_keys", true)?;
    // The file is data and no program: no function of its schema may do anything.
    conn.pragma_update(None, "trusted_schema", false)?;
    Ok(conn)
}

/// The connection that writes, to a file that is known to be ours and brought to the newest form, and the owner's lock
/// unless the store is shared.
pub(crate) fn open_database(path: &Path, options: &Options) -> Result<(Connection, Option<OwnerLock>), OpenError> {
    check_path(path)?;
    let sql = |error| OpenError::from_sql(path, error);
    // Looked at before anything beside it is touched.
    if path.exists() {
        check_form(&connect(path, options).map_err(sql)?, path)?;
    }
    let lock = if options.shared { None } else { Some(OwnerLock::take(path)?) };
    // SQLite gives the log and the shared memory the mode of the database, and the database that of the umask: so it is
    // made first, an empty file, which is a new database.
    drop(
        private_file()
            .write(true)
            .create(true)
            .truncate(false)
            .open(path)
            .map_err(|error| OpenError::from_io(path, error))?,
    );
    let mut conn = connect(path, options).map_err(sql)?;
    check_form(&conn, path)?;
    migrate(&mut conn, MIGRATIONS).map_err(sql)?;
    let mode: String = conn.query_row("PRAGMA journal_mode = WAL", [], |row| row.get(0)).map_err(sql)?;
    if !mode.eq_ignore_ascii_case("wal") {
        return Err(OpenError::NoSharedMemory { path: path.into() });
    }
    // FULL: an answer is given when the log is on the disk, not when the system has it. The log is carried over every
    // 16 MiB, and a log that a long reader let grow is cut down again.
    for (pragma, value) in [("synchronous", 2), ("wal_autocheckpoint", 4096), ("journal_size_limit", 64 << 20)] {
        conn.pragma_update(None, pragma, value).map_err(sql)?;
    }
    let folder = beside(path, ".bodies");
    if !folder.is_dir() {
        private_folder().recursive(true).create(&folder).map_err(|error| OpenError::from_io(&folder, error))?;
    }
    // Each time: an earlier run may have made a folder and ended before the names in it were durable.
    for made_in in [parent(path), &folder] {
        sync_folder(made_in).map_err(|error| OpenError::from_io(made_in, error))?;
    }
    Ok((conn, lock))
}

fn parent(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

fn check_path(path: &Path) -> Result<(), OpenError> {
    let folder = parent(path);
    let Ok(about) = fs::metadata(folder) else { return Err(OpenError::MissingFolder { path: path.into() }) };
    match fs::metadata(path) {
        Ok(file) if !file.is_file() => return Err(OpenError::NotAFile { path: path.into() }),
        // Asked and not tried: the superuser may write what was made read-only on purpose.
        Ok(file) if file.permissions().readonly() => return Err(OpenError::ReadOnly { path: path.into() }),
        _ => {}
    }
    if about.permissions().readonly() {
        return Err(OpenError::ReadOnly { path: folder.into() });
    }
    Ok(())
}

fn check_form(conn: &Connection, path: &Path) -> Result<(), OpenError> {
    let known = i64::try_from(MIGRATIONS.len()).unwrap_or(i64::MAX);
    match identify(conn).map_err(|error| OpenError::from_sql(path, error))? {
        Form::Version(found) if found > known => Err(OpenError::Newer { path: path.into(), found, known }),
        Form::Version(_) => Ok(()),
        Form::Foreign => Err(OpenError::Foreign { path: path.into() }),
    }
}
