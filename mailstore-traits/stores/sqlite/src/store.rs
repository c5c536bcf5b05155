//! The service: opening and closing, staging and delivery.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};

use mailstore_traits::{
    AccountId, Actor, Body, ByteRange, ErrorKind, Finding, MailStore, Mode, Placed, Result, SizeHint, StoreFeatures,
    Target,
};
use rusqlite::Connection;

use crate::OpenError;
use crate::account::SqliteAccount;
use crate::body::{Source, body};
use crate::check;
use crate::codec::random_key;
use crate::error::{Outcome, from_sql};
use crate::files::Files;
use crate::keeper::{Bell, Keeper, start_poller};
use crate::lease::Leases;
use crate::mailboxes::{ensure_account, find_account};
use crate::open::{OwnerLock, beside, connect, open_database, open_lock};
use crate::options::Options;
use crate::outside::{Outside, Prepared};
use crate::place::{Arrival, Owner, place_all};
use crate::pool::{Pool, lock};
use crate::stage::{SqliteBlob, SqliteStage};
use crate::writer::{Ending, Tx, Writer};
use mailstore_traits::backend::{Hub, UidSets};

/// How many threads read and write body files.
const FILE_THREADS: usize = 4;

/// A mail store in one SQLite database, with large bodies in files beside it.
///
/// Cheap to clone; all clones are one store. The crate's manual says what it keeps where and what it promises. Dropping
/// the last handle ends its threads, which waits for the commit that is under way; [`close`](Self::close) waits without
/// blocking.
#[derive(Clone)]
pub struct SqliteStore(pub(crate) Arc<Inner>);

pub(crate) struct Inner {
    path: PathBuf,
    pub(crate) options: Options,
    pub(crate) writer: Writer,
    pub(crate) readers: Pool<Connection>,
    pub(crate) files: Arc<Files>,
    pub(crate) hub: Arc<Hub>,
    pub(crate) known_uids: Arc<UidSets>,
    pub(crate) leases: Arc<Leases>,
    pub(crate) bell: Arc<Bell>,
    pub(crate) outside: Option<Arc<dyn Outside>>,
    threads: Mutex<Option<Threads>>,
}

/// What ends when the store is closed.
struct Threads {
    /// End first, for they hand work to the others.
    askers: Vec<JoinHandle<()>>,
    writer: JoinHandle<()>,
    workers: Vec<JoinHandle<()>>,
    lock: Option<Arc<Mutex<OwnerLock>>>,
    /// Held while the store is open beside its owner.
    _tools: Option<std::fs::File>,
}

/// What a store has done since it was opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stats {
    /// Commits, each with one fsync of the log.
    pub commits: u64,
    /// Pieces of work in them. Far more than commits means that many callers shared an fsync.
    pub works: u64,
}

