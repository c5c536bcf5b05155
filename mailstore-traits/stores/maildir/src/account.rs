//! A handle on one account: a look at what other programs have done, and then the ledger's answer.

use std::sync::Arc;

use futures::StreamExt;
use futures::stream::{self, Stream};
use mailstore_traits::{
    Account, Body, ByteRange, Changes, CreatedMailbox, ErrorKind, FlagChange, FlagOutcome, ListHint, MailboxId,
    MailboxInfo, MailboxName, MailboxPast, MailboxStatus, MaildropLease, MessageDigest, MessageMeta, MetaFields,
    MetaFilter, ModSeq, Mode, Placed, Placement, QuotaResource, QuotaRoot, Result, SizeHint, Snapshot, SpecialUse,
    StoreFeatures, Transferred, Uid, UidSet,
};
use store_sqlite::outside::account_row;
use store_sqlite::{SqliteAccount, SqliteBlob, SqliteStage};

use crate::store::Inner;

/// A handle on one account of a [`MaildirStore`](crate::MaildirStore), cheap to clone. It keeps the store open.
#[derive(Clone)]
pub struct MaildirAccount {
    store: Arc<Inner>,
    ledger: SqliteAccount,
}

impl MaildirAccount {
    pub(crate) fn new(store: Arc<Inner>, ledger: SqliteAccount) -> Self {
        Self { store, ledger }
    }

    fn row(&self) -> i64 {
        account_row(&self.ledger)
    }

    async fn look(&self, mailbox: &MailboxId) -> Result<()> {
        self.store.scanner.mailbox(self.row(), mailbox, false).await
    }

    async fn look_home(&self) -> Result<()> {
        self.store.scanner.home(self.row()).await
    }
}

impl std::fmt::Debug for MaildirAccount {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "MaildirAccount({})", self.row())
    }
}

impl Account for MaildirAccount {
    type Blob = SqliteBlob;
    type Stage = SqliteStage;

    fn features(&self) -> StoreFeatures {
        self.ledger.features()
    }

