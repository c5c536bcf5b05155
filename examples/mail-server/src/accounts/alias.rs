//! Aliases: addresses that stand for accounts, or for other aliases.

use super::{Accounts, AccountsError, Result, account_exists, alias_exists};
use crate::name::Address;

impl Accounts {
    /// Lets mail for an address go to these, too.
    pub(crate) fn add_alias(&self, address: &Address, targets: &[Address]) -> Result<()> {
        if let Some(shared) = &self.shared {
            return shared.add_alias(address, targets);
        }
        self.change(|db| {
            if account_exists(db, address.as_str())? {
                return Ok(Err(AccountsError::IsAccount(address.clone())));
            }
            for target in targets {
                if target == address {
                    return Ok(Err(AccountsError::SelfTarget(address.clone())));
                }
                if !account_exists(db, target.as_str())? && !alias_exists(db, target.as_str())? {
                    return Ok(Err(AccountsError::NoTarget(target.clone())));
                }
                let insert = "INSERT OR IGNORE INTO alias (address, target) VALUES (?1, ?2)";
                db.execute(insert, [address.as_str(), target.as_str()])?;
            }
            Ok(Ok(()))
        })
    }

    /// Every alias with its targets, by address.
    pub(crate) fn aliases(&self) -> Result<Vec<(String, String)>> {
        if let Some(shared) = &self.shared {
            return shared.aliases();
        }
        self.read(|db| {
            db.prepare("SELECT address, target FROM alias ORDER BY address, target")?
                .query_map((), |row| Ok((row.get(0)?, row.get(1)?)))?
                .collect()
        })
    }

    /// Takes targets of an alias away, or all of it if none is named.
    pub(crate) fn remove_alias(&self, address: &Address, targets: &[Address]) -> Result<()> {
        if let Some(shared) = &self.shared {
            return shared.remove_alias(address, targets);
        }
        self.change(|db| {
            if !alias_exists(db, address.as_str())? {
                return Ok(Err(AccountsError::NoAlias(address.clone())));
            }
            if targets.is_empty() {
                db.execute("DELETE FROM alias WHERE address = ?1", [address.as_str()])?;
            }
            for target in targets {
                let delete = "DELETE FROM alias WHERE address = ?1 AND target = ?2";
                if db.execute(delete, [address.as_str(), target.as_str()])? == 0 {
                    return Ok(Err(AccountsError::NoAlias(target.clone())));
                }
            }
            Ok(Ok(()))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{accounts, address, secret};
    use super::*;

    #[test]
    fn an_alias_leads_to_what_exists() {
        let (_folder, accounts) = accounts();
        accounts.add(&address("ada"), &secret("one")).unwrap();
        let add = |alias: &str, target: &str| accounts.add_alias(&address(alias), &[address(target)]);
        add("info", "ada").unwrap();
        add("info", "ada").unwrap();
        add("sales", "info").unwrap();
        assert!(matches!(add("x", "nobody"), Err(AccountsError::NoTarget(_))));
        assert!(matches!(add("info", "info"), Err(AccountsError::SelfTarget(_))));
        assert!(matches!(add("ada", "info"), Err(AccountsError::IsAccount(_))));
        assert!(matches!(accounts.add(&address("info"), &secret("x")), Err(AccountsError::IsAlias(_))));
        assert_eq!(accounts.aliases().unwrap().len(), 2);
        accounts.remove_alias(&address("sales"), &[]).unwrap();
        assert!(matches!(accounts.remove_alias(&address("sales"), &[]), Err(AccountsError::NoAlias(_))));
        assert!(matches!(accounts.remove_alias(&address("info"), &[address("bob")]), Err(AccountsError::NoAlias(_))));
    }
}
