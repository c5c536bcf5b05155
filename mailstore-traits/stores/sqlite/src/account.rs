//! A handle on one account's mailboxes.

use std::collections::BTreeMap;
use std::sync::Arc;

use futures::stream::{self, Stream, StreamExt};
use mailstore_traits::{
    Account, Actor, Body, ByteRange, Changes, CreatedMailbox, ErrorKind, FlagChange, FlagOutcome, ListHint, MailboxId,
    MailboxInfo, MailboxName, MailboxPast, MailboxStatus, MaildropLease, MessageDigest, MessageMeta, MetaFields,
    MetaFilter, ModSeq, Mode, Placed, Placement, QuotaResource, QuotaRoot, Result, SizeHint, Snapshot, SpecialUse,
    StoreError, StoreFeatures, TargetMailbox, Transferred, Uid, UidSet,
};

use crate::body::body;
use crate::flags::FlagWork;
use crate::mailboxes::row_of;
use crate::messages::Cursor;
use crate::place::{Arrival, Owner};
use crate::stage::{SqliteBlob, SqliteStage};
use crate::store::Inner;
use crate::{SqliteStore, mailboxes, messages, quota, transfer};

/// A handle on one account of a [`SqliteStore`], cheap to clone. It keeps the store open.
#[derive(Clone)]
pub struct SqliteAccount {
    store: Arc<Inner>,
    row: i64,
    actor: Actor,
}

impl SqliteAccount {
    pub(crate) fn new(store: Arc<Inner>, row: i64, actor: Actor) -> Self {
        Self { store, row, actor }
    }

    pub(crate) fn account_row(&self) -> i64 {
        self.row
    }

    async fn transfer(
        &self,
        source: &MailboxId,
        uids: &UidSet,
        destination: &MailboxId,
        moves: bool,
    ) -> Result<Transferred> {
        let (account, options) = (self.row, self.store.options.clone());
        let (source, uids, destination) = (source.clone(), uids.clone(), destination.clone());
        self.store.write(move |tx| transfer::transfer(tx, &options, account, &source, &uids, &destination, moves)).await
    }
}

impl std::fmt::Debug for SqliteAccount {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "SqliteAccount({})", self.row)
    }
}

impl Account for SqliteAccount {
    type Blob = SqliteBlob;
    type Stage = SqliteStage;

    fn features(&self) -> StoreFeatures {
        mailstore_traits::MailStore::features(&SqliteStore(Arc::clone(&self.store)))
    }

