//! Retention: messages that have been left on the server long enough are removed, if the operator says so.
//!
//! Two rules, both off unless they are asked for: one counts from the first time that POP3 has fetched a message ("leave a
//! copy for 14 days"), one from its arrival. What CAPA tells as EXPIRE (RFC 2449 §6.7) comes of the same figures. Only INBOX
//! is swept, since nothing else is a maildrop: what somebody has filed away is theirs.

use std::time::Duration;

use futures::future::BoxFuture;
use futures::{FutureExt, TryStreamExt};
use mailstore_traits::{
    Account, AccountId, Actor, ErrorKind, MailStore, MailboxId, MailboxName, MaildropLease, MetaFields, MetaFilter,
    StoreError, Timestamp, Uid, UidSet,
};
use pop3_proto::{Expiry, Retrieved};

use crate::accounts::{Accounts, AccountsError, Fetched};

/// Messages that are looked at and removed in one go. Few: a maildrop is held meanwhile, and a login finds it in use.
const PAGE: usize = 100;
/// Between two pages, for those who wait for the same store.
const PAUSE: Duration = Duration::from_millis(20);
/// Between two sweeps.
const EVERY: Duration = Duration::from_secs(3600);
/// Between two sweeps of several servers that share their mail: not all sweep each hour. Less than that hour, so that one
/// that comes a little early is not an hour late.
const EVERY_OF_ALL: Duration = Duration::from_secs(3300);
const DAY: i64 = 86_400;

/// What is removed, and when. Nothing, by default.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Policy {
    /// So many days after POP3 has first fetched a message.
    pub(crate) fetched: Option<u32>,
    /// So many days after a message has come into INBOX, whoever has seen it.
    pub(crate) any: Option<u32>,
}

/// What a sweep has done.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Swept {
    /// Messages that POP3 had fetched.
    fetched: u64,
    /// Messages that were old.
    old: u64,
    /// Pages of maildrops that sessions held: the next sweep's.
    in_use: u64,
}

/// Why a page could not be worked through.
#[derive(Debug, thiserror::Error)]
enum Trouble {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Accounts(#[from] AccountsError),
}

impl Policy {
    /// What CAPA may promise: the least that any rule grants.
    pub(crate) fn expiry(self) -> Expiry {
        self.fetched.into_iter().chain(self.any).min().map_or(Expiry::Never, Expiry::Days)
    }

    fn is_off(self) -> bool {
        self == Self::default()
    }
}

/// Notes what POP3 sessions fetch.
pub(crate) fn noting(accounts: Accounts) -> impl Fn(Retrieved) -> BoxFuture<'static, ()> + Send + Sync + 'static {
    move |Retrieved { account, uid_validity, uids, .. }| {
        let accounts = accounts.clone();
        async move {
            let whose = account.clone();
            let noted = blocking(move || accounts.note_fetched(&whose, uid_validity, &uids, Timestamp::now())).await;
            if let Err(error) = noted {
                // Not the user's trouble: these messages stay until they are fetched again.
                tracing::warn!(%account, %error, "what POP3 has fetched is not noted");
            }
        }
        .boxed()
    }
}

/// Sweeps at the start and every hour, for ever.
pub(crate) async fn keep_sweeping<S: MailStore>(store: S, accounts: Accounts, policy: Policy) {
    if policy.is_off() {
        return;
    }
    let mut ticks = tokio::time::interval(EVERY);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        let file = accounts.clone();
        match blocking(move || file.claim_sweep(EVERY_OF_ALL)).await {
            Ok(true) => {}
            Ok(false) => continue,
            Err(error) => {
                tracing::error!(%error, "retention: nothing is swept this time");
                continue;
            }
        }
        let swept = sweep(&store, &accounts, policy, Timestamp::now()).await;
        if swept != Swept::default() {
            let Swept { fetched, old, in_use } = swept;
            tracing::info!(
                fetched,
                old,
                in_use,
                "retention: messages removed, and pages of maildrops in use left for later"
            );
        }
    }
}

