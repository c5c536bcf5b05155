//! Accounts, their passwords, and aliases: kept in `accounts.sqlite` in the data folder.
//!
//! Any number of processes work on the file at once: `account add` while the server runs is seen by the next login. The
//! methods block; the server calls them on threads made for that.

mod alias;
mod authenticator;
mod directory;
mod fetched;
mod password;
mod schema;
mod settings;
mod shared;

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use mail_wire::Secret;
use mailstore_traits::{StoreError, Timestamp};
use rusqlite::{Connection, OptionalExtension, TransactionBehavior, params};

pub(crate) use authenticator::Logins;
pub(crate) use directory::{Addresses, Rules};
pub(crate) use fetched::Fetched;
pub(crate) use password::{BadPassword, SALT_LEN, SCRAM_ITERATIONS, generate};
use password::{Kept, Recipe};
pub(crate) use schema::OpenError;
pub(crate) use shared::Shared;

use crate::error::Failure;
use crate::name::Address;

/// The file's name in the data folder.
pub(crate) const FILE: &str = "accounts.sqlite";

/// Why something was not done with the accounts. Each says what to do.
#[derive(Debug, thiserror::Error)]
pub(crate) enum AccountsError {
    #[error("there is an account {0} already; `account passwd {0}` gives it a new password")]
    AccountExists(Address),
    #[error("there is no account {0}; `account list` shows those there are")]
    NoAccount(Address),
    #[error("{0} is an alias; remove that first with `alias remove {0}`")]
    IsAlias(Address),
    #[error("{0} is an account, so it cannot be an alias, too")]
    IsAccount(Address),
    #[error("there is no alias {0}; `alias list` shows those there are")]
    NoAlias(Address),
    #[error("{0} is neither an account nor an alias here; make the account first with `account add {0}`")]
    NoTarget(Address),
    #[error("{0} cannot stand for itself")]
    SelfTarget(Address),
    #[error("{0} has an app password of that label already; choose another, or remove that one first")]
    LabelExists(Address),
    #[error("{0} has no app password of that label; `account app-password list {0}` shows those there are")]
    NoLabel(Address),
    #[error("a label has 1 to 100 characters, none of them a control character; choose another")]
    BadLabel,
    #[error(transparent)]
    Password(#[from] BadPassword),
    #[error(transparent)]
    Open(#[from] OpenError),
    #[error("the accounts in the database cannot be reached: {0}")]
    Database(#[from] StoreError),
}

impl From<AccountsError> for Failure {
    fn from(error: AccountsError) -> Self {
        Self::failed(error.to_string())
    }
}

type Result<T, E = AccountsError> = std::result::Result<T, E>;

/// One account, as `account list` tells it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Listed {
    pub(crate) name: String,
    pub(crate) created: Timestamp,
    pub(crate) app_passwords: i64,
}

/// One app password, without what is kept of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct AppPassword {
    pub(crate) label: String,
    pub(crate) created: Timestamp,
    pub(crate) last_used: Option<Timestamp>,
}

/// The open file. Clones share it.
#[derive(Debug, Clone)]
pub(crate) struct Accounts {
    connection: Arc<Mutex<Connection>>,
    path: PathBuf,
    /// Where accounts and aliases are, if several servers share them; the file has the rest.
    shared: Option<Shared>,
}

impl Accounts {
    /// Opens the accounts of a data folder, and makes the file if there is none.
    pub(crate) fn open(folder: &Path) -> Result<Self> {
        let path = folder.join(FILE);
        let connection = schema::open(&path)?;
        Ok(Self { connection: Arc::new(Mutex::new(connection)), path, shared: None })
    }

    /// The same, but for accounts and aliases, which are where several servers have them.
    #[must_use]
    pub(crate) fn shared_by(mut self, shared: Shared) -> Self {
        self.shared = Some(shared);
        self
    }

    /// Where several servers have them, if they do.
    pub(crate) fn shared(&self) -> Option<&Shared> {
        self.shared.as_ref()
    }

