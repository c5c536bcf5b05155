//! Deliveries of single messages to one mailbox share commits.
//!
//! A commit waits for a disk, and the next one to the same mailbox waits for that. So whoever comes while one is under way
//! waits beside the others, and when it is done all of them go into the next, each with an answer of its own.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures::channel::oneshot;
use mailstore_traits::{Mode, Placed, Result};

use crate::error::closed;
use crate::place::{Arrival, place_all};
use crate::store::Inner;

/// How many go into one commit.
const MOST: usize = 128;

/// A message that waits, and who wants to know of it.
type Waiting = (Arrival, oneshot::Sender<Result<Placed>>);

/// Who waits at which mailbox. One that is there with nobody waiting is being written to.
#[derive(Default)]
pub(crate) struct Couriers(Mutex<HashMap<String, Vec<Waiting>>>);

impl Couriers {
    fn table(&self) -> MutexGuard<'_, HashMap<String, Vec<Waiting>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Those who wait there; the mailbox is given up if nobody does.
    fn next(&self, key: &str) -> Vec<Waiting> {
        let mut table = self.table();
        let Some(waiting) = table.get_mut(key) else { return Vec::new() };
        if waiting.is_empty() {
            table.remove(key);
            return Vec::new();
        }
        waiting.drain(..waiting.len().min(MOST)).collect()
    }
}

/// Gives a mailbox up that a panic has left in the middle: those who waited are told that it was not done.
struct Work<'a> {
    store: &'a Inner,
    key: String,
    done: bool,
}

impl Drop for Work<'_> {
    fn drop(&mut self) {
        if !self.done {
            self.store.couriers.table().remove(&self.key);
        }
    }
}

/// Places one message, with those that wait for the same mailbox.
pub(crate) async fn place_one(store: &Arc<Inner>, arrival: Arrival) -> Result<Placed> {
    let (told, answer) = oneshot::channel();
    let key = arrival.key();
    let first = {
        let mut table = store.couriers.table();
        match table.get_mut(&key) {
            Some(waiting) => {
                waiting.push((arrival, told));
                None
            }
            None => {
                table.insert(key.clone(), Vec::new());
                Some((arrival, told))
            }
        }
    };
    if let Some(first) = first {
        let store = Arc::clone(store);
        // A task of its own: the first one's answer does not wait for the others'.
        store.runtime.clone().spawn(async move { work(&store, key, vec![first]).await });
    }
    answer.await.unwrap_or_else(|_| Err(closed()))
}

async fn work(store: &Inner, key: String, mut batch: Vec<Waiting>) {
    let mut work = Work { store, key, done: false };
    while !batch.is_empty() {
        let (arrivals, asking): (Vec<_>, Vec<_>) = batch.into_iter().unzip();
        match place_all(store, arrivals, Mode::PerTarget).await {
            Ok(answers) => {
                for (asking, answer) in asking.into_iter().zip(answers) {
                    let _ = asking.send(answer);
                }
            }
            Err(error) => {
                for asking in asking {
                    let _ = asking.send(Err(error.clone()));
                }
            }
        }
        batch = store.couriers.next(&work.key);
    }
    // Given up by `next` already, and perhaps another's by now.
    work.done = true;
}
