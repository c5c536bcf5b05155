//! A store whose type is not known before the program runs.
//!
//! Futures in traits are not object-safe, so `dyn MailStore` cannot be. [`DynStore`] is a struct instead, over a private
//! trait that boxes every future, and is itself a [`MailStore`]. (A public trait with the same methods, implemented for
//! every store, would make each call on a store ambiguous.)

use std::any::Any;
use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use futures::future::BoxFuture;
use futures::stream::BoxStream;
use futures::{Stream, StreamExt};

use crate::{
    Account, AccountId, AclEntry, Actor, Annotation, Body, ByteRange, Changes, CreatedMailbox, ErrorKind, Finding,
    FlagChange, FlagOutcome, ListHint, MailStore, MailboxId, MailboxInfo, MailboxName, MailboxPast, MailboxStatus,
    MaildropLease, MessageDigest, MessageMeta, MetaFields, MetaFilter, ModSeq, Mode, Namespace, Placed, Placement,
    QuotaResource, QuotaRoot, Result, Rights, SearchAnswer, SearchKey, SizeHint, Snapshot, SpecialUse, Stage,
    StoreFeatures, Target, Transferred, Uid, UidSet,
};

/// Any store, for hosts that choose theirs when they start. A clone is the same store.
#[derive(Clone)]
pub struct DynStore(Arc<dyn ErasedStore>);

/// A handle on an account of a [`DynStore`].
#[derive(Clone)]
pub struct DynAccount(Arc<dyn ErasedAccount>);

/// A message on its way into a [`DynStore`].
pub struct DynStage(Box<dyn ErasedStage>);

/// A finished message in a [`DynStore`]. The blob of a store of another type is [`ErrorKind::Invalid`].
#[derive(Clone)]
pub struct DynBlob(Arc<dyn Any + Send + Sync>);

impl DynStore {
    /// Forgets which type the store is of.
    pub fn new(store: impl MailStore) -> Self {
        Self(Arc::new(Erased(store)))
    }
}

impl DynBlob {
    fn of<B: Any>(&self) -> Result<&B> {
        (*self.0).downcast_ref().ok_or_else(|| ErrorKind::Invalid.into())
    }
}

/// Keeps the private traits' methods off the stores' own types, where their names would clash.
struct Erased<T>(T);

trait ErasedStore: Send + Sync {
    fn features(&self) -> StoreFeatures;
    fn open<'a>(&'a self, account: &'a AccountId, actor: &'a Actor) -> BoxFuture<'a, Result<DynAccount>>;
    fn stage<'a>(&'a self, hint: SizeHint) -> BoxFuture<'a, Result<DynStage>>;
    fn read_blob<'a>(&'a self, blob: &'a DynBlob, range: ByteRange) -> BoxFuture<'a, Result<Body>>;
    fn deliver<'a>(
        &'a self,
        blob: &'a DynBlob,
        targets: Vec<Target>,
        mode: Mode,
    ) -> BoxFuture<'a, Result<Vec<Result<Placed>>>>;
    fn check(&self, mend: bool) -> BoxFuture<'_, Result<Vec<Finding>>>;
}

impl<T: MailStore> ErasedStore for Erased<T> {
    fn features(&self) -> StoreFeatures {
        self.0.features()
    }
    fn open<'a>(&'a self, account: &'a AccountId, actor: &'a Actor) -> BoxFuture<'a, Result<DynAccount>> {
        Box::pin(async move { Ok(DynAccount(Arc::new(Erased(self.0.open(account, actor).await?)))) })
    }
    fn stage<'a>(&'a self, hint: SizeHint) -> BoxFuture<'a, Result<DynStage>> {
        Box::pin(async move { Ok(DynStage(Box::new(Erased(self.0.stage(hint).await?)))) })
    }
    fn read_blob<'a>(&'a self, blob: &'a DynBlob, range: ByteRange) -> BoxFuture<'a, Result<Body>> {
        Box::pin(async move { self.0.read_blob(blob.of()?, range).await })
    }
    fn deliver<'a>(
        &'a self,
        blob: &'a DynBlob,
        targets: Vec<Target>,
        mode: Mode,
    ) -> BoxFuture<'a, Result<Vec<Result<Placed>>>> {
        Box::pin(async move { self.0.deliver(blob.of()?, targets, mode).await })
    }
    fn check(&self, mend: bool) -> BoxFuture<'_, Result<Vec<Finding>>> {
        Box::pin(self.0.check(mend))
    }
}

