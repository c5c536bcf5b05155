//! Accounts that several servers share: in the PostgreSQL database that has their mail, too.
//!
//! The methods block, as those on the file do. They may be called from a task of a runtime with several threads.

use std::future::Future;

use mail_wire::Secret;
use mail_wire::sasl::SaslConfig;
use mailstore_traits::{
    Destination, Directory, DynAuthenticator, DynDirectory, ErrorKind, Recipient, Resolution, StoreError,
};
use store_postgres::Logins;
use tokio::runtime::Handle;

use super::{AccountsError, AppPassword, Listed, Result, Rules, generate};
use crate::name::Address;

/// The accounts of a database.
#[derive(Debug, Clone)]
pub(crate) struct Shared {
    logins: Logins,
    runtime: Handle,
}

impl Shared {
    /// These, reached on that runtime.
    pub(crate) fn new(logins: Logins, runtime: Handle) -> Self {
        Self { logins, runtime }
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
    pub(crate) fn directory(&self, rules: &Rules) -> DynDirectory {
        DynDirectory::new(Ruled { logins: self.logins.clone(), catch_all: rules.catch_all.clone() })
    }
}

fn no_account(error: AccountsError, name: &Address) -> AccountsError {
    match error {
        AccountsError::Database(error) if error.kind() == ErrorKind::NotFound => AccountsError::NoAccount(name.clone()),
        other => other,
    }
}

/// The database's addresses, and an account for those that it does not know.
#[derive(Debug, Clone)]
struct Ruled {
    logins: Logins,
    catch_all: Option<Address>,
}

impl Directory for Ruled {
    async fn resolve(&self, recipient: &Recipient) -> mailstore_traits::Result<Resolution> {
        let found = self.logins.resolve(recipient).await?;
        match (&found, &self.catch_all) {
            (Resolution::UnknownUser, Some(catch_all)) => {
                // One that has been removed meanwhile gets nothing.
                let known = self.logins.list().await?.into_iter().map(|login| login.name);
                Ok(match known.into_iter().find(|name| name.as_str() == catch_all.as_str()) {
                    Some(account) => Resolution::Local(vec![Destination::inbox(account)]),
                    None => found,
                })
            }
            _ => Ok(found),
        }
    }
}
