//! What can be set when a store is opened.

use std::path::PathBuf;
use std::time::Duration;

/// How a store is opened. The defaults suit a server; the crate's manual has them in a table.
#[derive(Debug, Clone)]
#[must_use]
pub struct Options {
    pub(crate) restored: bool,
    pub(crate) connections: usize,
    pub(crate) wait: Duration,
    pub(crate) lock_wait: Duration,
    pub(crate) roots: Option<PathBuf>,
    pub(crate) inline_octets: usize,
    pub(crate) max_message: u64,
    pub(crate) body_grace: Duration,
    pub(crate) lease_time: Duration,
    pub(crate) lease_beat: Duration,
    pub(crate) tombstones: u64,
    pub(crate) mailboxes: u64,
    pub(crate) keywords: u64,
    #[cfg(feature = "object-store")]
    pub(crate) objects: Option<std::sync::Arc<dyn object_store::ObjectStore>>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            restored: false,
            connections: 8,
            wait: Duration::from_secs(30),
            lock_wait: Duration::from_secs(10),
            roots: None,
            inline_octets: 64 * 1024,
            max_message: 1 << 30,
            body_grace: Duration::from_secs(10 * 60),
            lease_time: Duration::from_secs(30 * 60),
            lease_beat: Duration::from_secs(30),
            tombstones: 100_000,
            mailboxes: 10_000,
            keywords: 1_000,
            #[cfg(feature = "object-store")]
            objects: None,
        }
    }
}

impl Options {
    /// The defaults.
    pub fn new() -> Self {
        Self::default()
    }

    /// The database was restored from an older copy: gives every mailbox a new UIDVALIDITY, so that no client takes new
    /// mail for what it had under the same UID before. Nothing can find that out by itself; say it once, to one process,
    /// before the others start.
    pub fn restored(mut self) -> Self {
        self.restored = true;
        self
    }

    /// How many connections are kept for queries, at least 2; one more listens.
    pub fn connections(mut self, connections: usize) -> Self {
        self.connections = connections.max(2);
        self
    }

    /// How long a call waits for a connection before it answers
    /// [`Unavailable`](mailstore_traits::ErrorKind::Unavailable).
    pub fn wait(mut self, time: Duration) -> Self {
        self.wait = time;
        self
    }

    /// How long a call waits for a mailbox that another one writes to, and how long a machine that has stopped in the
    /// middle of a write may hold it: three times that.
    pub fn lock_wait(mut self, time: Duration) -> Self {
        self.lock_wait = time.max(Duration::from_millis(1));
        self
    }

    /// Speak TLS and nothing else, and check the server's certificate and its name by those in that file (PEM); the URL's
    /// `sslrootcert=FILE` says the same, and goes before. Without either, connections are not encrypted, and a URL with
    /// `sslmode=require` or `verify-full` is refused.
    pub fn root_certificates(mut self, path: impl Into<PathBuf>) -> Self {
        self.roots = Some(path.into());
        self
    }

    /// Up to how many octets a body goes into the database with its row, and stays in memory until then; a larger one is
    /// written ahead. Held between 0 and 1 MiB.
    pub fn inline_octets(mut self, octets: usize) -> Self {
        self.inline_octets = octets.min(1024 * 1024);
        self
    }

    /// The largest message that is taken, in octets.
    pub fn max_message(mut self, octets: u64) -> Self {
        self.max_message = octets;
        self
    }

    /// How long a body stays after its last message was expunged and its last reader has gone.
    pub fn body_grace(mut self, grace: Duration) -> Self {
        self.body_grace = grace;
        self
    }

    /// How long a maildrop's lease lasts at the most, should its holder never give it back.
    pub fn lease_time(mut self, time: Duration) -> Self {
        self.lease_time = time;
        self
    }

    /// How long a lease outlives its process: a process that is there says so three times as often.
    pub fn lease_beat(mut self, time: Duration) -> Self {
        self.lease_beat = time.max(Duration::from_millis(30));
        self
    }

    /// How many ranges of expunged UIDs a mailbox remembers; older ones are forgotten, and asking for them is answered
    /// with [`ErrorKind::ModSeqTooOld`](mailstore_traits::ErrorKind::ModSeqTooOld).
    pub fn tombstones(mut self, ranges: u64) -> Self {
        self.tombstones = ranges;
        self
    }

    /// How many mailboxes, and how many subscriptions, an account may have.
    pub fn max_mailboxes(mut self, mailboxes: u64) -> Self {
        self.mailboxes = mailboxes;
        self
    }

    /// How many different keywords may be in use in a mailbox (RFC 9051 §7.1 lets a server say so in PERMANENTFLAGS).
    pub fn max_keywords(mut self, keywords: u64) -> Self {
        self.keywords = keywords;
        self
    }

    /// Puts bodies that are larger than [`inline_octets`](Self::inline_octets) into that object store: S3 and what speaks
    /// its protocol, or what the `object_store` crate has besides. Every process of the service must be given the same.
    /// Bodies that were written before stay where they are, and are read from there.
    #[cfg(feature = "object-store")]
    pub fn objects(mut self, store: std::sync::Arc<dyn object_store::ObjectStore>) -> Self {
        self.objects = Some(store);
        self
    }

    /// Puts larger bodies into files of that folder, which exists and which every process of the service sees. They are
    /// on the disk before the row that names them.
    ///
    /// # Errors
    /// What the operating system says of the folder.
    #[cfg(feature = "object-store")]
    pub fn object_folder(self, folder: impl AsRef<std::path::Path>) -> std::io::Result<Self> {
        let store = object_store::local::LocalFileSystem::new_with_prefix(folder).map_err(std::io::Error::other)?;
        Ok(self.objects(std::sync::Arc::new(store.with_fsync(true))))
    }
}