impl MailStore for DynStore {
    type Account = DynAccount;
    type Stage = DynStage;
    type Blob = DynBlob;

    fn features(&self) -> StoreFeatures {
        self.0.features()
    }

    async fn open(&self, account: &AccountId, actor: &Actor) -> Result<DynAccount> {
        self.0.open(account, actor).await
    }

    async fn stage(&self, hint: SizeHint) -> Result<DynStage> {
        self.0.stage(hint).await
    }

    async fn read_blob(&self, blob: &DynBlob, range: ByteRange) -> Result<Body> {
        self.0.read_blob(blob, range).await
    }

    async fn deliver(&self, blob: &DynBlob, targets: Vec<Target>, mode: Mode) -> Result<Vec<Result<Placed>>> {
        self.0.deliver(blob, targets, mode).await
    }

    async fn check(&self, mend: bool) -> Result<Vec<Finding>> {
        self.0.check(mend).await
    }
}

trait ErasedAccount: Send + Sync {
    fn features(&self) -> StoreFeatures;
    fn find<'a>(&'a self, name: &'a MailboxName) -> BoxFuture<'a, Result<MailboxId>>;
    fn namespaces<'a>(&'a self) -> BoxFuture<'a, Result<Vec<Namespace>>>;
    fn status<'a>(&'a self, mailboxes: &'a [MailboxId]) -> BoxFuture<'a, Result<Vec<MailboxStatus>>>;
    fn create<'a>(
        &'a self,
        name: &'a MailboxName,
        special_use: Option<SpecialUse>,
    ) -> BoxFuture<'a, Result<CreatedMailbox>>;
    fn restore<'a>(
        &'a self,
        name: &'a MailboxName,
        special_use: Option<SpecialUse>,
        past: MailboxPast,
    ) -> BoxFuture<'a, Result<CreatedMailbox>>;
    fn delete<'a>(&'a self, mailbox: &'a MailboxId) -> BoxFuture<'a, Result<()>>;
    fn rename<'a>(&'a self, from: &'a MailboxName, to: &'a MailboxName) -> BoxFuture<'a, Result<()>>;
    fn set_subscribed<'a>(&'a self, name: &'a MailboxName, subscribed: bool) -> BoxFuture<'a, Result<()>>;
    fn snapshot<'a>(&'a self, mailbox: &'a MailboxId, claim_recent: bool) -> BoxFuture<'a, Result<Snapshot>>;
    fn open_body<'a>(&'a self, mailbox: &'a MailboxId, uid: Uid, range: ByteRange) -> BoxFuture<'a, Result<Body>>;
    fn changes_since<'a>(
        &'a self,
        mailbox: &'a MailboxId,
        since: ModSeq,
        page: usize,
    ) -> BoxFuture<'a, Result<Changes>>;
    fn put_digest<'a>(&'a self, mailbox: &'a MailboxId, uid: Uid, digest: MessageDigest) -> BoxFuture<'a, Result<()>>;
    fn copy<'a>(
        &'a self,
        source: &'a MailboxId,
        uids: &'a UidSet,
        destination: &'a MailboxId,
    ) -> BoxFuture<'a, Result<Transferred>>;
    fn move_messages<'a>(
        &'a self,
        source: &'a MailboxId,
        uids: &'a UidSet,
        destination: &'a MailboxId,
    ) -> BoxFuture<'a, Result<Transferred>>;
    fn expunge<'a>(
        &'a self,
        mailbox: &'a MailboxId,
        uids: &'a UidSet,
        only_deleted: bool,
    ) -> BoxFuture<'a, Result<(UidSet, ModSeq)>>;
    fn lease_maildrop<'a>(&'a self, mailbox: &'a MailboxId) -> BoxFuture<'a, Result<MaildropLease>>;
    fn search<'a>(&'a self, mailbox: &'a MailboxId, key: &'a SearchKey) -> BoxFuture<'a, Result<SearchAnswer>>;
    fn quota_roots<'a>(&'a self, mailbox: &'a MailboxId) -> BoxFuture<'a, Result<Vec<QuotaRoot>>>;
    fn set_quota<'a>(&'a self, root: &'a str, limits: &'a [(QuotaResource, u64)]) -> BoxFuture<'a, Result<QuotaRoot>>;
    fn acl<'a>(&'a self, mailbox: &'a MailboxId) -> BoxFuture<'a, Result<Vec<AclEntry>>>;
    fn set_acl<'a>(&'a self, mailbox: &'a MailboxId, entry: AclEntry) -> BoxFuture<'a, Result<()>>;
    fn my_rights<'a>(&'a self, mailbox: &'a MailboxId) -> BoxFuture<'a, Result<Rights>>;
    fn annotations<'a>(
        &'a self,
        mailbox: Option<&'a MailboxId>,
        entries: &'a [String],
    ) -> BoxFuture<'a, Result<Vec<Annotation>>>;
    fn set_annotations<'a>(
        &'a self,
        mailbox: Option<&'a MailboxId>,
        annotations: Vec<Annotation>,
    ) -> BoxFuture<'a, Result<()>>;
    fn stage<'a>(&'a self, hint: SizeHint) -> BoxFuture<'a, Result<DynStage>>;
    fn commit<'a>(
        &'a self,
        placements: Vec<Placement<DynBlob>>,
        mode: Mode,
    ) -> BoxFuture<'a, Result<Vec<Result<Placed>>>>;
    fn watch<'a>(&'a self, mailboxes: &'a [MailboxId]) -> BoxFuture<'a, Result<BoxStream<'static, MailboxId>>>;
    fn watch_account<'a>(&'a self) -> BoxFuture<'a, Result<BoxStream<'static, ()>>>;
    fn list(&self, hint: ListHint) -> BoxStream<'static, Result<MailboxInfo>>;
    fn fetch_meta(
        &self,
        mailbox: &MailboxId,
        uids: &UidSet,
        fields: MetaFields,
        filter: MetaFilter,
    ) -> BoxStream<'static, Result<MessageMeta>>;
    fn store_flags(
        &self,
        mailbox: &MailboxId,
        uids: &UidSet,
        change: FlagChange,
        unchanged_since: Option<ModSeq>,
    ) -> BoxStream<'static, Result<FlagOutcome>>;
}

