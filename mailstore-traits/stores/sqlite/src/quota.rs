//! Limits of an account (RFC 9208): one root, whose name is empty, for all its mailboxes.

use mailstore_traits::{ErrorKind, QuotaResource, QuotaRoot, StoreError};
use rusqlite::{Connection, params};

use crate::codec::{count, int};
use crate::error::Outcome;
use crate::writer::Tx;

/// An account's sums and limits; storage in units of 1,024 octets.
struct Sums {
    mailboxes: (i64, Option<i64>),
    messages: (i64, Option<i64>),
    octets: i64,
    storage_limit: Option<i64>,
}

fn sums(conn: &Connection, account: i64) -> Outcome<Sums> {
    Ok(conn
        .prepare_cached(
            "SELECT mailboxes, limit_mailboxes, messages, limit_messages, size, limit_storage FROM account \
             WHERE id = ?",
        )?
        .query_row([account], |row| {
            Ok(Sums {
                mailboxes: (row.get(0)?, row.get(1)?),
                messages: (row.get(2)?, row.get(3)?),
                octets: row.get(4)?,
                storage_limit: row.get(5)?,
            })
        })?)
}

/// The account's root; `None` while nothing is limited.
pub(crate) fn root(conn: &Connection, account: i64) -> Outcome<Option<QuotaRoot>> {
    let sums = sums(conn, account)?;
    let storage = int(count(sums.octets).div_ceil(1024));
    let resources: Vec<_> = [
        (QuotaResource::Storage, storage, sums.storage_limit),
        (QuotaResource::Message, sums.messages.0, sums.messages.1),
        (QuotaResource::Mailbox, sums.mailboxes.0, sums.mailboxes.1),
    ]
    .into_iter()
    .filter_map(|(resource, used, limit)| Some((resource, count(used), count(limit?))))
    .collect();
    Ok((!resources.is_empty()).then(|| QuotaRoot::new("", resources)))
}

/// Sets these limits and takes all others away (RFC 9208 §4.1.2: what is not named is not limited any more).
pub(crate) fn set(tx: &Tx<'_>, account: i64, limits: &[(QuotaResource, u64)]) -> Outcome<QuotaRoot> {
    let (mut storage, mut messages, mut mailboxes) = (None, None, None);
    for (resource, limit) in limits {
        let place = match resource {
            QuotaResource::Storage => &mut storage,
            QuotaResource::Message => &mut messages,
            QuotaResource::Mailbox => &mut mailboxes,
            _ => return Err(ErrorKind::Unsupported.into()),
        };
        *place = Some(int(*limit));
    }
    tx.conn
        .prepare_cached("UPDATE account SET limit_storage = ?, limit_messages = ?, limit_mailboxes = ? WHERE id = ?")?
        .execute(params![storage, messages, mailboxes, account])?;
    Ok(root(tx.conn, account)?.unwrap_or_else(|| QuotaRoot::new("", Vec::new())))
}

/// Whether a message of that announced size has a chance; the final look is at the commit (contract rule 13).
pub(crate) fn check_announced(conn: &Connection, account: i64, octets: u64) -> Outcome<()> {
    let sums = sums(conn, account)?;
    let storage = sums
        .storage_limit
        .is_some_and(|limit| count(sums.octets).saturating_add(octets) > count(limit).saturating_mul(1024));
    let messages = sums.messages.1.is_some_and(|limit| sums.messages.0 >= limit);
    if storage || messages {
        return Err(StoreError::new(ErrorKind::OverQuota, "the announced message has no room").into());
    }
    Ok(())
}
