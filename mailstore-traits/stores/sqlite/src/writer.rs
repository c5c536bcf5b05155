//! The one thread that writes: many callers' work, one commit, and only then the answers.
//!
//! Everything that waits when the thread comes round goes into one transaction, each piece of work in a savepoint of its
//! own, so that one that fails takes nothing with it. The transaction is committed once, which is one fsync for all of
//! them, and nobody is answered before. One writer also makes commit order visible order (contract rule 1).

use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::{self, JoinHandle};

use futures::channel::oneshot;
use mailstore_traits::{AccountId, ErrorKind, MailboxName, Result, StoreError, Timestamp};
use rusqlite::Connection;

use crate::error::{Outcome, from_sql};
use crate::outside::Outside;
use crate::pool::{closed, lock};

/// The most pieces of work in one transaction: with bodies of 64 KiB in the database, 8 MiB of log.
const BATCH: usize = 128;

/// The open transaction as a piece of work sees it.
pub(crate) struct Tx<'a> {
    pub(crate) conn: &'a Connection,
    /// The moment of the transaction, in seconds since 1970.
    pub(crate) now: i64,
    news: &'a mut News,
    outside: Option<&'a dyn Outside>,
}

impl Tx<'_> {
    /// Whether a mailbox of that name can be kept where its messages lie.
    pub(crate) fn check_mailbox(&self, name: &MailboxName) -> Outcome<()> {
        Ok(self.outside.map_or(Ok(()), |outside| outside.check_mailbox(name))?)
    }

    /// Whether an account of that name can be kept where its messages lie.
    pub(crate) fn check_account(&self, account: &AccountId) -> Outcome<()> {
        Ok(self.outside.map_or(Ok(()), |outside| outside.check_account(account))?)
    }

    /// Whether messages lie outside the database.
    pub(crate) fn is_outside(&self) -> bool {
        self.outside.is_some()
    }

    /// A mailbox has changed; its watchers hear of it after the commit.
    pub(crate) fn mailbox_changed(&mut self, mailbox: i64, modseq: i64) {
        self.news.mailboxes.insert(mailbox, modseq);
    }

    /// An account's list of mailboxes or subscriptions has changed.
    pub(crate) fn list_changed(&mut self, account: i64) -> Outcome<()> {
        let version = self
            .conn
            .prepare_cached("UPDATE account SET list_version = list_version + 1 WHERE id = ? RETURNING list_version")?
            .query_row([account], |row| row.get(0))?;
        self.news.accounts.insert(account, version);
        Ok(())
    }
}

/// What a commit has changed.
#[derive(Default)]
pub(crate) struct News {
    /// Mailboxes by row, with their modification sequence.
    pub(crate) mailboxes: BTreeMap<i64, i64>,
    /// Accounts whose list has changed, by row, with the list's version.
    pub(crate) accounts: BTreeMap<i64, i64>,
    /// How many commits the database has seen; 0 if this one failed.
    pub(crate) commits: i64,
}

/// How the commit of a piece of work went.
pub(crate) enum Ending<T> {
    /// Durable.
    Done(T),
    /// Rolled back; nothing of it is there.
    Failed(StoreError),
    /// The commit failed: after a crash it may turn out to be there all the same.
    Unknown(StoreError),
}

