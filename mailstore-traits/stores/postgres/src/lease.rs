//! Maildrops that are held alone, by one session of one process of all.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use mailstore_traits::backend::columns::{Key, random_key};
use mailstore_traits::{ErrorKind, MailboxId, MaildropLease};

use crate::error::Outcome;
use crate::mailboxes::row_of;
use crate::pool::{Kind, Tx};
use crate::store::Inner;

/// This process's leases.
#[derive(Default)]
pub(crate) struct Leases {
    held: Mutex<HashSet<Key>>,
    /// Given back, and the database not told yet.
    returned: Mutex<HashSet<Key>>,
}

struct Guard {
    store: Arc<Inner>,
    token: Key,
}

fn keys(set: &Mutex<HashSet<Key>>) -> Vec<Vec<u8>> {
    set.lock().unwrap_or_else(PoisonError::into_inner).iter().map(|key| key.to_vec()).collect()
}

/// Lends a mailbox: for a while, which is made longer as long as this process lives, and not beyond the limit (attack row
/// P6: a session that hangs must not lock its owner out for good, nor must a machine that has gone).
pub(crate) async fn lend(store: &Arc<Inner>, account: i64, mailbox: &MailboxId) -> Outcome<MaildropLease> {
    let token = random_key()?;
    let tx = store.begin(Kind::Write).await?;
    let lent = lend_in(store, &tx, account, mailbox, &token).await;
    store.end(tx, lent).await?;
    store.leases.held.lock().unwrap_or_else(PoisonError::into_inner).insert(token);
    Ok(MaildropLease::new(Guard { store: Arc::clone(store), token }))
}

async fn lend_in(store: &Inner, tx: &Tx, account: i64, mailbox: &MailboxId, token: &Key) -> Outcome<()> {
    let row = row_of(tx, account, mailbox).await?;
    // A session that has just ended here may not have been written down yet, and its owner is back already.
    give_back(tx, &keys(&store.leases.returned)).await?;
    let lent = tx
        .execute(
            "INSERT INTO lease (mailbox, token, until, ends) VALUES ($1, $2, \
             clock_timestamp() + make_interval(secs => $3), clock_timestamp() + make_interval(secs => $4)) \
             ON CONFLICT (mailbox) DO UPDATE SET token = excluded.token, until = excluded.until, ends = excluded.ends \
             WHERE least(lease.until, lease.ends) <= clock_timestamp()",
            &[
                &row,
                &&token[..],
                &store.options.lease_beat.as_secs_f64(),
                // A time beyond the calendar's end is no limit that anybody lives to see.
                &store.options.lease_time.as_secs_f64().min(1e9),
            ],
        )
        .await?;
    if lent == 0 { Err(ErrorKind::InUse.into()) } else { Ok(()) }
}

async fn give_back(tx: &Tx, tokens: &[Vec<u8>]) -> Outcome<()> {
    if tokens.is_empty() {
        return Ok(());
    }
    tx.execute("DELETE FROM lease WHERE token = ANY($1)", &[&tokens]).await.map(drop)
}

/// Says that this process is there, for as long as it is.
pub(crate) async fn beat(store: Weak<Inner>) {
    loop {
        let Some(inner) = store.upgrade() else { return };
        let time = inner.options.lease_beat / 3;
        if let Err(error) = renew(&inner).await {
            tracing::warn!(%error, "maildrops' leases could not be made longer");
        }
        drop(inner);
        tokio::time::sleep(time).await;
    }
}

async fn renew(store: &Inner) -> Outcome<()> {
    let (held, returned) = (keys(&store.leases.held), keys(&store.leases.returned));
    if held.is_empty() && returned.is_empty() {
        return Ok(());
    }
    let tx = store.begin(Kind::Write).await?;
    let done = async {
        give_back(&tx, &returned).await?;
        let sql = "UPDATE lease SET until = clock_timestamp() + make_interval(secs => $2) WHERE token = ANY($1)";
        tx.execute(sql, &[&held, &store.options.lease_beat.as_secs_f64()]).await
    };
    let done = done.await;
    store.end(tx, done).await?;
    let mut known = store.leases.returned.lock().unwrap_or_else(PoisonError::into_inner);
    known.retain(|token| !returned.iter().any(|told| told == token));
    Ok(())
}

impl Drop for Guard {
    fn drop(&mut self) {
        let leases = &self.store.leases;
        leases.held.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.token);
        leases.returned.lock().unwrap_or_else(PoisonError::into_inner).insert(self.token);
        let store = Arc::clone(&self.store);
        self.store.runtime.spawn(async move {
            // If it fails, the next beat tells it.
            let _ = renew(&store).await;
        });
    }
}
