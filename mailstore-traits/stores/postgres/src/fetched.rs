//! When POP3 first fetched a message: what "leave a copy for 14 days" counts from.
//!
//! A table, and no keyword on each message: every IMAP client would be shown that, and woken by it. If the table is older
//! than the mail, messages stay longer, never shorter.

use std::sync::Arc;
use std::time::Duration;

use mailstore_traits::{AccountId, Result, Timestamp, Uid, UidSet, UidValidity};

use crate::PostgresStore;
use crate::error::corrupt;
use crate::logins::work;
use crate::pool::Kind;
use crate::store::Inner;

/// What POP3 has fetched from the maildrops of all [logins](crate::Logins), and when, for a host that removes messages some
/// time after.
#[derive(Clone)]
pub struct FetchLog {
    store: Arc<Inner>,
}

/// A message that was fetched.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Fetched {
    /// Whose it is.
    pub account: AccountId,
    /// What its UID counts from.
    pub uid_validity: UidValidity,
    /// Its UID.
    pub uid: Uid,
    /// When it was fetched for the first time.
    pub at: Timestamp,
}

impl Fetched {
    /// A message that was fetched at that time.
    #[must_use]
    pub fn new(account: AccountId, uid_validity: UidValidity, uid: Uid, at: Timestamp) -> Self {
        Self { account, uid_validity, uid, at }
    }
}

impl PostgresStore {
    /// What POP3 has fetched, as the database has it written down.
    #[must_use]
    pub fn fetch_log(&self) -> FetchLog {
        FetchLog { store: Arc::clone(&self.0) }
    }
}

impl std::fmt::Debug for FetchLog {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("FetchLog")
    }
}

impl FetchLog {
    /// Writes down that these messages have been fetched; those that were fetched before keep their time. Of an account that
    /// is no login nothing is written down.
    ///
    /// # Errors
    /// [`ErrorKind::Unavailable`](mailstore_traits::ErrorKind::Unavailable) if the database cannot be reached.
    pub async fn note(
        &self,
        account: &AccountId,
        uid_validity: UidValidity,
        uids: &UidSet,
        at: Timestamp,
    ) -> Result<()> {
        let (account, numbering, at) = (account.clone(), i64::from(uid_validity.value()), at.unix_seconds());
        let ends =
            |range: std::ops::RangeInclusive<Uid>| (i64::from(range.start().value()), i64::from(range.end().value()));
        let (first, last): (Vec<i64>, Vec<i64>) = uids.ranges().map(ends).unzip();
        let sql = "INSERT INTO fetched (login, uid_validity, uid, at) SELECT l.name, $2, uid, to_timestamp($5::bigint) \
                   FROM login l, unnest($3::bigint[], $4::bigint[]) AS r (first, last), \
                   generate_series(r.first, r.last) AS uid WHERE l.name = $1 ON CONFLICT DO NOTHING";
        work!(self, Write, |tx| tx.execute(sql, &[&account.as_str(), &numbering, &first, &last, &at])).await.map(drop)
    }

    /// A page of at most so many messages that were fetched at that time or earlier, in the order of account, UIDVALIDITY
    /// and UID, from behind `after` on.
    ///
    /// # Errors
    /// As [`note`](Self::note).
    pub async fn until(&self, until: Timestamp, after: Option<&Fetched>, most: u32) -> Result<Vec<Fetched>> {
        let (account, numbering, uid) = after.map_or((String::new(), 0, 0), |it| {
            (it.account.as_str().to_owned(), i64::from(it.uid_validity.value()), i64::from(it.uid.value()))
        });
        let (until, most) = (until.unix_seconds(), i64::from(most));
        let sql = "SELECT login, uid_validity, uid, extract(epoch FROM at)::bigint FROM fetched \
                   WHERE at <= to_timestamp($1::bigint) AND (login, uid_validity, uid) > ($2, $3, $4) \
                   ORDER BY login, uid_validity, uid LIMIT $5";
        let rows = work!(self, Read, |tx| tx.query(sql, &[&until, &account, &numbering, &uid, &most])).await?;
        let read = rows.iter().map(|row| {
            let number = |column: usize| u32::try_from(row.get::<_, i64>(column)).ok();
            let named = number(1).and_then(UidValidity::new).zip(number(2).and_then(Uid::new));
            let (uid_validity, uid) = named.ok_or_else(|| corrupt("a fetched message that can be none"))?;
            Ok(Fetched {
                account: AccountId::new(row.get::<_, &str>(0)),
                uid_validity,
                uid,
                at: Timestamp::from_unix(row.get(3)),
            })
        });
        read.collect()
    }

    /// Forgets these: they have gone.
    ///
    /// # Errors
    /// As [`note`](Self::note).
    pub async fn forget(&self, gone: &[Fetched]) -> Result<()> {
        let names: Vec<String> = gone.iter().map(|it| it.account.as_str().to_owned()).collect();
        let numberings: Vec<i64> = gone.iter().map(|it| i64::from(it.uid_validity.value())).collect();
        let uids: Vec<i64> = gone.iter().map(|it| i64::from(it.uid.value())).collect();
        let sql = "DELETE FROM fetched USING unnest($1::text[], $2::bigint[], $3::bigint[]) AS gone (login, numbering, number) \
                   WHERE fetched.login = gone.login AND uid_validity = numbering AND uid = number";
        work!(self, Write, |tx| tx.execute(sql, &[&names, &numberings, &uids])).await.map(drop)
    }

    /// Whether the caller is the one who is to remove what is due: one is in each such stretch of time, of all processes
    /// that ask.
    ///
    /// # Errors
    /// As [`note`](Self::note).
    pub async fn claim_sweep(&self, every: Duration) -> Result<bool> {
        let sql = "INSERT INTO chore (name, begun) VALUES ('retention', clock_timestamp()) ON CONFLICT (name) DO UPDATE \
                   SET begun = excluded.begun WHERE chore.begun <= clock_timestamp() - make_interval(secs => $1)";
        let every = every.as_secs_f64().min(1e9);
        Ok(work!(self, Write, |tx| tx.execute(sql, &[&every])).await? > 0)
    }
}