impl<T: Account> ErasedAccount for Erased<T> {
    fn features(&self) -> StoreFeatures {
        self.0.features()
    }
    fn find<'a>(&'a self, name: &'a MailboxName) -> BoxFuture<'a, Result<MailboxId>> {
        Box::pin(self.0.find(name))
    }
    fn namespaces<'a>(&'a self) -> BoxFuture<'a, Result<Vec<Namespace>>> {
        Box::pin(self.0.namespaces())
    }
    fn status<'a>(&'a self, mailboxes: &'a [MailboxId]) -> BoxFuture<'a, Result<Vec<MailboxStatus>>> {
        Box::pin(self.0.status(mailboxes))
    }
    fn create<'a>(
        &'a self,
        name: &'a MailboxName,
        special_use: Option<SpecialUse>,
    ) -> BoxFuture<'a, Result<CreatedMailbox>> {
        Box::pin(self.0.create(name, special_use))
    }
    fn restore<'a>(
        &'a self,
        name: &'a MailboxName,
        special_use: Option<SpecialUse>,
        past: MailboxPast,
    ) -> BoxFuture<'a, Result<CreatedMailbox>> {
        Box::pin(self.0.restore(name, special_use, past))
    }
    fn delete<'a>(&'a self, mailbox: &'a MailboxId) -> BoxFuture<'a, Result<()>> {
        Box::pin(self.0.delete(mailbox))
    }
    fn rename<'a>(&'a self, from: &'a MailboxName, to: &'a MailboxName) -> BoxFuture<'a, Result<()>> {
        Box::pin(self.0.rename(from, to))
    }
    fn set_subscribed<'a>(&'a self, name: &'a MailboxName, subscribed: bool) -> BoxFuture<'a, Result<()>> {
        Box::pin(self.0.set_subscribed(name, subscribed))
    }
    fn snapshot<'a>(&'a self, mailbox: &'a MailboxId, claim_recent: bool) -> BoxFuture<'a, Result<Snapshot>> {
        Box::pin(self.0.snapshot(mailbox, claim_recent))
    }
    fn open_body<'a>(&'a self, mailbox: &'a MailboxId, uid: Uid, range: ByteRange) -> BoxFuture<'a, Result<Body>> {
        Box::pin(self.0.open_body(mailbox, uid, range))
    }
    fn changes_since<'a>(
        &'a self,
        mailbox: &'a MailboxId,
        since: ModSeq,
        page: usize,
    ) -> BoxFuture<'a, Result<Changes>> {
        Box::pin(self.0.changes_since(mailbox, since, page))
    }
    fn put_digest<'a>(&'a self, mailbox: &'a MailboxId, uid: Uid, digest: MessageDigest) -> BoxFuture<'a, Result<()>> {
        Box::pin(self.0.put_digest(mailbox, uid, digest))
    }
    fn copy<'a>(
        &'a self,
        source: &'a MailboxId,
        uids: &'a UidSet,
        destination: &'a MailboxId,
    ) -> BoxFuture<'a, Result<Transferred>> {
        Box::pin(self.0.copy(source, uids, destination))
    }
    fn move_messages<'a>(
        &'a self,
        source: &'a MailboxId,
        uids: &'a UidSet,
        destination: &'a MailboxId,
    ) -> BoxFuture<'a, Result<Transferred>> {
        Box::pin(self.0.move_messages(source, uids, destination))
    }
    fn expunge<'a>(
        &'a self,
        mailbox: &'a MailboxId,
        uids: &'a UidSet,
        only_deleted: bool,
    ) -> BoxFuture<'a, Result<(UidSet, ModSeq)>> {
        Box::pin(self.0.expunge(mailbox, uids, only_deleted))
    }
    fn lease_maildrop<'a>(&'a self, mailbox: &'a MailboxId) -> BoxFuture<'a, Result<MaildropLease>> {
        Box::pin(self.0.lease_maildrop(mailbox))
    }
    fn search<'a>(&'a self, mailbox: &'a MailboxId, key: &'a SearchKey) -> BoxFuture<'a, Result<SearchAnswer>> {
        Box::pin(self.0.search(mailbox, key))
    }
    fn quota_roots<'a>(&'a self, mailbox: &'a MailboxId) -> BoxFuture<'a, Result<Vec<QuotaRoot>>> {
        Box::pin(self.0.quota_roots(mailbox))
    }
    fn set_quota<'a>(&'a self, root: &'a str, limits: &'a [(QuotaResource, u64)]) -> BoxFuture<'a, Result<QuotaRoot>> {
        Box::pin(self.0.set_quota(root, limits))
    }
    fn acl<'a>(&'a self, mailbox: &'a MailboxId) -> BoxFuture<'a, Result<Vec<AclEntry>>> {
        Box::pin(self.0.acl(mailbox))
    }
    fn set_acl<'a>(&'a self, mailbox: &'a MailboxId, entry: AclEntry) -> BoxFuture<'a, Result<()>> {
        Box::pin(self.0.set_acl(mailbox, entry))
    }
    fn my_rights<'a>(&'a self, mailbox: &'a MailboxId) -> BoxFuture<'a, Result<Rights>> {
        Box::pin(self.0.my_rights(mailbox))
    }
    fn annotations<'a>(
        &'a self,
        mailbox: Option<&'a MailboxId>,
        entries: &'a [String],
    ) -> BoxFuture<'a, Result<Vec<Annotation>>> {
        Box::pin(self.0.annotations(mailbox, entries))
    }
    fn set_annotations<'a>(
        &'a self,
        mailbox: Option<&'a MailboxId>,
        annotations: Vec<Annotation>,
    ) -> BoxFuture<'a, Result<()>> {
        Box::pin(self.0.set_annotations(mailbox, annotations))
    }
    fn stage<'a>(&'a self, hint: SizeHint) -> BoxFuture<'a, Result<DynStage>> {
        Box::pin(async move { Ok(DynStage(Box::new(Erased(self.0.stage(hint).await?)))) })
    }
    fn commit<'a>(
        &'a self,
        placements: Vec<Placement<DynBlob>>,
        mode: Mode,
    ) -> BoxFuture<'a, Result<Vec<Result<Placed>>>> {
        Box::pin(async move {
            let placements: Result<Vec<_>> = placements.into_iter().map(known_blob).collect();
            self.0.commit(placements?, mode).await
        })
    }
    fn watch<'a>(&'a self, mailboxes: &'a [MailboxId]) -> BoxFuture<'a, Result<BoxStream<'static, MailboxId>>> {
        Box::pin(async move { Ok(self.0.watch(mailboxes).await?.boxed()) })
    }
    fn watch_account<'a>(&'a self) -> BoxFuture<'a, Result<BoxStream<'static, ()>>> {
        Box::pin(async move { Ok(self.0.watch_account().await?.boxed()) })
    }
    fn list(&self, hint: ListHint) -> BoxStream<'static, Result<MailboxInfo>> {
        self.0.list(hint).boxed()
    }
    fn fetch_meta(
        &self,
        mailbox: &MailboxId,
        uids: &UidSet,
        fields: MetaFields,
        filter: MetaFilter,
    ) -> BoxStream<'static, Result<MessageMeta>> {
        self.0.fetch_meta(mailbox, uids, fields, filter).boxed()
    }
    fn store_flags(
        &self,
        mailbox: &MailboxId,
        uids: &UidSet,
        change: FlagChange,
        unchanged_since: Option<ModSeq>,
    ) -> BoxStream<'static, Result<FlagOutcome>> {
        self.0.store_flags(mailbox, uids, change, unchanged_since).boxed()
    }
}

