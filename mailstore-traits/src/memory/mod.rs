//! The reference store: the contract in code. It keeps everything in memory and loses it with the process.
//!
//! It is for tests, for documentation and for small hosts that need no more. It is a whole host: it is a [`MailStore`],
//! and it is the [`Authenticator`](crate::Authenticator) and the [`Directory`](crate::Directory) of the accounts that
//! [`with_account`](MemoryStore::with_account) names.
//!
//! ```
//! use mailstore_traits::memory::MemoryStore;
//! use mailstore_traits::{Account, AccountId, Actor, MailStore, MailboxName, Mode, SizeHint, Stage, Target};
//!
//! # futures::executor::block_on(async {
//! let store = MemoryStore::new().with_account("ada@example.org", "correct horse");
//! let ada = AccountId::from("ada@example.org");
//!
//! // What an SMTP server does with a message.
//! let mut stage = store.stage(SizeHint::Unknown).await?;
//! stage.write("Subject: hello\r\n\r\nHello, Ada.\r\n".into()).await?;
//! let blob = stage.finish(None).await?;
//! store.deliver(&blob, vec![Target::inbox(ada.clone())], Mode::AllOrNothing).await?;
//!
//! // What a POP3 server sees of it.
//! let account = store.open(&ada, &Actor::User(ada.clone())).await?;
//! let inbox = account.find(&MailboxName::inbox()).await?;
//! assert_eq!(account.snapshot(&inbox, false).await?.uids.to_string(), "1");
//! # Ok::<_, mailstore_traits::StoreError>(())
//! # }).unwrap();
//! ```
//!
//! # What it has decided where the contract leaves a choice
//!
//! - It holds no list of accounts for itself: [`open`](MailStore::open) and [`deliver`](MailStore::deliver) make an
//!   account that has not been seen before. Who is let in is the authenticator's matter, who gets mail the directory's.
//!   A user opens their own account, and another's of which they may look up a mailbox; others are
//!   [`NotFound`](crate::ErrorKind::NotFound).
//! - The owner of an account has every right on its mailboxes, and no entry of an ACL can say otherwise. A new mailbox has
//!   the ACL of the nearest one above it. Subscriptions are each user's own; the account's annotations, its quota's limits
//!   and [`restore`](crate::Account::restore) are the owner's and the service's.
//! - Parents of a mailbox are left out, never made. Every legal name is kept to the octet.
//! - Several mailboxes may have the same special use; `\All`, `\Flagged` and `\Important`, being views, are
//!   [`Unsupported`](crate::ErrorKind::Unsupported).
//! - Any name can be subscribed.
//! - Octets are kept as they come, a bare LF too: line ends are the engines' matter. A size hint is only looked at for
//!   the quota.
//! - A mailbox remembers its last 10,000 expunges ([`with_change_horizon`](MemoryStore::with_change_horizon)); asked
//!   about an earlier time, or a later one than its own, it answers
//!   [`ModSeqTooOld`](crate::ErrorKind::ModSeqTooOld).
//! - An annotation's value may have 65,536 octets. A mailbox, and an account, takes 1,000 of each user's and 1,000 shared
//!   ones. [`Actor::Service`] sees the owner's private ones.
//! - All is under one lock, held for no longer than one call's work and never across an `await`.

mod account;
mod annotations;
mod mailbox;
mod rights;
mod signal;
mod stage;
mod state;
mod users;

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

pub use account::MemoryAccount;
pub use stage::{MemoryBlob, MemoryStage};
use state::{Arrival, State};

use crate::{
    AccountId, Actor, Body, ByteRange, ClientCertificate, ErrorKind, MailStore, Mode, Placed, Result, ScramHash,
    ScramKeys, SizeHint, StoreFeatures, Target,
};

/// The reference store. A clone is the same store. See the [module](self) for what it has decided.
#[derive(Clone)]
pub struct MemoryStore(Arc<Shared>);

struct Shared {
    /// Different for each store, to tell a foreign blob.
    id: u64,
    state: Mutex<State>,
}

impl MemoryStore {
    /// A store without users and without mail.
    pub fn new() -> Self {
        static STORES: AtomicU64 = AtomicU64::new(0);
        let id = STORES.fetch_add(1, Ordering::Relaxed);
        Self(Arc::new(Shared { id, state: Mutex::new(State::new()) }))
    }

    /// Adds a user: the name is what they log in with, the address that their mail comes to and the
    /// [`AccountId`]. The domain behind the `@` becomes one of this host's. A name without `@` can log in and has no
    /// address unless [an alias](Self::with_alias) gives it one. A name that is there gets the new password.
    ///
    /// Names and addresses are the same in any case of ASCII letters. The password lies in memory in clear.
    #[must_use]
    pub fn with_account(self, name: &str, password: &str) -> Self {
        self.change(|state| state.users.add(name, password));
        self
    }

    /// Lets mail for an address go to an account too; for several accounts, call it for each.
    #[must_use]
    pub fn with_alias(self, address: &str, account: &str) -> Self {
        self.change(|state| state.users.add_alias(address, account));
        self
    }

