//! When POP3 first fetched a message: what "leave a copy for 14 days" counts from.
//!
//! In the accounts' file (or database) and not in the mail store: a keyword on each message would be shown to every IMAP
//! client, would wake those that watch, and would have to be looked for in all mail every hour. Here an index names what is
//! due. If the file is lost or older than the mail, messages stay longer, never shorter.

use std::time::Duration;

use mailstore_traits::{AccountId, Timestamp, Uid, UidSet, UidValidity};
use rusqlite::params;

use super::{Accounts, Result};

/// A message that POP3 has fetched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Fetched {
    pub(crate) account: AccountId,
    pub(crate) uid_validity: UidValidity,
    pub(crate) uid: Uid,
    /// The first time.
    pub(crate) at: Timestamp,
}

impl Accounts {
    /// Notes that POP3 has fetched these messages; those that were noted before keep their time. Of an account that has
    /// been removed meanwhile nothing is noted.
    pub(crate) fn note_fetched(
        &self,
        account: &AccountId,
        uid_validity: UidValidity,
        uids: &UidSet,
        at: Timestamp,
    ) -> Result<()> {
        if let Some(shared) = &self.shared {
            return shared.note_fetched(account, uid_validity, uids, at);
        }
        let insert = "INSERT OR IGNORE INTO fetched (account, uid_validity, uid, at)
            SELECT name, ?2, ?3, ?4 FROM account WHERE name = ?1";
        self.change(|db| {
            let mut insert = db.prepare_cached(insert)?;
            for uid in uids.iter() {
                insert.execute(params![account.as_str(), uid_validity.value(), uid.value(), at.unix_seconds()])?;
            }
            Ok(Ok(()))
        })
    }

    /// A page of what was fetched at that time or earlier, in the order of account, UIDVALIDITY and UID, from behind `after`
    /// on.
    pub(crate) fn fetched_until(&self, until: Timestamp, after: Option<&Fetched>, most: usize) -> Result<Vec<Fetched>> {
        if let Some(shared) = &self.shared {
            return shared.fetched_until(until, after, most);
        }
        let query = "SELECT account, uid_validity, uid, at FROM fetched
            WHERE at <= ?1 AND (account, uid_validity, uid) > (?2, ?3, ?4)
            ORDER BY account, uid_validity, uid LIMIT ?5";
        let (account, uid_validity, uid) =
            after.map_or(("", 0, 0), |it| (it.account.as_str(), it.uid_validity.value(), it.uid.value()));
        let most = i64::try_from(most).unwrap_or(i64::MAX);
        let rows = self.read(|db| {
            db.prepare_cached(query)?
                .query_map(params![until.unix_seconds(), account, uid_validity, uid, most], |row| {
                    let account: String = row.get(0)?;
                    Ok((account, row.get::<_, u32>(1)?, row.get::<_, u32>(2)?, row.get::<_, i64>(3)?))
                })?
                .collect::<rusqlite::Result<Vec<_>>>()
        })?;
        let read = |(account, uid_validity, uid, at): (String, u32, u32, i64)| {
            let (uid_validity, uid) = UidValidity::new(uid_validity).zip(Uid::new(uid))?;
            Some(Fetched { account: AccountId::new(account), uid_validity, uid, at: Timestamp::from_unix(at) })
        };
        Ok(rows.into_iter().filter_map(read).collect())
    }

    /// Forgets these: they have gone.
    pub(crate) fn forget_fetched(&self, gone: &[Fetched]) -> Result<()> {
        if let Some(shared) = &self.shared {
            return shared.forget_fetched(gone);
        }
        let delete = "DELETE FROM fetched WHERE account = ?1 AND uid_validity = ?2 AND uid = ?3";
        self.change(|db| {
            let mut delete = db.prepare_cached(delete)?;
            for Fetched { account, uid_validity, uid, .. } in gone {
                delete.execute(params![account.as_str(), uid_validity.value(), uid.value()])?;
            }
            Ok(Ok(()))
        })
    }

    /// Whether this server is to sweep now: of several that share their accounts one does in each such stretch of time.
    pub(crate) fn claim_sweep(&self, every: Duration) -> Result<bool> {
        self.shared.as_ref().map_or(Ok(true), |shared| shared.claim_sweep(every))
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{accounts, address, secret};
    use super::*;

    #[test]
    fn the_first_fetch_counts_and_goes_with_the_account() {
        let (_folder, accounts) = accounts();
        accounts.add(&address("ada"), &secret("one")).unwrap();
        let ada = AccountId::new("ada@example.org");
        let numbering = UidValidity::new(7).unwrap();
        let uids = |list: &[u32]| list.iter().copied().filter_map(Uid::new).collect::<UidSet>();
        let at = Timestamp::from_unix;
        accounts.note_fetched(&ada, numbering, &uids(&[1, 2, 3]), at(100)).unwrap();
        accounts.note_fetched(&ada, numbering, &uids(&[3, 4]), at(200)).unwrap();
        accounts.note_fetched(&AccountId::new("nobody@example.org"), numbering, &uids(&[1]), at(1)).unwrap();
        let told = |until, after: Option<&Fetched>, most| accounts.fetched_until(at(until), after, most).unwrap();
        assert!(told(99, None, 10).is_empty());
        let numbers = |page: &[Fetched]| page.iter().map(|it| it.uid.value()).collect::<Vec<_>>();
        assert_eq!(numbers(&told(100, None, 10)), [1, 2, 3]);
        let page = told(200, None, 2);
        assert_eq!(numbers(&page), [1, 2]);
        assert_eq!(numbers(&told(200, page.last(), 2)), [3, 4]);
        accounts.forget_fetched(&page).unwrap();
        assert_eq!(numbers(&told(200, None, 10)), [3, 4]);
        accounts.remove(&address("ada")).unwrap();
        assert!(told(200, None, 10).is_empty());
    }
}