impl Account for DynAccount {
    type Blob = DynBlob;
    type Stage = DynStage;

    fn features(&self) -> StoreFeatures {
        self.0.features()
    }

    async fn find(&self, name: &MailboxName) -> Result<MailboxId> {
        self.0.find(name).await
    }

    async fn namespaces(&self) -> Result<Vec<Namespace>> {
        self.0.namespaces().await
    }

    async fn status(&self, mailboxes: &[MailboxId]) -> Result<Vec<MailboxStatus>> {
        self.0.status(mailboxes).await
    }

    async fn create(&self, name: &MailboxName, special_use: Option<SpecialUse>) -> Result<CreatedMailbox> {
        self.0.create(name, special_use).await
    }

    async fn restore(
        &self,
        name: &MailboxName,
        special_use: Option<SpecialUse>,
        past: MailboxPast,
    ) -> Result<CreatedMailbox> {
        self.0.restore(name, special_use, past).await
    }

    async fn delete(&self, mailbox: &MailboxId) -> Result<()> {
        self.0.delete(mailbox).await
    }

    async fn rename(&self, from: &MailboxName, to: &MailboxName) -> Result<()> {
        self.0.rename(from, to).await
    }

    async fn set_subscribed(&self, name: &MailboxName, subscribed: bool) -> Result<()> {
        self.0.set_subscribed(name, subscribed).await
    }

