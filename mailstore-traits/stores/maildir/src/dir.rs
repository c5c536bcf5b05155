//! Folders that nobody can lead elsewhere: every step goes from an open folder to a name in it, and follows no symbolic
//! link (attack row P1). Who may write in a Maildir could else have the server read or change what lies outside.

use std::ffi::OsStr;
use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use rustix::fs::{AtFlags, FileType, Mode, OFlags, RenameFlags};
use rustix::io::Errno;

/// An open folder.
pub(crate) struct Dir(OwnedFd);

/// When a folder's names were last changed, in seconds and nanoseconds.
pub(crate) type Changed = (i64, i64);

fn checked(name: &[u8]) -> io::Result<&OsStr> {
    if name.is_empty() || name == b"." || name == b".." || name.iter().any(|octet| matches!(octet, b'/' | 0)) {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "not a name in a folder"));
    }
    Ok(OsStr::from_bytes(name))
}

impl Dir {
    /// Opens the root. It is the owner's choice, and may be a link.
    pub(crate) fn root(path: &Path) -> io::Result<Self> {
        Ok(Self(rustix::fs::open(path, OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?))
    }

    /// A folder in this one.
    pub(crate) fn sub(&self, name: &[u8]) -> io::Result<Self> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        Ok(Self(rustix::fs::openat(&self.0, checked(name)?, flags, Mode::empty())?))
    }

    /// A folder in this one, which is made if it is not there.
    pub(crate) fn make(&self, name: &[u8]) -> io::Result<Self> {
        match rustix::fs::mkdirat(&self.0, checked(name)?, Mode::RWXU) {
            Ok(()) => self.sync()?,
            Err(Errno::EXIST) => {}
            Err(error) => return Err(error.into()),
        }
        self.sub(name)
    }

    /// Opens a file to read. What is no file is not there: a pipe would hold the reader up for good.
    pub(crate) fn open(&self, name: &[u8]) -> io::Result<File> {
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let file = match rustix::fs::openat(&self.0, checked(name)?, flags, Mode::empty()) {
            // What O_NOFOLLOW says of a link.
            Err(Errno::LOOP | Errno::MLINK) => return Err(io::ErrorKind::NotFound.into()),
            result => File::from(result?),
        };
        if file.metadata()?.is_file() { Ok(file) } else { Err(io::ErrorKind::NotFound.into()) }
    }

    /// Makes a file that is not there yet, for its owner alone.
    pub(crate) fn create(&self, name: &[u8]) -> io::Result<File> {
        let flags = OFlags::RDWR | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        Ok(File::from(rustix::fs::openat(&self.0, checked(name)?, flags, Mode::RUSR | Mode::WUSR)?))
    }

    /// Gives a file another name in this folder or another, and takes no other file's place.
    pub(crate) fn rename(&self, from: &[u8], into: &Self, to: &[u8]) -> io::Result<()> {
        let (from, to) = (checked(from)?, checked(to)?);
        #[cfg(any(target_os = "linux", target_os = "android"))]
        match rustix::fs::renameat_with(&self.0, from, &into.0, to, RenameFlags::NOREPLACE) {
            // A file system that cannot: names are unique, and the look before is only for a copy made by hand.
            Err(Errno::INVAL | Errno::NOSYS) => {}
            result => return Ok(result?),
        }
        if rustix::fs::statat(&into.0, to, AtFlags::SYMLINK_NOFOLLOW).is_ok() {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        Ok(rustix::fs::renameat(&self.0, from, &into.0, to)?)
    }

    /// Gives a file another name, in the place of what has that name.
    pub(crate) fn replace(&self, from: &[u8], to: &[u8]) -> io::Result<()> {
        Ok(rustix::fs::renameat(&self.0, checked(from)?, &self.0, checked(to)?)?)
    }

    /// Gives a file a second name.
    pub(crate) fn link(&self, from: &[u8], into: &Self, to: &[u8]) -> io::Result<()> {
        Ok(rustix::fs::linkat(&self.0, checked(from)?, &into.0, checked(to)?, AtFlags::empty())?)
    }

    /// Removes a file.
    pub(crate) fn remove(&self, name: &[u8]) -> io::Result<()> {
        Ok(rustix::fs::unlinkat(&self.0, checked(name)?, AtFlags::empty())?)
    }

    /// Removes a folder and what is in it, at most that many levels deep.
    pub(crate) fn remove_all(&self, name: &[u8], depth: u32) -> io::Result<()> {
        if depth > 0
            && let Ok(sub) = self.sub(name)
        {
            for inner in sub.names()? {
                match sub.remove(&inner) {
                    Ok(()) => {}
                    Err(_) => sub.remove_all(&inner, depth.saturating_sub(1))?,
                }
            }
        }
        Ok(rustix::fs::unlinkat(&self.0, checked(name)?, AtFlags::REMOVEDIR)?)
    }

    /// The names in it, in no order.
    pub(crate) fn names(&self) -> io::Result<Vec<Vec<u8>>> {
        let mut names = Vec::new();
        for entry in rustix::fs::Dir::read_from(&self.0)? {
            let entry = entry?;
            let name = entry.file_name().to_bytes();
            if name != b"." && name != b".." {
                names.push(name.to_owned());
            }
        }
        Ok(names)
    }

    /// Whether there is a real folder of that name in it.
    pub(crate) fn has_folder(&self, name: &[u8]) -> bool {
        checked(name)
            .ok()
            .and_then(|name| rustix::fs::statat(&self.0, name, AtFlags::SYMLINK_NOFOLLOW).ok())
            .is_some_and(|about| FileType::from_raw_mode(about.st_mode) == FileType::Directory)
    }

    /// When its names were last changed.
    #[allow(clippy::useless_conversion, clippy::unnecessary_cast, reason = "the fields' types differ between systems")]
    pub(crate) fn changed(&self) -> io::Result<Changed> {
        let about = rustix::fs::fstat(&self.0)?;
        Ok((about.st_mtime as i64, about.st_mtime_nsec as i64))
    }

    /// When a file in it was last changed; `None` if it is not there.
    #[allow(clippy::useless_conversion, clippy::unnecessary_cast, reason = "the fields' types differ between systems")]
    pub(crate) fn file_changed(&self, name: &[u8]) -> Option<Changed> {
        let about = rustix::fs::statat(&self.0, checked(name).ok()?, AtFlags::SYMLINK_NOFOLLOW).ok()?;
        Some((about.st_mtime as i64, about.st_mtime_nsec as i64))
    }

    /// Makes its names durable.
    pub(crate) fn sync(&self) -> io::Result<()> {
        Ok(rustix::fs::fsync(&self.0)?)
    }
}
