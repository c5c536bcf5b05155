//! What can go wrong: while opening, told to the person who starts the server; afterwards, told to the engines.

use std::borrow::Cow;
use std::io;
use std::path::PathBuf;

use mailstore_traits::{ErrorKind, StoreError};
use rusqlite::ErrorCode;

/// Why a store could not be opened: one sentence for the person who starts the server, which names the file and says
/// what to do.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// The folder that the database should lie in does not exist.
    #[error("the folder of {} does not exist: make it, or give another path", path.display())]
    MissingFolder {
        /// The database's path.
        path: PathBuf,
    },
    /// The path is a folder, a device or the like.
    #[error("{} is not a file: give the path of a file, which is made if it does not exist", path.display())]
    NotAFile {
        /// The database's path.
        path: PathBuf,
    },
    /// The file is not a SQLite database.
    #[error("{} is not a SQLite database: move it away, or give another path", path.display())]
    NotADatabase {
        /// The database's path.
        path: PathBuf,
    },
    /// The file is the SQLite database of some other program. Nothing was written to it.
    #[error("{} is the database of another program: give another path", path.display())]
    Foreign {
        /// The database's path.
        path: PathBuf,
    },
    /// The file was written by a later version of this crate. Nothing was written to it.
    #[error(
        "{} was written by a newer version (schema {found}, this one knows {known}): install that version, or restore \
         a copy that was made before it", path.display()
    )]
    Newer {
        /// The database's path.
        path: PathBuf,
        /// The schema version found.
        found: i64,
        /// The newest schema version that this version knows.
        known: i64,
    },
    /// The file or its folder cannot be written.
    #[error("{} cannot be written: let this user write the file and its folder", path.display())]
    ReadOnly {
        /// The path that cannot be written.
        path: PathBuf,
    },
    /// Another server owns the store.
    #[error("{} is in use by another server: stop that one first, or give another path", path.display())]
    InUse {
        /// The database's path.
        path: PathBuf,
    },
    /// Another program holds SQLite's own lock for longer than the store waits.
    #[error("{} is locked by another program: end that one, then try again", path.display())]
    Locked {
        /// The database's path.
        path: PathBuf,
    },
    /// No room is left on the disk.
    #[error("there is no room left on the disk of {}: free some, then try again", path.display())]
    NoRoom {
        /// The path that could not be written.
        path: PathBuf,
    },
    /// The database is damaged.
    #[error("{} is damaged ({text}): restore it from a copy", path.display())]
    Damaged {
        /// The database's path.
        path: PathBuf,
        /// What SQLite said.
        text: String,
    },
    /// The file system does not carry SQLite's write-ahead log: network drives do not.
    #[error("{} lies on a drive that cannot share memory between processes: put it on a local disk", path.display())]
    NoSharedMemory {
        /// The database's path.
        path: PathBuf,
    },
    /// The messages lie outside the database, and there is trouble with them.
    #[error("the messages of {} cannot be reached ({text}): see to the cause, then try again", path.display())]
    Outside {
        /// The database's path.
        path: PathBuf,
        /// What is wrong.
        text: String,
    },
    /// Some other trouble of the operating system's.
    #[error("{} cannot be opened ({source}): see to the cause, then try again", path.display())]
    Io {
        /// The path that could not be opened.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// Some other trouble of SQLite's.
    #[error("{} cannot be opened ({text}): see to the cause, then try again", path.display())]
    Sqlite {
        /// The database's path.
        path: PathBuf,
        /// What SQLite said.
        text: String,
    },
}

impl OpenError {
    pub(crate) fn from_io(path: impl Into<PathBuf>, source: io::Error) -> Self {
        let path = path.into();
        match source.kind() {
            io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => Self::ReadOnly { path },
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Self::NoRoom { path },
            io::ErrorKind::NotFound => Self::MissingFolder { path },
            _ => Self::Io { path, source },
        }
    }

