//! Accounts that several servers share: in the PostgreSQL database that has their mail, too.
//!
//! The methods block, as those on the file do. They may be called from a task of a runtime with several threads.

use std::future::Future;
use std::time::Duration;

use mail_wire::Secret;
use mail_wire::sasl::SaslConfig;
use mailstore_traits::{
    AccountId, DynAuthenticator, DynDirectory, ErrorKind, StoreError, Timestamp, UidSet, UidValidity,
};
use store_postgres::{FetchLog, Logins};
use tokio::runtime::Handle;

use super::{AccountsError, AppPassword, Fetched, Listed, Result, Rules, generate};
use crate::name::Address;

/// The accounts of a database.
#[derive(Debug, Clone)]
pub(crate) struct Shared {
    logins: Logins,
    fetched: FetchLog,
    runtime: Handle,
}

impl Shared {
    /// These, reached on that runtime.
    pub(crate) fn new(logins: Logins, fetched: FetchLog, runtime: Handle) -> Self {
        Self { logins, fetched, runtime }
    }

    fn wait<T>(&self, work: impl Future<Output = Result<T, StoreError>>) -> Result<T> {
        Ok(tokio::task::block_in_place(|| self.runtime.block_on(work))?)
    }

    pub(super) fn list(&self) -> Result<Vec<Listed>> {
        let listed = self.wait(self.logins.list())?.into_iter();
        let listed = listed.map(|login| Listed {
            name: login.name.as_str().to_owned(),
            created: login.created,
            app_passwords: i64::try_from(login.app_passwords.len()).unwrap_or(i64::MAX),
        });
        Ok(listed.collect())
    }

    fn is_account(&self, name: &Address) -> Result<bool> {
        Ok(self.list()?.iter().any(|account| account.name == name.as_str()))
    }

    fn is_alias(&self, name: &Address) -> Result<bool> {
        Ok(self.aliases()?.iter().any(|(address, _)| address == name.as_str()))
    }

    pub(super) fn require(&self, name: &Address) -> Result<()> {
        if self.is_account(name)? { Ok(()) } else { Err(AccountsError::NoAccount(name.clone())) }
    }

    pub(super) fn require_free(&self, name: &Address) -> Result<()> {
        if self.is_account(name)? {
            return Err(AccountsError::AccountExists(name.clone()));
        }
        if self.is_alias(name)? { Err(AccountsError::IsAlias(name.clone())) } else { Ok(()) }
    }

    pub(super) fn add(&self, name: &Address, password: &Secret<String>) -> Result<()> {
        self.require_free(name)?;
        match self.wait(self.logins.add(name.as_str(), password)) {
            // Another server was faster.
            Err(AccountsError::Database(error)) if error.kind() == ErrorKind::AlreadyExists => {
                Err(AccountsError::AccountExists(name.clone()))
            }
            done => done.map(|_| ()),
        }
    }

    pub(super) fn set_password(&self, name: &Address, password: &Secret<String>) -> Result<()> {
        self.wait(self.logins.set_password(name.as_str(), password)).map_err(|error| no_account(error, name))
    }

    pub(super) fn remove(&self, name: &Address) -> Result<()> {
        self.wait(self.logins.remove(name.as_str())).map_err(|error| no_account(error, name))
    }

    pub(super) fn add_app_password(&self, name: &Address, label: &str) -> Result<Secret<String>> {
        if !(1..=100).contains(&label.chars().count()) || label.chars().any(char::is_control) {
            return Err(AccountsError::BadLabel);
        }
        if self.app_passwords(name)?.iter().any(|known| known.label == label) {
            return Err(AccountsError::LabelExists(name.clone()));
        }
        let password = generate();
        self.wait(self.logins.set_app_password(name.as_str(), label, &password))?;
        Ok(password)
    }

    pub(super) fn app_passwords(&self, name: &Address) -> Result<Vec<AppPassword>> {
        let found = self.wait(self.logins.list())?.into_iter().find(|login| login.name.as_str() == name.as_str());
        let login = found.ok_or_else(|| AccountsError::NoAccount(name.clone()))?;
        let created = login.created;
        let listed = login.app_passwords.into_iter();
        Ok(listed.map(|(label, last_used)| AppPassword { label, created, last_used }).collect())
    }

