//! A store that takes every message and keeps none: what is left is the server's own work.

use bytes::Bytes;
use futures::{Stream, stream};
use mailstore_traits::{
    Account, AccountId, Actor, Body, ByteRange, Changes, Destination, Directory, ErrorKind, ListHint, MailStore,
    MailboxId, MailboxInfo, MailboxName, MailboxStatus, MessageDigest, MessageMeta, MetaFields, MetaFilter, ModSeq,
    Mode, Placed, Recipient, Resolution, Result, SizeHint, Snapshot, Stage, StoreFeatures, Target, Uid, UidSet,
    UidValidity,
};

/// Everybody's store, and everybody is here.
#[derive(Debug, Clone)]
pub(crate) struct Discard;

/// Octets on their way to nowhere.
#[derive(Debug)]
pub(crate) struct Nowhere;

impl Stage for Nowhere {
    type Blob = ();

    async fn write(&mut self, chunk: Bytes) -> Result<()> {
        std::hint::black_box(&chunk);
        Ok(())
    }

    async fn finish(self, digest: Option<MessageDigest>) -> Result<()> {
        std::hint::black_box(&digest);
        Ok(())
    }
}

impl MailStore for Discard {
    type Account = Self;
    type Stage = Nowhere;
    type Blob = ();

    fn features(&self) -> StoreFeatures {
        let mut features = StoreFeatures::read_only();
        features.atomic_delivery = true;
        features
    }

    async fn open(&self, _: &AccountId, _: &Actor) -> Result<Self> {
        Ok(Self)
    }

    async fn stage(&self, _: SizeHint) -> Result<Nowhere> {
        Ok(Nowhere)
    }

    async fn read_blob(&self, (): &(), _: ByteRange) -> Result<Body> {
        Err(ErrorKind::Expunged.into())
    }

    async fn deliver(&self, (): &(), targets: Vec<Target>, _: Mode) -> Result<Vec<Result<Placed>>> {
        let inbox = MailboxId::new("inbox").map_err(|_| ErrorKind::Internal)?;
        let placed = |_| Ok(Placed::new(inbox.clone(), UidValidity::MIN, Uid::MIN, ModSeq::MIN));
        Ok(targets.iter().map(placed).collect())
    }
}

impl Directory for Discard {
    async fn resolve(&self, recipient: &Recipient) -> Result<Resolution> {
        Ok(Resolution::Local(vec![Destination::inbox(AccountId::new(recipient.local_part.as_str()))]))
    }
}

/// Nobody reads here.
impl Account for Discard {
    type Blob = ();
    type Stage = Nowhere;

    fn features(&self) -> StoreFeatures {
        MailStore::features(self)
    }

    fn list(&self, _: ListHint) -> impl Stream<Item = Result<MailboxInfo>> + Send + 'static {
        stream::empty()
    }

    async fn find(&self, _: &MailboxName) -> Result<MailboxId> {
        Err(ErrorKind::NotFound.into())
    }

    async fn status(&self, _: &[MailboxId]) -> Result<Vec<MailboxStatus>> {
        Ok(Vec::new())
    }

    async fn snapshot(&self, _: &MailboxId, _: bool) -> Result<Snapshot> {
        Err(ErrorKind::NotFound.into())
    }

    fn fetch_meta(
        &self,
        _: &MailboxId,
        _: &UidSet,
        _: MetaFields,
        _: MetaFilter,
    ) -> impl Stream<Item = Result<MessageMeta>> + Send + 'static {
        stream::empty()
    }

    async fn open_body(&self, _: &MailboxId, _: Uid, _: ByteRange) -> Result<Body> {
        Err(ErrorKind::NotFound.into())
    }

    async fn changes_since(&self, _: &MailboxId, _: ModSeq, _: usize) -> Result<Changes> {
        Err(ErrorKind::NotFound.into())
    }

    async fn watch(&self, _: &[MailboxId]) -> Result<impl Stream<Item = MailboxId> + Send + 'static> {
        Ok(stream::pending())
    }
}
