//! How processes hear of each other's changes.
//!
//! NOTIFY is sent after the commit, in a transaction of its own that waits for no disk: inside the writing one it would make
//! every commit of the whole database wait for every other, for PostgreSQL keeps its queue of notifications in their order
//! with one lock. A process that is killed between the two leaves a change untold, so there is a look at the database from
//! time to time, too, and every second while nobody listens.

use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use futures::future::{Either, select};
use mailstore_traits::backend::Hub;
use tokio::sync::Notify;

use crate::error::Outcome;
use crate::mailboxes::{list_versions, versions};
use crate::pool::{Connector, Kind, News, Tx};
use crate::store::Inner;

/// How often others' changes are looked for while their notifications do not come.
const POLL: Duration = Duration::from_secs(1);
/// How often while they do.
const POLL_LISTENING: Duration = Duration::from_secs(10);
/// How many octets a notification has at the most; PostgreSQL takes a little less than 8,000.
const PAYLOAD: usize = 7_000;

/// What other processes are still to be told.
#[derive(Default)]
pub(crate) struct Outbox {
    news: Mutex<News>,
    rung: Notify,
}

impl Outbox {
    pub(crate) fn put(&self, news: News) {
        let mut waiting = self.news.lock().unwrap_or_else(PoisonError::into_inner);
        // Only the newest of each is of interest: ten thousand changes of a mailbox are one entry.
        for (row, modseq) in news.mailboxes {
            let known = waiting.mailboxes.entry(row).or_default();
            *known = modseq.max(*known);
        }
        for (row, version) in news.accounts {
            let known = waiting.accounts.entry(row).or_default();
            *known = version.max(*known);
        }
        drop(waiting);
        self.rung.notify_one();
    }

    fn take(&self) -> News {
        std::mem::take(&mut self.news.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Sends what is in the outbox, for as long as the store lives.
pub(crate) async fn tell(store: Weak<Inner>, outbox: Arc<Outbox>) {
    loop {
        outbox.rung.notified().await;
        let news = outbox.take();
        let Some(inner) = store.upgrade() else { return };
        let payloads = payloads(&news);
        if payloads.is_empty() {
            continue;
        }
        let sent = async {
            let tx = inner.begin(Kind::Ahead).await?;
            let sent = send(&tx, &payloads).await;
            inner.end(tx, sent).await
        };
        if let Err(error) = sent.await {
            tracing::warn!(%error, "other processes could not be told of changes; it is tried again");
            drop(inner);
            outbox.put(news);
            tokio::time::sleep(POLL).await;
        }
    }
}

async fn send(tx: &Tx, payloads: &[String]) -> Outcome<()> {
    let sql = "SELECT count(pg_notify('pillarbox', payload)) FROM unnest($1::text[]) AS payload";
    tx.query(sql, &[&payloads]).await.map(drop)
}

/// News in words: `m` and a mailbox's row, `a` and an account's, each with its version.
fn payloads(news: &News) -> Vec<String> {
    let words = news.mailboxes.iter().map(|(row, version)| format!("m{row}:{version} "));
    let words = words.chain(news.accounts.iter().map(|(row, version)| format!("a{row}:{version} ")));
    let mut payloads: Vec<String> = Vec::new();
    for word in words {
        match payloads.last_mut() {
            Some(last) if last.len().saturating_add(word.len()) <= PAYLOAD => last.push_str(&word),
            _ => payloads.push(word),
        }
    }
    payloads
}

/// Words as news. What is not understood may be a newer version's, and is passed over.
fn hear(hub: &Hub, payload: &str) {
    let (mut mailboxes, mut accounts) = (Vec::new(), Vec::new());
    for word in payload.split_ascii_whitespace() {
        let parse = |rest: &str| -> Option<(i64, i64)> {
            let (row, version) = rest.split_once(':')?;
            Some((row.parse().ok()?, version.parse().ok()?))
        };
        if let Some((row, version)) = word.strip_prefix('m').and_then(parse) {
            mailboxes.push((row, Some(version)));
        } else if let Some(news) = word.strip_prefix('a').and_then(parse) {
            accounts.push(news);
        }
    }
    hub.found(&mailboxes, &accounts);
}

/// Listens, and looks, for as long as the store lives.
pub(crate) async fn listen(store: Weak<Inner>, connector: Connector, hub: Arc<Hub>) {
    loop {
        let hearing = Arc::clone(&hub);
        match connector.connect(move |payload| hear(&hearing, payload)).await {
            Ok((client, mut connection)) => {
                let listening = client.batch_execute("LISTEN pillarbox").await;
                // What was said before nobody heard here.
                poll(&store, &hub).await;
                while listening.is_ok() && store.strong_count() > 0 {
                    match select(&mut connection, std::pin::pin!(tokio::time::sleep(POLL_LISTENING))).await {
                        Either::Left(_) => break,
                        Either::Right(_) => poll(&store, &hub).await,
                    }
                }
                connection.abort();
                tracing::warn!("the connection that listens for changes was lost; they are looked for every second");
            }
            Err(error) => tracing::debug!(%error, "could not connect to listen for changes"),
        }
        tokio::time::sleep(POLL).await;
        if store.strong_count() == 0 {
            return;
        }
        poll(&store, &hub).await;
    }
}

/// Looks at the versions of what is watched.
async fn poll(store: &Weak<Inner>, hub: &Hub) {
    let (mailboxes, accounts) = hub.watched();
    let Some(store) = store.upgrade().filter(|_| !mailboxes.is_empty() || !accounts.is_empty()) else { return };
    let found = async {
        let tx = store.begin(Kind::Read).await?;
        let found = look(&tx, &mailboxes, &accounts).await;
        store.end(tx, found).await
    };
    match found.await {
        Ok((mailboxes, accounts)) => hub.found(&mailboxes, &accounts),
        Err(error) => tracing::debug!(%error, "could not look for other processes' changes"),
    }
}

type Found = (Vec<(i64, Option<i64>)>, Vec<(i64, i64)>);

async fn look(tx: &Tx, mailboxes: &[i64], accounts: &[i64]) -> Outcome<Found> {
    Ok((versions(tx, mailboxes).await?, list_versions(tx, accounts).await?))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use futures::{FutureExt, StreamExt};
    use mailstore_traits::MailboxId;

    use super::*;

    #[test]
    fn news_fit_into_what_a_notification_may_have() {
        let news =
            News { mailboxes: (1..=5_000).map(|row| (row, i64::MAX)).collect(), accounts: BTreeMap::from([(7, 8)]) };
        let payloads = payloads(&news);
        assert!(payloads.iter().all(|payload| payload.len() <= PAYLOAD));
        let words: Vec<&str> = payloads.iter().flat_map(|payload| payload.split_ascii_whitespace()).collect();
        assert_eq!(words.len(), 5_001);
        assert!(words.contains(&"m5000:9223372036854775807") && words.contains(&"a7:8"));
    }

    #[test]
    fn what_is_heard_is_told_and_rubbish_is_passed_over() {
        let hub = Arc::new(Hub::default());
        let id = MailboxId::new("m1").unwrap();
        let mut watch = hub.watch(BTreeMap::from([(1, id.clone())]));
        hear(&hub, "m m: m:1 mx:1 m1:x z1:1 : \u{1F600} m99999999999999999999:1");
        assert_eq!(watch.next().now_or_never(), None);
        hear(&hub, "z9 m1:5");
        assert_eq!(watch.next().now_or_never(), Some(Some(id)));
        hear(&hub, "m1:5");
        assert_eq!(watch.next().now_or_never(), None, "told once");
    }
}