    fn list(&self, hint: ListHint) -> impl Stream<Item = Result<MailboxInfo>> + Send + 'static {
        let this = self.clone();
        stream::once(async move {
            let listed: Vec<_> = match this.look_home().await {
                Ok(()) => this.ledger.list(hint).collect().await,
                Err(error) => vec![Err(error)],
            };
            stream::iter(listed)
        })
        .flatten()
    }

    async fn find(&self, name: &MailboxName) -> Result<MailboxId> {
        self.look_home().await?;
        self.ledger.find(name).await
    }

    async fn status(&self, ids: &[MailboxId]) -> Result<Vec<MailboxStatus>> {
        for id in ids {
            self.look(id).await?;
        }
        self.ledger.status(ids).await
    }

    async fn create(&self, name: &MailboxName, special_use: Option<SpecialUse>) -> Result<CreatedMailbox> {
        self.look_home().await?;
        self.ledger.create(name, special_use).await
    }

    async fn restore(
        &self,
        name: &MailboxName,
        special_use: Option<SpecialUse>,
        past: MailboxPast,
    ) -> Result<CreatedMailbox> {
        self.look_home().await?;
        self.ledger.restore(name, special_use, past).await
    }

    async fn delete(&self, mailbox: &MailboxId) -> Result<()> {
        self.ledger.delete(mailbox).await
    }

    async fn rename(&self, from: &MailboxName, to: &MailboxName) -> Result<()> {
        self.look_home().await?;
        self.ledger.rename(from, to).await
    }

    async fn set_subscribed(&self, name: &MailboxName, subscribed: bool) -> Result<()> {
        self.look_home().await?;
        self.ledger.set_subscribed(name, subscribed).await
    }

    async fn snapshot(&self, mailbox: &MailboxId, claim_recent: bool) -> Result<Snapshot> {
        self.look(mailbox).await?;
        self.ledger.snapshot(mailbox, claim_recent).await
    }

    fn fetch_meta(
        &self,
        mailbox: &MailboxId,
        uids: &UidSet,
        fields: MetaFields,
        filter: MetaFilter,
    ) -> impl Stream<Item = Result<MessageMeta>> + Send + 'static {
        self.ledger.fetch_meta(mailbox, uids, fields, filter)
    }

    async fn open_body(&self, mailbox: &MailboxId, uid: Uid, range: ByteRange) -> Result<Body> {
        match self.ledger.open_body(mailbox, uid, range).await {
            // Its file was not where it was, or not what it was: what has become of it is found out first.
            Err(error) if error.kind() == ErrorKind::Corrupt => {
                self.store.scanner.mailbox(self.row(), mailbox, true).await?;
                self.ledger.open_body(mailbox, uid, range).await
            }
            result => result,
        }
    }

    async fn changes_since(&self, mailbox: &MailboxId, since: ModSeq, page: usize) -> Result<Changes> {
        self.look(mailbox).await?;
        self.ledger.changes_since(mailbox, since, page).await
    }

    async fn put_digest(&self, mailbox: &MailboxId, uid: Uid, digest: MessageDigest) -> Result<()> {
        self.ledger.put_digest(mailbox, uid, digest).await
    }

    async fn stage(&self, hint: SizeHint) -> Result<SqliteStage> {
        self.ledger.stage(hint).await
    }

    async fn commit(&self, placements: Vec<Placement<SqliteBlob>>, mode: Mode) -> Result<Vec<Result<Placed>>> {
        self.ledger.commit(placements, mode).await
    }

    fn store_flags(
        &self,
        mailbox: &MailboxId,
        uids: &UidSet,
        change: FlagChange,
        unchanged_since: Option<ModSeq>,
    ) -> impl Stream<Item = Result<FlagOutcome>> + Send + 'static {
        self.ledger.store_flags(mailbox, uids, change, unchanged_since)
    }

    async fn copy(&self, source: &MailboxId, uids: &UidSet, destination: &MailboxId) -> Result<Transferred> {
        self.ledger.copy(source, uids, destination).await
    }

    async fn move_messages(&self, source: &MailboxId, uids: &UidSet, destination: &MailboxId) -> Result<Transferred> {
        self.ledger.move_messages(source, uids, destination).await
    }

    async fn expunge(&self, mailbox: &MailboxId, uids: &UidSet, only_deleted: bool) -> Result<(UidSet, ModSeq)> {
        // What another program has just put back is not removed.
        self.look(mailbox).await?;
        self.ledger.expunge(mailbox, uids, only_deleted).await
    }

    async fn watch(&self, mailboxes: &[MailboxId]) -> Result<impl Stream<Item = MailboxId> + Send + 'static> {
        let watch = self.ledger.watch(mailboxes).await?;
        let topics = mailboxes.iter().map(|mailbox| (self.row(), Some(mailbox.clone()))).collect();
        let watching = self.store.watchers.add(topics);
        Ok(watch.map(move |changed| {
            let _ = &watching;
            changed
        }))
    }

    async fn watch_account(&self) -> Result<impl Stream<Item = ()> + Send + 'static> {
        let watch = self.ledger.watch_account().await?;
        let watching = self.store.watchers.add(vec![(self.row(), None)]);
        Ok(watch.map(move |()| {
            let _ = &watching;
        }))
    }

    async fn lease_maildrop(&self, mailbox: &MailboxId) -> Result<MaildropLease> {
        self.ledger.lease_maildrop(mailbox).await
    }

    async fn quota_roots(&self, mailbox: &MailboxId) -> Result<Vec<QuotaRoot>> {
        self.ledger.quota_roots(mailbox).await
    }

    async fn set_quota(&self, root: &str, limits: &[(QuotaResource, u64)]) -> Result<QuotaRoot> {
        self.ledger.set_quota(root, limits).await
    }
}
