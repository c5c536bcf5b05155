//! A few threads for work that blocks: reading the database, reading and writing files.

use std::collections::VecDeque;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};

use futures::channel::oneshot;
use mailstore_traits::{ErrorKind, Result, StoreError};

/// A lock that goes on after a panic: what it guards is changed by single steps that do not panic.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

pub(crate) fn closed() -> StoreError {
    StoreError::new(ErrorKind::Unavailable, "the store is closed").with_retryable(false)
}

type Task<C> = Box<dyn FnOnce(&mut C) + Send>;

struct State<C> {
    tasks: VecDeque<Task<C>>,
    closed: bool,
}

struct Inner<C> {
    state: Mutex<State<C>>,
    more: Condvar,
}

/// The way to the threads: cheap to clone. Nothing bounds its queue but the callers, each of which waits for its own
/// answer before it asks again.
pub(crate) struct Pool<C>(Arc<Inner<C>>);

impl<C> Clone for Pool<C> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<C: 'static> Pool<C> {
    /// Starts a thread for each context.
    pub(crate) fn start(name: &str, contexts: Vec<C>) -> io::Result<(Self, Vec<JoinHandle<()>>)>
    where
        C: Send,
    {
        let pool = Self(Arc::new(Inner {
            state: Mutex::new(State { tasks: VecDeque::new(), closed: false }),
            more: Condvar::new(),
        }));
        let mut threads = Vec::new();
        for mut context in contexts {
            let inner = Arc::clone(&pool.0);
            threads.push(thread::Builder::new().name(name.to_owned()).spawn(move || inner.work(&mut context))?);
        }
        Ok((pool, threads))
    }

    /// Runs the work on one of the threads. Work whose caller has gone before it began is left out; a panic in it is
    /// an error for its caller and for nobody else.
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut C) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let (reply, answer) = oneshot::channel();
        let sent = self.post(move |context| {
            if !reply.is_canceled() {
                let _ = reply.send(work(context));
            }
        });
        if !sent {
            return Err(closed());
        }
        answer.await.unwrap_or_else(|_| Err(StoreError::new(ErrorKind::Internal, "the work on the store panicked")))
    }

    /// Leaves work to be done; says whether it will be.
    pub(crate) fn post(&self, work: impl FnOnce(&mut C) + Send + 'static) -> bool {
        let mut state = lock(&self.0.state);
        if state.closed {
            return false;
        }
        state.tasks.push_back(Box::new(work));
        self.0.more.notify_one();
        true
    }

    /// Takes no more work; what waits is still done.
    pub(crate) fn close(&self) {
        lock(&self.0.state).closed = true;
        self.0.more.notify_all();
    }
}

impl<C> Inner<C> {
    fn work(&self, context: &mut C) {
        while let Some(task) = self.next() {
            if catch_unwind(AssertUnwindSafe(|| task(context))).is_err() {
                tracing::error!("work on the store panicked; its caller was told");
            }
        }
    }

    fn next(&self) -> Option<Task<C>> {
        let mut state = lock(&self.state);
        loop {
            if let Some(task) = state.tasks.pop_front() {
                return Some(task);
            }
            if state.closed {
                return None;
            }
            state = self.more.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn block_on<T>(future: impl Future<Output = T>) -> T {
        tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(future)
    }

    #[test]
    fn a_panic_is_an_error_for_its_caller_and_the_thread_goes_on() {
        let (pool, threads) = Pool::start("test", vec![0u32]).unwrap();
        let error = block_on(pool.run(|_| -> Result<()> { panic!("for the test") })).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Internal);
        let seen = block_on(pool.run(|context| {
            *context += 1;
            Ok(*context)
        }));
        assert_eq!(seen.unwrap(), 1);
        pool.close();
        for thread in threads {
            thread.join().unwrap();
        }
        assert_eq!(block_on(pool.run(|_| Ok(()))).unwrap_err().kind(), ErrorKind::Unavailable);
    }

    #[test]
    fn what_was_left_to_be_done_is_done_before_the_end() {
        let (pool, threads) = Pool::start("test", vec![()]).unwrap();
        let (done, results) = std::sync::mpsc::channel();
        for n in 0..100 {
            let done = done.clone();
            assert!(pool.post(move |()| done.send(n).unwrap()));
        }
        pool.close();
        for thread in threads {
            thread.join().unwrap();
        }
        assert_eq!(results.try_iter().collect::<Vec<_>>(), (0..100).collect::<Vec<_>>());
    }
}
