//! From a login to a maildrop: INBOX, held alone, as a list of numbers and sizes.

use std::pin::pin;

use futures::StreamExt;
use mailstore_traits::{
    Account, AccountId, Actor, ErrorKind, MailStore, MailboxId, MailboxName, MaildropLease, MetaFields, MetaFilter,
    Result, StoreError, Uid, UidSet, UidValidity,
};

use crate::grammar::UniqueId;
use crate::session::Maildrop;

/// A maildrop that a session holds. Dropped, it is free for the next one (RFC 1939 §6, attack row P6).
pub(super) struct Held<A> {
    pub(super) account: A,
    pub(super) inbox: MailboxId,
    pub(super) uid_validity: UidValidity,
    lease: Option<MaildropLease>,
}

impl<A: Account> Held<A> {
    /// Opens the account's INBOX in its owner's name, holds it, and reads what is in it.
    pub(super) async fn open<S>(store: &S, owner: &AccountId, with_lease: bool, most: usize) -> Result<(Self, Maildrop)>
    where
        S: MailStore<Account = A>,
    {
        let account = store.open(owner, &Actor::User(owner.clone())).await?;
        let inbox = account.find(&MailboxName::inbox()).await?;
        let lease = match account.features().maildrop_lease {
            true => Some(account.lease_maildrop(&inbox).await?),
            // What a store does not have it is not asked for (store contract, row 76).
            false if with_lease => return Err(ErrorKind::Unsupported.into()),
            false => None,
        };
        let (uid_validity, maildrop) = list(&account, &inbox, most).await?;
        Ok((Self { account, inbox, uid_validity, lease }, maildrop))
    }

    /// Removes these messages and no others, then lets the maildrop go. Not to be given up half-way: a store may carry out
    /// what nobody waits for any more (rule 7 of the contract).
    pub(super) async fn remove(self, keys: Vec<u32>) -> Result<()> {
        let uids: UidSet = keys.into_iter().filter_map(Uid::new).collect();
        let removed = match self.account.features().writable {
            true => self.account.expunge(&self.inbox, &uids, false).await,
            false => Err(ErrorKind::NotPermitted.into()),
        };
        drop(self.lease);
        removed.map(|_| ())
    }
}

/// A million messages are read one by one, and of each no more is kept than twelve octets.
async fn list<A: Account>(account: &A, inbox: &MailboxId, most: usize) -> Result<(UidValidity, Maildrop)> {
    let snapshot = account.snapshot(inbox, false).await?;
    let mut maildrop = Maildrop::new(snapshot.uid_validity.value(), most);
    let fields = MetaFields::FIXED.with_uidl();
    let mut messages = pin!(account.fetch_meta(inbox, &snapshot.uids, fields, MetaFilter::default()));
    while let Some(meta) = messages.next().await {
        let meta = meta?;
        let key = meta.uid.value();
        let id = meta.uidl.and_then(|id| match UniqueId::new(id) {
            Ok(id) => Some(id),
            Err(error) => {
                tracing::error!(uid = key, %error, "the store's unique-id cannot be told; UIDVALIDITY and UID stand in for it");
                None
            }
        });
        let pushed = match id {
            Some(id) => maildrop.push_with_id(key, meta.size, id),
            None => maildrop.push(key, meta.size),
        };
        pushed.map_err(|_| StoreError::from(ErrorKind::LimitExceeded))?;
    }
    Ok((snapshot.uid_validity, maildrop))
}
