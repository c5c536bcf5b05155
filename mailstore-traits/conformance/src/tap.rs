//! A store with somebody at the door: told of each call before it is made, and free to answer in its place.

use std::sync::Arc;

use bytes::Bytes;
use futures::future::BoxFuture;
use futures::stream::BoxStream;
use futures::{Stream, StreamExt, TryStreamExt, stream};
use mailstore_traits::{
    Account, AccountId, AclEntry, Actor, Annotation, Body, ByteRange, Changes, CreatedMailbox, Finding, FlagChange,
    FlagOutcome, ListHint, MailStore, MailboxId, MailboxInfo, MailboxName, MailboxPast, MailboxStatus, MaildropLease,
    MessageDigest, MessageMeta, MetaFields, MetaFilter, ModSeq, Mode, Namespace, Placed, Placement, QuotaResource,
    QuotaRoot, Result, Rights, SearchAnswer, SearchKey, SizeHint, Snapshot, SpecialUse, Stage, StoreFeatures, Target,
    Transferred, Uid, UidSet,
};

/// A method of a store, an account or a stage.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
#[allow(missing_docs, reason = "each is named for its method")]
pub enum Call {
    Open,
    ReadBlob,
    Deliver,
    Check,
    Write,
    Finish,
    List,
    FetchMeta,
    StoreFlags,
    Restore,
    SetQuota,
    Find,
    Namespaces,
    Status,
    Create,
    Delete,
    Rename,
    SetSubscribed,
    Snapshot,
    OpenBody,
    ChangesSince,
    PutDigest,
    Copy,
    MoveMessages,
    Expunge,
    LeaseMaildrop,
    Search,
    QuotaRoots,
    Acl,
    SetAcl,
    MyRights,
    Annotations,
    SetAnnotations,
    Stage,
    Commit,
    Watch,
    WatchAccount,
}

/// Somebody at the door.
pub trait Tap: Send + Sync + 'static {
    /// What the store says that it can, in its words or in others.
    fn features(&self, features: StoreFeatures) -> StoreFeatures {
        features
    }

    /// Called before each call, which is made when the future is done, and not at all if that is an error: then the caller
    /// has this error instead. Of a stream, before its first item.
    fn before(&self, call: Call) -> BoxFuture<'static, Result<()>>;
}

/// Any store, with a [`Tap`].
#[derive(Clone)]
pub struct Tapped<S> {
    inner: S,
    tap: Arc<dyn Tap>,
}

/// A message on its way into a [`Tapped`] store.
pub struct TappedStage<S> {
    inner: S,
    tap: Arc<dyn Tap>,
}

impl<S> Tapped<S> {
    /// That store, or account, with that one at its door.
    pub fn new(inner: S, tap: Arc<dyn Tap>) -> Self {
        Self { inner, tap }
    }
}

impl<S: MailStore> MailStore for Tapped<S> {
    type Account = Tapped<S::Account>;
    type Stage = TappedStage<S::Stage>;
    type Blob = S::Blob;

    fn features(&self) -> StoreFeatures {
        self.tap.features(self.inner.features())
    }

    async fn open(&self, account: &AccountId, actor: &Actor) -> Result<Tapped<S::Account>> {
        self.tap.before(Call::Open).await?;
        Ok(Tapped::new(self.inner.open(account, actor).await?, Arc::clone(&self.tap)))
    }

    async fn stage(&self, hint: SizeHint) -> Result<TappedStage<S::Stage>> {
        self.tap.before(Call::Stage).await?;
        Ok(TappedStage { inner: self.inner.stage(hint).await?, tap: Arc::clone(&self.tap) })
    }

    async fn read_blob(&self, blob: &S::Blob, range: ByteRange) -> Result<Body> {
        self.tap.before(Call::ReadBlob).await?;
        self.inner.read_blob(blob, range).await
    }

    async fn deliver(&self, blob: &S::Blob, targets: Vec<Target>, mode: Mode) -> Result<Vec<Result<Placed>>> {
        self.tap.before(Call::Deliver).await?;
        self.inner.deliver(blob, targets, mode).await
    }

    async fn check(&self, mend: bool) -> Result<Vec<Finding>> {
        self.tap.before(Call::Check).await?;
        self.inner.check(mend).await
    }
}

