//! One principal's handle on a memory store.

use std::fmt;

use futures::{Stream, StreamExt, stream};

use super::annotations::Annotations;
use super::mailbox::Mailbox;
use super::rights;
use super::signal::{Signal, Signals};
use super::stage::{MemoryBlob, MemoryStage};
use super::state::{AccountState, Arrival, State};
use super::{FEATURES, MemoryStore};
use crate::{
    Account, AccountId, AclEntry, Actor, Annotation, Body, ByteRange, Changes, CreatedMailbox, ErrorKind, FlagChange,
    FlagOutcome, ListHint, MailStore, MailboxId, MailboxInfo, MailboxName, MailboxPast, MailboxStatus, MaildropLease,
    MessageDigest, MessageMeta, MetaFields, MetaFilter, ModSeq, Mode, Placed, Placement, QuotaResource, QuotaRoot,
    Result, Rights, SizeHint, Snapshot, SpecialUse, StoreError, StoreFeatures, TargetMailbox, Transferred, Uid, UidSet,
};

/// How many messages [`fetch_meta`](Account::fetch_meta) reads under one hold of the lock.
const META_BATCH: usize = 64;
/// A unit of [`QuotaResource::Storage`], in octets (RFC 9208 §5.1).
const QUOTA_UNIT: u64 = 1024;

/// A handle on one account of a [`MemoryStore`].
#[derive(Clone)]
pub struct MemoryAccount {
    pub(super) store: MemoryStore,
    pub(super) id: AccountId,
    pub(super) actor: Actor,
}

impl fmt::Debug for MemoryAccount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryAccount").field("id", &self.id).field("actor", &self.actor).finish_non_exhaustive()
    }
}

impl MemoryAccount {
    fn change<T>(&self, work: impl FnOnce(&mut State, &AccountId) -> Result<T>) -> Result<T> {
        self.store.try_change(|state| work(state, &self.id))
    }

    fn look<T>(&self, look: impl FnOnce(&mut AccountState) -> Result<T>) -> Result<T> {
        self.store.try_change(|state| look(state.account(&self.id)?))
    }

    /// As [`look`](Self::look), at a mailbox on which the actor has these rights.
    fn look_at<T>(&self, mailbox: &MailboxId, needed: &str, look: impl FnOnce(&mut Mailbox) -> Result<T>) -> Result<T> {
        self.look(|account| look(account.mailbox_for(self.guest(), mailbox, needed)?))
    }

    /// Who acts, if it is neither the owner nor the service and has to have rights.
    fn guest(&self) -> Option<&AccountId> {
        self.actor.user().filter(|user| **user != self.id)
    }

    fn annotations_of<'a>(
        &self,
        account: &'a mut AccountState,
        mailbox: Option<&MailboxId>,
    ) -> Result<&'a mut Annotations> {
        match mailbox {
            // RFC 5464 §3.3: looking it up and any one of these is enough, to set them too.
            Some(mailbox) => Ok(&mut account.need_any(self.guest(), mailbox, "rswip")?.annotations),
            None => self.owners_only().map(|()| &mut account.annotations),
        }
    }

    fn owners_only(&self) -> Result<()> {
        if self.guest().is_none() { Ok(()) } else { Err(ErrorKind::NotPermitted.into()) }
    }

    /// Whose private annotations and subscriptions this handle sees.
    fn who(&self) -> &AccountId {
        self.actor.user().unwrap_or(&self.id)
    }

    fn quota_root(&self) -> Result<Option<QuotaRoot>> {
        self.look(|account| {
            let used = account.used().div_ceil(QUOTA_UNIT);
            let limit = account.quota.map(|limit| limit / QUOTA_UNIT);
            Ok(limit.map(|limit| QuotaRoot::new("", vec![(QuotaResource::Storage, used, limit)])))
        })
    }
}

/// Where a stream of metadata has got to.
struct MetaCursor {
    account: MemoryAccount,
    mailbox: MailboxId,
    /// What is still to be looked at; `None` at the end.
    uids: Option<UidSet>,
    fields: MetaFields,
    filter: MetaFilter,
}

