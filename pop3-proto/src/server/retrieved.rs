//! What a session has fetched, for hosts whose policy begins there: "leave a copy for 14 days" counts from RETR.

use std::fmt;
use std::sync::Arc;

use futures::future::BoxFuture;
use mailstore_traits::{AccountId, Uid, UidSet, UidValidity};

/// Messages that RETR has sent whole, or a TOP that asked for more lines than they have, and that are still there.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Retrieved {
    /// Whose INBOX it is.
    pub account: AccountId,
    /// The numbering that the UIDs belong to.
    pub uid_validity: UidValidity,
    /// Which messages.
    pub uids: UidSet,
}

/// Whom a host wants to be told.
#[derive(Clone)]
pub(super) struct Hook(Arc<dyn Fn(Retrieved) -> BoxFuture<'static, ()> + Send + Sync>);

impl Hook {
    pub(super) fn new(hook: impl Fn(Retrieved) -> BoxFuture<'static, ()> + Send + Sync + 'static) -> Self {
        Self(Arc::new(hook))
    }
}

impl fmt::Debug for Hook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Hook")
    }
}

/// Messages of which the host is told at once: few enough that a process that dies has forgotten few, many enough that a
/// host which writes them to disk does so seldom.
const BATCH: usize = 256;

/// What has been fetched in a session and not been told yet: at most [`BATCH`] messages.
#[derive(Debug, Default)]
pub(super) struct Untold {
    of: Option<(AccountId, UidValidity)>,
    uids: UidSet,
    count: usize,
}

impl Untold {
    /// Of that account's INBOX.
    pub(super) fn of(account: AccountId, uid_validity: UidValidity) -> Self {
        Self { of: Some((account, uid_validity)), ..Self::default() }
    }

    /// That message has been sent. Says whether it is time to tell.
    pub(super) fn push(&mut self, uid: Uid) -> bool {
        self.uids.insert(uid);
        self.count = self.count.saturating_add(1);
        self.count >= BATCH
    }

    /// These have gone.
    pub(super) fn forget(&mut self, gone: &UidSet) {
        self.uids = self.uids.difference(gone);
    }

    /// Tells the host what there is to tell.
    pub(super) async fn tell(&mut self, hook: Option<&Hook>) {
        let uids = std::mem::take(&mut self.uids);
        self.count = 0;
        if let (Some(Hook(hook)), Some((account, uid_validity)), false) = (hook, &self.of, uids.is_empty()) {
            hook(Retrieved { account: account.clone(), uid_validity: *uid_validity, uids }).await;
        }
    }
}
