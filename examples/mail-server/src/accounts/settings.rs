//! What the program remembers beside the accounts: what it was started with, what it has made, a key.

use mail_wire::Secret;
use rusqlite::{OptionalExtension, params};

use super::{Accounts, Result, password};
use crate::name::{Address, Domain};
use crate::options::StoreChoice;

impl Accounts {
    /// The domains that the server was last started with, for commands that were told none.
    pub(crate) fn served_domains(&self) -> Result<Vec<Domain>> {
        let text = self.setting("domains")?.unwrap_or_default();
        Ok(String::from_utf8_lossy(&text).lines().filter_map(|line| line.parse().ok()).collect())
    }

    /// Remembers the domains that the server is started with.
    pub(crate) fn set_served_domains(&self, domains: &[Domain]) -> Result<()> {
        let text = domains.iter().map(Domain::as_str).collect::<Vec<_>>().join("\n");
        if self.setting("domains")?.as_deref() == Some(text.as_bytes()) {
            return Ok(());
        }
        self.set_setting("domains", text.as_bytes())
    }

    /// The store that the server was last started with, if it was not the default: a command that went to another one
    /// would import mail that nobody sees, or remove none.
    pub(crate) fn served_store(&self) -> Result<Option<StoreChoice>> {
        let text = self.setting("store")?.unwrap_or_default();
        Ok(std::str::from_utf8(&text).ok().and_then(|text| text.parse().ok()))
    }

    /// Remembers the store that the server is started with; `None` for the default.
    pub(crate) fn set_served_store(&self, store: Option<&StoreChoice>) -> Result<()> {
        let text = store.map(StoreChoice::to_text).unwrap_or_default();
        if self.setting("store")?.unwrap_or_default() == text.as_bytes() {
            return Ok(());
        }
        self.set_setting("store", text.as_bytes())
    }

    /// Whether the first account is still to be made: there is none, and never was one made by the program itself.
    pub(crate) fn wants_first(&self) -> Result<bool> {
        Ok(self.list()?.is_empty() && self.setting("first account")?.is_none())
    }

    /// Remembers that the first account has been made, so that it does not come back when it is removed.
    pub(crate) fn first_made(&self, name: &Address) -> Result<()> {
        self.set_setting("first account", name.as_str().as_bytes())
    }

    /// The key that made-up SCRAM salts are derived with. It must outlive a restart: a salt for a name that changed
    /// would tell that there is no such user (attack row A1).
    pub(crate) fn decoy_key(&self) -> Result<Secret<[u8; 32]>> {
        self.change(|db| {
            let insert = "INSERT OR IGNORE INTO setting (name, value) VALUES ('decoy key', ?1)";
            db.execute(insert, [password::random::<32>()])?;
            db.query_row("SELECT value FROM setting WHERE name = 'decoy key'", (), |row| row.get(0))
                .map(|key: [u8; 32]| Ok(Secret::new(key)))
        })
    }

    fn setting(&self, name: &str) -> Result<Option<Vec<u8>>> {
        self.read(|db| db.query_row("SELECT value FROM setting WHERE name = ?1", [name], |row| row.get(0)).optional())
    }

    fn set_setting(&self, name: &str, value: &[u8]) -> Result<()> {
        let insert = "INSERT OR REPLACE INTO setting (name, value) VALUES (?1, ?2)";
        self.change(|db| db.execute(insert, params![name, value]).map(|_| Ok(())))
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{accounts, address, secret};
    use super::*;

    #[test]
    fn sec_a1_the_decoy_key_outlives_a_restart() {
        let (folder, accounts) = accounts();
        let key = accounts.decoy_key().unwrap();
        drop(accounts);
        assert_eq!(Accounts::open(folder.path()).unwrap().decoy_key().unwrap().expose(), key.expose());
    }

    #[test]
    fn the_first_account_does_not_come_back() {
        let (_folder, accounts) = accounts();
        assert!(accounts.wants_first().unwrap());
        accounts.add(&address("me"), &secret("one")).unwrap();
        accounts.first_made(&address("me")).unwrap();
        accounts.remove(&address("me")).unwrap();
        assert!(!accounts.wants_first().unwrap());
    }
}