trait Job: Send {
    fn is_wanted(&self) -> bool;
    fn run(&mut self, tx: &mut Tx<'_>) -> Outcome<()>;
    fn fail(&mut self, error: StoreError);
    fn commit_failed(&mut self, error: &StoreError);
    fn finish(self: Box<Self>);
}

type InTransaction<T> = Box<dyn FnOnce(&mut Tx<'_>) -> Outcome<T> + Send>;

/// A piece of work with a result `T`, and what is to be done with it once it is durable or lost.
struct Work<T> {
    work: Option<InTransaction<T>>,
    ending: Option<Ending<T>>,
    gone: Option<Arc<AtomicBool>>,
    done: Box<dyn FnOnce(Ending<T>) + Send>,
}

impl<T: Send> Job for Work<T> {
    fn is_wanted(&self) -> bool {
        !self.gone.as_ref().is_some_and(|gone| gone.load(Ordering::Relaxed))
    }

    fn run(&mut self, tx: &mut Tx<'_>) -> Outcome<()> {
        let work = self.work.take().ok_or(ErrorKind::Internal)?;
        self.ending = Some(Ending::Done(work(tx)?));
        Ok(())
    }

    fn fail(&mut self, error: StoreError) {
        self.ending = Some(Ending::Failed(error));
    }

    fn commit_failed(&mut self, error: &StoreError) {
        match self.ending {
            None => self.ending = Some(Ending::Failed(error.clone())),
            Some(Ending::Done(_)) => self.ending = Some(Ending::Unknown(error.clone())),
            // Work that had failed before keeps its own reason.
            Some(Ending::Failed(_) | Ending::Unknown(_)) => {}
        }
    }

    fn finish(self: Box<Self>) {
        (self.done)(self.ending.unwrap_or_else(|| Ending::Failed(ErrorKind::Internal.into())));
    }
}

/// Tells the writing thread that the caller has dropped its future.
struct Caller(Arc<AtomicBool>);

impl Drop for Caller {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

struct State {
    jobs: VecDeque<Box<dyn Job>>,
    /// Callers that wait for room. All are woken whenever the thread takes work, so that none is forgotten.
    waiting: Vec<oneshot::Sender<()>>,
    closed: bool,
    ended: bool,
}

struct Inner {
    state: Mutex<State>,
    more: Condvar,
    capacity: usize,
    commits: AtomicU64,
    works: AtomicU64,
}

/// The way to the writing thread: cheap to clone.
#[derive(Clone)]
pub(crate) struct Writer(Arc<Inner>);

impl Writer {
    /// Starts the thread. After each commit, what lies outside is settled; then `publish` is handed the news.
    pub(crate) fn start(
        conn: Connection,
        capacity: usize,
        outside: Option<Arc<dyn Outside>>,
        publish: impl Fn(News) + Send + 'static,
    ) -> io::Result<(Self, JoinHandle<()>)> {
        let inner = Arc::new(Inner {
            state: Mutex::new(State { jobs: VecDeque::new(), waiting: Vec::new(), closed: false, ended: false }),
            more: Condvar::new(),
            capacity,
            commits: AtomicU64::new(0),
            works: AtomicU64::new(0),
        });
        let worker = Arc::clone(&inner);
        let thread = thread::Builder::new().name("store-writer".to_owned()).spawn(move || {
            worker.work(&conn, outside.as_deref(), &publish);
            // Leave as little as can be for the next opening to read; a failure only means that it reads more.
            let _ = conn.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()));
        })?;
        Ok((Self(inner), thread))
    }

    /// Runs the work in a transaction and answers once it is durable. Work whose caller has gone before it began is left
    /// out; later it is carried out whole.
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Tx<'_>) -> Outcome<T> + Send + 'static,
    ) -> Result<T> {
        self.run_then(work, |_| ()).await
    }

