//! Turns: callers of this process who want the same mailbox wait for it without a connection.
//!
//! Its row's lock is what keeps the order, on all machines. But who waits for that has a connection in hand, and a flood of
//! mail to one mailbox would have all of the pool's, and everybody else would wait for those.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Who is at which mailbox. A mailbox may go by several keys (its id, its name): then two at a time wait in the database,
/// and nothing is wrong.
#[derive(Default)]
pub(crate) struct Turns(Mutex<HashMap<String, Arc<tokio::sync::Mutex<()>>>>);

/// Held until the work is done.
pub(crate) struct Turn {
    turns: Arc<Turns>,
    held: Vec<(String, Option<tokio::sync::OwnedMutexGuard<()>>)>,
}

impl Turns {
    fn table(&self) -> MutexGuard<'_, HashMap<String, Arc<tokio::sync::Mutex<()>>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for all of them, in their order, so that no two wait for each other.
    pub(crate) async fn take(self: &Arc<Self>, keys: BTreeSet<String>) -> Turn {
        let mut turn = Turn { turns: Arc::clone(self), held: Vec::with_capacity(keys.len()) };
        for key in keys {
            let lock = Arc::clone(self.table().entry(key.clone()).or_default());
            // Remembered first: if this future is dropped while it waits, the key is forgotten all the same.
            turn.held.push((key, None));
            let guard = lock.lock_owned().await;
            if let Some((_, held)) = turn.held.last_mut() {
                *held = Some(guard);
            }
        }
        turn
    }

    /// How many keys are known.
    #[cfg(test)]
    fn len(&self) -> usize {
        self.table().len()
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        for (key, guard) in self.held.drain(..) {
            drop(guard);
            let mut table = self.turns.table();
            // Nobody waits: who comes makes it anew. Whoever does has a handle of it, taken under this lock.
            if table.get(&key).is_some_and(|lock| Arc::strong_count(lock) == 1) {
                table.remove(&key);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;

    use super::*;

    fn keys(keys: &[&str]) -> BTreeSet<String> {
        keys.iter().map(|key| (*key).to_owned()).collect()
    }

    #[test]
    fn one_at_a_time_has_a_mailbox_and_others_are_free() {
        let turns = Arc::new(Turns::default());
        let first = turns.take(keys(&["a", "b"])).now_or_never().expect("free");
        let mut second = std::pin::pin!(turns.take(keys(&["b", "c"])));
        assert!(second.as_mut().now_or_never().is_none());
        assert!(turns.take(keys(&["d"])).now_or_never().is_some());
        drop(first);
        assert!(second.now_or_never().is_some());
        assert_eq!(turns.len(), 0, "what nobody has or wants is forgotten");
    }

    #[test]
    fn who_goes_away_while_waiting_leaves_nothing() {
        let turns = Arc::new(Turns::default());
        let first = turns.take(keys(&["b"])).now_or_never().expect("free");
        for _ in 0..100 {
            assert!(turns.take(keys(&["a", "b", "c"])).now_or_never().is_none());
        }
        drop(first);
        assert!(turns.take(keys(&["a", "b", "c"])).now_or_never().is_some());
        assert_eq!(turns.len(), 0);
    }
}
