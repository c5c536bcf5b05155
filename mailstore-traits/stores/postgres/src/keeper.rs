//! What is done behind the callers' backs: clearing away what nobody needs. Every process does it; one that is at
//! something is not waited for by the others.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::{Duration, SystemTime};

use mailstore_traits::UidSet;

use crate::content::clear;
use crate::error::Outcome;
use crate::pool::{Kind, Tx};
use crate::store::Inner;
use crate::transfer::{Which, erase, next};

/// How often there is a look, at the least.
const COLLECT: Duration = Duration::from_secs(30);
/// How much is cleared away in one transaction.
const BATCH: i64 = 256;

/// Bodies that streams of this process read.
#[derive(Default)]
pub(crate) struct Readers(Mutex<HashMap<i64, usize>>);

impl Readers {
    pub(crate) fn begin(self: &Arc<Self>, body: i64) -> Arc<Reading> {
        let mut table = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let readers = table.entry(body).or_default();
        *readers = readers.saturating_add(1);
        Arc::new(Reading { readers: Arc::clone(self), body })
    }

    fn bodies(&self) -> Vec<i64> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).keys().copied().collect()
    }
}

/// A body that is being read. The grace time begins anew, in the database and so for every process, for as long as it is
/// held.
pub(crate) struct Reading {
    readers: Arc<Readers>,
    body: i64,
}

impl Drop for Reading {
    fn drop(&mut self) {
        let mut table = self.readers.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(readers) = table.get_mut(&self.body) {
            *readers = readers.saturating_sub(1);
            if *readers == 0 {
                table.remove(&self.body);
            }
        }
    }
}

/// Looks for what can be cleared away, from time to time and when something was deleted, for as long as the store lives.
pub(crate) async fn keep(store: Weak<Inner>) {
    loop {
        let Some(inner) = store.upgrade() else { return };
        let time = COLLECT.min((inner.options.body_grace / 3).max(Duration::from_millis(50)));
        if let Err(error) = collect(&inner).await {
            tracing::warn!(%error, "clearing away failed; it is tried again");
        }
        let bell = Arc::clone(&inner.bell);
        drop(inner);
        let _ = tokio::time::timeout(time, bell.notified()).await;
    }
}

/// Clears away deleted mailboxes' messages, bodies without any, and octets without a body.
pub(crate) async fn collect(store: &Inner) -> Outcome<()> {
    loop {
        let mut tx = store.begin(Kind::Write).await?;
        let more = clear_deleted_mailbox(&mut tx).await;
        if !store.end(tx, more).await? {
            break;
        }
    }
    loop {
        let tx = store.begin(Kind::Write).await?;
        let more = forget_bodies(store, &tx).await;
        if !store.end(tx, more).await? {
            break;
        }
    }
    loop {
        let tx = store.begin(Kind::Read).await?;
        let due = orphans(&tx).await;
        let due = store.end(tx, due).await?;
        for key in &due {
            clear(store, key).await?;
        }
        // Those that another process is at are still there and are its own: once is enough.
        if due.len() < BATCH as usize {
            return Ok(());
        }
    }
}

/// Clears away up to a thousand messages of a mailbox that was deleted, the mailbox itself at the end; says whether there
/// is more.
async fn clear_deleted_mailbox(tx: &mut Tx) -> Outcome<bool> {
    let sql = "SELECT id FROM mailbox WHERE account IS NULL ORDER BY id LIMIT 1 FOR UPDATE SKIP LOCKED";
    let Some(row) = tx.query_opt(sql, &[]).await? else { return Ok(false) };
    let mailbox: i64 = row.get(0);
    let (messages, _) = next(tx, mailbox, &UidSet::all(), 0, Which::All).await?;
    if messages.is_empty() {
        for sql in [
            "DELETE FROM keyword WHERE mailbox = $1",
            "DELETE FROM tombstone WHERE mailbox = $1",
            "DELETE FROM lease WHERE mailbox = $1",
            "DELETE FROM mailbox WHERE id = $1",
        ] {
            tx.execute(sql, &[&mailbox]).await?;
        }
    } else {
        erase(tx, &messages).await?;
    }
    Ok(true)
}

/// Forgets bodies whose last message went, and whose last reader was there, long enough ago. Their octets are an orphan's
/// from then on.
async fn forget_bodies(store: &Inner, tx: &Tx) -> Outcome<bool> {
    let reading = store.readers.bodies();
    if !reading.is_empty() {
        tx.execute(
            "INSERT INTO freed (body) SELECT DISTINCT body FROM freed WHERE body = ANY($1) AND NOT EXISTS \
             (SELECT 1 FROM freed AS later WHERE later.body = freed.body AND later.at > clock_timestamp() - \
              make_interval(secs => $2) / 3)",
            &[&reading, &store.options.body_grace.as_secs_f64()],
        )
        .await?;
    }
    let sql = "SELECT clock_timestamp() - make_interval(secs => $1)";
    let due: SystemTime = tx.query_one(sql, &[&store.options.body_grace.as_secs_f64()]).await?.get(0);
    let rows = tx
        .query(
            "SELECT DISTINCT body FROM freed WHERE at <= $1 AND NOT body = ANY($2) AND NOT EXISTS \
             (SELECT 1 FROM freed AS later WHERE later.body = freed.body AND later.at > $1) ORDER BY body LIMIT $3",
            &[&due, &reading, &BATCH],
        )
        .await?;
    let due_bodies: Vec<i64> = rows.iter().map(|row| row.get(0)).collect();
    if due_bodies.is_empty() {
        return Ok(false);
    }
    // One that is just being given to a message is held by who does so: passed over, it comes again.
    let sql = "SELECT id FROM body WHERE id = ANY($1) ORDER BY id FOR UPDATE SKIP LOCKED";
    let held: BTreeSet<i64> = tx.query(sql, &[&due_bodies]).await?.iter().map(|row| row.get(0)).collect();
    let held: Vec<i64> = held.into_iter().collect();
    // In a statement of its own, after the lock: a message whose writer was waited for is seen.
    let sql = "SELECT DISTINCT body FROM message WHERE body = ANY($1)";
    let used: BTreeSet<i64> = tx.query(sql, &[&held]).await?.iter().map(|row| row.get(0)).collect();
    let unused: Vec<i64> = held.iter().copied().filter(|body| !used.contains(body)).collect();
    tx.execute(
        "INSERT INTO stage (content, object, is_object, begun) \
         SELECT content, object, object IS NOT NULL, '-infinity' FROM body WHERE id = ANY($1)",
        &[&unused],
    )
    .await?;
    tx.execute("DELETE FROM body WHERE id = ANY($1)", &[&unused]).await?;
    let told = tx
        .execute(
            "DELETE FROM freed WHERE at <= $1 AND (body = ANY($2) OR body = ANY($3) AND NOT EXISTS \
             (SELECT 1 FROM body WHERE id = freed.body))",
            &[&due, &held, &due_bodies],
        )
        .await?;
    Ok(told > 0)
}

/// Contents that no body has. Nobody takes a day to bring a message.
async fn orphans(tx: &Tx) -> Outcome<Vec<Vec<u8>>> {
    let sql = "SELECT content FROM stage WHERE begun < clock_timestamp() - interval '1 day' ORDER BY begun LIMIT $1";
    Ok(tx.query(sql, &[&BATCH]).await?.iter().map(|row| row.get(0)).collect())
}