    /// As [`run`](Self::run), and `then` learns how it ended, also when the caller has gone.
    pub(crate) async fn run_then<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Tx<'_>) -> Outcome<T> + Send + 'static,
        then: impl FnOnce(&Ending<T>) + Send + 'static,
    ) -> Result<T> {
        let (reply, answer) = oneshot::channel::<Result<T>>();
        let caller = Caller(Arc::new(AtomicBool::new(false)));
        let job = Work {
            work: Some(Box::new(work)),
            ending: None,
            gone: Some(Arc::clone(&caller.0)),
            done: Box::new(move |ending| {
                then(&ending);
                let _ = reply.send(match ending {
                    Ending::Done(value) => Ok(value),
                    Ending::Failed(error) | Ending::Unknown(error) => Err(error),
                });
            }),
        };
        self.push(Box::new(job)).await?;
        answer.await.unwrap_or_else(|_| Err(StoreError::new(ErrorKind::Internal, "the writing thread ended")))
    }

    /// Leaves work that nobody's going away takes back, without waiting for room: for work that hands itself on piece by
    /// piece, one piece at a time. Says whether it will be done.
    pub(crate) fn post<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Tx<'_>) -> Outcome<T> + Send + 'static,
        done: impl FnOnce(Ending<T>) + Send + 'static,
    ) -> bool {
        let mut state = lock(&self.0.state);
        if state.ended {
            return false;
        }
        state.jobs.push_back(Box::new(Work {
            work: Some(Box::new(work)),
            ending: None,
            gone: None,
            done: Box::new(done),
        }));
        self.0.more.notify_one();
        true
    }

    async fn push(&self, job: Box<dyn Job>) -> Result<()> {
        loop {
            let room = {
                let mut state = lock(&self.0.state);
                if state.closed {
                    return Err(closed());
                }
                if state.jobs.len() < self.0.capacity {
                    state.jobs.push_back(job);
                    self.0.more.notify_one();
                    return Ok(());
                }
                let (wake, room) = oneshot::channel();
                state.waiting.retain(|waiting| !waiting.is_canceled());
                state.waiting.push(wake);
                room
            };
            let _ = room.await;
        }
    }

    /// Takes no more work; what waits is still carried out.
    pub(crate) fn close(&self) {
        let mut state = lock(&self.0.state);
        state.closed = true;
        state.waiting.clear();
        self.0.more.notify_all();
    }

    /// Commits so far, and pieces of work in them.
    pub(crate) fn counts(&self) -> (u64, u64) {
        (self.0.commits.load(Ordering::Relaxed), self.0.works.load(Ordering::Relaxed))
    }
}

impl Inner {
    fn work(&self, conn: &Connection, outside: Option<&dyn Outside>, publish: &impl Fn(News)) {
        while let Some(mut jobs) = self.next() {
            let mut news = News::default();
            let committed = catch_unwind(AssertUnwindSafe(|| commit(conn, outside, &mut jobs, &mut news)));
            let error = match committed {
                Ok(Ok(())) => None,
                Ok(Err(error)) => Some(from_sql(&error)),
                Err(_) => Some(StoreError::new(ErrorKind::Internal, "the writing thread panicked")),
            };
            if let Some(error) = &error {
                tracing::error!(%error, works = jobs.len(), "a commit failed");
                roll_back(conn);
                // Else the lock file's mark would run ahead of the database, and a restart would take it for an older
                // copy: new UIDVALIDITYs, and every client fetches all its mail again.
                news.commits = 0;
                jobs.iter_mut().for_each(|job| job.commit_failed(error));
            } else {
                self.commits.fetch_add(1, Ordering::Relaxed);
                self.works.fetch_add(jobs.len() as u64, Ordering::Relaxed);
                let settle = || outside.map_or(Ok(()), |outside| outside.settle(conn));
                let settled = catch_unwind(AssertUnwindSafe(settle))
                    .unwrap_or_else(|_| Err(StoreError::new(ErrorKind::Internal, "a panic outside the database")));
                if let Err(error) = settled {
                    tracing::error!(%error, works = jobs.len(), "what was committed is not yet so outside the database");
                    roll_back(conn);
                    jobs.iter_mut().for_each(|job| job.commit_failed(&error));
                }
            }
            // Watchers may hear of a change that was not made, never miss one that was: a commit that failed counts.
            // Each by itself: one that panics must not keep the others from learning that their bodies are in use.
            answer(|| publish(news));
            for job in jobs {
                answer(|| job.finish());
            }
        }
    }

