//! What can be set when a store is opened.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use crate::outside::Outside;
use crate::{OpenError, SqliteStore};

/// How a store is opened. The defaults suit a server; the crate's manual has them in a table.
#[derive(Debug, Clone)]
#[must_use]
pub struct Options {
    pub(crate) shared: bool,
    pub(crate) restored: bool,
    pub(crate) readers: usize,
    pub(crate) inline_octets: usize,
    pub(crate) max_message: u64,
    pub(crate) body_grace: Duration,
    pub(crate) lease_time: Duration,
    pub(crate) tombstones: u64,
    pub(crate) queue: usize,
    pub(crate) mailboxes: u64,
    pub(crate) keywords: u64,
    pub(crate) busy: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            shared: false,
            restored: false,
            readers: 4,
            inline_octets: 64 * 1024,
            max_message: 1 << 30,
            body_grace: Duration::from_secs(10 * 60),
            lease_time: Duration::from_secs(30 * 60),
            tombstones: 100_000,
            queue: 1024,
            mailboxes: 10_000,
            keywords: 1_000,
            busy: Duration::from_secs(10),
        }
    }
}

impl Options {
    /// Opens beside a running server, for tools (an import, an export): the owner's lock is not taken, maildrops are
    /// not leased, and nothing is swept.
    pub fn shared(mut self) -> Self {
        self.shared = true;
        self
    }

    /// The database and its bodies were restored from an older copy: gives every mailbox a new UIDVALIDITY, so that no
    /// client takes new mail for what it had under the same UID before. Where the lock file was not replaced too, the
    /// store finds this out by itself.
    pub fn restored(mut self) -> Self {
        self.restored = true;
        self
    }

    /// How many threads read, each with a connection of its own; at least 1.
    pub fn readers(mut self, readers: usize) -> Self {
        self.readers = readers.max(1);
        self
    }

    /// Up to how many octets a body stands in the database, and a stage in memory; a larger body gets a file. Held
    /// between 1 and 16 MiB.
    pub fn inline_octets(mut self, octets: usize) -> Self {
        self.inline_octets = octets.clamp(1, 16 * 1024 * 1024);
        self
    }

    /// The largest message that is taken, in octets.
    pub fn max_message(mut self, octets: u64) -> Self {
        self.max_message = octets;
        self
    }

    /// How long a body stays after its last message was expunged.
    pub fn body_grace(mut self, grace: Duration) -> Self {
        self.body_grace = grace;
        self
    }

    /// How long a maildrop's lease lasts at the most, should its holder never give it back.
    pub fn lease_time(mut self, time: Duration) -> Self {
        self.lease_time = time;
        self
    }

    /// How many ranges of expunged UIDs a mailbox remembers; older ones are forgotten, and asking for them is answered
    /// with [`ErrorKind::ModSeqTooOld`](mailstore_traits::ErrorKind::ModSeqTooOld).
    pub fn tombstones(mut self, ranges: u64) -> Self {
        self.tombstones = ranges;
        self
    }

    /// How many writes may wait; who comes later waits for room. At least 1.
    pub fn queue(mut self, writes: usize) -> Self {
        self.queue = writes.max(1);
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

    /// How long to wait while another process writes.
    pub fn busy_timeout(mut self, time: Duration) -> Self {
        self.busy = time;
        self
    }

    /// Opens the store at that path, which is made if it does not exist; its folder must. This blocks for as long as a
    /// disk needs: call it before the server begins, not from a task.
    ///
    /// # Errors
    /// [`OpenError`] names the file and says what to do.
    pub fn open(self, path: impl AsRef<Path>) -> Result<SqliteStore, OpenError> {
        SqliteStore::open_with(path.as_ref(), self, None)
    }

    /// As [`open`](Self::open), for a store whose messages lie [outside](crate::outside) the database.
    ///
    /// # Errors
    /// [`OpenError`] names the file and says what to do.
    pub fn open_outside(self, path: impl AsRef<Path>, outside: Arc<dyn Outside>) -> Result<SqliteStore, OpenError> {
        SqliteStore::open_with(path.as_ref(), self, Some(outside))
    }
}
