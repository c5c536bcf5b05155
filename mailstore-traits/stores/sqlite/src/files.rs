//! Bodies that are too large for a row: a file each, in a folder beside the database.
//!
//! A file is named by its body's key and never renamed. It is whole on the disk before the row that names it is
//! committed, so a row always has its file; a file without a row is left over from a crash and is swept.

use std::collections::HashMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use mailstore_traits::{ErrorKind, Result, StoreError};

use crate::codec::{Key, hex};
use crate::error::from_io;
use crate::pool::{Pool, lock};

/// How many octets are read from a file in one go: the size of a chunk of a body's stream.
pub(crate) const CHUNK: u64 = 64 * 1024;

/// The folder of body files, and the threads that work on it.
pub(crate) struct Files {
    folder: PathBuf,
    pub(crate) pool: Pool<()>,
    /// Stages and blobs of this process that have a file, or may get one: never swept.
    live: Mutex<HashMap<Key, usize>>,
    /// Held while a sub-folder is made, until it is durable.
    making: Mutex<()>,
    /// Whether a file is the message's last place; where it is written again elsewhere, that is made durable.
    durable: bool,
}

impl Files {
    pub(crate) fn new(folder: PathBuf, pool: Pool<()>, durable: bool) -> Self {
        Self { folder, pool, live: Mutex::default(), making: Mutex::new(()), durable }
    }

    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    fn sub_folder(&self, key: &Key) -> PathBuf {
        // 256 folders: a million bodies are four thousand names in each.
        self.folder.join(hex(key.get(..1).unwrap_or_default()))
    }

    pub(crate) fn path(&self, key: &Key) -> PathBuf {
        self.sub_folder(key).join(hex(key))
    }

    /// Makes the file for a body. Blocks.
    pub(crate) fn create(&self, key: &Key) -> Result<File> {
        let path = self.path(key);
        let create = || private_file().write(true).create_new(true).open(&path);
        match create() {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let _making = lock(&self.making);
                private_folder()
                    .create(self.sub_folder(key))
                    .or_else(|error| if error.kind() == io::ErrorKind::AlreadyExists { Ok(()) } else { Err(error) })
                    .and_then(|()| sync_folder(&self.folder))
                    .and_then(|()| create())
            }
            result => result,
        }
        .map_err(|error| from_io("making a body's file", &error))
    }

    /// Makes a whole file durable, its name too. Blocks.
    pub(crate) fn sync(&self, key: &Key, file: &File) -> Result<()> {
        if !self.durable {
            return Ok(());
        }
        // Another body's first file may be making this very folder: not before that is durable.
        drop(lock(&self.making));
        file.sync_all()
            .and_then(|()| sync_folder(&self.sub_folder(key)))
            .map_err(|error| from_io("making a body's file durable", &error))
    }

    /// Opens a body's file, which must have that size. Blocks.
    pub(crate) fn open(&self, key: &Key, size: u64) -> Result<File> {
        let file = File::open(self.path(key)).map_err(|error| from_io("opening a body's file", &error))?;
        let found = file.metadata().map_err(|error| from_io("opening a body's file", &error))?.len();
        if found == size {
            Ok(file)
        } else {
            Err(StoreError::new(ErrorKind::Corrupt, format!("a body's file has {found} octets, not {size}")))
        }
    }

    /// Removes a body's file. Blocks.
    pub(crate) fn remove(&self, key: &Key) {
        let path = self.path(key);
        if let Err(error) = fs::remove_file(&path)
            && error.kind() != io::ErrorKind::NotFound
        {
            tracing::warn!(%error, path = %path.display(), "could not remove a body's file; the next sweep tries again");
        }
    }

    /// Says that this process holds that body, until the answer is dropped.
    pub(crate) fn hold(self: &Arc<Self>, key: Key) -> Arc<Held> {
        let mut live = lock(&self.live);
        let holders = live.entry(key).or_default();
        *holders = holders.saturating_add(1);
        Arc::new(Held { files: Arc::clone(self), key, remove: AtomicBool::new(false) })
    }

    pub(crate) fn is_held(&self, key: &Key) -> bool {
        lock(&self.live).contains_key(key)
    }
}

/// How a file is made: for its owner alone, whatever the umask, for mail is nobody else's to read.
pub(crate) fn private_file() -> OpenOptions {
    #[cfg_attr(not(unix), expect(unused_mut))]
    let mut options = OpenOptions::new();
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
}

/// How a folder is made: for its owner alone.
pub(crate) fn private_folder() -> fs::DirBuilder {
    #[cfg_attr(not(unix), expect(unused_mut))]
    let mut builder = fs::DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder
}

/// A name in a folder is durable once the folder is. Windows has no such call and needs none.
pub(crate) fn sync_folder(folder: &Path) -> io::Result<()> {
    if cfg!(unix) { File::open(folder)?.sync_all() } else { Ok(()) }
}

/// Appends a buffer to a file and hands both back. Blocks.
pub(crate) fn append(mut file: File, octets: &[u8]) -> Result<File> {
    file.write_all(octets).map_err(|error| from_io("writing a body's file", &error))?;
    Ok(file)
}

/// Reads `len` octets from `start` on. Blocks.
pub(crate) fn read_at(mut file: &File, start: u64, len: u64) -> Result<Bytes> {
    let mut octets = vec![0; usize::try_from(len).map_err(|_| ErrorKind::Internal)?];
    file.seek(SeekFrom::Start(start))
        .and_then(|_| io::Read::read_exact(&mut file, &mut octets))
        .map_err(|error| from_io("reading a body's file", &error))?;
    Ok(octets.into())
}

/// A body that this process holds. When dropped after [`set_remove`](Self::set_remove), its file goes too; work on the
/// file holds a clone, so that the file is not made after it was removed.
pub(crate) struct Held {
    files: Arc<Files>,
    key: Key,
    remove: AtomicBool,
}

impl Held {
    pub(crate) fn key(&self) -> Key {
        self.key
    }

    pub(crate) fn files(&self) -> &Arc<Files> {
        &self.files
    }

    pub(crate) fn set_remove(&self, remove: bool) {
        self.remove.store(remove, Ordering::Relaxed);
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        let (files, key, remove) = (Arc::clone(&self.files), self.key, self.remove.load(Ordering::Relaxed));
        let release = move || {
            if remove {
                files.remove(&key);
            }
            let mut live = lock(&files.live);
            if let Some(holders) = live.get_mut(&key) {
                *holders = holders.saturating_sub(1);
                if *holders == 0 {
                    live.remove(&key);
                }
            }
        };
        if !remove {
            release();
        } else if !self.files.pool.post({
            let release = release.clone();
            move |()| release()
        }) {
            // The store is closed and its threads with it.
            release();
        }
    }
}
