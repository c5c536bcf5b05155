//! Who logs in: the accounts as an [`Authenticator`].

use std::sync::Arc;

use mail_wire::{AccountId, ScramHash, ScramKeyPair, ScramKeys, Secret, UserName};
use mailstore_traits::{Authenticator, ErrorKind, StoreError, Timestamp};
use rusqlite::params;
use tokio::sync::Semaphore;

use super::password::{HASH_LEN, Recipe, find};
use super::{Accounts, recipe};
use crate::name::{Address, Domain};

/// An app password's last use is written down at most so often: not every fetch of a mail program is worth a write.
const LAST_USED_EVERY: i64 = 3600;

/// Answers the questions of a login.
#[derive(Debug, Clone)]
pub(crate) struct Logins {
    accounts: Accounts,
    /// Where a name without a domain belongs.
    domain: Domain,
    /// How many passwords are hashed at once. Each takes 19 MiB and a processor; the others wait.
    hashing: Arc<Semaphore>,
    /// What nobody's password is hashed with.
    decoy: Arc<Recipe>,
}

/// What an account's logins need.
#[derive(Debug)]
struct Record {
    recipe: Recipe,
    labels: Vec<(String, Option<i64>)>,
    hashes: Vec<Vec<u8>>,
    scram: Vec<ScramKeyPair>,
}

impl Logins {
    /// Logins of these accounts; a bare name is one at `domain`.
    pub(crate) fn new(accounts: Accounts, domain: Domain) -> Self {
        let processors = std::thread::available_parallelism().map_or(1, usize::from);
        Self { accounts, domain, hashing: Arc::new(Semaphore::new(processors)), decoy: Arc::new(Recipe::new()) }
    }

    fn address(&self, user: &UserName) -> Option<Address> {
        Address::parse(user.as_str(), &self.domain).ok()
    }

    /// Does blocking work on a thread that may block.
    async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Self) -> Result<T, super::AccountsError> + Send + 'static,
    ) -> mailstore_traits::Result<T> {
        let this = self.clone();
        let done = tokio::task::spawn_blocking(move || work(&this)).await;
        match done {
            Ok(Ok(done)) => Ok(done),
            Ok(Err(error)) => {
                tracing::error!(%error, "the accounts cannot be read");
                Err(StoreError::new(ErrorKind::Unavailable, error.to_string()))
            }
            Err(error) => Err(StoreError::new(ErrorKind::Internal, error.to_string())),
        }
    }

    fn record(&self, name: Option<&Address>) -> Result<Option<Record>, super::AccountsError> {
        let Some(name) = name else { return Ok(None) };
        self.accounts.read(|db| {
            let Some(recipe) = recipe(db, name.as_str())? else { return Ok(None) };
            let mut record = Record { recipe, labels: Vec::new(), hashes: Vec::new(), scram: Vec::new() };
            let query = "SELECT label, last_used, argon_hash, scram_stored_key, scram_server_key
                FROM password WHERE account = ?1 ORDER BY label";
            let mut statement = db.prepare_cached(query)?;
            let mut rows = statement.query([name.as_str()])?;
            while let Some(row) = rows.next()? {
                record.labels.push((row.get(0)?, row.get(1)?));
                record.hashes.push(row.get(2)?);
                record.scram.push(ScramKeyPair::new(row.get(3)?, row.get(4)?));
            }
            Ok(Some(record))
        })
    }

    /// Checks a password. Takes as long for nobody as for somebody: one hash (attack row A2).
    fn check(
        &self,
        name: Option<&Address>,
        password: &Secret<String>,
    ) -> Result<Option<AccountId>, super::AccountsError> {
        let record = self.record(name)?;
        let nobody = [vec![0; HASH_LEN]];
        let (recipe, hashes) = match &record {
            Some(record) => (&record.recipe, record.hashes.as_slice()),
            None => (&*self.decoy, nobody.as_slice()),
        };
        let found = recipe.hash(password).and_then(|hash| find(hash.expose(), hashes));
        let (Some(record), Some(name), Some(found)) = (record, name, found) else { return Ok(None) };
        if let Some((label, last_used)) = record.labels.get(found) {
            self.note_use(name, label, *last_used);
        }
        Ok(Some(AccountId::new(name.as_str())))
    }

    /// Writes down when an app password was last used. A login does not fail over it.
    fn note_use(&self, name: &Address, label: &str, last_used: Option<i64>) {
        let now = Timestamp::now().unix_seconds();
        if label.is_empty() || last_used.is_some_and(|last| now.saturating_sub(last) < LAST_USED_EVERY) {
            return;
        }
        let update = "UPDATE password SET last_used = ?3 WHERE account = ?1 AND label = ?2";
        let written = self.accounts.change(|db| db.execute(update, params![name.as_str(), label, now]).map(Ok));
        if let Err(error) = written {
            tracing::warn!(%error, "the use of an app password was not written down");
        }
    }
}

impl Authenticator for Logins {
    async fn check_password(
        &self,
        user: &UserName,
        password: &Secret<String>,
    ) -> mailstore_traits::Result<Option<AccountId>> {
        let (name, password) = (self.address(user), password.clone());
        let permit = Arc::clone(&self.hashing).acquire_owned().await;
        self.blocking(move |this| {
            // Given back when the hashing ends, not when the asking does: a client that hangs up frees no processor.
            let _permit = permit;
            this.check(name.as_ref(), &password)
        })
        .await
    }