impl MetaCursor {
    /// The next batch, from one hold of the lock.
    fn advance(mut self) -> Option<(Vec<Result<MessageMeta>>, Self)> {
        let uids = self.uids.take()?;
        let batch = self
            .account
            .look_at(&self.mailbox, "r", |mailbox| Ok(mailbox.meta(&uids, self.fields, &self.filter, META_BATCH)));
        match batch {
            Ok((found, next)) => {
                self.uids = next.map(|next| uids.intersection(&UidSet::from_range(next, Uid::MAX)));
                Some((found.into_iter().map(Ok).collect(), self))
            }
            Err(error) => Some((vec![Err(error)], self)),
        }
    }
}

/// Whether it is for a mailbox that shows the messages of others (RFC 6154 §2, RFC 8457 §2). There are none here.
fn is_view(special_use: Option<SpecialUse>) -> bool {
    matches!(special_use, Some(SpecialUse::All | SpecialUse::Flagged | SpecialUse::Important))
}

struct Lease {
    account: MemoryAccount,
    mailbox: MailboxId,
}

impl Drop for Lease {
    fn drop(&mut self) {
        // A mailbox that has been deleted meanwhile needs nothing given back.
        self.account.store.change(|state| {
            let account = state.account(&self.account.id);
            if let Ok(mailbox) = account.and_then(|account| account.mailbox_mut(&self.mailbox)) {
                mailbox.leased = false;
            }
        });
    }
}

impl Account for MemoryAccount {
    type Blob = MemoryBlob;
    type Stage = MemoryStage;

    fn features(&self) -> StoreFeatures {
        FEATURES
    }