    async fn snapshot(&self, mailbox: &MailboxId, claim_recent: bool) -> Result<Snapshot> {
        self.0.snapshot(mailbox, claim_recent).await
    }

    async fn open_body(&self, mailbox: &MailboxId, uid: Uid, range: ByteRange) -> Result<Body> {
        self.0.open_body(mailbox, uid, range).await
    }

    async fn changes_since(&self, mailbox: &MailboxId, since: ModSeq, page: usize) -> Result<Changes> {
        self.0.changes_since(mailbox, since, page).await
    }

    async fn put_digest(&self, mailbox: &MailboxId, uid: Uid, digest: MessageDigest) -> Result<()> {
        self.0.put_digest(mailbox, uid, digest).await
    }

    async fn copy(&self, source: &MailboxId, uids: &UidSet, destination: &MailboxId) -> Result<Transferred> {
        self.0.copy(source, uids, destination).await
    }

    async fn move_messages(&self, source: &MailboxId, uids: &UidSet, destination: &MailboxId) -> Result<Transferred> {
        self.0.move_messages(source, uids, destination).await
    }

    async fn expunge(&self, mailbox: &MailboxId, uids: &UidSet, only_deleted: bool) -> Result<(UidSet, ModSeq)> {
        self.0.expunge(mailbox, uids, only_deleted).await
    }