async fn sweep<S: MailStore>(store: &S, accounts: &Accounts, policy: Policy, now: Timestamp) -> Swept {
    let mut swept = Swept::default();
    if let Some(days) = policy.fetched
        && let Err(error) = sweep_fetched(store, accounts, before(now, days), &mut swept).await
    {
        tracing::error!(%error, "retention: what POP3 has fetched is not removed");
    }
    if let Some(days) = policy.any
        && let Err(error) = sweep_old(store, accounts, before(now, days), &mut swept).await
    {
        tracing::error!(%error, "retention: old messages are not removed");
    }
    swept
}

fn before(now: Timestamp, days: u32) -> Timestamp {
    Timestamp::from_unix(now.unix_seconds().saturating_sub(i64::from(days).saturating_mul(DAY)))
}

async fn sweep_fetched<S: MailStore>(
    store: &S,
    accounts: &Accounts,
    until: Timestamp,
    swept: &mut Swept,
) -> Result<(), Trouble> {
    let mut after: Option<Fetched> = None;
    loop {
        let (file, from) = (accounts.clone(), after.take());
        let page = blocking(move || file.fetched_until(until, from.as_ref(), PAGE)).await?;
        let Some(last) = page.last().cloned() else { return Ok(()) };
        for due in page.chunk_by(|a, b| (&a.account, a.uid_validity) == (&b.account, b.uid_validity)) {
            let Some(first) = due.first() else { continue };
            match remove_fetched(store, &first.account, due).await {
                Ok(removed) => {
                    swept.fetched = swept.fetched.saturating_add(removed);
                    let (file, gone) = (accounts.clone(), due.to_vec());
                    blocking(move || file.forget_fetched(&gone)).await?;
                }
                Err(error) if error.kind() == ErrorKind::InUse => swept.in_use = swept.in_use.saturating_add(1),
                // One account's trouble is not the others'.
                Err(error) => tracing::warn!(account = %first.account, %error, "retention: maildrop not swept"),
            }
        }
        after = Some(last);
        tokio::time::sleep(PAUSE).await;
    }
}

/// Removes these messages, which are of one account and one numbering.
async fn remove_fetched<S: MailStore>(store: &S, account: &AccountId, due: &[Fetched]) -> Result<u64, StoreError> {
    let inbox = Inbox::hold(store, account).await?;
    let snapshot = inbox.account.snapshot(&inbox.id, false).await?;
    // Numbers of a mailbox that is no more name nothing, or something else.
    let due: Vec<_> = due.iter().filter(|it| it.uid_validity == snapshot.uid_validity).collect();
    let uids: UidSet = due.iter().map(|it| it.uid).filter(|uid| snapshot.uids.contains(*uid)).collect();
    // A message that came after another one of its name was fetched is not that one, whatever numbers say.
    let is_it =
        |uid: Uid, saved: Timestamp| due.iter().any(|it| it.uid == uid && saved.unix_seconds() <= it.at.unix_seconds());
    inbox.remove(&uids, is_it).await
}

async fn sweep_old<S: MailStore>(
    store: &S,
    accounts: &Accounts,
    until: Timestamp,
    swept: &mut Swept,
) -> Result<(), Trouble> {
    let file = accounts.clone();
    for listed in blocking(move || file.list()).await? {
        let account = AccountId::new(listed.name);
        loop {
            match remove_old(store, &account, until).await {
                Ok(0) => break,
                Ok(removed) => swept.old = swept.old.saturating_add(removed),
                Err(error) => {
                    match error.kind() {
                        ErrorKind::InUse => swept.in_use = swept.in_use.saturating_add(1),
                        _ => tracing::warn!(%account, %error, "retention: maildrop not swept"),
                    }
                    break;
                }
            }
            tokio::time::sleep(PAUSE).await;
        }
        tokio::task::yield_now().await;
    }
    Ok(())
}