    fn list(&self, hint: ListHint) -> impl Stream<Item = Result<MailboxInfo>> + Send + 'static {
        let (store, account) = (Arc::clone(&self.store), self.row);
        stream::once(async move {
            let listed = store.read(move |conn| mailboxes::list(conn, account, &hint)).await;
            let (found, error) = match listed {
                Ok(found) => (found, None),
                Err(error) => (Vec::new(), Some(Err(error))),
            };
            stream::iter(found.into_iter().map(Ok).chain(error))
        })
        .flatten()
    }

    async fn find(&self, name: &MailboxName) -> Result<MailboxId> {
        let (account, name) = (self.row, name.clone());
        self.store.read(move |conn| mailboxes::find(conn, account, &name)).await
    }

    async fn status(&self, ids: &[MailboxId]) -> Result<Vec<MailboxStatus>> {
        let (account, ids) = (self.row, ids.to_vec());
        self.store.read(move |conn| mailboxes::status(conn, account, &ids)).await
    }

    async fn create(&self, name: &MailboxName, special_use: Option<SpecialUse>) -> Result<CreatedMailbox> {
        let (account, name, options) = (self.row, name.clone(), self.store.options.clone());
        self.store.write(move |tx| mailboxes::create(tx, &options, account, &name, special_use)).await
    }

    async fn restore(
        &self,
        name: &MailboxName,
        special_use: Option<SpecialUse>,
        past: MailboxPast,
    ) -> Result<CreatedMailbox> {
        let (account, name, options) = (self.row, name.clone(), self.store.options.clone());
        self.store.write(move |tx| mailboxes::restore(tx, &options, account, &name, special_use, past)).await
    }

    async fn delete(&self, mailbox: &MailboxId) -> Result<()> {
        let (account, id, options) = (self.row, mailbox.clone(), self.store.options.clone());
        self.store.write(move |tx| mailboxes::delete(tx, &options, account, &id)).await?;
        self.store.bell.ring();
        Ok(())
    }

    async fn rename(&self, from: &MailboxName, to: &MailboxName) -> Result<()> {
        let (account, from, to) = (self.row, from.clone(), to.clone());
        self.store.write(move |tx| mailboxes::rename(tx, account, &from, &to)).await
    }

    async fn set_subscribed(&self, name: &MailboxName, subscribed: bool) -> Result<()> {
        let (account, name, options) = (self.row, name.clone(), self.store.options.clone());
        self.store.write(move |tx| mailboxes::set_subscribed(tx, &options, account, &name, subscribed)).await
    }

    async fn snapshot(&self, mailbox: &MailboxId, claim_recent: bool) -> Result<Snapshot> {
        let (account, id, options) = (self.row, mailbox.clone(), self.store.options.clone());
        let known = Arc::clone(&self.store.known_uids);
        let (mut snapshot, recent) =
            self.store.read(move |conn| mailboxes::snapshot(conn, &options, &known, account, &id)).await?;
        // What is claimed is what was read: a message that came in between is the next reader's.
        if let Some(next) = recent
            && claim_recent
        {
            let id = mailbox.clone();
            let from = self.store.write(move |tx| mailboxes::claim_recent(tx, account, &id, next)).await?;
            snapshot.first_recent =
                from.and_then(|from| snapshot.uids.intersection(&UidSet::from_range(from, Uid::MAX)).first());
        }
        Ok(snapshot)
    }

    fn fetch_meta(
        &self,
        mailbox: &MailboxId,
        uids: &UidSet,
        fields: MetaFields,
        filter: MetaFilter,
    ) -> impl Stream<Item = Result<MessageMeta>> + Send + 'static {
        let cursor =
            Cursor { account: self.row, mailbox: mailbox.clone(), uids: uids.clone(), fields, filter, next: None };
        stream::unfold((Arc::clone(&self.store), Some(cursor)), |(store, cursor)| async move {
            let cursor = cursor?;
            let page = store.read(move |conn| messages::page(conn, cursor)).await;
            let (found, error, cursor) = match page {
                Ok((found, cursor)) => (found, None, cursor),
                Err(error) => (Vec::new(), Some(Err(error)), None),
            };
            Some((stream::iter(found.into_iter().map(Ok).chain(error)), (store, cursor)))
        })
        .flatten()
    }

    async fn open_body(&self, mailbox: &MailboxId, uid: Uid, range: ByteRange) -> Result<Body> {
        let (account, id, files) = (self.row, mailbox.clone(), Arc::clone(&self.store.files));
        let outside = self.store.outside.clone();
        let (prefix, source, size) = self
            .store
            .read(move |conn| messages::open_body(conn, &files, outside.as_deref(), account, &id, uid))
            .await?;
        Ok(body(prefix, source, size, range, &self.store))
    }

    async fn changes_since(&self, mailbox: &MailboxId, since: ModSeq, page: usize) -> Result<Changes> {
        let (account, id) = (self.row, mailbox.clone());
        self.store.read(move |conn| messages::changes_since(conn, account, &id, since, page)).await
    }

    async fn put_digest(&self, mailbox: &MailboxId, uid: Uid, digest: MessageDigest) -> Result<()> {
        let (account, id) = (self.row, mailbox.clone());
        self.store.write(move |tx| messages::put_digest(tx, account, &id, uid, &digest)).await
    }

    async fn stage(&self, hint: SizeHint) -> Result<SqliteStage> {
        if let SizeHint::Octets(octets) = hint {
            let account = self.row;
            self.store.read(move |conn| quota::check_announced(conn, account, octets)).await?;
        }
        self.store.stage(hint)
    }

    async fn commit(&self, placements: Vec<Placement<SqliteBlob>>, mode: Mode) -> Result<Vec<Result<Placed>>> {
        let arrivals = placements
            .into_iter()
            .map(|placement| Arrival {
                owner: Owner::Row(self.row),
                mailbox: TargetMailbox::Id(placement.mailbox),
                blob: placement.blob,
                prefix: placement.prefix,
                digest: placement.digest,
                flags: placement.flags,
                internal_date: placement.internal_date,
                replaces: placement.replaces,
                uid: placement.uid,
                uidl: placement.uidl,
                prepared: None,
            })
            .collect();
        self.store.place(arrivals, mode).await
    }

    fn store_flags(
        &self,
        mailbox: &MailboxId,
        uids: &UidSet,
        change: FlagChange,
        unchanged_since: Option<ModSeq>,
    ) -> impl Stream<Item = Result<FlagOutcome>> + Send + 'static {
        FlagWork::new(
            self.store.writer.clone(),
            self.store.options.clone(),
            self.row,
            mailbox.clone(),
            uids.clone(),
            change,
            unchanged_since,
        )
        .run()
    }

    async fn copy(&self, source: &MailboxId, uids: &UidSet, destination: &MailboxId) -> Result<Transferred> {
        self.transfer(source, uids, destination, false).await
    }

    async fn move_messages(&self, source: &MailboxId, uids: &UidSet, destination: &MailboxId) -> Result<Transferred> {
        self.transfer(source, uids, destination, true).await
    }

    async fn expunge(&self, mailbox: &MailboxId, uids: &UidSet, only_deleted: bool) -> Result<(UidSet, ModSeq)> {
        let (account, options) = (self.row, self.store.options.clone());
        let (id, uids) = (mailbox.clone(), uids.clone());
        self.store.write(move |tx| transfer::expunge(tx, &options, account, &id, &uids, only_deleted)).await
    }

    async fn watch(&self, ids: &[MailboxId]) -> Result<impl Stream<Item = MailboxId> + Send + 'static> {
        let (account, ids) = (self.row, ids.to_vec());
        let mailboxes = self
            .store
            .read(move |conn| {
                ids.into_iter().map(|id| Ok((row_of(conn, account, &id)?, id))).collect::<crate::error::Outcome<_>>()
            })
            .await?;
        let mailboxes: BTreeMap<i64, MailboxId> = mailboxes;
        let rows: Vec<i64> = mailboxes.keys().copied().collect();
        // Registered first and read afterwards: a change in between is told once too often and never too rarely.
        let watch = self.store.hub.watch(mailboxes);
        let seen = self.store.read(move |conn| mailboxes::versions(conn, &rows)).await?;
        self.store.hub.seen(&seen, &[]);
        Ok(watch)
    }

    async fn watch_account(&self) -> Result<impl Stream<Item = ()> + Send + 'static> {
        let account = self.row;
        let watch = self.store.hub.watch_account(account);
        let seen = self.store.read(move |conn| mailboxes::list_version(conn, account)).await?;
        self.store.hub.seen(&[], &[(account, seen)]);
        Ok(watch)
    }

    async fn lease_maildrop(&self, mailbox: &MailboxId) -> Result<MaildropLease> {
        if self.store.options.shared {
            return Err(ErrorKind::Unsupported.into());
        }
        let (account, id) = (self.row, mailbox.clone());
        let row = self.store.read(move |conn| row_of(conn, account, &id)).await?;
        self.store.leases.lend(row, self.store.options.lease_time)
    }

    async fn quota_roots(&self, mailbox: &MailboxId) -> Result<Vec<QuotaRoot>> {
        let (account, id) = (self.row, mailbox.clone());
        self.store
            .read(move |conn| {
                row_of(conn, account, &id)?;
                Ok(quota::root(conn, account)?.into_iter().collect())
            })
            .await
    }

    async fn set_quota(&self, root: &str, limits: &[(QuotaResource, u64)]) -> Result<QuotaRoot> {
        if self.actor != Actor::Service {
            return Err(ErrorKind::NotPermitted.into());
        }
        if !root.is_empty() {
            return Err(StoreError::new(ErrorKind::NotFound, "an account has one root, and its name is empty"));
        }
        let (account, limits) = (self.row, limits.to_vec());
        self.store.write(move |tx| quota::set(tx, account, &limits)).await
    }
}