    async fn scram_keys(&self, user: &UserName, hash: ScramHash) -> mailstore_traits::Result<Option<ScramKeys>> {
        if hash != ScramHash::Sha256 {
            return Ok(None);
        }
        let name = self.address(user);
        self.blocking(move |this| {
            let keys = this.record(name.as_ref())?.zip(name).map(|(record, name)| {
                let Recipe { scram_salt, scram_iterations, .. } = record.recipe;
                ScramKeys::new(AccountId::new(name.as_str()), scram_salt, scram_iterations, record.scram)
            });
            Ok(keys)
        })
        .await
    }

    /// `ada` and `ada@example.org` are one, in any case of letters; nobody may act as another (attack row A3).
    async fn authorize(
        &self,
        authenticated: &AccountId,
        requested: &UserName,
    ) -> mailstore_traits::Result<Option<AccountId>> {
        let same = self.address(requested).is_some_and(|name| name.as_str() == authenticated.as_str());
        Ok(same.then(|| authenticated.clone()))
    }

    /// By SHA-256, and bound to TLS 1.3 where a client can. Not by SHA-1: for it other keys of every password would have to
    /// be kept, weaker ones, for clients that all know PLAIN.
    fn scram(&self) -> bool {
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn logins() -> (tempfile::TempDir, Logins) {
        let folder = tempfile::tempdir().unwrap();
        let accounts = Accounts::open(folder.path()).unwrap();
        let domain: Domain = "example.org".parse().unwrap();
        let ada = Address::parse("ada", &domain).unwrap();
        accounts.add(&ada, &Secret::new(String::from("hunter2"))).unwrap();
        (folder, Logins::new(accounts, domain))
    }

    fn user(name: &str) -> UserName {
        UserName::new(name).unwrap()
    }

    async fn check(logins: &Logins, name: &str, password: &str) -> Option<String> {
        let found = logins.check_password(&user(name), &Secret::new(password.to_owned())).await.unwrap();
        found.map(|account| account.as_str().to_owned())
    }

    #[tokio::test]
    async fn a_login_is_by_address_or_bare_name_in_any_case() {
        let (_folder, logins) = logins();
        for name in ["ada@example.org", "ada", "ADA@Example.ORG"] {
            assert_eq!(check(&logins, name, "hunter2").await.as_deref(), Some("ada@example.org"), "{name}");
        }
        for (name, password) in [
            ("ada", "hunter3"),
            ("ada", ""),
            ("bob", "hunter2"),
            ("ada@other.example", "hunter2"),
            ("ada@@", "hunter2"),
        ] {
            assert_eq!(check(&logins, name, password).await, None, "{name} {password}");
        }
    }

    #[tokio::test]
    async fn each_app_password_logs_in_until_it_is_taken_back() {
        let (_folder, logins) = logins();
        let ada = logins.address(&user("ada")).unwrap();
        let phone = logins.accounts.add_app_password(&ada, "phone").unwrap();
        let laptop = logins.accounts.add_app_password(&ada, "laptop").unwrap();
        for password in [phone.expose(), laptop.expose(), "hunter2"] {
            assert!(check(&logins, "ada", password).await.is_some());
        }
        let used = logins.accounts.app_passwords(&ada).unwrap();
        assert!(used.iter().all(|app| app.last_used.is_some()), "{used:?}");
        logins.accounts.remove_app_password(&ada, "phone").unwrap();
        assert!(check(&logins, "ada", phone.expose()).await.is_none());
        assert!(check(&logins, "ada", laptop.expose()).await.is_some());
        let keys = logins.scram_keys(&user("ada"), ScramHash::Sha256).await.unwrap().unwrap();
        assert_eq!(keys.keys.len(), 2);
        assert!(logins.scram_keys(&user("nobody"), ScramHash::Sha256).await.unwrap().is_none());
    }

    #[tokio::test]
    async fn sec_a2_nobody_costs_what_somebody_costs() {
        let (_folder, logins) = logins();
        let ada = logins.address(&user("ada")).unwrap();
        for label in ["a", "b", "c"] {
            logins.accounts.add_app_password(&ada, label).unwrap();
        }
        // Costs are compared, not clocks: the same recipe, once.
        let record = logins.record(Some(&ada)).unwrap().unwrap();
        let costs =
            |recipe: &Recipe| (recipe.argon_memory, recipe.argon_passes, recipe.argon_lanes, recipe.argon_salt.len());
        assert_eq!(costs(&record.recipe), costs(&logins.decoy));
        assert_eq!(record.recipe.scram_iterations, super::super::SCRAM_ITERATIONS);
        assert_eq!(check(&logins, "nobody", "hunter2").await, None);
    }

    #[tokio::test]
    async fn sec_a3_nobody_acts_as_another() {
        let (_folder, logins) = logins();
        let ada = AccountId::new("ada@example.org");
        assert_eq!(logins.authorize(&ada, &user("Ada")).await.unwrap(), Some(ada.clone()));
        assert_eq!(logins.authorize(&ada, &user("bob@example.org")).await.unwrap(), None);
        assert_eq!(logins.authorize(&ada, &user("ada@other.example")).await.unwrap(), None);
    }
}