    pub(crate) fn from_sql(path: impl Into<PathBuf>, error: rusqlite::Error) -> Self {
        let path = path.into();
        match error.sqlite_error_code() {
            Some(ErrorCode::NotADatabase) => Self::NotADatabase { path },
            Some(ErrorCode::ReadOnly | ErrorCode::CannotOpen | ErrorCode::PermissionDenied) => Self::ReadOnly { path },
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => Self::Locked { path },
            Some(ErrorCode::DiskFull) => Self::NoRoom { path },
            Some(ErrorCode::DatabaseCorrupt) => Self::Damaged { path, text: error.to_string() },
            _ => Self::Sqlite { path, text: error.to_string() },
        }
    }
}

/// Trouble inside a piece of work on the database.
#[derive(Debug)]
pub(crate) enum Fault {
    Sql(rusqlite::Error),
    Store(StoreError),
}

pub(crate) type Outcome<T> = Result<T, Fault>;

impl Fault {
    /// What is stored contradicts itself.
    pub(crate) fn corrupt(text: impl Into<Cow<'static, str>>) -> Self {
        Self::Store(StoreError::new(ErrorKind::Corrupt, text))
    }
}

impl From<rusqlite::Error> for Fault {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sql(error)
    }
}

impl From<StoreError> for Fault {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl From<ErrorKind> for Fault {
    fn from(kind: ErrorKind) -> Self {
        Self::Store(kind.into())
    }
}

impl From<Fault> for StoreError {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::Store(error) => error,
            Fault::Sql(error) => from_sql(&error),
        }
    }
}

/// SQLite's word in the contract's. What passes (a lock, a full disk, a drive that stumbled) is worth another try: the
/// sender keeps the message until then.
pub(crate) fn from_sql(error: &rusqlite::Error) -> StoreError {
    let kind = match error.sqlite_error_code() {
        Some(
            ErrorCode::DatabaseBusy
            | ErrorCode::DatabaseLocked
            | ErrorCode::DiskFull
            | ErrorCode::SystemIoFailure
            | ErrorCode::OutOfMemory
            | ErrorCode::CannotOpen
            | ErrorCode::FileLockingProtocolFailed,
        ) => ErrorKind::Unavailable,
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => ErrorKind::Corrupt,
        Some(ErrorCode::ReadOnly | ErrorCode::PermissionDenied) => ErrorKind::NotPermitted,
        Some(ErrorCode::TooBig) => ErrorKind::TooBig,
        _ => ErrorKind::Internal,
    };
    StoreError::new(kind, error.to_string())
}

/// A file's trouble in the contract's words.
pub(crate) fn from_io(what: &'static str, error: &io::Error) -> StoreError {
    let kind = match error.kind() {
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => ErrorKind::NotPermitted,
        io::ErrorKind::NotFound | io::ErrorKind::UnexpectedEof => ErrorKind::Corrupt,
        _ => ErrorKind::Unavailable,
    };
    StoreError::new(kind, format!("{what}: {error}"))
}

#[cfg(test)]
mod tests {
    use rusqlite::ffi;

    use super::*;

    fn failure(code: i32) -> rusqlite::Error {
        rusqlite::Error::SqliteFailure(ffi::Error::new(code), None)
    }

    #[test]
    fn what_passes_is_retryable_and_what_stays_is_not() {
        for code in [ffi::SQLITE_BUSY, ffi::SQLITE_FULL, ffi::SQLITE_IOERR, ffi::SQLITE_NOMEM] {
            let error = from_sql(&failure(code));
            assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
            assert!(error.is_retryable());
        }
        assert_eq!(from_sql(&failure(ffi::SQLITE_CORRUPT)).kind(), ErrorKind::Corrupt);
        assert_eq!(from_sql(&failure(ffi::SQLITE_READONLY)).kind(), ErrorKind::NotPermitted);
        assert_eq!(from_sql(&failure(ffi::SQLITE_CONSTRAINT)).kind(), ErrorKind::Internal);
    }

    #[test]
    fn a_full_disk_at_the_opening_says_so() {
        let full = OpenError::from_sql("mail.db", failure(ffi::SQLITE_FULL));
        assert!(matches!(full, OpenError::NoRoom { .. }), "{full}");
        let full = OpenError::from_io("mail.db", io::ErrorKind::StorageFull.into());
        assert!(matches!(full, OpenError::NoRoom { .. }), "{full}");
    }
}