    async fn lease_maildrop(&self, mailbox: &MailboxId) -> Result<MaildropLease> {
        self.0.lease_maildrop(mailbox).await
    }

    async fn search(&self, mailbox: &MailboxId, key: &SearchKey) -> Result<SearchAnswer> {
        self.0.search(mailbox, key).await
    }

    async fn quota_roots(&self, mailbox: &MailboxId) -> Result<Vec<QuotaRoot>> {
        self.0.quota_roots(mailbox).await
    }

    async fn set_quota(&self, root: &str, limits: &[(QuotaResource, u64)]) -> Result<QuotaRoot> {
        self.0.set_quota(root, limits).await
    }

    async fn acl(&self, mailbox: &MailboxId) -> Result<Vec<AclEntry>> {
        self.0.acl(mailbox).await
    }

    async fn set_acl(&self, mailbox: &MailboxId, entry: AclEntry) -> Result<()> {
        self.0.set_acl(mailbox, entry).await
    }

    async fn my_rights(&self, mailbox: &MailboxId) -> Result<Rights> {
        self.0.my_rights(mailbox).await
    }

    async fn annotations(&self, mailbox: Option<&MailboxId>, entries: &[String]) -> Result<Vec<Annotation>> {
        self.0.annotations(mailbox, entries).await
    }

    async fn set_annotations(&self, mailbox: Option<&MailboxId>, annotations: Vec<Annotation>) -> Result<()> {
        self.0.set_annotations(mailbox, annotations).await
    }

    async fn stage(&self, hint: SizeHint) -> Result<DynStage> {
        self.0.stage(hint).await
    }

    async fn commit(&self, placements: Vec<Placement<DynBlob>>, mode: Mode) -> Result<Vec<Result<Placed>>> {
        self.0.commit(placements, mode).await
    }