impl SqliteStore {
    /// Opens the store at that path with the default [`Options`], as its only server.
    ///
    /// # Errors
    /// [`OpenError`] names the file and says what to do.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, OpenError> {
        Options::default().open(path)
    }

    /// What can be set when a store is opened.
    pub fn options() -> Options {
        Options::default()
    }

    pub(crate) fn open_with(
        path: &Path,
        options: Options,
        outside: Option<Arc<dyn Outside>>,
    ) -> Result<Self, OpenError> {
        let (conn, mut lock) = open_database(path, &options)?;
        let sql = |error| OpenError::from_sql(path, error);
        let restored = renumber_if_restored(&conn, lock.as_mut(), &options).map_err(sql)?;
        let tools = open_lock(&beside(path, ".tools"))?;
        if let Some(outside) = &outside {
            let text = |error: mailstore_traits::StoreError| error.to_string();
            // A tool may be writing a message down at this moment.
            let alone = !options.shared && tools.try_lock().is_ok();
            if alone {
                let _ = tools.unlock();
            }
            outside
                .opened(&conn, alone)
                .map_err(|error| OpenError::Outside { path: path.into(), text: text(error) })?;
        }
        let reader = || -> rusqlite::Result<Connection> {
            let conn = connect(path, &options)?;
            conn.pragma_update(None, "query_only", true)?;
            Ok(conn)
        };
        let readers = (0..options.readers).map(|_| reader()).collect::<rusqlite::Result<_>>().map_err(sql)?;
        let (poller, keeper) = (reader().map_err(sql)?, reader().map_err(sql)?);

        let io = |error| OpenError::from_io(path, error);
        let lock = lock.map(|lock| Arc::new(Mutex::new(lock)));
        let hub = Arc::new(Hub::default());
        let (news, marked) = (Arc::clone(&hub), lock.clone());
        let (writer, writing) = Writer::start(conn, options.queue, outside.clone(), move |commit| {
            if let Some(owner) = &marked
                && commit.commits > 0
            {
                crate::pool::lock(owner).set_mark(commit.commits);
            }
            news.publish(&commit.mailboxes, &commit.accounts);
        })
        .map_err(io)?;
        let (readers, mut workers) = Pool::start("store-reader", readers).map_err(io)?;
        let (pool, more) = Pool::start("store-files", vec![(); FILE_THREADS]).map_err(io)?;
        workers.extend(more);
        let files = Arc::new(Files::new(beside(path, ".bodies"), pool, outside.is_none()));
        let bell = Arc::new(Bell::default());
        let mut askers = vec![start_poller(Arc::clone(&hub), poller).map_err(io)?];
        let tools = if options.shared {
            // Waits for the owner's collecting, if that is under way.
            tools.lock_shared().map_err(io)?;
            Some(tools)
        } else {
            let keeper = Keeper {
                bell: Arc::clone(&bell),
                conn: keeper,
                writer: writer.clone(),
                files: Arc::clone(&files),
                grace: options.body_grace,
                sweeps: !restored,
                tools,
            };
            askers.push(keeper.start().map_err(io)?);
            None
        };
        let threads = Threads { askers, writer: writing, workers, lock, _tools: tools };
        tracing::info!(path = %path.display(), shared = options.shared, "opened the mail store");
        Ok(Self(Arc::new(Inner {
            path: path.into(),
            options,
            writer,
            readers,
            files,
            hub,
            known_uids: Arc::default(),
            leases: Arc::default(),
            bell,
            outside,
            threads: Mutex::new(Some(threads)),
        })))
    }

    /// Where the database is.
    pub fn path(&self) -> &Path {
        &self.0.path
    }

    /// What it has done since it was opened.
    pub fn stats(&self) -> Stats {
        let (commits, works) = self.0.writer.counts();
        Stats { commits, works }
    }

    /// Carries out what was asked, puts the log into the database, and gives the store up for another to open. Other
    /// handles of it answer [`ErrorKind::Unavailable`] from now on, and its streams end.
    pub async fn close(self) {
        let Some(threads) = self.0.stop() else { return };
        let (done, closed) = futures::channel::oneshot::channel();
        // The threads are waited for on one of their own, so that no task is held up by the last commit.
        let waiter = thread::Builder::new().name("store-closer".to_owned()).spawn(move || {
            threads.end();
            let _ = done.send(());
        });
        match waiter {
            Ok(_) => {
                let _ = closed.await;
            }
            Err(error) => tracing::warn!(%error, "could not wait for the store to close"),
        }
    }
}

/// Gives every mailbox a new UIDVALIDITY if this database is an older copy: it has seen fewer commits than the lock file
/// tells of. UIDs that were given out since the copy was made would be given out again, to other messages. Says whether
/// it did.
fn renumber_if_restored(
    conn: &Connection,
    mut lock: Option<&mut OwnerLock>,
    options: &Options,
) -> rusqlite::Result<bool> {
    let commits: i64 = conn.query_row("SELECT commits FROM service", [], |row| row.get(0))?;
    let mark = lock.as_mut().map_or(0, |lock| lock.mark());
    if commits >= mark && !options.restored {
        // Tools may have gone further, and from now on clients see what they did.
        if let Some(lock) = lock
            && commits > mark
        {
            lock.set_mark(commits);
        }
        return Ok(false);
    }
    tracing::warn!(
        commits,
        mark,
        "the store was restored from an older copy: every mailbox gets a new UIDVALIDITY, and files of bodies that it \
         does not know are kept until the next start"
    );
    let tx = conn.unchecked_transaction()?;
    let now = mailstore_traits::Timestamp::now().unix_seconds().clamp(1, i64::from(u32::MAX));
    tx.execute(
        "UPDATE mailbox SET uid_validity = max((SELECT last_uid_validity FROM service), ?) + numbered.n \
         FROM (SELECT id, row_number() OVER (ORDER BY id) AS n FROM mailbox) AS numbered \
         WHERE numbered.id = mailbox.id",
        [now],
    )?;
    tx.execute(
        "UPDATE service SET last_uid_validity = max(last_uid_validity, ?) + (SELECT count(*) FROM mailbox), \
         commits = ?",
        [now, mark.max(commits).saturating_add(1)],
    )?;
    tx.commit()?;
    Ok(true)
}