    fn list(&self, _hint: ListHint) -> impl Stream<Item = Result<MailboxInfo>> + Send + 'static {
        match self.look(|account| Ok(account.list(&self.id, self.guest()))) {
            Ok(names) => stream::iter(names.into_iter().map(Ok).collect::<Vec<_>>()),
            Err(error) => stream::iter(vec![Err(error)]),
        }
    }

    async fn find(&self, name: &MailboxName) -> Result<MailboxId> {
        self.look(|account| {
            let id = account.names.get(name).ok_or(ErrorKind::NotFound)?;
            account.need(self.guest(), id, "").map(|_| id.clone())
        })
    }

    async fn status(&self, mailboxes: &[MailboxId]) -> Result<Vec<MailboxStatus>> {
        self.look(|account| {
            let status = |id: &MailboxId| Some(account.need(self.guest(), id, "r").ok()?.status(id.clone()));
            Ok(mailboxes.iter().filter_map(status).collect())
        })
    }

    async fn create(&self, name: &MailboxName, special_use: Option<SpecialUse>) -> Result<CreatedMailbox> {
        if is_view(special_use) {
            return Err(ErrorKind::Unsupported.into());
        }
        self.change(|state, account| {
            state.account(account)?.need_above(self.guest(), name)?;
            let made = state.make_mailbox(account, name, special_use)?;
            state.signal_account(account)?;
            Ok(made)
        })
    }

    async fn restore(
        &self,
        name: &MailboxName,
        special_use: Option<SpecialUse>,
        past: MailboxPast,
    ) -> Result<CreatedMailbox> {
        self.owners_only()?;
        if is_view(special_use) {
            return Err(ErrorKind::Unsupported.into());
        }
        self.change(|state, account| {
            let restored = state.restore_mailbox(account, name, special_use, past)?;
            state.signal_mailbox(account, &restored.id)?;
            state.signal_account(account)?;
            Ok(restored)
        })
    }

    async fn delete(&self, mailbox: &MailboxId) -> Result<()> {
        self.change(|state, account| state.delete(account, self.guest(), mailbox))
    }

    async fn rename(&self, from: &MailboxName, to: &MailboxName) -> Result<()> {
        self.change(|state, account| state.rename(account, self.guest(), from, to))
    }

    async fn set_subscribed(&self, name: &MailboxName, subscribed: bool) -> Result<()> {
        self.change(|state, account| {
            let names = state.account(account)?.subscribed.entry(self.who().clone()).or_default();
            let changed = if subscribed { names.insert(name.clone()) } else { names.remove(name) };
            if changed { state.signal_account(account) } else { Ok(()) }
        })
    }

    async fn snapshot(&self, mailbox: &MailboxId, claim_recent: bool) -> Result<Snapshot> {
        self.look(|account| {
            let may = account.rights(self.guest(), account.need(self.guest(), mailbox, "r")?);
            Ok(rights::seen_with(&may, account.mailbox_mut(mailbox)?.snapshot(claim_recent)))
        })
    }

    fn fetch_meta(
        &self,
        mailbox: &MailboxId,
        uids: &UidSet,
        fields: MetaFields,
        filter: MetaFilter,
    ) -> impl Stream<Item = Result<MessageMeta>> + Send + 'static {
        let cursor =
            MetaCursor { account: self.clone(), mailbox: mailbox.clone(), uids: Some(uids.clone()), fields, filter };
        stream::unfold(cursor, |cursor| async { cursor.advance() }).map(stream::iter).flatten()
    }

    async fn open_body(&self, mailbox: &MailboxId, uid: Uid, range: ByteRange) -> Result<Body> {
        self.look_at(mailbox, "r", |mailbox| {
            let message = mailbox.messages.get(&uid).ok_or(ErrorKind::Expunged)?;
            Ok(message.body(range))
        })
    }

    async fn changes_since(&self, mailbox: &MailboxId, since: ModSeq, page: usize) -> Result<Changes> {
        self.look_at(mailbox, "r", |mailbox| mailbox.changes_since(since, page))
    }

    async fn put_digest(&self, mailbox: &MailboxId, uid: Uid, digest: MessageDigest) -> Result<()> {
        self.look_at(mailbox, "r", |mailbox| {
            let message = mailbox.messages.get_mut(&uid).ok_or(ErrorKind::Expunged)?;
            message.digest = Some(digest);
            Ok(())
        })
    }

    async fn stage(&self, hint: SizeHint) -> Result<MemoryStage> {
        if let SizeHint::Octets(announced) = hint {
            self.look(|account| account.check_quota(announced, 0))?;
        }
        self.store.stage(hint).await
    }

    async fn commit(&self, placements: Vec<Placement<MemoryBlob>>, mode: Mode) -> Result<Vec<Result<Placed>>> {
        for placement in &placements {
            self.store.check_blob(&placement.blob)?;
        }
        self.change(|state, account| {
            let arrivals = placements
                .into_iter()
                .map(|placement| Arrival {
                    account: account.clone(),
                    guest: self.guest().cloned(),
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
            state.place(arrivals, mode)
        })
    }

    fn store_flags(
        &self,
        mailbox: &MailboxId,
        uids: &UidSet,
        change: FlagChange,
        unchanged_since: Option<ModSeq>,
    ) -> impl Stream<Item = Result<FlagOutcome>> + Send + 'static {
        // Done here and not when the stream is read: it has to be carried out even if nobody reads.
        let outcomes = self.change(|state, account| {
            let owner = state.account(account)?;
            let may = owner.rights(self.guest(), owner.need(self.guest(), mailbox, "r")?);
            if !rights::may_try(&may, &change) {
                return Err(ErrorKind::NotPermitted.into());
            }
            let mailbox_state = owner.mailbox_mut(mailbox)?;
            let before = mailbox_state.highest;
            let outcomes = mailbox_state.store_flags(uids, &change, unchanged_since, &may);
            if mailbox_state.highest != before {
                state.signal_mailbox(account, mailbox)?;
            }
            Ok(outcomes)
        });
        match outcomes {
            Ok(outcomes) => stream::iter(outcomes.into_iter().map(Ok).collect::<Vec<_>>()),
            Err(error) => stream::iter(vec![Err(error)]),
        }
    }

    async fn copy(&self, source: &MailboxId, uids: &UidSet, destination: &MailboxId) -> Result<Transferred> {
        self.change(|state, account| state.transfer(account, self.guest(), source, uids, destination, false))
    }

    async fn move_messages(&self, source: &MailboxId, uids: &UidSet, destination: &MailboxId) -> Result<Transferred> {
        self.change(|state, account| state.transfer(account, self.guest(), source, uids, destination, true))
    }

    async fn expunge(&self, mailbox: &MailboxId, uids: &UidSet, only_deleted: bool) -> Result<(UidSet, ModSeq)> {
        self.change(|state, account| {
            // Whoever removes what nobody has marked marks it too.
            let needed = if only_deleted { "re" } else { "rte" };
            let mailbox_state = state.account(account)?.mailbox_for(self.guest(), mailbox, needed)?;
            let gone = mailbox_state.expunge(uids, only_deleted);
            let highest = mailbox_state.highest;
            if !gone.is_empty() {
                state.signal_mailbox(account, mailbox)?;
            }
            Ok((gone, highest))
        })
    }

    async fn watch(&self, mailboxes: &[MailboxId]) -> Result<impl Stream<Item = MailboxId> + Send + 'static> {
        let signal = Signal::new();
        self.look(|account| {
            for mailbox in mailboxes {
                account.mailbox_for(self.guest(), mailbox, "r")?.watchers.add(&signal);
            }
            Ok(())
        })?;
        Ok(Signals(signal))
    }

    async fn watch_account(&self) -> Result<impl Stream<Item = ()> + Send + 'static> {
        let signal = Signal::new();
        self.look(|account| {
            account.watchers.add(&signal);
            Ok(())
        })?;
        Ok(Signals(signal))
    }

    async fn lease_maildrop(&self, mailbox: &MailboxId) -> Result<MaildropLease> {
        self.look_at(mailbox, "rte", |mailbox| {
            let leased = &mut mailbox.leased;
            if std::mem::replace(leased, true) { Err(StoreError::from(ErrorKind::InUse)) } else { Ok(()) }
        })?;
        Ok(MaildropLease::new(Lease { account: self.clone(), mailbox: mailbox.clone() }))
    }

    async fn quota_roots(&self, mailbox: &MailboxId) -> Result<Vec<QuotaRoot>> {
        // RFC 9208 §6
        self.look_at(mailbox, "r", |_| Ok(()))?;
        Ok(self.quota_root()?.into_iter().collect())
    }

    async fn set_quota(&self, root: &str, limits: &[(QuotaResource, u64)]) -> Result<QuotaRoot> {
        if self.actor != Actor::Service {
            return Err(ErrorKind::NotPermitted.into());
        }
        if !root.is_empty() {
            return Err(ErrorKind::NotFound.into());
        }
        if limits.iter().any(|(resource, _)| *resource != QuotaResource::Storage) {
            return Err(ErrorKind::Unsupported.into());
        }
        let limit = limits.first().map(|(_, units)| units.saturating_mul(QUOTA_UNIT));
        self.look(|account| {
            account.quota = limit;
            Ok(())
        })?;
        Ok(self.quota_root()?.unwrap_or_else(|| QuotaRoot::new("", Vec::new())))
    }

    async fn acl(&self, mailbox: &MailboxId) -> Result<Vec<AclEntry>> {
        self.look_at(mailbox, "a", |mailbox| Ok(mailbox.acl.entries(&self.id)))
    }

    async fn set_acl(&self, mailbox: &MailboxId, entry: AclEntry) -> Result<()> {
        self.change(|state, id| {
            state.account(id)?.mailbox_for(self.guest(), mailbox, "a")?.acl.set(id, entry)?;
            state.signal_account(id)
        })
    }

    async fn my_rights(&self, mailbox: &MailboxId) -> Result<Rights> {
        self.look(|account| Ok(account.rights(self.guest(), account.need(self.guest(), mailbox, "")?)))
    }

    async fn annotations(&self, mailbox: Option<&MailboxId>, entries: &[String]) -> Result<Vec<Annotation>> {
        self.look(|account| Ok(self.annotations_of(account, mailbox)?.get(self.who(), entries)))
    }

    async fn set_annotations(&self, mailbox: Option<&MailboxId>, annotations: Vec<Annotation>) -> Result<()> {
        self.change(|state, id| {
            self.annotations_of(state.account(id)?, mailbox)?.set(self.who(), annotations)?;
            // NOTIFY tells of these too (RFC 5465 §5.6).
            state.signal_account(id)
        })
    }
}