/// Removes old messages of the first page. UIDs rise with time, so that what is old stands in front: a page without any is
/// the last that is looked at.
async fn remove_old<S: MailStore>(store: &S, account: &AccountId, until: Timestamp) -> Result<u64, StoreError> {
    let inbox = Inbox::hold(store, account).await?;
    let first: UidSet = inbox.account.snapshot(&inbox.id, false).await?.uids.iter().take(PAGE).collect();
    inbox.remove(&first, |_, saved| saved.unix_seconds() <= until.unix_seconds()).await
}

/// An INBOX that no POP3 session has.
struct Inbox<A> {
    account: A,
    id: MailboxId,
    _lease: Option<MaildropLease>,
}

impl<A: Account> Inbox<A> {
    async fn hold<S: MailStore<Account = A>>(store: &S, account: &AccountId) -> Result<Self, StoreError> {
        let account = store.open(account, &Actor::Service).await?;
        let id = account.find(&MailboxName::inbox()).await?;
        let lease = match account.lease_maildrop(&id).await {
            Ok(lease) => Some(lease),
            Err(error) if error.kind() == ErrorKind::Unsupported => None,
            Err(error) => return Err(error),
        };
        Ok(Self { account, id, _lease: lease })
    }

    /// Removes those of the messages that are due by their SAVEDATE: when they came into this mailbox. A message of which the
    /// store does not know that is never due.
    async fn remove(&self, uids: &UidSet, due: impl Fn(Uid, Timestamp) -> bool) -> Result<u64, StoreError> {
        let metas = self.account.fetch_meta(&self.id, uids, MetaFields::FIXED, MetaFilter::default());
        let metas: Vec<_> = metas.try_collect().await?;
        let due: UidSet =
            metas.iter().filter(|it| it.save_date.is_some_and(|saved| due(it.uid, saved))).map(|it| it.uid).collect();
        if due.is_empty() {
            return Ok(0);
        }
        let (gone, _) = self.account.expunge(&self.id, &due, false).await?;
        Ok(gone.len())
    }
}

