//! Signals that something has changed: they coalesce, and none is lost.

use std::collections::BTreeSet;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::{Context, Poll, Waker};

use futures::Stream;

/// What one watcher has not heard of yet. A set, so a watcher that never reads costs no more than what it watches.
pub(super) struct Signal<T> {
    unheard: Mutex<Unheard<T>>,
}

struct Unheard<T> {
    of: BTreeSet<T>,
    waker: Option<Waker>,
}

impl<T: Ord> Signal<T> {
    pub(super) fn new() -> Arc<Self> {
        Arc::new(Self { unheard: Mutex::new(Unheard { of: BTreeSet::new(), waker: None }) })
    }

    /// Not to be called under the store's lock: a waker is somebody else's code.
    pub(super) fn raise(&self, of: T) {
        let waker = {
            let mut unheard = self.lock();
            unheard.of.insert(of);
            unheard.waker.take()
        };
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    fn lock(&self) -> MutexGuard<'_, Unheard<T>> {
        self.unheard.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The reading end. The store holds the other end weakly, so dropping this frees it.
pub(super) struct Signals<T>(pub(super) Arc<Signal<T>>);

impl<T: Ord> Stream for Signals<T> {
    type Item = T;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<T>> {
        let mut unheard = self.0.lock();
        match unheard.of.pop_first() {
            Some(of) => Poll::Ready(Some(of)),
            None => {
                unheard.waker = Some(cx.waker().clone());
                Poll::Pending
            }
        }
    }
}

/// Who watches one thing.
pub(super) struct Watchers<T>(Vec<Weak<Signal<T>>>);

impl<T: Ord> Watchers<T> {
    pub(super) const fn new() -> Self {
        Self(Vec::new())
    }

    pub(super) fn add(&mut self, signal: &Arc<Signal<T>>) {
        // Whoever watches and leaves in a loop must not grow this.
        self.0.retain(|watcher| watcher.strong_count() > 0);
        self.0.push(Arc::downgrade(signal));
    }

    pub(super) fn live(&self) -> impl Iterator<Item = Arc<Signal<T>>> + '_ {
        self.0.iter().filter_map(Weak::upgrade)
    }
}

#[cfg(test)]
mod tests {
    use futures::{FutureExt, StreamExt};

    use super::*;

    #[test]
    fn many_signals_of_one_thing_are_one() {
        let signal = Signal::new();
        let mut heard = Signals(Arc::clone(&signal));
        for _ in 0..10_000 {
            signal.raise(7);
        }
        assert_eq!(heard.next().now_or_never(), Some(Some(7)));
        assert_eq!(heard.next().now_or_never(), None);
    }

    #[test]
    fn watchers_that_have_left_are_forgotten() {
        let mut watchers = Watchers::<u8>::new();
        for _ in 0..1000 {
            watchers.add(&Signal::new());
        }
        assert_eq!(watchers.0.len(), 1);
        assert_eq!(watchers.live().count(), 0);
    }
}