/// A message that was written down, and what it was made of.
type Written = (SqliteBlob, bytes::Bytes, Option<mailstore_traits::Timestamp>, Arc<dyn Prepared>);

impl Inner {
    /// Runs work on one of the reading connections, in one consistent read.
    pub(crate) async fn read<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Connection) -> Outcome<T> + Send + 'static,
    ) -> Result<T> {
        self.readers
            .run(move |conn| {
                let tx = conn.unchecked_transaction().map_err(|error| from_sql(&error))?;
                Ok(work(&tx)?)
            })
            .await
    }

    /// Runs work in a transaction on the writing connection.
    pub(crate) async fn write<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Tx<'_>) -> Outcome<T> + Send + 'static,
    ) -> Result<T> {
        self.writer.run(work).await
    }

    /// Places messages and remembers which blobs rows may name by now.
    pub(crate) async fn place(&self, mut arrivals: Vec<Arrival>, mode: Mode) -> Result<Vec<Result<Placed>>> {
        if arrivals.iter().any(|arrival| !arrival.blob.is_of(&self.files)) {
            return Err(ErrorKind::Invalid.into());
        }
        self.prepare(&mut arrivals).await?;
        let options = self.options.clone();
        let prepared: Vec<_> = arrivals.iter().map(|arrival| arrival.prepared.clone()).collect();
        let blobs: Vec<SqliteBlob> = arrivals.iter().map(|arrival| arrival.blob.clone()).collect();
        self.writer
            .run_then(
                move |tx| place_all(tx, &options, arrivals, mode),
                move |ending| {
                    for (at, blob) in blobs.iter().enumerate() {
                        let placed = match ending {
                            Ending::Done(answers) => answers.get(at).is_some_and(Result::is_ok),
                            Ending::Failed(_) => false,
                            Ending::Unknown(_) => true,
                        };
                        match prepared.get(at).and_then(Option::as_ref) {
                            Some(prepared) if placed => prepared.keep(),
                            // What was staged is of no use any more once it lies where it belongs.
                            Some(_) => {}
                            None if placed => blob.set_placed(),
                            None => {}
                        }
                    }
                },
            )
            .await
    }

    /// Has messages written where they will lie, side by side and before the one thread that writes rows hears of them.
    async fn prepare(&self, arrivals: &mut [Arrival]) -> Result<()> {
        let Some(outside) = &self.outside else { return Ok(()) };
        let mut last: Option<Written> = None;
        for arrival in arrivals {
            // A message to many is written once; where it goes besides, it need not be written again.
            if let Some((blob, prefix, date, prepared)) = &last
                && blob.key() == arrival.blob.key()
                && *prefix == arrival.prefix
                && *date == arrival.internal_date
            {
                arrival.prepared = Some(Arc::clone(prepared));
                continue;
            }
            let (outside, files) = (Arc::clone(outside), Arc::clone(&self.files));
            let (blob, prefix, date) = (arrival.blob.clone(), arrival.prefix.clone(), arrival.internal_date);
            let prepared = self
                .files
                .pool
                .run(move |()| match blob.octets() {
                    Some(octets) => outside.prepare(&prefix, &mut std::io::Cursor::new(octets), date),
                    None => outside.prepare(&prefix, &mut files.open(&blob.key(), blob.size())?, date),
                })
                .await?;
            last = Some((arrival.blob.clone(), arrival.prefix.clone(), date, Arc::clone(&prepared)));
            arrival.prepared = Some(prepared);
        }
        Ok(())
    }

    pub(crate) fn stage(&self, hint: SizeHint) -> Result<SqliteStage> {
        SqliteStage::new(&self.files, random_key()?, self.options.inline_octets, self.options.max_message, hint)
    }

    /// Tells the threads to end, and hands them out to be waited for.
    fn stop(&self) -> Option<Running> {
        let threads = lock(&self.threads).take()?;
        self.hub.stop();
        self.bell.stop();
        Some(Running {
            threads,
            writer: self.writer.clone(),
            readers: self.readers.clone(),
            files: self.files.pool.clone(),
        })
    }
}