/// SQLite's work, on a thread that may wait.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, AccountsError> + Send + 'static,
) -> Result<T, AccountsError> {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done,
        Err(panicked) => match panicked.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            // The runtime is going down; nobody waits for this any more.
            Err(_) => std::future::pending().await,
        },
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use mail_wire::Secret;
    use mailstore_traits::memory::MemoryStore;
    use mailstore_traits::{Mode, SizeHint, Stage, Target};

    use super::*;
    use crate::name::Address;

    struct Place {
        _folder: tempfile::TempDir,
        store: MemoryStore,
        accounts: Accounts,
    }

    fn ada() -> AccountId {
        AccountId::new("ada@example.org")
    }

    impl Place {
        async fn with_mail(count: usize) -> Self {
            let folder = tempfile::tempdir().unwrap();
            let accounts = Accounts::open(folder.path()).unwrap();
            let name = Address::parse("ada", &"example.org".parse().unwrap()).unwrap();
            accounts.add(&name, &Secret::new(String::from("x"))).unwrap();
            let this = Self { _folder: folder, store: MemoryStore::new(), accounts };
            for _ in 0..count {
                let mut stage = this.store.stage(SizeHint::Unknown).await.unwrap();
                stage.write(Bytes::from_static(b"A: b\r\n\r\n")).await.unwrap();
                let blob = stage.finish(None).await.unwrap();
                this.store.deliver(&blob, vec![Target::inbox(ada())], Mode::AllOrNothing).await.unwrap();
            }
            this
        }

        /// POP3 has fetched these, so many days from now.
        async fn fetched(&self, uids: impl IntoIterator<Item = u32>, days: i64) {
            let inbox = Inbox::hold(&self.store, &ada()).await.unwrap();
            let numbering = inbox.account.snapshot(&inbox.id, false).await.unwrap().uid_validity;
            let uids: UidSet = uids.into_iter().filter_map(Uid::new).collect();
            self.accounts.note_fetched(&ada(), numbering, &uids, in_days(days)).unwrap();
        }

        async fn left(&self) -> u64 {
            let account = self.store.open(&ada(), &Actor::Service).await.unwrap();
            let inbox = account.find(&MailboxName::inbox()).await.unwrap();
            account.snapshot(&inbox, false).await.unwrap().uids.len()
        }

        async fn sweep(&self, policy: Policy, days: i64) -> Swept {
            sweep(&self.store, &self.accounts, policy, in_days(days)).await
        }
    }

    fn in_days(days: i64) -> Timestamp {
        Timestamp::from_unix(Timestamp::now().unix_seconds() + days * DAY)
    }

    const FETCHED: Policy = Policy { fetched: Some(14), any: None };
    const OLD: Policy = Policy { fetched: None, any: Some(30) };

    #[tokio::test]
    async fn nothing_is_removed_unless_it_is_asked_for() {
        let place = Place::with_mail(3).await;
        place.fetched(1..=3, 0).await;
        assert_eq!(place.sweep(Policy::default(), 10_000).await, Swept::default());
        assert_eq!(place.left().await, 3);
        assert_eq!(Policy::default().expiry(), Expiry::Never);
        // It ends by itself, too: there is nothing to wake up for.
        keep_sweeping(place.store.clone(), place.accounts.clone(), Policy::default()).await;
    }

    #[tokio::test]
    async fn a_copy_stays_for_as_long_as_was_said_after_its_first_fetch() {
        let place = Place::with_mail(250).await;
        place.fetched(1..=220, 1).await;
        place.fetched(200..=230, 5).await;
        assert_eq!(place.sweep(FETCHED, 14).await, Swept::default());
        assert_eq!(place.sweep(FETCHED, 15).await, Swept { fetched: 220, ..Swept::default() });
        assert_eq!(place.left().await, 30);
        assert_eq!(place.sweep(FETCHED, 15).await, Swept::default(), "once");
        assert_eq!(place.sweep(FETCHED, 19).await.fetched, 10);
        assert_eq!(place.left().await, 20, "what nobody has fetched stays");
    }

    #[tokio::test]
    async fn a_maildrop_in_use_is_left_for_later() {
        let place = Place::with_mail(2).await;
        place.fetched([1], 0).await;
        let session = Inbox::hold(&place.store, &ada()).await.unwrap();
        let both = Policy { any: Some(30), ..FETCHED };
        assert_eq!(place.sweep(both, 31).await, Swept { in_use: 2, ..Swept::default() });
        assert_eq!(place.left().await, 2);
        drop(session);
        assert_eq!(place.sweep(both, 31).await, Swept { fetched: 1, old: 1, in_use: 0 });
        assert_eq!(place.left().await, 0);
    }

    #[tokio::test]
    async fn old_messages_go_whoever_has_seen_them_and_young_ones_stay() {
        let place = Place::with_mail(250).await;
        assert_eq!(place.sweep(OLD, 29).await, Swept::default());
        assert_eq!(place.sweep(OLD, 30).await, Swept { old: 250, ..Swept::default() });
        assert_eq!(place.left().await, 0);
    }

    #[tokio::test]
    async fn a_note_about_another_message_of_that_number_removes_nothing() {
        let place = Place::with_mail(1).await;
        // Noted before the message came: it was another one's.
        place.fetched([1], -1).await;
        let other = mailstore_traits::UidValidity::new(1).unwrap();
        place.accounts.note_fetched(&ada(), other, &UidSet::all().iter().take(1).collect(), in_days(0)).unwrap();
        assert_eq!(place.sweep(FETCHED, 100).await, Swept::default());
        assert_eq!(place.left().await, 1);
        assert!(place.accounts.fetched_until(in_days(100), None, 10).unwrap().is_empty(), "and is forgotten");
    }

    #[test]
    fn capa_promises_the_least_that_any_rule_grants() {
        for (fetched, any, expected) in [
            (Some(14), None, Expiry::Days(14)),
            (None, Some(30), Expiry::Days(30)),
            (Some(30), Some(90), Expiry::Days(30)),
            (Some(90), Some(30), Expiry::Days(30)),
            (None, None, Expiry::Never),
        ] {
            assert_eq!(Policy { fetched, any }.expiry(), expected);
        }
    }
}
