//! Why the store could not be opened.

use std::io;
use std::path::PathBuf;

/// Why a store could not be opened: one sentence for the person who starts the server.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// The root cannot be read or written.
    #[error("{} cannot be opened ({source}): it must be a folder that this user may write", path.display())]
    Root {
        /// The root.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// There is trouble with the index.
    #[error(transparent)]
    Index(#[from] store_sqlite::OpenError),
}