    /// With what SCRAM asks for: keys that were derived of a user's passwords (`mail_wire::sasl::scram::derive`), for the
    /// name that is the account's. Once for each hash; SCRAM is then offered by those hashes.
    #[must_use]
    pub fn with_scram_keys(self, hash: ScramHash, keys: ScramKeys) -> Self {
        self.change(|state| state.users.add_scram_keys(hash, keys));
        self
    }

    /// With a certificate that logs in by EXTERNAL: this very one, to the last octet, and whatever names it holds. It may
    /// be several accounts', of which the first is who asks for none.
    #[must_use]
    pub fn with_certificate(self, certificate: ClientCertificate, account: &str) -> Self {
        self.change(|state| state.users.add_certificate(certificate, AccountId::from(account)));
        self
    }

    /// With an account for those who do not say who they are (ANONYMOUS).
    #[must_use]
    pub fn with_anonymous(self, account: &str) -> Self {
        self.change(|state| state.users.anonymous = Some(AccountId::from(account)));
        self
    }

    /// Limits what an account may hold, in octets of messages.
    #[must_use]
    pub fn with_quota(self, account: &str, octets: u64) -> Self {
        self.change(|state| {
            if let Ok(account) = state.account(&AccountId::from(account)) {
                account.quota = Some(octets);
            }
        });
        self
    }

    /// How many expunges the mailboxes remember that are made from here on; 10,000 unless it is said.
    #[must_use]
    pub fn with_change_horizon(self, expunges: usize) -> Self {
        self.change(|state| state.horizon = expunges);
        self
    }

    /// With `false` every call answers [`ErrorKind::Unavailable`], as a store's does whose database is down, until it is
    /// set to `true` again: for a host's tests of what its own program does then.
    pub fn set_available(&self, available: bool) {
        self.change(|state| state.available = available);
    }

    fn check_available(&self) -> Result<()> {
        if self.change(|state| state.available) { Ok(()) } else { Err(ErrorKind::Unavailable.into()) }
    }

    /// As [`change`](Self::change), while the store is available.
    fn try_change<T>(&self, work: impl FnOnce(&mut State) -> Result<T>) -> Result<T> {
        self.change(|state| if state.available { work(state) } else { Err(ErrorKind::Unavailable.into()) })
    }

    /// Looks at the state or changes it, as one step, and raises the signals when the lock is free again: whoever hears
    /// one finds the change done.
    fn change<T>(&self, work: impl FnOnce(&mut State) -> T) -> T {
        // No change is left half done by a panic, for all that can fail is checked before the first write.
        let mut state = self.0.state.lock().unwrap_or_else(PoisonError::into_inner);
        let answer = work(&mut state);
        let signals = state.take_signals();
        drop(state);
        for raise in signals {
            raise();
        }
        answer
    }

    fn check_blob(&self, blob: &MemoryBlob) -> Result<()> {
        if blob.store == self.0.id { Ok(()) } else { Err(ErrorKind::Invalid.into()) }
    }
}

impl Default for MemoryStore {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for MemoryStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MemoryStore({})", self.0.id)
    }
}

const FEATURES: StoreFeatures = StoreFeatures {
    atomic_delivery: true,
    writable: true,
    restore: true,
    maildrop_lease: true,
    uidl_override: true,
    quota: true,
    acl: true,
    annotations: true,
    watch_account: true,
    save_date: true,
    ..StoreFeatures::read_only()
};

impl MailStore for MemoryStore {
    type Account = MemoryAccount;
    type Stage = MemoryStage;
    type Blob = MemoryBlob;

    fn features(&self) -> StoreFeatures {
        FEATURES
    }

    async fn open(&self, account: &AccountId, actor: &Actor) -> Result<MemoryAccount> {
        let guest = actor.user().filter(|user| *user != account);
        self.try_change(|state| match guest {
            // Nobody makes another's account by asking for it.
            Some(guest) if !state.is_shared_with(account, guest) => Err(ErrorKind::NotFound.into()),
            _ => state.account(account).map(|_| ()),
        })?;
        Ok(MemoryAccount { store: self.clone(), id: account.clone(), actor: actor.clone() })
    }

    async fn stage(&self, _hint: SizeHint) -> Result<MemoryStage> {
        // The hint reserves nothing: a peer that announces much and sends nothing costs nothing.
        let email_id = self.try_change(State::new_email_id)?;
        Ok(MemoryStage { store: self.0.id, email_id, octets: Vec::new() })
    }

    async fn read_blob(&self, blob: &MemoryBlob, range: ByteRange) -> Result<Body> {
        self.check_blob(blob)?;
        self.check_available()?;
        Ok(mailbox::body(&bytes::Bytes::new(), &blob.octets, range))
    }

