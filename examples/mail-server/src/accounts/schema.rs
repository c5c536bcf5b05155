//! The file `accounts.sqlite`: how it is opened, what is in it, and how an older one is brought up to date.

use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, ErrorCode, OpenFlags, TransactionBehavior};

/// "PBXA": says in the file's header that it is ours, so that another program's database is never written to.
const APPLICATION_ID: i32 = 0x5042_5841;

/// What brings the file from each version to the next. Never edited once released, only added to.
const MIGRATIONS: [&str; 2] = [
    // argon_*: how all passwords of the account are hashed with argon2id. One salt for all of them, so that a login costs
    // one hash however many there are, and as much as a login of nobody (attack row A2). scram_*: the same for SCRAM, which
    // asks only once (RFC 5802 §3).
    "CREATE TABLE account (
        position INTEGER PRIMARY KEY,
        name TEXT NOT NULL UNIQUE,
        created INTEGER NOT NULL,
        argon_salt BLOB NOT NULL,
        argon_memory INTEGER NOT NULL,
        argon_passes INTEGER NOT NULL,
        argon_lanes INTEGER NOT NULL,
        scram_salt BLOB NOT NULL,
        scram_iterations INTEGER NOT NULL
     ) STRICT;
     -- The label is empty for the account's own password.
     CREATE TABLE password (
        account TEXT NOT NULL REFERENCES account (name) ON DELETE CASCADE,
        label TEXT NOT NULL,
        argon_hash BLOB NOT NULL,
        scram_stored_key BLOB NOT NULL,
        scram_server_key BLOB NOT NULL,
        created INTEGER NOT NULL,
        last_used INTEGER,
        PRIMARY KEY (account, label)
     ) STRICT, WITHOUT ROWID;
     CREATE TABLE alias (
        address TEXT NOT NULL,
        target TEXT NOT NULL,
        PRIMARY KEY (address, target)
     ) STRICT, WITHOUT ROWID;
     -- Accounts that were removed and whose mail was kept.
     CREATE TABLE removed (name TEXT PRIMARY KEY NOT NULL) STRICT, WITHOUT ROWID;
     CREATE TABLE setting (name TEXT PRIMARY KEY NOT NULL, value BLOB NOT NULL) STRICT, WITHOUT ROWID;",
    // When POP3 first fetched a message, in seconds since 1970; only while that matters (--expire-fetched).
    "CREATE TABLE fetched (
        account TEXT NOT NULL REFERENCES account (name) ON DELETE CASCADE,
        uid_validity INTEGER NOT NULL,
        uid INTEGER NOT NULL,
        at INTEGER NOT NULL,
        PRIMARY KEY (account, uid_validity, uid)
     ) STRICT, WITHOUT ROWID;",
];

/// Why the accounts cannot be reached.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub(crate) enum OpenError {
    #[error("{} is not an account database of this program; move it away, or choose another folder with --data", .0.display())]
    Foreign(PathBuf),
    #[error("{} was written by a newer version of this program (format {found}, this one knows up to {known}); use that version", .path.display())]
    Newer { path: PathBuf, found: i64, known: usize },
    #[error("{} is damaged; put a backup in its place", .0.display())]
    Corrupt(PathBuf),
    #[error("{} is locked by another program; try again when that has ended", .0.display())]
    Locked(PathBuf),
    #[error("cannot open {}: {why}", .path.display())]
    System { path: PathBuf, why: String },
}

/// Opens the file; makes it if it does not exist.
pub(super) fn open(path: &Path) -> Result<Connection, OpenError> {
    make_private(path)
        .map_err(|error| OpenError::System { path: path.to_owned(), why: crate::error::reason(&error) })?;
    let fault = |error| explain(path, &error);
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let mut connection = Connection::open_with_flags(path, flags).map_err(fault)?;
    connection.busy_timeout(Duration::from_secs(10)).map_err(fault)?;
    // Judged before anything is written: a foreign file must stay as it is.
    version(&connection, path)?;
    connection
        .execute_batch("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON; PRAGMA secure_delete = ON;")
        .map_err(fault)?;
    migrate(&mut connection, path)?;
    Ok(connection)
}

