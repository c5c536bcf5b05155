//! LOGIN-DELAY: who has logged in, and when they may again (RFC 2449 §6.5).

use std::collections::{BTreeSet, HashMap};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use mailstore_traits::AccountId;
use tokio::time::Instant;

use super::own::Own;

/// The logins of a server, of all its listeners and connections. Nothing is kept of an account whose time is over.
#[derive(Debug)]
pub(super) struct LoginIntervals {
    interval: Duration,
    own: Option<Own<Duration>>,
    most: usize,
    table: Mutex<Table>,
}

#[derive(Debug, Default)]
struct Table {
    ends: HashMap<AccountId, Instant>,
    by_end: BTreeSet<(Instant, AccountId)>,
}

impl LoginIntervals {
    /// At most so many accounts are remembered.
    pub(super) fn new(interval: Duration, own: Option<Own<Duration>>, most: usize) -> Self {
        Self { interval, own, most, table: Mutex::default() }
    }

    /// How long this account has to wait between logins.
    pub(super) fn of(&self, account: &AccountId) -> Duration {
        self.own.as_ref().map_or(self.interval, |own| own.of(account).min(self.interval))
    }

    /// Lets an account in that has waited long enough, and no second session of it from now on: two that come at once must
    /// not both pass. Otherwise, how long it has to wait.
    pub(super) fn claim(&self, account: &AccountId) -> Result<(), Duration> {
        let now = Instant::now();
        let mut table = self.lock();
        table.forget_until(now);
        match table.ends.get(account) {
            Some(end) => Err(end.saturating_duration_since(now)),
            None => {
                table.set(account, now.checked_add(self.of(account)), self.most);
                Ok(())
            }
        }
    }

    /// The login was answered with yes: the time counts from here (RFC 2449 §6.5, "after an +OK response").
    pub(super) fn granted(&self, account: &AccountId) {
        self.lock().set(account, Instant::now().checked_add(self.of(account)), self.most);
    }

    /// The login has come to nothing after all: the account may try again at once.
    pub(super) fn give_back(&self, account: &AccountId) {
        self.lock().remove(account);
    }

    fn lock(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Table {
    fn forget_until(&mut self, now: Instant) {
        while self.by_end.first().is_some_and(|(end, _)| *end <= now) {
            self.forget_first();
        }
    }

    /// Without an end, which a clock cannot show, nothing is kept.
    fn set(&mut self, account: &AccountId, end: Option<Instant>, most: usize) {
        self.remove(account);
        let Some(end) = end else { return };
        // A full table lets somebody in too early rather than keep everybody out.
        while self.ends.len() >= most.max(1) {
            self.forget_first();
        }
        self.ends.insert(account.clone(), end);
        self.by_end.insert((end, account.clone()));
    }

    fn remove(&mut self, account: &AccountId) {
        if let Some(end) = self.ends.remove(account) {
            self.by_end.remove(&(end, account.clone()));
        }
    }

    fn forget_first(&mut self) {
        if let Some((_, account)) = self.by_end.pop_first() {
            self.ends.remove(&account);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn account(name: &str) -> AccountId {
        AccountId::new(name)
    }

    #[tokio::test(start_paused = true)]
    async fn an_account_waits_and_others_do_not() {
        let logins = LoginIntervals::new(Duration::from_secs(60), None, 10);
        assert_eq!(logins.claim(&account("ada")), Ok(()));
        assert_eq!(logins.claim(&account("ada")), Err(Duration::from_secs(60)), "while the first is on its way");
        tokio::time::advance(Duration::from_secs(5)).await;
        logins.granted(&account("ada"));
        tokio::time::advance(Duration::from_secs(59)).await;
        assert_eq!(logins.claim(&account("ada")), Err(Duration::from_secs(1)));
        assert_eq!(logins.claim(&account("bob")), Ok(()));
        tokio::time::advance(Duration::from_secs(1)).await;
        assert_eq!(logins.claim(&account("ada")), Ok(()));
        logins.give_back(&account("ada"));
        assert_eq!(logins.claim(&account("ada")), Ok(()), "a login that came to nothing costs nothing");
    }

    #[tokio::test(start_paused = true)]
    async fn an_account_has_an_interval_of_its_own_that_is_no_longer_than_what_everybody_is_told() {
        let own = Own::new(|account| Duration::from_secs(if account.as_str() == "ada" { 10 } else { 999 }));
        let logins = LoginIntervals::new(Duration::from_secs(60), Some(own), 10);
        assert_eq!((logins.claim(&account("ada")), logins.claim(&account("bob"))), (Ok(()), Ok(())));
        tokio::time::advance(Duration::from_secs(10)).await;
        assert_eq!(logins.claim(&account("ada")), Ok(()));
        assert_eq!(logins.claim(&account("bob")), Err(Duration::from_secs(50)));
        tokio::time::advance(Duration::from_secs(50)).await;
        assert_eq!(logins.claim(&account("bob")), Ok(()));
    }

    #[tokio::test(start_paused = true)]
    async fn no_more_is_remembered_than_the_limit_says_and_nothing_when_the_time_is_over() {
        let logins = LoginIntervals::new(Duration::from_secs(60), None, 100);
        for number in 0..1000 {
            assert_eq!(logins.claim(&account(&number.to_string())), Ok(()));
            tokio::time::advance(Duration::from_millis(1)).await;
            let table = logins.lock();
            assert!(table.ends.len() <= 100 && table.by_end.len() == table.ends.len());
            drop(table);
        }
        assert!(logins.claim(&account("999")).is_err());
        assert!(logins.claim(&account("899")).is_ok(), "the oldest made place");
        tokio::time::advance(Duration::from_secs(61)).await;
        assert_eq!(logins.claim(&account("x")), Ok(()));
        assert_eq!(logins.lock().ends.len(), 1);
    }
}
