//! Who wants to hear of which mailbox.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::pin::Pin;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak};
use std::task::{Context, Poll};

use crate::MailboxId;
use futures::Stream;
use futures::task::AtomicWaker;

/// All watchers of a store that gives its mailboxes and accounts numbers. A signal is a mark, not a message: ten thousand changes that nobody reads are one mark
/// (contract rule 4).
#[derive(Default)]
pub struct Hub {
    table: Mutex<Table>,
    /// Wakes the thread that looks for other processes' changes when there is somebody to tell.
    someone: Condvar,
}

#[derive(Default)]
struct Table {
    next: u64,
    mailboxes: HashMap<i64, Topic>,
    accounts: HashMap<i64, Topic>,
    stopped: bool,
}

/// What is watched, by whom, and the version that they were last told of.
#[derive(Default)]
struct Topic {
    told: i64,
    watchers: BTreeMap<u64, Arc<Marks>>,
}

#[derive(Default)]
struct Marks {
    dirty: Mutex<BTreeSet<i64>>,
    waker: AtomicWaker,
}

impl std::fmt::Debug for Hub {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Hub")
    }
}

impl Topic {
    fn tell(&mut self, row: i64, version: i64) {
        self.told = self.told.max(version);
        for marks in self.watchers.values() {
            lock(&marks.dirty).insert(row);
            marks.waker.wake();
        }
    }
}

impl Hub {
    /// Registers a watcher of these mailboxes.
    pub fn watch(self: &Arc<Self>, mailboxes: BTreeMap<i64, MailboxId>) -> Watch {
        let registration = self.register(mailboxes.keys().copied().collect(), |table| &mut table.mailboxes);
        Watch { mailboxes, registration }
    }

    /// Registers a watcher of an account's list.
    pub fn watch_account(self: &Arc<Self>, account: i64) -> WatchAccount {
        WatchAccount(self.register(vec![account], |table| &mut table.accounts))
    }

    fn register(self: &Arc<Self>, rows: Vec<i64>, topics: Topics) -> Registration {
        let marks = Arc::new(Marks::default());
        let mut table = lock(&self.table);
        let key = table.next;
        table.next = table.next.wrapping_add(1);
        for &row in &rows {
            topics(&mut table).entry(row).or_default().watchers.insert(key, Arc::clone(&marks));
        }
        self.someone.notify_all();
        Registration { hub: Arc::downgrade(self), key, rows, topics, marks }
    }

    /// Tells of a commit of this process: mailboxes by row with their modification sequence, accounts by row with their
    /// list's version.
    pub fn publish(&self, mailboxes: &BTreeMap<i64, i64>, accounts: &BTreeMap<i64, i64>) {
        let mut table = lock(&self.table);
        for (&row, &modseq) in mailboxes {
            if let Some(topic) = table.mailboxes.get_mut(&row) {
                topic.tell(row, modseq);
            }
        }
        for (&row, &version) in accounts {
            if let Some(topic) = table.accounts.get_mut(&row) {
                topic.tell(row, version);
            }
        }
    }

    /// Tells of what was found in the database, if it is more than was told. `None` is a mailbox that has gone.
    pub fn found(&self, mailboxes: &[(i64, Option<i64>)], accounts: &[(i64, i64)]) {
        let mut table = lock(&self.table);
        for &(row, modseq) in mailboxes {
            if let Some(topic) = table.mailboxes.get_mut(&row)
                && modseq.is_none_or(|modseq| modseq > topic.told)
            {
                topic.tell(row, modseq.unwrap_or(i64::MAX));
            }
        }
        for &(row, version) in accounts {
            if let Some(topic) = table.accounts.get_mut(&row)
                && version > topic.told
            {
                topic.tell(row, version);
            }
        }
    }

    /// A watcher that has just registered has read this version itself and need not be told of it.
    pub fn seen(&self, mailboxes: &[(i64, i64)], accounts: &[(i64, i64)]) {
        let mut table = lock(&self.table);
        for &(row, modseq) in mailboxes {
            if let Some(topic) = table.mailboxes.get_mut(&row) {
                topic.told = topic.told.max(modseq);
            }
        }
        for &(row, version) in accounts {
            if let Some(topic) = table.accounts.get_mut(&row) {
                topic.told = topic.told.max(version);
            }
        }
    }

    /// Which mailboxes and accounts are watched.
    pub fn watched(&self) -> (Vec<i64>, Vec<i64>) {
        let table = lock(&self.table);
        let gone = i64::MAX;
        let mailboxes = table.mailboxes.iter().filter(|(_, topic)| topic.told < gone).map(|(&row, _)| row).collect();
        (mailboxes, table.accounts.keys().copied().collect())
    }

    /// How many watchers' marks are kept.
    #[cfg(test)]
    fn len(&self) -> usize {
        let table = lock(&self.table);
        table.mailboxes.values().chain(table.accounts.values()).map(|topic| topic.watchers.len()).sum()
    }

