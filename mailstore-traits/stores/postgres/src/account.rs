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

use crate::content::{Keep, body};
use crate::flags::FlagWork;
use crate::mailboxes::row_of;
use crate::messages::Cursor;
use crate::place::{Arrival, Owner};
use crate::pool::Kind;
use crate::stage::{PostgresBlob, PostgresStage};
use crate::store::{FEATURES, Inner};
use crate::{lease, mailboxes, messages, quota, transfer};

/// A handle on one account of a [`PostgresStore`](crate::PostgresStore), cheap to clone. It keeps the store open.
#[derive(Clone)]
pub struct PostgresAccount {
    store: Arc<Inner>,
    row: i64,
    actor: Actor,
}

/// Work in a transaction of that kind, carried out to its end on the store's runtime: what is in brackets is cloned into it.
/// It begins when no other one of this process is at the mailboxes behind `at`.
macro_rules! work {
    ($self:ident, $kind:ident, [$($name:ident),*], |$store:ident, $tx:ident, $account:ident| $work:expr) => {
        work!($self, $kind, at [], [$($name),*], |$store, $tx, $account| $work)
    };
    ($self:ident, $kind:ident, at [$($at:ident),*], [$($name:ident),*],
        |$store:ident, $tx:ident, $account:ident| $work:expr) => {{
        let ($store, $account) = (Arc::clone(&$self.store), $self.row);
        $(let $name = $name.to_owned();)*
        $self.store.run(async move {
            let _turn = $store.turn(&[$(&$at),*]).await;
            #[allow(unused_mut, reason = "reads do not change it")]
            let mut $tx = $store.begin(Kind::$kind).await?;
            let done = $work.await;
            $store.end($tx, done).await
        })
    }};
}

impl PostgresAccount {
    pub(crate) fn new(store: Arc<Inner>, row: i64, actor: Actor) -> Self {
        Self { store, row, actor }
    }
}

impl std::fmt::Debug for PostgresAccount {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "PostgresAccount({})", self.row)
    }
}

impl Account for PostgresAccount {
    type Blob = PostgresBlob;
    type Stage = PostgresStage;

    fn features(&self) -> StoreFeatures {
        FEATURES
    }