    /// Waits for work and takes all that is there, up to a batch; `None` when the store is closed and all is done.
    fn next(&self) -> Option<Vec<Box<dyn Job>>> {
        let mut state = lock(&self.state);
        loop {
            let wanted = state.jobs.len().min(BATCH);
            let mut jobs: Vec<_> = state.jobs.drain(..wanted).collect();
            if !jobs.is_empty() {
                for waiting in state.waiting.drain(..) {
                    let _ = waiting.send(());
                }
                // A caller that went away before its work began must find it not done: its sender tries again.
                jobs.retain(|job| job.is_wanted());
                if jobs.is_empty() {
                    continue;
                }
                return Some(jobs);
            }
            if state.closed {
                state.ended = true;
                return None;
            }
            state = self.more.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

fn answer(told: impl FnOnce()) {
    if catch_unwind(AssertUnwindSafe(told)).is_err() {
        tracing::error!("a panic while answering; the caller concerned hears of an internal error");
    }
}

fn roll_back(conn: &Connection) {
    if !conn.is_autocommit()
        && let Err(error) = conn.execute_batch("ROLLBACK")
    {
        tracing::error!(%error, "a rollback failed");
    }
}

/// All the jobs in one transaction, each in a savepoint. An error means that none of them is there.
fn commit(
    conn: &Connection,
    outside: Option<&dyn Outside>,
    jobs: &mut [Box<dyn Job>],
    news: &mut News,
) -> rusqlite::Result<()> {
    conn.execute_batch("BEGIN IMMEDIATE")?;
    let now = Timestamp::now().unix_seconds();
    for job in jobs.iter_mut() {
        conn.prepare_cached("SAVEPOINT work")?.execute([])?;
        let mut tx = Tx { conn, now, news, outside };
        let outcome = catch_unwind(AssertUnwindSafe(|| job.run(&mut tx)));
        let error: StoreError = match outcome {
            Ok(Ok(())) => {
                conn.prepare_cached("RELEASE work")?.execute([])?;
                continue;
            }
            Ok(Err(fault)) => fault.into(),
            Err(_) => StoreError::new(ErrorKind::Internal, "a panic in the store; nothing was written"),
        };
        job.fail(error.clone());
        if conn.is_autocommit() {
            // A full disk or a failed write made SQLite roll back everything, the others' work too.
            return Err(rusqlite::Error::SqliteFailure(
                rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_FULL),
                Some(format!("rolled back together with work that failed: {error}")),
            ));
        }
        conn.prepare_cached("ROLLBACK TO work")?.execute([])?;
        conn.prepare_cached("RELEASE work")?.execute([])?;
    }
    news.commits = conn
        .prepare_cached("UPDATE service SET commits = commits + 1 RETURNING commits")?
        .query_row([], |row| row.get(0))?;
    conn.execute_batch("COMMIT")
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    fn block_on<T>(future: impl Future<Output = T>) -> T {
        tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(future)
    }

    fn start() -> (Writer, JoinHandle<()>) {
        let conn = Connection::open_in_memory().unwrap();
        conn.execute_batch("CREATE TABLE service (commits); INSERT INTO service VALUES (0); CREATE TABLE t (x)")
            .unwrap();
        Writer::start(conn, 4, None, |_| ()).unwrap()
    }

    fn rows(writer: &Writer) -> i64 {
        block_on(writer.run(|tx| Ok(tx.conn.query_row("SELECT count(*) FROM t", [], |row| row.get(0))?))).unwrap()
    }

    fn insert(tx: &mut Tx<'_>, octets: usize) -> Outcome<()> {
        tx.conn.execute("INSERT INTO t VALUES (zeroblob(?))", [octets as i64])?;
        Ok(())
    }

    /// Keeps the thread busy until it is told to go on.
    fn hold(writer: &Writer) -> mpsc::Sender<()> {
        let (go_on, wait) = mpsc::channel::<()>();
        let (began, begins) = mpsc::channel();
        writer.post(
            move |_| {
                began.send(()).unwrap();
                wait.recv().unwrap();
                Ok(())
            },
            |_| (),
        );
        begins.recv().unwrap();
        go_on
    }

    #[test]
    fn a_panic_undoes_its_own_work_and_nobody_elses() {
        let (writer, _thread) = start();
        block_on(writer.run(|tx| insert(tx, 1))).unwrap();
        let error = block_on(writer.run(|tx| -> Outcome<()> {
            insert(tx, 1)?;
            panic!("for the test")
        }));
        assert_eq!(error.unwrap_err().kind(), ErrorKind::Internal);
        assert_eq!(rows(&writer), 1);
    }

    #[test]
    fn a_full_disk_is_unavailable_and_passes() {
        let (writer, _thread) = start();
        block_on(writer.run(|tx| Ok(tx.conn.execute_batch("PRAGMA max_page_count = 20")?))).unwrap();
        let full = block_on(writer.run(|tx| insert(tx, 200_000))).unwrap_err();
        assert_eq!(full.kind(), ErrorKind::Unavailable);
        assert!(full.is_retryable());
        assert_eq!(rows(&writer), 0);
        block_on(writer.run(|tx| insert(tx, 1))).unwrap();
        block_on(writer.run(|tx| Ok(tx.conn.execute_batch("PRAGMA max_page_count = 1000000")?))).unwrap();
        block_on(writer.run(|tx| insert(tx, 200_000))).unwrap();
        assert_eq!(rows(&writer), 2);
    }

    #[test]
    fn a_commit_that_fails_fails_all_of_it() {
        let (writer, _thread) = start();
        // Until both of the others wait, so that they share a transaction.
        let held = hold(&writer);
        let (told, endings) = mpsc::channel();
        for breaks in [false, true] {
            let told = told.clone();
            writer.post(
                move |tx| {
                    insert(tx, 1)?;
                    if breaks {
                        // As a full disk or a failed write does: the whole transaction is gone.
                        tx.conn.execute_batch("ROLLBACK")?;
                        return Err(ErrorKind::Unavailable.into());
                    }
                    Ok(())
                },
                move |ending| told.send(matches!(ending, Ending::Done(()))).unwrap(),
            );
        }
        held.send(()).unwrap();
        assert_eq!([endings.recv().unwrap(), endings.recv().unwrap()], [false, false]);
        assert_eq!(rows(&writer), 0);
    }

    #[test]
    fn a_commit_that_fails_is_not_counted_in_the_news() {
        let conn = Connection::open_in_memory().unwrap();
        conn.execute_batch(
            "PRAGMA foreign_keys = ON; CREATE TABLE service (commits); INSERT INTO service VALUES (0); \
             CREATE TABLE t (x INTEGER PRIMARY KEY); CREATE TABLE u (x REFERENCES t DEFERRABLE INITIALLY DEFERRED)",
        )
        .unwrap();
        let (told, counts) = mpsc::channel();
        let (writer, _thread) = Writer::start(conn, 4, None, move |news| told.send(news.commits).unwrap()).unwrap();
        block_on(writer.run(|_| Ok(()))).unwrap();
        // As a full disk does in a small transaction: each piece of work goes well, and then COMMIT does not.
        block_on(writer.run(|tx| Ok(tx.conn.execute("INSERT INTO u VALUES (7)", [])?))).unwrap_err();
        block_on(writer.run(|_| Ok(()))).unwrap();
        assert_eq!(counts.try_iter().collect::<Vec<_>>(), [1, 0, 2]);
    }

    #[test]
    fn work_whose_caller_went_away_before_it_began_is_left_out() {
        let (writer, thread) = start();
        let held = hold(&writer);
        let mut gone = Box::pin(writer.run(|tx| insert(tx, 1)));
        assert!(futures::FutureExt::now_or_never(&mut gone).is_none());
        drop(gone);
        held.send(()).unwrap();
        assert_eq!(rows(&writer), 0);
        writer.close();
        thread.join().unwrap();
        assert_eq!(block_on(writer.run(|_| Ok(()))).unwrap_err().kind(), ErrorKind::Unavailable);
        assert!(!writer.post(|_| Ok(()), |_| ()));
    }

    #[test]
    fn who_comes_when_the_queue_is_full_waits_for_room() {
        let (writer, _thread) = start();
        let held = hold(&writer);
        let writers: Vec<_> = (0..50)
            .map(|_| {
                let writer = writer.clone();
                thread::spawn(move || block_on(writer.run(|tx| insert(tx, 1))).unwrap())
            })
            .collect();
        thread::sleep(std::time::Duration::from_millis(100));
        assert!(lock(&writer.0.state).jobs.len() <= 5);
        held.send(()).unwrap();
        for writer in writers {
            writer.join().unwrap();
        }
        assert_eq!(rows(&writer), 50);
    }
}