    /// Makes an account. Says whether one of that name was removed before and its mail kept, which this one now has.
    pub(crate) fn add(&self, name: &Address, password: &Secret<String>) -> Result<bool> {
        if let Some(shared) = &self.shared {
            return shared.add(name, password).map(|()| false);
        }
        let recipe = Recipe::new();
        let kept = recipe.keep(password)?;
        self.change(|db| {
            if let Err(taken) = free(db, name)? {
                return Ok(Err(taken));
            }
            db.execute(
                "INSERT INTO account (name, created, argon_salt, argon_memory, argon_passes, argon_lanes, scram_salt,
                    scram_iterations) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
                params![
                    name.as_str(),
                    Timestamp::now().unix_seconds(),
                    recipe.argon_salt,
                    recipe.argon_memory,
                    recipe.argon_passes,
                    recipe.argon_lanes,
                    recipe.scram_salt,
                    recipe.scram_iterations
                ],
            )?;
            insert_password(db, name, "", &kept)?;
            Ok(Ok(db.execute("DELETE FROM removed WHERE name = ?1", [name.as_str()])? > 0))
        })
    }

    /// Gives an account a new password of its own.
    pub(crate) fn set_password(&self, name: &Address, password: &Secret<String>) -> Result<()> {
        if let Some(shared) = &self.shared {
            return shared.set_password(name, password);
        }
        let recipe = self.recipe(name)?;
        let kept = recipe.keep(password)?;
        self.change(|db| {
            if !account_exists(db, name.as_str())? {
                return Ok(Err(AccountsError::NoAccount(name.clone())));
            }
            db.execute("DELETE FROM password WHERE account = ?1 AND label = ''", [name.as_str()])?;
            insert_password(db, name, "", &kept).map(Ok)
        })
    }

    /// Removes an account and its passwords, and remembers that its mail is still there.
    pub(crate) fn remove(&self, name: &Address) -> Result<()> {
        if let Some(shared) = &self.shared {
            return shared.remove(name);
        }
        self.change(|db| {
            if db.execute("DELETE FROM account WHERE name = ?1", [name.as_str()])? == 0 {
                return Ok(Err(AccountsError::NoAccount(name.clone())));
            }
            db.execute("INSERT OR IGNORE INTO removed (name) VALUES (?1)", [name.as_str()]).map(|_| Ok(()))
        })
    }

    /// Whether an account of that name was removed and its mail kept.
    pub(crate) fn left_mail(&self, name: &Address) -> Result<bool> {
        self.read(|db| db.prepare("SELECT 1 FROM removed WHERE name = ?1")?.exists([name.as_str()]))
    }

    /// Forgets that there was mail: it has been removed, too.
    pub(crate) fn mail_is_gone(&self, name: &Address) -> Result<()> {
        self.change(|db| db.execute("DELETE FROM removed WHERE name = ?1", [name.as_str()]).map(|_| Ok(())))
    }

    /// Fails unless there is such an account.
    pub(crate) fn require(&self, name: &Address) -> Result<()> {
        if let Some(shared) = &self.shared {
            return shared.require(name);
        }
        if self.read(|db| account_exists(db, name.as_str()))? {
            Ok(())
        } else {
            Err(AccountsError::NoAccount(name.clone()))
        }
    }

    /// Fails if there is an account or an alias of that name.
    pub(crate) fn require_free(&self, name: &Address) -> Result<()> {
        if let Some(shared) = &self.shared {
            return shared.require_free(name);
        }
        self.read(|db| free(db, name))?
    }

    /// All accounts, the oldest first.
    pub(crate) fn list(&self) -> Result<Vec<Listed>> {
        if let Some(shared) = &self.shared {
            return shared.list();
        }
        self.read(|db| {
            let count = "(SELECT count(*) FROM password WHERE account = account.name AND label <> '')";
            db.prepare(&format!("SELECT name, created, {count} FROM account ORDER BY position"))?
                .query_map((), |row| {
                    Ok(Listed { name: row.get(0)?, created: time(row.get(1)?), app_passwords: row.get(2)? })
                })?
                .collect()
        })
    }

    /// Makes up an app password, keeps it, and gives it out this once.
    pub(crate) fn add_app_password(&self, name: &Address, label: &str) -> Result<Secret<String>> {
        if let Some(shared) = &self.shared {
            return shared.add_app_password(name, label);
        }
        if !(1..=100).contains(&label.chars().count()) || label.chars().any(char::is_control) {
            return Err(AccountsError::BadLabel);
        }
        let password = generate();
        let kept = self.recipe(name)?.keep(&password)?;
        self.change(|db| {
            let taken = "SELECT 1 FROM password WHERE account = ?1 AND label = ?2";
            if db.query_row(taken, [name.as_str(), label], |_| Ok(())).optional()?.is_some() {
                return Ok(Err(AccountsError::LabelExists(name.clone())));
            }
            insert_password(db, name, label, &kept).map(Ok)
        })?;
        Ok(password)
    }