/// How many migrations the file has seen.
fn version(connection: &Connection, path: &Path) -> Result<usize, OpenError> {
    let fault = |error| explain(path, &error);
    let number = |pragma: &str| connection.query_row(pragma, (), |row| row.get::<_, i64>(0)).map_err(fault);
    let tables = number("SELECT count(*) FROM sqlite_schema")?;
    let (application, found) = (number("PRAGMA application_id")?, number("PRAGMA user_version")?);
    if application != i64::from(APPLICATION_ID) && (application, found, tables) != (0, 0, 0) {
        return Err(OpenError::Foreign(path.to_owned()));
    }
    match usize::try_from(found) {
        Ok(version) if version <= MIGRATIONS.len() => Ok(version),
        _ => Err(OpenError::Newer { path: path.to_owned(), found, known: MIGRATIONS.len() }),
    }
}

fn migrate(connection: &mut Connection, path: &Path) -> Result<(), OpenError> {
    if version(connection, path)? == MIGRATIONS.len() {
        return Ok(());
    }
    let fault = |error| explain(path, &error);
    // The version is read again under the lock: another process may have been at it.
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(fault)?;
    let done = version(&transaction, path)?;
    for migration in MIGRATIONS.iter().skip(done) {
        transaction.execute_batch(migration).map_err(fault)?;
    }
    transaction.pragma_update(None, "application_id", APPLICATION_ID).map_err(fault)?;
    transaction
        .pragma_update(None, "user_version", i64::try_from(MIGRATIONS.len()).unwrap_or(i64::MAX))
        .map_err(fault)?;
    transaction.commit().map_err(fault)
}

/// SQLite gives its side files the rights of the main one, so that is made first, for the owner alone.
fn make_private(path: &Path) -> std::io::Result<()> {
    let mut options = std::fs::OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path).map(drop)
}

pub(super) fn explain(path: &Path, error: &rusqlite::Error) -> OpenError {
    let path = path.to_owned();
    match error.sqlite_error_code() {
        Some(ErrorCode::NotADatabase) => OpenError::Foreign(path),
        Some(ErrorCode::DatabaseCorrupt) => OpenError::Corrupt(path),
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => OpenError::Locked(path),
        Some(ErrorCode::ReadOnly | ErrorCode::PermissionDenied) => {
            OpenError::System { path, why: String::from("it may not be written to; run as its owner") }
        }
        Some(ErrorCode::DiskFull) => OpenError::System { path, why: String::from("the disk is full") },
        _ => OpenError::System { path, why: error.to_string() },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_file_is_for_its_owner_alone_and_opens_again() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("accounts.sqlite");
        drop(open(&path).unwrap());
        #[cfg(unix)]
        {
            let mode = std::os::unix::fs::PermissionsExt::mode(&path.metadata().unwrap().permissions());
            assert_eq!(mode & 0o777, 0o600);
        }
        let connection = open(&path).unwrap();
        assert_eq!(version(&connection, &path).unwrap(), MIGRATIONS.len());
    }

    #[test]
    fn a_foreign_file_is_refused_and_left_as_it_is() {
        let folder = tempfile::tempdir().unwrap();
        let text = folder.path().join("text");
        std::fs::write(&text, "this is no database, and is long enough to look like one".repeat(20)).unwrap();
        assert!(matches!(open(&text), Err(OpenError::Foreign(_))));
        let other = folder.path().join("other");
        Connection::open(&other).unwrap().execute_batch("CREATE TABLE theirs (x)").unwrap();
        let before = std::fs::read(&other).unwrap();
        assert!(matches!(open(&other), Err(OpenError::Foreign(_))));
        assert_eq!(std::fs::read(&other).unwrap(), before);
    }

    #[test]
    fn a_newer_file_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("accounts.sqlite");
        open(&path).unwrap().pragma_update(None, "user_version", 99).unwrap();
        let told = open(&path).unwrap_err().to_string();
        assert!(told.contains("newer version") && told.contains("format 99"), "{told}");
    }
}
