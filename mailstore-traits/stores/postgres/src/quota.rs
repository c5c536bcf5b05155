//! Limits of an account (RFC 9208): one root, whose name is empty, for all its mailboxes.

use std::collections::BTreeMap;

use mailstore_traits::backend::columns::{count, int};
use mailstore_traits::{ErrorKind, QuotaResource, QuotaRoot, StoreError};

use crate::error::Outcome;
use crate::pool::Tx;

/// What accounts with limits have room for. Held until the commit: of two that add, the second sees what the first added.
/// An account without limits is not locked, and its mailboxes are written side by side.
#[derive(Default)]
pub(crate) struct Rooms(BTreeMap<i64, Room>);

/// Messages and octets that there is room for; `None` for any number.
#[derive(Clone, Copy)]
struct Room {
    messages: Option<i64>,
    octets: Option<i64>,
}

impl Rooms {
    /// Locks those of these accounts that have limits, and those of `also`, by rising row.
    pub(crate) async fn lock(tx: &Tx, accounts: &[i64], also: &[i64]) -> Outcome<Self> {
        let locked = tx
            .query(
                "SELECT id, limit_messages, limit_storage FROM account WHERE id = ANY($1) AND \
                 (limit_messages IS NOT NULL OR limit_storage IS NOT NULL OR id = ANY($2)) \
                 ORDER BY id FOR NO KEY UPDATE",
                &[&accounts, &also],
            )
            .await?;
        let mut rooms = BTreeMap::new();
        for row in locked {
            let (account, messages, storage): (i64, Option<i64>, Option<i64>) = (row.get(0), row.get(1), row.get(2));
            if messages.is_none() && storage.is_none() {
                continue;
            }
            let sums = sums(tx, account).await?;
            let room = Room {
                messages: messages.map(|limit| limit.saturating_sub(sums.messages)),
                octets: storage.map(|limit| limit.saturating_mul(1024).saturating_sub(sums.octets)),
            };
            rooms.insert(account, room);
        }
        Ok(Self(rooms))
    }

    /// Takes room for that many messages of that many octets, after that many octets of as many messages have been given
    /// back.
    pub(crate) fn take(&mut self, account: i64, messages: i64, octets: i64, freed: (i64, i64)) -> Outcome<()> {
        let Some(room) = self.0.get_mut(&account) else { return Ok(()) };
        let left = |room: Option<i64>, freed: i64, taken: i64| {
            room.map(|room| room.saturating_add(freed).saturating_sub(taken))
        };
        let after =
            Room { messages: left(room.messages, freed.0, messages), octets: left(room.octets, freed.1, octets) };
        if after.messages.is_some_and(|left| left < 0) || after.octets.is_some_and(|left| left < 0) {
            return Err(ErrorKind::OverQuota.into());
        }
        *room = after;
        Ok(())
    }
}

struct Sums {
    mailboxes: i64,
    messages: i64,
    octets: i64,
}

async fn sums(tx: &Tx, account: i64) -> Outcome<Sums> {
    let row = tx
        .query_one(
            "SELECT count(*), coalesce(sum(messages), 0)::bigint, coalesce(sum(size), 0)::bigint \
             FROM mailbox WHERE account = $1",
            &[&account],
        )
        .await?;
    Ok(Sums { mailboxes: row.get(0), messages: row.get(1), octets: row.get(2) })
}

/// Storage, messages, mailboxes.
type Limits = (Option<i64>, Option<i64>, Option<i64>);

async fn limits(tx: &Tx, account: i64) -> Outcome<Limits> {
    let row = tx
        .query_one("SELECT limit_storage, limit_messages, limit_mailboxes FROM account WHERE id = $1", &[&account])
        .await?;
    Ok((row.get(0), row.get(1), row.get(2)))
}

/// The account's root; `None` while nothing is limited.
pub(crate) async fn root(tx: &Tx, account: i64) -> Outcome<Option<QuotaRoot>> {
    let (storage, messages, mailboxes) = limits(tx, account).await?;
    if storage.is_none() && messages.is_none() && mailboxes.is_none() {
        return Ok(None);
    }
    let sums = sums(tx, account).await?;
    let resources: Vec<_> = [
        (QuotaResource::Storage, count(sums.octets).div_ceil(1024), storage),
        (QuotaResource::Message, count(sums.messages), messages),
        (QuotaResource::Mailbox, count(sums.mailboxes), mailboxes),
    ]
    .into_iter()
    .filter_map(|(resource, used, limit)| Some((resource, used, count(limit?))))
    .collect();
    Ok(Some(QuotaRoot::new("", resources)))
}

/// Sets these limits and takes all others away (RFC 9208 §4.1.2: what is not named is not limited any more).
pub(crate) async fn set(tx: &Tx, account: i64, limits: &[(QuotaResource, u64)]) -> Outcome<QuotaRoot> {
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
    tx.execute(
        "UPDATE account SET limit_storage = $2, limit_messages = $3, limit_mailboxes = $4 WHERE id = $1",
        &[&account, &storage, &messages, &mailboxes],
    )
    .await?;
    Ok(root(tx, account).await?.unwrap_or_else(|| QuotaRoot::new("", Vec::new())))
}

/// Whether a message of that announced size has a chance; the final look is at the commit (contract rule 13).
pub(crate) async fn check_announced(tx: &Tx, account: i64, octets: u64) -> Outcome<()> {
    let (storage, messages, _) = limits(tx, account).await?;
    if storage.is_none() && messages.is_none() {
        return Ok(());
    }
    let sums = sums(tx, account).await?;
    let no_room =
        storage.is_some_and(|limit| count(sums.octets).saturating_add(octets) > count(limit).saturating_mul(1024));
    if no_room || messages.is_some_and(|limit| sums.messages >= limit) {
        return Err(StoreError::new(ErrorKind::OverQuota, "the announced message has no room"));
    }
    Ok(())
}
