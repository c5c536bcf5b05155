//! The service: opening and closing, staging and delivery.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};

use mailstore_traits::{
    AccountId, Actor, Body, ByteRange, MailStore, Mode, Placed, Result, SizeHint, StoreFeatures, Target,
};
use store_sqlite::outside::account_row;
use store_sqlite::{Options, SqliteBlob, SqliteStage, SqliteStore, Stats};

use crate::OpenError;
use crate::account::MaildirAccount;
use crate::bodies::{Bodies, lock};
use crate::disk::{Disk, OWN};
use crate::scan::{Scanner, Seen};
use crate::watch::Watchers;

/// A mail store over Maildirs: one for each account, below one root.
///
/// Cheap to clone; all clones are one store. The crate's manual says what lies where and what it promises.
#[derive(Clone)]
pub struct MaildirStore(pub(crate) Arc<Inner>);

pub(crate) struct Inner {
    root: PathBuf,
    pub(crate) ledger: SqliteStore,
    pub(crate) scanner: Scanner,
    pub(crate) watchers: Arc<Watchers>,
    looking: Mutex<Option<JoinHandle<()>>>,
}

impl MaildirStore {
    /// Opens the Maildirs below that folder, as their only Pillarbox server; other programs may work in them. The folder
    /// must exist. This blocks for as long as a disk needs: call it before the server begins, not from a task.
    ///
    /// # Errors
    /// [`OpenError`] says what is wrong and what to do.
    pub fn open(root: impl AsRef<Path>) -> Result<Self, OpenError> {
        Self::open_with(root, Options::default())
    }

    /// As [`open`](Self::open), with other limits than the defaults. They are the ledger's; of those on bodies,
    /// [`inline_octets`](Options::inline_octets) is how many octets of a message that comes in are held in memory.
    ///
    /// # Errors
    /// [`OpenError`] says what is wrong and what to do.
    pub fn open_with(root: impl AsRef<Path>, options: Options) -> Result<Self, OpenError> {
        let root = root.as_ref();
        let failed = |error| OpenError::Root { path: root.to_owned(), source: error };
        // What it is called now, should the process go elsewhere.
        let root = root.canonicalize().map_err(failed)?;
        let disk = Arc::new(Disk::open(&root).map_err(failed)?);
        let bodies = Arc::new(Bodies::new(disk));
        let own = root.join(std::ffi::OsStr::new(std::str::from_utf8(OWN).unwrap_or_default()));
        let ledger = options.open_outside(own.join("index.db"), Arc::clone(&bodies) as _)?;
        let scanner = Scanner { store: ledger.clone(), bodies, seen: Arc::new(Seen::default()) };
        let (watchers, looking) = Watchers::start(root.clone(), scanner.clone()).map_err(failed)?;
        Ok(Self(Arc::new(Inner { root, ledger, scanner, watchers, looking: Mutex::new(Some(looking)) })))
    }

    /// Where the Maildirs are.
    pub fn path(&self) -> &Path {
        &self.0.root
    }

    /// What it has done since it was opened.
    pub fn stats(&self) -> Stats {
        self.0.ledger.stats()
    }

    /// Carries out what was asked, and gives the store up for another to open. Other handles of it answer
    /// [`ErrorKind::Unavailable`](mailstore_traits::ErrorKind::Unavailable) from now on, and its streams end.
    pub async fn close(self) {
        self.0.watchers.stop();
        let looking = lock(&self.0.looking).take();
        if let Some(looking) = looking {
            let (done, ended) = futures::channel::oneshot::channel();
            let waiter = thread::Builder::new().name("maildir-closer".to_owned()).spawn(move || {
                let _ = looking.join();
                let _ = done.send(());
            });
            if waiter.is_ok() {
                let _ = ended.await;
            }
        }
        self.0.ledger.clone().close().await;
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.watchers.stop();
        if let Some(looking) = lock(&self.looking).take()
            && looking.thread().id() != thread::current().id()
        {
            let _ = looking.join();
        }
    }
}

impl std::fmt::Debug for MaildirStore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "MaildirStore({})", self.0.root.display())
    }
}

impl MailStore for MaildirStore {
    type Account = MaildirAccount;
    type Stage = SqliteStage;
    type Blob = SqliteBlob;

    fn features(&self) -> StoreFeatures {
        self.0.ledger.features()
    }

    async fn open(&self, account: &AccountId, actor: &Actor) -> Result<MaildirAccount> {
        let account = self.0.ledger.open(account, actor).await?;
        self.0.scanner.home(account_row(&account)).await?;
        Ok(MaildirAccount::new(Arc::clone(&self.0), account))
    }

    async fn stage(&self, hint: SizeHint) -> Result<SqliteStage> {
        self.0.ledger.stage(hint).await
    }

    async fn read_blob(&self, blob: &SqliteBlob, range: ByteRange) -> Result<Body> {
        self.0.ledger.read_blob(blob, range).await
    }

    async fn deliver(&self, blob: &SqliteBlob, targets: Vec<Target>, mode: Mode) -> Result<Vec<Result<Placed>>> {
        self.0.ledger.deliver(blob, targets, mode).await
    }
}