    /// An account's app passwords, by label.
    pub(crate) fn app_passwords(&self, name: &Address) -> Result<Vec<AppPassword>> {
        if let Some(shared) = &self.shared {
            return shared.app_passwords(name);
        }
        self.require(name)?;
        self.read(|db| {
            let query =
                "SELECT label, created, last_used FROM password WHERE account = ?1 AND label <> '' ORDER BY label";
            db.prepare(query)?
                .query_map([name.as_str()], |row| {
                    let last_used: Option<i64> = row.get(2)?;
                    Ok(AppPassword { label: row.get(0)?, created: time(row.get(1)?), last_used: last_used.map(time) })
                })?
                .collect()
        })
    }

    /// Takes an app password back.
    pub(crate) fn remove_app_password(&self, name: &Address, label: &str) -> Result<()> {
        if let Some(shared) = &self.shared {
            return shared.remove_app_password(name, label);
        }
        self.require(name)?;
        let query = "DELETE FROM password WHERE account = ?1 AND label = ?2 AND label <> ''";
        let gone = self.change(|db| db.execute(query, [name.as_str(), label]).map(Ok))?;
        if gone == 0 { Err(AccountsError::NoLabel(name.clone())) } else { Ok(()) }
    }

    fn recipe(&self, name: &Address) -> Result<Recipe> {
        self.read(|db| recipe(db, name.as_str()))?.ok_or_else(|| AccountsError::NoAccount(name.clone()))
    }

    /// Reads from one state of the file.
    fn read<T>(&self, work: impl FnOnce(&Connection) -> rusqlite::Result<T>) -> Result<T> {
        let mut connection = self.lock();
        let transaction = connection.transaction().map_err(|error| self.explain(&error))?;
        work(&transaction).map_err(|error| self.explain(&error))
    }

    /// Changes the file, or leaves it as it is if the work fails or refuses.
    fn change<T>(&self, work: impl FnOnce(&Connection) -> rusqlite::Result<Result<T>>) -> Result<T> {
        let mut connection = self.lock();
        let transaction = connection
            .transaction_with_behavior(TransactionBehavior::Immediate)
            .map_err(|error| self.explain(&error))?;
        let done = work(&transaction).map_err(|error| self.explain(&error))??;
        transaction.commit().map_err(|error| self.explain(&error))?;
        Ok(done)
    }

    fn lock(&self) -> MutexGuard<'_, Connection> {
        // A panic under the lock rolled its transaction back; the connection is good.
        self.connection.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn explain(&self, error: &rusqlite::Error) -> AccountsError {
        schema::explain(&self.path, error).into()
    }
}

fn time(seconds: i64) -> Timestamp {
    Timestamp::from_unix(seconds)
}

fn account_exists(db: &Connection, name: &str) -> rusqlite::Result<bool> {
    db.prepare_cached("SELECT 1 FROM account WHERE name = ?1")?.exists([name])
}

fn alias_exists(db: &Connection, address: &str) -> rusqlite::Result<bool> {
    db.prepare_cached("SELECT 1 FROM alias WHERE address = ?1")?.exists([address])
}

fn free(db: &Connection, name: &Address) -> rusqlite::Result<Result<()>> {
    Ok(if account_exists(db, name.as_str())? {
        Err(AccountsError::AccountExists(name.clone()))
    } else if alias_exists(db, name.as_str())? {
        Err(AccountsError::IsAlias(name.clone()))
    } else {
        Ok(())
    })
}

fn recipe(db: &Connection, name: &str) -> rusqlite::Result<Option<Recipe>> {
    let query = "SELECT argon_salt, argon_memory, argon_passes, argon_lanes, scram_salt, scram_iterations
        FROM account WHERE name = ?1";
    let row = |row: &rusqlite::Row<'_>| {
        Ok(Recipe {
            argon_salt: row.get(0)?,
            argon_memory: row.get(1)?,
            argon_passes: row.get(2)?,
            argon_lanes: row.get(3)?,
            scram_salt: row.get(4)?,
            scram_iterations: row.get(5)?,
        })
    };
    db.prepare_cached(query)?.query_row([name], row).optional()
}