    pub(super) fn remove_app_password(&self, name: &Address, label: &str) -> Result<()> {
        self.require(name)?;
        match self.wait(self.logins.remove_app_password(name.as_str(), label)) {
            Err(AccountsError::Database(error)) if error.kind() == ErrorKind::NotFound => {
                Err(AccountsError::NoLabel(name.clone()))
            }
            done => done,
        }
    }

    pub(super) fn aliases(&self) -> Result<Vec<(String, String)>> {
        self.wait(self.logins.aliases())
    }

    pub(super) fn add_alias(&self, address: &Address, targets: &[Address]) -> Result<()> {
        if self.is_account(address)? {
            return Err(AccountsError::IsAccount(address.clone()));
        }
        for target in targets {
            if target == address {
                return Err(AccountsError::SelfTarget(address.clone()));
            }
            if !self.is_account(target)? && !self.is_alias(target)? {
                return Err(AccountsError::NoTarget(target.clone()));
            }
        }
        targets.iter().try_for_each(|target| self.wait(self.logins.add_alias(address.as_str(), target.as_str())))
    }

    pub(super) fn remove_alias(&self, address: &Address, targets: &[Address]) -> Result<()> {
        let known: Vec<String> =
            self.aliases()?.into_iter().filter(|(from, _)| from == address.as_str()).map(|(_, to)| to).collect();
        if known.is_empty() {
            return Err(AccountsError::NoAlias(address.clone()));
        }
        if let Some(missing) = targets.iter().find(|target| !known.iter().any(|known| known == target.as_str())) {
            return Err(AccountsError::NoAlias(missing.clone()));
        }
        let gone = known.iter().filter(|known| targets.is_empty() || targets.iter().any(|one| one.as_str() == *known));
        gone.into_iter().try_for_each(|target| self.wait(self.logins.remove_alias(address.as_str(), target)))
    }

    /// How SASL is to be spoken on every server alike.
    pub(crate) fn sasl(&self) -> Result<SaslConfig> {
        self.wait(self.logins.sasl())
    }

    /// Who may log in.
    pub(crate) fn authenticator(&self) -> DynAuthenticator {
        DynAuthenticator::new(self.logins.clone())
    }

    /// Whom mail is for, by the rules of this server.
    pub(crate) fn directory(&self, rules: &Rules) -> Result<DynDirectory> {
        let mut logins = self.logins.clone();
        if let Some(postmaster) = &rules.postmaster {
            logins = logins.with_postmaster(postmaster.as_str())?;
        }
        if let Some(catch_all) = &rules.catch_all {
            logins = logins.with_catch_all(catch_all.as_str())?;
        }
        Ok(DynDirectory::new(logins))
    }

    pub(super) fn note_fetched(
        &self,
        account: &AccountId,
        uid_validity: UidValidity,
        uids: &UidSet,
        at: Timestamp,
    ) -> Result<()> {
        self.wait(self.fetched.note(account, uid_validity, uids, at))
    }

    pub(super) fn fetched_until(&self, until: Timestamp, after: Option<&Fetched>, most: usize) -> Result<Vec<Fetched>> {
        let after = after.map(to_row);
        let most = u32::try_from(most).unwrap_or(u32::MAX);
        let page = self.wait(self.fetched.until(until, after.as_ref(), most))?;
        let from_row = |row: store_postgres::Fetched| {
            let store_postgres::Fetched { account, uid_validity, uid, at, .. } = row;
            Fetched { account, uid_validity, uid, at }
        };
        Ok(page.into_iter().map(from_row).collect())
    }

    pub(super) fn forget_fetched(&self, gone: &[Fetched]) -> Result<()> {
        self.wait(self.fetched.forget(&gone.iter().map(to_row).collect::<Vec<_>>()))
    }

    pub(super) fn claim_sweep(&self, every: Duration) -> Result<bool> {
        self.wait(self.fetched.claim_sweep(every))
    }
}

fn to_row(fetched: &Fetched) -> store_postgres::Fetched {
    let Fetched { account, uid_validity, uid, at } = fetched;
    store_postgres::Fetched::new(account.clone(), *uid_validity, *uid, *at)
}

fn no_account(error: AccountsError, name: &Address) -> AccountsError {
    match error {
        AccountsError::Database(error) if error.kind() == ErrorKind::NotFound => AccountsError::NoAccount(name.clone()),
        other => other,
    }
}