    async fn watch(&self, mailboxes: &[MailboxId]) -> Result<impl Stream<Item = MailboxId> + Send + 'static> {
        self.0.watch(mailboxes).await
    }

    async fn watch_account(&self) -> Result<impl Stream<Item = ()> + Send + 'static> {
        self.0.watch_account().await
    }

    fn list(&self, hint: ListHint) -> impl Stream<Item = Result<MailboxInfo>> + Send + 'static {
        self.0.list(hint)
    }

    fn fetch_meta(
        &self,
        mailbox: &MailboxId,
        uids: &UidSet,
        fields: MetaFields,
        filter: MetaFilter,
    ) -> impl Stream<Item = Result<MessageMeta>> + Send + 'static {
        self.0.fetch_meta(mailbox, uids, fields, filter)
    }

    fn store_flags(
        &self,
        mailbox: &MailboxId,
        uids: &UidSet,
        change: FlagChange,
        unchanged_since: Option<ModSeq>,
    ) -> impl Stream<Item = Result<FlagOutcome>> + Send + 'static {
        self.0.store_flags(mailbox, uids, change, unchanged_since)
    }
}

fn known_blob<B: Any + Clone>(placement: Placement<DynBlob>) -> Result<Placement<B>> {
    let Placement { blob, prefix, digest, mailbox, flags, internal_date, replaces, uid, uidl } = placement;
    let blob = blob.of::<B>()?.clone();
    Ok(Placement { blob, prefix, digest, mailbox, flags, internal_date, replaces, uid, uidl })
}

trait ErasedStage: Send {
    fn write(&mut self, chunk: Bytes) -> BoxFuture<'_, Result<()>>;
    fn finish(self: Box<Self>, digest: Option<MessageDigest>) -> BoxFuture<'static, Result<DynBlob>>;
}

impl<T: Stage> ErasedStage for Erased<T> {
    fn write(&mut self, chunk: Bytes) -> BoxFuture<'_, Result<()>> {
        Box::pin(self.0.write(chunk))
    }

    fn finish(self: Box<Self>, digest: Option<MessageDigest>) -> BoxFuture<'static, Result<DynBlob>> {
        Box::pin(async move { Ok(DynBlob(Arc::new(self.0.finish(digest).await?))) })
    }
}

impl Stage for DynStage {
    type Blob = DynBlob;

    async fn write(&mut self, chunk: Bytes) -> Result<()> {
        self.0.write(chunk).await
    }

    async fn finish(self, digest: Option<MessageDigest>) -> Result<DynBlob> {
        self.0.finish(digest).await
    }
}

macro_rules! debug_by_name {
    ($($name:ident)*) => {
        $(impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(stringify!($name))
            }
        })*
    };
}

debug_by_name!(DynStore DynAccount DynStage DynBlob);

#[cfg(all(test, feature = "memory"))]
mod tests {
    use futures::executor::block_on;

    use super::*;
    use crate::memory::MemoryStore;

    async fn blob(store: &impl MailStore<Blob = DynBlob>) -> DynBlob {
        let mut stage = store.stage(SizeHint::Unknown).await.expect("room in memory");
        stage.write(Bytes::from_static(b"x")).await.expect("room in memory");
        stage.finish(None).await.expect("room in memory")
    }

    #[test]
    fn a_blob_of_another_store_is_invalid() {
        block_on(async {
            let (store, other) = (DynStore::new(MemoryStore::new()), DynStore::new(MemoryStore::new()));
            // One more layer gives blobs of another type; the first two differ only in whose they are.
            let layered = DynStore::new(other.clone());
            let targets = vec![Target::inbox(AccountId::from("ada"))];
            for foreign in [blob(&other).await, blob(&layered).await] {
                let read = store.read_blob(&foreign, ByteRange::WHOLE).await.map(|_| ());
                assert_eq!(read, Err(ErrorKind::Invalid.into()));
                let delivered = store.deliver(&foreign, targets.clone(), Mode::AllOrNothing).await.map(|_| ());
                assert_eq!(delivered, Err(ErrorKind::Invalid.into()));
            }
            assert_eq!(store.deliver(&blob(&store).await, targets, Mode::AllOrNothing).await.unwrap().len(), 1);
        });
    }
}