fn insert_password(db: &Connection, name: &Address, label: &str, kept: &Kept) -> rusqlite::Result<()> {
    db.execute(
        "INSERT INTO password (account, label, argon_hash, scram_stored_key, scram_server_key, created)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        params![
            name.as_str(),
            label,
            kept.argon_hash,
            kept.scram.stored_key.expose(),
            kept.scram.server_key.expose(),
            Timestamp::now().unix_seconds()
        ],
    )
    .map(drop)
}

#[cfg(test)]
mod testing {
    use super::*;

    pub(super) fn address(text: &str) -> Address {
        Address::parse(text, &"example.org".parse().unwrap()).unwrap()
    }

    pub(super) fn secret(text: &str) -> Secret<String> {
        Secret::new(text.to_owned())
    }

    pub(super) fn accounts() -> (tempfile::TempDir, Accounts) {
        let folder = tempfile::tempdir().unwrap();
        let accounts = Accounts::open(folder.path()).unwrap();
        (folder, accounts)
    }
}

#[cfg(test)]
mod tests {
    use super::testing::{accounts, address, secret};
    use super::*;

    #[test]
    fn accounts_come_and_go() {
        let (folder, accounts) = accounts();
        assert!(!accounts.add(&address("ada"), &secret("one")).unwrap());
        assert!(matches!(accounts.add(&address("ADA"), &secret("two")), Err(AccountsError::AccountExists(_))));
        assert!(matches!(accounts.add(&address("bob"), &secret("")), Err(AccountsError::Password(BadPassword::Empty))));
        assert!(matches!(accounts.set_password(&address("bob"), &secret("x")), Err(AccountsError::NoAccount(_))));
        accounts.set_password(&address("ada"), &secret("two")).unwrap();
        // Another process sees it, and works beside this one.
        let other = Accounts::open(folder.path()).unwrap();
        assert_eq!(other.list().unwrap().len(), 1);
        other.remove(&address("ada")).unwrap();
        assert!(accounts.list().unwrap().is_empty());
        assert!(matches!(accounts.remove(&address("ada")), Err(AccountsError::NoAccount(_))));
        assert!(accounts.left_mail(&address("ada")).unwrap());
        assert!(accounts.add(&address("ada"), &secret("three")).unwrap(), "its mail was kept");
        accounts.remove(&address("ada")).unwrap();
        accounts.mail_is_gone(&address("ada")).unwrap();
        assert!(!accounts.add(&address("ada"), &secret("four")).unwrap(), "its mail was not");
        assert!(!accounts.wants_first().unwrap());
    }

    #[test]
    fn no_password_is_in_the_file() {
        let (folder, accounts) = accounts();
        accounts.add(&address("ada"), &secret("correct horse battery")).unwrap();
        let made = accounts.add_app_password(&address("ada"), "phone").unwrap();
        for file in std::fs::read_dir(folder.path()).unwrap() {
            let octets = std::fs::read(file.unwrap().path()).unwrap();
            for text in ["correct horse battery", made.expose()] {
                assert!(!octets.windows(text.len()).any(|window| window == text.as_bytes()));
            }
        }
    }

    #[test]
    fn app_passwords_have_labels() {
        let (_folder, accounts) = accounts();
        let ada = address("ada");
        accounts.add(&ada, &secret("one")).unwrap();
        accounts.add_app_password(&ada, "phone").unwrap();
        assert!(matches!(accounts.add_app_password(&ada, "phone"), Err(AccountsError::LabelExists(_))));
        assert!(matches!(accounts.add_app_password(&ada, ""), Err(AccountsError::BadLabel)));
        assert!(matches!(accounts.add_app_password(&address("bob"), "x"), Err(AccountsError::NoAccount(_))));
        assert_eq!(accounts.list().unwrap().first().unwrap().app_passwords, 1);
        let listed = accounts.app_passwords(&ada).unwrap();
        assert_eq!(listed.iter().map(|app| app.label.as_str()).collect::<Vec<_>>(), ["phone"]);
        accounts.remove_app_password(&ada, "phone").unwrap();
        assert!(matches!(accounts.remove_app_password(&ada, "phone"), Err(AccountsError::NoLabel(_))));
        assert!(matches!(accounts.remove_app_password(&ada, ""), Err(AccountsError::NoLabel(_))), "its own stays");
    }
}
