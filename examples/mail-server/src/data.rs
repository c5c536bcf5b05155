//! The data folder: made for its owner alone, and served by one program at a time.

use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};

use crate::error::{Failure, Outcome, reason};

/// The data folder, known to exist.
#[derive(Debug)]
pub(crate) struct DataFolder {
    path: PathBuf,
}

/// Held while a server serves from the folder; given up when it is dropped, by a crash too.
#[derive(Debug)]
pub(crate) struct ServerLock {
    _file: File,
}

impl DataFolder {
    /// Opens the folder; makes it, and those above it, if it is not there.
    pub(crate) fn open_or_make(path: &Path) -> Outcome<Self> {
        if !path.exists() {
            if let Some(parent) = path.parent() {
                std::fs::create_dir_all(parent).map_err(|error| cannot("make the folder", parent, &error))?;
            }
            let mut builder = std::fs::DirBuilder::new();
            #[cfg(unix)]
            std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
            builder.recursive(true).create(path).map_err(|error| cannot("make the folder", path, &error))?;
        }
        Self::open(path)
    }

    /// Opens a folder that is there.
    pub(crate) fn open(path: &Path) -> Outcome<Self> {
        // Reading it tells now, in one sentence, what each file in it would tell later in many.
        match std::fs::read_dir(path) {
            Ok(_) => Ok(Self { path: path.to_owned() }),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Err(Failure::failed(format!(
                "there is no data folder {}; start the server once, or name the folder with --data",
                path.display()
            ))),
            Err(error) => Err(cannot("read the data folder", path, &error)),
        }
    }

    /// Its path.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Whether others than its owner may look into it: a folder that was not made here.
    pub(crate) fn is_open_to_others(&self) -> bool {
        #[cfg(unix)]
        let open = self.path.metadata().is_ok_and(|data| std::os::unix::fs::MetadataExt::mode(&data) & 0o077 != 0);
        #[cfg(not(unix))]
        let open = false;
        open
    }

    /// Takes the folder for this server alone. Commands such as `account add` need no lock.
    pub(crate) fn lock(&self) -> Outcome<ServerLock> {
        let path = self.path.join("server.lock");
        let mut options = File::options();
        options.create(true).truncate(false).write(true);
        // Whoever may open it may hold the lock, and keep the server from starting.
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let file = options.open(&path).map_err(|error| cannot("write to the data folder", &self.path, &error))?;
        match file.try_lock() {
            Ok(()) => Ok(ServerLock { _file: file }),
            Err(TryLockError::WouldBlock) => Err(Failure::failed(format!(
                "another server is running on {}; stop that one first, or choose another folder with --data",
                self.path.display()
            ))),
            Err(TryLockError::Error(error)) => Err(cannot("lock the data folder", &self.path, &error)),
        }
    }
}

/// Writes a file that only its owner may read, whole or not at all.
pub(crate) fn write_private(path: &Path, octets: &[u8]) -> std::io::Result<()> {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".new");
    let beside = path.with_file_name(name);
    let mut options = File::options();
    options.create(true).write(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(&beside)?;
    std::io::Write::write_all(&mut file, octets)?;
    file.sync_all()?;
    std::fs::rename(&beside, path)
}

fn cannot(what: &str, path: &Path, error: &std::io::Error) -> Failure {
    let advice = match error.kind() {
        std::io::ErrorKind::PermissionDenied => "; run as its owner, or choose another folder with --data",
        _ => "; choose another folder with --data",
    };
    Failure::failed(format!("cannot {what} {}: {}{advice}", path.display(), reason(error)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_folder_is_made_once_and_for_its_owner() {
        let above = tempfile::tempdir().unwrap();
        let path = above.path().join("a").join("b");
        assert!(DataFolder::open(&path).is_err());
        for _ in 0..2 {
            assert!(!DataFolder::open_or_make(&path).unwrap().is_open_to_others());
        }
        #[cfg(unix)]
        {
            let mode = std::os::unix::fs::PermissionsExt::mode(&path.metadata().unwrap().permissions());
            assert_eq!(mode & 0o777, 0o700);
        }
    }

    #[test]
    fn a_file_is_no_folder() {
        let above = tempfile::tempdir().unwrap();
        let path = above.path().join("file");
        std::fs::write(&path, "x").unwrap();
        for path in [path.clone(), path.join("below")] {
            let told = DataFolder::open_or_make(&path).unwrap_err().to_string();
            assert!(told.contains("; choose another folder") && !told.contains("os error"), "{told}");
        }
    }

    #[test]
    fn one_server_at_a_time() {
        let above = tempfile::tempdir().unwrap();
        let folder = DataFolder::open_or_make(above.path()).unwrap();
        let held = folder.lock().unwrap();
        #[cfg(unix)]
        {
            let file = above.path().join("server.lock").metadata().unwrap();
            assert_eq!(std::os::unix::fs::PermissionsExt::mode(&file.permissions()) & 0o777, 0o600);
        }
        assert!(folder.lock().unwrap_err().to_string().contains("another server is running"));
        drop(held);
        assert!(folder.lock().is_ok());
    }

    #[test]
    fn private_files_are_private() {
        let above = tempfile::tempdir().unwrap();
        let path = above.path().join("key.pem");
        write_private(&path, b"one").unwrap();
        write_private(&path, b"two").unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"two");
        #[cfg(unix)]
        {
            let mode = std::os::unix::fs::PermissionsExt::mode(&path.metadata().unwrap().permissions());
            assert_eq!(mode & 0o777, 0o600);
        }
    }
}