    fn list(&self, hint: ListHint) -> impl Stream<Item = Result<MailboxInfo>> + Send + 'static {
        let this = self.clone();
        stream::once(async move {
            let listed = work!(this, Read, [], |store, tx, account| mailboxes::list(&tx, account, &hint)).await;
            let (found, error) = match listed {
                Ok(found) => (found, None),
                Err(error) => (Vec::new(), Some(Err(error))),
            };
            stream::iter(found.into_iter().map(Ok).chain(error))
        })
        .flatten()
    }

    async fn find(&self, name: &MailboxName) -> Result<MailboxId> {
        let found = work!(self, Read, [name], |store, tx, account| mailboxes::find(&tx, account, &name)).await?;
        found.ok_or_else(|| ErrorKind::NotFound.into())
    }

    async fn status(&self, ids: &[MailboxId]) -> Result<Vec<MailboxStatus>> {
        work!(self, Read, [ids], |store, tx, account| mailboxes::status(&tx, account, &ids)).await
    }

    async fn create(&self, name: &MailboxName, special_use: Option<SpecialUse>) -> Result<CreatedMailbox> {
        work!(self, Write, [name], |store, tx, account| mailboxes::create(
            &mut tx,
            &store.options,
            account,
            &name,
            special_use
        ))
        .await
    }

    async fn restore(
        &self,
        name: &MailboxName,
        special_use: Option<SpecialUse>,
        past: MailboxPast,
    ) -> Result<CreatedMailbox> {
        work!(self, Write, [name], |store, tx, account| mailboxes::restore(
            &mut tx,
            &store.options,
            account,
            &name,
            special_use,
            past
        ))
        .await
    }

    async fn delete(&self, mailbox: &MailboxId) -> Result<()> {
        work!(self, Write, [mailbox], |store, tx, account| mailboxes::delete(
            &mut tx,
            &store.options,
            account,
            &mailbox
        ))
        .await?;
        self.store.bell.notify_one();
        Ok(())
    }

    async fn rename(&self, from: &MailboxName, to: &MailboxName) -> Result<()> {
        work!(self, Write, [from, to], |store, tx, account| mailboxes::rename(&mut tx, account, &from, &to)).await
    }

    async fn set_subscribed(&self, name: &MailboxName, subscribed: bool) -> Result<()> {
        work!(self, Write, [name], |store, tx, account| mailboxes::set_subscribed(
            &mut tx,
            &store.options,
            account,
            &name,
            subscribed
        ))
        .await
    }

    async fn snapshot(&self, mailbox: &MailboxId, claim_recent: bool) -> Result<Snapshot> {
        let (mut snapshot, recent) = work!(self, Read, [mailbox], |store, tx, account| mailboxes::snapshot(
            &tx,
            &store.options,
            &store.known_uids,
            account,
            &mailbox
        ))
        .await?;
        // What is claimed is what was read: a message that came in between is the next reader's.
        if let Some(next) = recent
            && claim_recent
        {
            let from = work!(self, Write, [mailbox], |store, tx, account| mailboxes::claim_recent(
                &tx, account, &mailbox, next
            ))
            .await?;
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
        stream::unfold((self.clone(), Some(cursor)), |(this, cursor)| async move {
            let cursor = cursor?;
            let page = work!(this, Read, [], |store, tx, _account| messages::page(&tx, cursor)).await;
            let (found, error, cursor) = match page {
                Ok((found, cursor)) => (found, None, cursor),
                Err(error) => (Vec::new(), Some(Err(error)), None),
            };
            Some((stream::iter(found.into_iter().map(Ok).chain(error)), (this, cursor)))
        })
        .flatten()
    }

    async fn open_body(&self, mailbox: &MailboxId, uid: Uid, range: ByteRange) -> Result<Body> {
        let (prefix, row, content, size) =
            work!(self, Read, [mailbox], |store, tx, account| messages::find_body(&tx, account, &mailbox, uid)).await?;
        let keep = Keep::Body { _reading: self.store.readers.begin(row) };
        Ok(body(prefix, content, size, range, &self.store, keep))
    }

    async fn changes_since(&self, mailbox: &MailboxId, since: ModSeq, page: usize) -> Result<Changes> {
        work!(self, Read, [mailbox], |store, tx, account| messages::changes_since(&tx, account, &mailbox, since, page))
            .await
    }

    async fn put_digest(&self, mailbox: &MailboxId, uid: Uid, digest: MessageDigest) -> Result<()> {
        work!(self, Write, [mailbox], |store, tx, account| messages::put_digest(&tx, account, &mailbox, uid, &digest))
            .await
    }

    async fn stage(&self, hint: SizeHint) -> Result<PostgresStage> {
        if let SizeHint::Octets(octets) = hint {
            work!(self, Read, [], |store, tx, account| quota::check_announced(&tx, account, octets)).await?;
        }
        PostgresStage::new(&self.store, hint)
    }

    async fn commit(&self, placements: Vec<Placement<PostgresBlob>>, mode: Mode) -> Result<Vec<Result<Placed>>> {
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
        FlagWork {
            store: Arc::clone(&self.store),
            account: self.row,
            mailbox: mailbox.clone(),
            uids: uids.clone(),
            change,
            unchanged_since,
        }
        .run()
    }

    async fn copy(&self, source: &MailboxId, uids: &UidSet, destination: &MailboxId) -> Result<Transferred> {
        work!(self, Write, at [source, destination], [source, uids, destination], |store, tx, account| transfer::transfer(
            &mut tx,
            &store.options,
            account,
            &source,
            &uids,
            &destination,
            false
        ))
        .await
    }

    async fn move_messages(&self, source: &MailboxId, uids: &UidSet, destination: &MailboxId) -> Result<Transferred> {
        work!(self, Write, at [source, destination], [source, uids, destination], |store, tx, account| transfer::transfer(
            &mut tx,
            &store.options,
            account,
            &source,
            &uids,
            &destination,
            true
        ))
        .await
    }

    async fn expunge(&self, mailbox: &MailboxId, uids: &UidSet, only_deleted: bool) -> Result<(UidSet, ModSeq)> {
        work!(self, Write, at[mailbox], [mailbox, uids], |store, tx, account| transfer::expunge(
            &mut tx,
            &store.options,
            account,
            &mailbox,
            &uids,
            only_deleted
        ))
        .await
    }

    async fn watch(&self, ids: &[MailboxId]) -> Result<impl Stream<Item = MailboxId> + Send + 'static> {
        let mailboxes: BTreeMap<i64, MailboxId> = work!(self, Read, [ids], |store, tx, account| async {
            let mut found = BTreeMap::new();
            for id in ids {
                found.insert(row_of(&tx, account, &id).await?, id);
            }
            Ok(found)
        })
        .await?;
        let rows: Vec<i64> = mailboxes.keys().copied().collect();
        // Registered first and read afterwards: a change in between is told once too often and never too rarely.
        let watch = self.store.hub.watch(mailboxes);
        let seen = work!(self, Read, [], |store, tx, _account| mailboxes::versions(&tx, &rows)).await?;
        let seen: Vec<(i64, i64)> = seen.into_iter().filter_map(|(row, modseq)| Some((row, modseq?))).collect();
        self.store.hub.seen(&seen, &[]);
        Ok(watch)
    }

    async fn watch_account(&self) -> Result<impl Stream<Item = ()> + Send + 'static> {
        let watch = self.store.hub.watch_account(self.row);
        let seen = work!(self, Read, [], |store, tx, account| mailboxes::list_versions(&tx, &[account])).await?;
        self.store.hub.seen(&[], &seen);
        Ok(watch)
    }

    async fn lease_maildrop(&self, mailbox: &MailboxId) -> Result<MaildropLease> {
        let (store, account, mailbox) = (Arc::clone(&self.store), self.row, mailbox.clone());
        // If nobody takes the lease that comes of it, it is dropped, and with that given back.
        self.store.run(async move { lease::lend(&store, account, &mailbox).await }).await
    }

    async fn quota_roots(&self, mailbox: &MailboxId) -> Result<Vec<QuotaRoot>> {
        work!(self, Read, [mailbox], |store, tx, account| async {
            row_of(&tx, account, &mailbox).await?;
            Ok(quota::root(&tx, account).await?.into_iter().collect())
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
        work!(self, Write, [limits], |store, tx, account| quota::set(&tx, account, &limits)).await
    }
}