struct Running {
    threads: Threads,
    writer: Writer,
    readers: Pool<Connection>,
    files: Pool<()>,
}

impl Running {
    /// Waits for all threads, in the order in which they hand work to each other, and then gives up the lock.
    fn end(self) {
        let Threads { askers, writer, workers, lock, _tools } = self.threads;
        let join = |thread: JoinHandle<()>| {
            if thread.thread().id() != thread::current().id() && thread.join().is_err() {
                tracing::error!("a thread of the store panicked");
            }
        };
        askers.into_iter().for_each(join);
        // The readers first: a reader that is in the middle keeps the log from being put away whole.
        self.readers.close();
        self.files.close();
        workers.into_iter().for_each(join);
        self.writer.close();
        join(writer);
        drop(lock);
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        if let Some(threads) = self.stop() {
            threads.end();
        }
    }
}

impl std::fmt::Debug for SqliteStore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "SqliteStore({})", self.0.path.display())
    }
}

/// What the owner can do.
const FEATURES: StoreFeatures = {
    let mut features = StoreFeatures::read_only();
    features.atomic_delivery = true;
    features.writable = true;
    features.restore = true;
    features.watch_across_processes = true;
    features.maildrop_lease = true;
    features.uidl_override = true;
    features.quota = true;
    features.watch_account = true;
    features.save_date = true;
    features
};

impl MailStore for SqliteStore {
    type Account = SqliteAccount;
    type Stage = SqliteStage;
    type Blob = SqliteBlob;

    fn features(&self) -> StoreFeatures {
        let mut features = FEATURES;
        // A tool beside the owner does not see who holds what there.
        features.maildrop_lease = !self.0.options.shared;
        features
    }

    async fn open(&self, account: &AccountId, actor: &Actor) -> Result<SqliteAccount> {
        if actor.user().is_some_and(|user| user != account) {
            return Err(ErrorKind::NotFound.into());
        }
        let name = account.clone();
        let row = match self.0.read(move |conn| find_account(conn, &name)).await? {
            Some(row) => row,
            None => {
                let name = account.clone();
                self.0.write(move |tx| ensure_account(tx, &name)).await?
            }
        };
        Ok(SqliteAccount::new(Arc::clone(&self.0), row, actor.clone()))
    }

    async fn stage(&self, hint: SizeHint) -> Result<SqliteStage> {
        self.0.stage(hint)
    }

    async fn read_blob(&self, blob: &SqliteBlob, range: ByteRange) -> Result<Body> {
        if !blob.is_of(&self.0.files) {
            return Err(ErrorKind::Invalid.into());
        }
        let source = match blob.octets() {
            Some(octets) => Source::Memory(octets.clone()),
            None => {
                let (files, blob) = (Arc::clone(&self.0.files), blob.clone());
                Source::File(self.0.files.pool.run(move |()| files.open(&blob.key(), blob.size())).await?)
            }
        };
        Ok(body(bytes::Bytes::new(), source, blob.size(), range, &self.0))
    }

    async fn deliver(&self, blob: &SqliteBlob, targets: Vec<Target>, mode: Mode) -> Result<Vec<Result<Placed>>> {
        let arrivals = targets
            .into_iter()
            .map(|target| Arrival {
                owner: Owner::Name(target.account),
                mailbox: target.mailbox,
                blob: blob.clone(),
                prefix: target.prefix,
                digest: target.digest,
                flags: target.flags,
                internal_date: None,
                replaces: None,
                uid: None,
                uidl: None,
                prepared: None,
            })
            .collect();
        self.0.place(arrivals, mode).await
    }

    async fn check(&self, mend: bool) -> Result<Vec<Finding>> {
        self.0.write(move |tx| check::check(tx, mend)).await
    }
}