    async fn deliver(&self, blob: &MemoryBlob, targets: Vec<Target>, mode: Mode) -> Result<Vec<Result<Placed>>> {
        self.check_blob(blob)?;
        let arrivals = targets
            .into_iter()
            .map(|target| Arrival {
                account: target.account,
                guest: None,
                mailbox: target.mailbox,
                blob: blob.clone(),
                prefix: target.prefix,
                digest: target.digest,
                flags: target.flags,
                internal_date: None,
                replaces: None,
                uid: None,
                uidl: None,
            })
            .collect();
        self.try_change(|state| state.place(arrivals, mode))
    }
}

#[cfg(test)]
mod tests {
    use futures::executor::block_on;

    use super::*;
    use crate::{Account, MailboxName, Placement, Stage, Uid};

    async fn append(account: &MemoryAccount, octets: usize) -> Result<Uid> {
        let inbox = account.find(&MailboxName::inbox()).await?;
        let mut stage = Account::stage(account, SizeHint::Unknown).await?;
        stage.write(vec![b'x'; octets].into()).await?;
        let placement = Placement::new(stage.finish(None).await?, inbox);
        account
            .commit(vec![placement], Mode::AllOrNothing)
            .await?
            .pop()
            .ok_or(ErrorKind::Internal)?
            .map(|placed| placed.uid)
    }

    #[test]
    fn the_feed_is_exact_as_far_as_the_horizon_and_says_so_beyond() {
        block_on(async {
            let ada = AccountId::from("ada");
            let store = MemoryStore::new().with_change_horizon(2);
            let account = store.open(&ada, &Actor::Service).await.unwrap();
            let inbox = account.find(&MailboxName::inbox()).await.unwrap();
            let mut before = Vec::new();
            for _ in 0..3 {
                let uid = append(&account, 1).await.unwrap();
                before.push(account.snapshot(&inbox, false).await.unwrap().highest_modseq);
                account.expunge(&inbox, &uid.into(), false).await.unwrap();
            }
            let mut told = Vec::new();
            for since in before {
                told.push(account.changes_since(&inbox, since, 9).await.map(|changes| changes.vanished.to_string()));
            }
            let expected = [Err(ErrorKind::ModSeqTooOld.into()), Ok(String::from("2:3")), Ok(String::from("3"))];
            assert_eq!(told, expected);
        });
    }

    #[test]
    fn an_account_takes_no_more_than_its_quota() {
        block_on(async {
            let (ada, bob) = (AccountId::from("ada"), AccountId::from("bob"));
            let store = MemoryStore::new().with_quota("ada", 10);
            let adas = store.open(&ada, &Actor::Service).await.unwrap();
            let bobs = store.open(&bob, &Actor::Service).await.unwrap();
            assert!(append(&adas, 10).await.is_ok());
            assert_eq!(append(&adas, 1).await, Err(ErrorKind::OverQuota.into()));
            assert!(append(&bobs, 1000).await.is_ok(), "another's account is not limited");
        });
    }

    #[test]
    fn the_last_uid_is_given_out_once() {
        block_on(async {
            let account = MemoryStore::new().open(&AccountId::from("ada"), &Actor::Service).await.unwrap();
            let inbox = account.find(&MailboxName::inbox()).await.unwrap();
            account.store.change(|state| {
                let mailbox = state.account(&account.id).unwrap().mailbox_mut(&inbox).unwrap();
                mailbox.skip_to(Uid::MAX);
            });
            assert_eq!(append(&account, 1).await, Ok(Uid::MAX));
            assert_eq!(account.snapshot(&inbox, false).await.unwrap().uid_next, None);
            assert_eq!(append(&account, 1).await, Err(ErrorKind::LimitExceeded.into()));
            let copied = account.copy(&inbox, &Uid::MAX.into(), &inbox).await.map(|_| ());
            assert_eq!(copied, Err(ErrorKind::LimitExceeded.into()));
        });
    }

    #[test]
    fn a_user_cannot_open_another_users_account() {
        let store = MemoryStore::new().with_account("ada@example.org", "a").with_account("bob@example.org", "b");
        let (ada, bob) = (AccountId::from("ada@example.org"), AccountId::from("bob@example.org"));
        let opened = block_on(store.open(&bob, &Actor::User(ada.clone())));
        assert_eq!(opened.map(|_| ()).map_err(|error| error.kind()), Err(ErrorKind::NotFound));

        let adas = block_on(store.open(&ada, &Actor::Service)).unwrap();
        let bobs = block_on(store.open(&bob, &Actor::User(bob.clone()))).unwrap();
        let inbox = block_on(bobs.find(&MailboxName::inbox())).unwrap();
        let seen = block_on(adas.snapshot(&inbox, false)).map(|_| ()).map_err(|error| error.kind());
        assert_eq!(seen, Err(ErrorKind::NotFound), "another account's mailbox looks as if it did not exist");
    }

    #[test]
    fn sec_a13_debug_shows_no_password() {
        let store = MemoryStore::new().with_account("ada@example.org", "hunter2");
        assert!(!format!("{store:?}").contains("hunter2"));
    }
}