impl<S: Stage> Stage for TappedStage<S> {
    type Blob = S::Blob;

    async fn write(&mut self, chunk: Bytes) -> Result<()> {
        self.tap.before(Call::Write).await?;
        self.inner.write(chunk).await
    }

    async fn finish(self, digest: Option<MessageDigest>) -> Result<S::Blob> {
        self.tap.before(Call::Finish).await?;
        self.inner.finish(digest).await
    }
}

impl<A: Account> Account for Tapped<A> {
    type Blob = A::Blob;
    type Stage = TappedStage<A::Stage>;

    fn features(&self) -> StoreFeatures {
        self.tap.features(self.inner.features())
    }

    fn list(&self, hint: ListHint) -> impl Stream<Item = Result<MailboxInfo>> + Send + 'static {
        let account = self.inner.clone();
        self.behind(Call::List, move || account.list(hint).boxed())
    }

    fn fetch_meta(
        &self,
        mailbox: &MailboxId,
        uids: &UidSet,
        fields: MetaFields,
        filter: MetaFilter,
    ) -> impl Stream<Item = Result<MessageMeta>> + Send + 'static {
        let (account, mailbox, uids) = (self.inner.clone(), mailbox.clone(), uids.clone());
        self.behind(Call::FetchMeta, move || account.fetch_meta(&mailbox, &uids, fields, filter).boxed())
    }

    fn store_flags(
        &self,
        mailbox: &MailboxId,
        uids: &UidSet,
        change: FlagChange,
        unchanged_since: Option<ModSeq>,
    ) -> impl Stream<Item = Result<FlagOutcome>> + Send + 'static {
        let (account, mailbox, uids) = (self.inner.clone(), mailbox.clone(), uids.clone());
        self.behind(Call::StoreFlags, move || account.store_flags(&mailbox, &uids, change, unchanged_since).boxed())
    }

    async fn restore(
        &self,
        name: &MailboxName,
        special_use: Option<SpecialUse>,
        past: MailboxPast,
    ) -> Result<CreatedMailbox> {
        self.tap.before(Call::Restore).await?;
        self.inner.restore(name, special_use, past).await
    }

    async fn set_quota(&self, root: &str, limits: &[(QuotaResource, u64)]) -> Result<QuotaRoot> {
        self.tap.before(Call::SetQuota).await?;
        self.inner.set_quota(root, limits).await
    }

    async fn find(&self, name: &MailboxName) -> Result<MailboxId> {
        self.tap.before(Call::Find).await?;
        self.inner.find(name).await
    }

    async fn namespaces(&self) -> Result<Vec<Namespace>> {
        self.tap.before(Call::Namespaces).await?;
        self.inner.namespaces().await
    }

    async fn status(&self, mailboxes: &[MailboxId]) -> Result<Vec<MailboxStatus>> {
        self.tap.before(Call::Status).await?;
        self.inner.status(mailboxes).await
    }

    async fn create(&self, name: &MailboxName, special_use: Option<SpecialUse>) -> Result<CreatedMailbox> {
        self.tap.before(Call::Create).await?;
        self.inner.create(name, special_use).await
    }

    async fn delete(&self, mailbox: &MailboxId) -> Result<()> {
        self.tap.before(Call::Delete).await?;
        self.inner.delete(mailbox).await
    }

    async fn rename(&self, from: &MailboxName, to: &MailboxName) -> Result<()> {
        self.tap.before(Call::Rename).await?;
        self.inner.rename(from, to).await
    }

    async fn set_subscribed(&self, name: &MailboxName, subscribed: bool) -> Result<()> {
        self.tap.before(Call::SetSubscribed).await?;
        self.inner.set_subscribed(name, subscribed).await
    }

    async fn snapshot(&self, mailbox: &MailboxId, claim_recent: bool) -> Result<Snapshot> {
        self.tap.before(Call::Snapshot).await?;
        self.inner.snapshot(mailbox, claim_recent).await
    }

    async fn open_body(&self, mailbox: &MailboxId, uid: Uid, range: ByteRange) -> Result<Body> {
        self.tap.before(Call::OpenBody).await?;
        self.inner.open_body(mailbox, uid, range).await
    }

    async fn changes_since(&self, mailbox: &MailboxId, since: ModSeq, page: usize) -> Result<Changes> {
        self.tap.before(Call::ChangesSince).await?;
        self.inner.changes_since(mailbox, since, page).await
    }

    async fn put_digest(&self, mailbox: &MailboxId, uid: Uid, digest: MessageDigest) -> Result<()> {
        self.tap.before(Call::PutDigest).await?;
        self.inner.put_digest(mailbox, uid, digest).await
    }

    async fn copy(&self, source: &MailboxId, uids: &UidSet, destination: &MailboxId) -> Result<Transferred> {
        self.tap.before(Call::Copy).await?;
        self.inner.copy(source, uids, destination).await
    }

    async fn move_messages(&self, source: &MailboxId, uids: &UidSet, destination: &MailboxId) -> Result<Transferred> {
        self.tap.before(Call::MoveMessages).await?;
        self.inner.move_messages(source, uids, destination).await
    }

    async fn expunge(&self, mailbox: &MailboxId, uids: &UidSet, only_deleted: bool) -> Result<(UidSet, ModSeq)> {
        self.tap.before(Call::Expunge).await?;
        self.inner.expunge(mailbox, uids, only_deleted).await
    }

    async fn lease_maildrop(&self, mailbox: &MailboxId) -> Result<MaildropLease> {
        self.tap.before(Call::LeaseMaildrop).await?;
        self.inner.lease_maildrop(mailbox).await
    }

    async fn search(&self, mailbox: &MailboxId, key: &SearchKey) -> Result<SearchAnswer> {
        self.tap.before(Call::Search).await?;
        self.inner.search(mailbox, key).await
    }

    async fn quota_roots(&self, mailbox: &MailboxId) -> Result<Vec<QuotaRoot>> {
        self.tap.before(Call::QuotaRoots).await?;
        self.inner.quota_roots(mailbox).await
    }

    async fn acl(&self, mailbox: &MailboxId) -> Result<Vec<AclEntry>> {
        self.tap.before(Call::Acl).await?;
        self.inner.acl(mailbox).await
    }

    async fn set_acl(&self, mailbox: &MailboxId, entry: AclEntry) -> Result<()> {
        self.tap.before(Call::SetAcl).await?;
        self.inner.set_acl(mailbox, entry).await
    }

    async fn my_rights(&self, mailbox: &MailboxId) -> Result<Rights> {
        self.tap.before(Call::MyRights).await?;
        self.inner.my_rights(mailbox).await
    }

    async fn annotations(&self, mailbox: Option<&MailboxId>, entries: &[String]) -> Result<Vec<Annotation>> {
        self.tap.before(Call::Annotations).await?;
        self.inner.annotations(mailbox, entries).await
    }

    async fn set_annotations(&self, mailbox: Option<&MailboxId>, annotations: Vec<Annotation>) -> Result<()> {
        self.tap.before(Call::SetAnnotations).await?;
        self.inner.set_annotations(mailbox, annotations).await
    }

    async fn stage(&self, hint: SizeHint) -> Result<TappedStage<A::Stage>> {
        self.tap.before(Call::Stage).await?;
        Ok(TappedStage { inner: self.inner.stage(hint).await?, tap: Arc::clone(&self.tap) })
    }

    async fn commit(&self, placements: Vec<Placement<A::Blob>>, mode: Mode) -> Result<Vec<Result<Placed>>> {
        self.tap.before(Call::Commit).await?;
        self.inner.commit(placements, mode).await
    }

    async fn watch(&self, mailboxes: &[MailboxId]) -> Result<impl Stream<Item = MailboxId> + Send + 'static> {
        self.tap.before(Call::Watch).await?;
        self.inner.watch(mailboxes).await
    }

    async fn watch_account(&self) -> Result<impl Stream<Item = ()> + Send + 'static> {
        self.tap.before(Call::WatchAccount).await?;
        self.inner.watch_account().await
    }
}

impl<A: Account> Tapped<A> {
    fn behind<T: Send + 'static>(
        &self,
        call: Call,
        work: impl FnOnce() -> BoxStream<'static, Result<T>> + Send + 'static,
    ) -> BoxStream<'static, Result<T>> {
        let asked = self.tap.before(call);
        stream::once(async move { asked.await.map(|()| work()) }).try_flatten().boxed()
    }
}