    /// Ends the streams of all watchers, and what [waits](Self::wait).
    pub fn stop(&self) {
        let mut table = lock(&self.table);
        table.stopped = true;
        for topic in table.mailboxes.values().chain(table.accounts.values()) {
            topic.watchers.values().for_each(|marks| marks.waker.wake());
        }
        self.someone.notify_all();
    }

    /// Waits for `time`, or while nobody watches for as long as that lasts; `false` when the store is closed.
    pub fn wait(&self, time: std::time::Duration) -> bool {
        let table = lock(&self.table);
        let (table, _) = self
            .someone
            .wait_timeout_while(table, time, |table| !table.stopped)
            .unwrap_or_else(PoisonError::into_inner);
        let table = self
            .someone
            .wait_while(table, |table| !table.stopped && table.mailboxes.is_empty() && table.accounts.is_empty())
            .unwrap_or_else(PoisonError::into_inner);
        !table.stopped
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Whoever panicked left the table whole: each change is one step.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

type Topics = fn(&mut Table) -> &mut HashMap<i64, Topic>;

/// A watcher's place in the hub, given up when dropped.
struct Registration {
    hub: Weak<Hub>,
    key: u64,
    rows: Vec<i64>,
    topics: Topics,
    marks: Arc<Marks>,
}

impl Registration {
    fn poll(&self, cx: &Context<'_>) -> Poll<Option<i64>> {
        self.marks.waker.register(cx.waker());
        let row = lock(&self.marks.dirty).pop_first();
        if row.is_some() {
            return Poll::Ready(row);
        }
        let open = self.hub.upgrade().is_some_and(|hub| !lock(&hub.table).stopped);
        if open { Poll::Pending } else { Poll::Ready(None) }
    }
}

impl Drop for Registration {
    fn drop(&mut self) {
        let Some(hub) = self.hub.upgrade() else { return };
        let mut table = lock(&hub.table);
        let topics = (self.topics)(&mut table);
        for row in &self.rows {
            if let Some(topic) = topics.get_mut(row) {
                topic.watchers.remove(&self.key);
                if topic.watchers.is_empty() {
                    topics.remove(row);
                }
            }
        }
    }
}

/// The stream behind [`Account::watch`](crate::Account::watch).
pub struct Watch {
    mailboxes: BTreeMap<i64, MailboxId>,
    registration: Registration,
}

impl Stream for Watch {
    type Item = MailboxId;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<MailboxId>> {
        self.registration.poll(cx).map(|row| self.mailboxes.get(&row?).cloned())
    }
}

/// The stream behind [`Account::watch_account`](crate::Account::watch_account).
pub struct WatchAccount(Registration);

impl Stream for WatchAccount {
    type Item = ();

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<()>> {
        self.0.poll(cx).map(|row| row.map(|_| ()))
    }
}

#[cfg(test)]
mod tests {
    use futures::{FutureExt, StreamExt};

    use super::*;

    fn mailbox(row: i64) -> BTreeMap<i64, MailboxId> {
        BTreeMap::from([(row, MailboxId::new(format!("m{row}")).unwrap())])
    }

    fn commit(hub: &Hub, row: i64, modseq: i64) {
        hub.publish(&BTreeMap::from([(row, modseq)]), &BTreeMap::new());
    }

    #[test]
    fn ten_thousand_changes_are_one_mark() {
        let hub = Arc::new(Hub::default());
        let mut watch = hub.watch(mailbox(1));
        for modseq in 1..10_000 {
            commit(&hub, 1, modseq);
        }
        assert!(watch.next().now_or_never().flatten().is_some());
        assert_eq!(watch.next().now_or_never(), None);
    }

    #[test]
    fn watchers_that_have_left_are_forgotten() {
        let hub = Arc::new(Hub::default());
        for _ in 0..100 {
            drop((hub.watch(mailbox(1)), hub.watch_account(1)));
        }
        assert_eq!(hub.len(), 0);
    }

    #[test]
    fn what_another_process_did_is_told_once() {
        let hub = Arc::new(Hub::default());
        let mut watch = hub.watch(mailbox(1));
        hub.seen(&[(1, 5)], &[]);
        hub.found(&[(1, Some(5))], &[]);
        assert_eq!(watch.next().now_or_never(), None, "it was there when the watcher came");
        commit(&hub, 1, 6);
        assert!(watch.next().now_or_never().flatten().is_some());
        hub.found(&[(1, Some(6))], &[]);
        assert_eq!(watch.next().now_or_never(), None, "this process told of it");
        hub.found(&[(1, Some(7))], &[]);
        assert!(watch.next().now_or_never().flatten().is_some());
        hub.found(&[(1, None)], &[]);
        assert!(watch.next().now_or_never().flatten().is_some(), "it was deleted");
    }
}
