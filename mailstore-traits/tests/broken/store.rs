//! A memory store that breaks promises: the service, and how the kit opens it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::thread;
use std::time::Duration;

use futures::FutureExt;
use futures::future::poll_fn;
use mailstore_traits::contract::{Declared, Factory};
use mailstore_traits::memory::{MemoryBlob, MemoryStage, MemoryStore};
use mailstore_traits::*;

use crate::account::BrokenAccount;
use crate::fault::{Fault, Step};

/// A store with a fault.
#[derive(Clone)]
pub(crate) struct Broken {
    pub(crate) inner: MemoryStore,
    pub(crate) fault: Fault,
    /// UIDs that are not to be seen yet.
    pub(crate) hidden: Arc<Mutex<BTreeSet<Uid>>>,
    pub(crate) lock: Arc<futures::lock::Mutex<()>>,
    /// What a snapshot of a large mailbox told.
    pub(crate) remembered: Arc<Mutex<UidSet>>,
    /// The annotations of mailboxes that were deleted.
    pub(crate) left: Arc<Mutex<BTreeMap<MailboxName, Vec<Annotation>>>>,
    /// Whether a call found the backend away.
    pub(crate) was_away: Arc<AtomicBool>,
    /// A maildrop that is lent and that nobody has yet.
    pub(crate) lent: Arc<Mutex<Option<MaildropLease>>>,
    /// The messages that the index has, with what it has of them.
    pub(crate) indexed: Arc<Mutex<BTreeMap<(MailboxId, Uid), Indexed>>>,
}

/// What an index has of a message: its flags, size and octets.
pub(crate) type Indexed = (Flags, u64, String);

impl Factory for Fault {
    type Store = Broken;

    async fn fresh(&self) -> Broken {
        Broken {
            inner: MemoryStore::new(),
            fault: *self,
            hidden: Arc::default(),
            lock: Arc::default(),
            remembered: Arc::default(),
            left: Arc::default(),
            was_away: Arc::default(),
            lent: Arc::default(),
            indexed: Arc::default(),
        }
    }

    async fn reopen(&self, store: Broken) -> Option<Broken> {
        if *self == Self::ForgetsUids { Some(self.fresh().await) } else { Some(store) }
    }

    async fn beside(&self, store: &Broken) -> Option<Broken> {
        // What another process writes to, this one would find there.
        Some(store.clone())
    }

    async fn break_down(&self, store: &Broken) -> bool {
        store.inner.set_available(false);
        true
    }

    async fn mend(&self, store: &Broken) {
        store.inner.set_available(true);
    }

    fn declared(&self) -> Declared {
        let mut declared = Declared::default();
        declared.signal_within = Duration::from_millis(500);
        declared.unhindered_within = Duration::from_secs(2);
        declared.large_octets = 1_000_000;
        declared.many_messages = 200;
        declared
    }
}

/// The memory store never waits.
pub(crate) fn at_once<T>(work: impl Future<Output = T>) -> T {
    work.now_or_never().expect("done at the first poll")
}

/// Waits once.
pub(crate) async fn let_go() {
    let mut waited = false;
    poll_fn(|cx: &mut Context<'_>| {
        if std::mem::replace(&mut waited, true) {
            return Poll::Ready(());
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
    thread::sleep(Duration::from_millis(2));
}

impl MailStore for Broken {
    type Account = BrokenAccount;
    type Stage = MemoryStage;
    type Blob = MemoryBlob;

    fn features(&self) -> StoreFeatures {
        let mut features = self.inner.features();
        features.watch_across_processes = true;
        features.search_index = true;
        features
    }

    async fn open(&self, account: &AccountId, actor: &Actor) -> Result<BrokenAccount> {
        let mut inner = self.inner.open(account, actor).await?;
        let service = self.inner.open(account, &Actor::Service).await?;
        if self.fault == Fault::AsksForNoRight {
            inner = service.clone();
        }
        Ok(BrokenAccount { inner, service, store: self.clone() })
    }

    async fn stage(&self, hint: SizeHint) -> Result<MemoryStage> {
        self.inner.stage(hint).await
    }

    async fn read_blob(&self, blob: &MemoryBlob, range: ByteRange) -> Result<Body> {
        self.inner.read_blob(blob, range).await
    }

    async fn deliver(&self, blob: &MemoryBlob, targets: Vec<Target>, mode: Mode) -> Result<Vec<Result<Placed>>> {
        if self.fault != Fault::InSteps(Step::Deliver) {
            return self.inner.deliver(blob, targets, mode).await;
        }
        let mut placed = Vec::new();
        for target in targets {
            placed.extend(self.inner.deliver(blob, vec![target], mode).await?);
            let_go().await;
        }
        Ok(placed)
    }
}
