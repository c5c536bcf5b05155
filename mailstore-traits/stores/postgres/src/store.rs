//! The service: connecting and closing, staging and delivery.

use std::sync::{Arc, Mutex, PoisonError};

use deadpool_postgres::Pool;
use mailstore_traits::backend::{Hub, UidSets};
use mailstore_traits::{
    AccountId, Actor, Body, ByteRange, ErrorKind, Finding, MailStore, MailboxId, Mode, Placed, Result, SizeHint,
    StoreFeatures, Target,
};
use tokio::runtime::Handle;
use tokio::task::AbortHandle;

use crate::account::PostgresAccount;
use crate::check;
use crate::content::{Keep, body};
use crate::courier::{Couriers, place_one};
use crate::error::{OpenError, Outcome, closed};
use crate::keeper::{self, Readers};
use crate::lease::{self, Leases};
use crate::objects::Objects;
use crate::options::Options;
use crate::place::{Arrival, Owner, account_row, place_all};
use crate::pool::{Connector, Kind, Tx};
use crate::schema::{MIGRATIONS, migrate};
use crate::signal::{self, Outbox};
use crate::stage::{PostgresBlob, PostgresStage};
use crate::turn::{Turn, Turns};

/// A mail store in a PostgreSQL database, for any number of processes on any number of machines.
///
/// Cheap to clone; all clones are one store. The crate's manual says what it keeps where and what it promises. Dropping
/// the last handle ends its tasks and its connections.
#[derive(Clone)]
pub struct PostgresStore(pub(crate) Arc<Inner>);

pub(crate) struct Inner {
    pub(crate) runtime: Handle,
    pub(crate) options: Options,
    pub(crate) pool: Pool,
    pub(crate) hub: Arc<Hub>,
    pub(crate) known_uids: UidSets,
    pub(crate) outbox: Arc<Outbox>,
    pub(crate) objects: Objects,
    pub(crate) leases: Leases,
    pub(crate) readers: Arc<Readers>,
    pub(crate) turns: Arc<Turns>,
    pub(crate) couriers: Couriers,
    /// Something was deleted: the keeper need not wait.
    pub(crate) bell: Arc<tokio::sync::Notify>,
    tasks: Mutex<Vec<AbortHandle>>,
}

impl PostgresStore {
    /// Connects to the database of that URL (`postgres://user:password@host:port/database`, several hosts with commas
    /// between them; a folder, percent-encoded, for a Unix socket) and brings its tables to the newest form. Other
    /// processes may do so at the same time, and go on working. It works on the tokio runtime that it is called on.
    ///
    /// # Errors
    /// [`OpenError`] says what to do.
    pub async fn connect(url: &str, options: Options) -> Result<Self, OpenError> {
        let runtime = Handle::try_current().map_err(|_| OpenError::NoRuntime)?;
        let connector = Connector::new(url, &options)?;
        let (mut client, connection) = connector.connect(|_| ()).await.map_err(OpenError::sql)?;
        let encoding: String = client.query_one("SHOW server_encoding", &[]).await.map_err(OpenError::sql)?.get(0);
        if encoding != "UTF8" {
            return Err(OpenError::Encoding(encoding));
        }
        migrate(&mut client, MIGRATIONS).await?;
        if options.restored {
            renumber(&mut client).await.map_err(OpenError::sql)?;
        }
        drop(client);
        connection.abort();
        let pool = connector.pool(&options)?;
        let inner = Arc::new(Inner {
            runtime: runtime.clone(),
            objects: Objects::new(&options),
            options,
            pool,
            hub: Arc::default(),
            known_uids: UidSets::default(),
            outbox: Arc::default(),
            leases: Leases::default(),
            readers: Arc::default(),
            turns: Arc::default(),
            couriers: Couriers::default(),
            bell: Arc::default(),
            tasks: Mutex::default(),
        });
        let weak = || Arc::downgrade(&inner);
        let tasks = vec![
            runtime.spawn(signal::listen(weak(), connector, Arc::clone(&inner.hub))).abort_handle(),
            runtime.spawn(signal::tell(weak(), Arc::clone(&inner.outbox))).abort_handle(),
            runtime.spawn(keeper::keep(weak())).abort_handle(),
            runtime.spawn(lease::beat(weak())).abort_handle(),
        ];
        *inner.tasks.lock().unwrap_or_else(PoisonError::into_inner) = tasks;
        tracing::info!("connected to the mail store");
        Ok(Self(inner))
    }

    /// Clears away now what could be cleared away later: deleted mailboxes, bodies whose grace time is over, octets that
    /// were never placed. The store does so by itself from time to time.
    ///
    /// # Errors
    /// [`ErrorKind::Unavailable`] if the database cannot be reached.
    pub async fn collect(&self) -> Result<()> {
        let store = Arc::clone(&self.0);
        self.0.run(async move { keeper::collect(&store).await }).await
    }

    /// Gives up its connections. Other handles of it answer [`ErrorKind::Unavailable`] from now on, and its streams end.
    pub async fn close(self) {
        self.0.stop();
    }
}

/// Whether both are handles of one store, whose blobs are good for both.
impl PartialEq for PostgresStore {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for PostgresStore {}

/// Gives every mailbox a new UIDVALIDITY: UIDs that were given out since the copy was made would be given out again, to
/// other messages.
async fn renumber(client: &mut tokio_postgres::Client) -> Result<(), tokio_postgres::Error> {
    tracing::warn!("the store was restored from an older copy: every mailbox gets a new UIDVALIDITY");
    let tx = client.transaction().await?;
    tx.batch_execute(
        "UPDATE account SET last_uid_validity = \
         greatest(last_uid_validity, least(extract(epoch FROM now())::bigint, 4294967294)) + 1; \
         UPDATE mailbox SET uid_validity = account.last_uid_validity FROM account WHERE account.id = mailbox.account",
    )
    .await?;
    tx.commit().await
}

impl Inner {
    pub(crate) async fn begin(&self, kind: Kind) -> Outcome<Tx> {
        Tx::begin(&self.pool, kind).await
    }

    /// Ends a transaction, and tells those who watch what it changed.
    pub(crate) async fn end<T>(&self, tx: Tx, outcome: Outcome<T>) -> Outcome<T> {
        let (value, news) = tx.end(outcome).await?;
        if !news.mailboxes.is_empty() || !news.accounts.is_empty() {
            self.hub.publish(&news.mailboxes, &news.accounts);
            self.outbox.put(news);
        }
        Ok(value)
    }

    /// Runs work to its end, also if whoever waits for it goes away: a caller's future that is dropped leaves nothing half
    /// done, and needs no runtime of its own.
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        work: impl Future<Output = Outcome<T>> + Send + 'static,
    ) -> Outcome<T> {
        self.runtime.spawn(work).await.unwrap_or_else(|_| Err(closed()))
    }

    /// Waits until nobody else of this process is at these mailboxes.
    pub(crate) async fn turn(&self, ids: &[&MailboxId]) -> Turn {
        self.turns.take(ids.iter().map(|id| id.as_str().to_owned()).collect()).await
    }

    pub(crate) async fn account_row(&self, name: &AccountId) -> Outcome<i64> {
        account_row(self, name).await
    }

    pub(crate) async fn place(self: &Arc<Self>, mut arrivals: Vec<Arrival>, mode: Mode) -> Result<Vec<Result<Placed>>> {
        if arrivals.iter().any(|arrival| !arrival.blob.is_of(self)) {
            return Err(ErrorKind::Invalid.into());
        }
        let store = Arc::clone(self);
        match arrivals.pop() {
            Some(only) if arrivals.is_empty() => {
                let placed = self.run(async move { Ok(place_one(&store, only).await) }).await?;
                if mode == Mode::AllOrNothing { placed.map(|placed| vec![Ok(placed)]) } else { Ok(vec![placed]) }
            }
            last => {
                arrivals.extend(last);
                self.run(async move { place_all(&store, arrivals, mode).await }).await
            }
        }
    }

    fn stop(&self) {
        for task in self.tasks.lock().unwrap_or_else(PoisonError::into_inner).drain(..) {
            task.abort();
        }
        self.hub.stop();
        self.pool.close();
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.stop();
    }
}

impl std::fmt::Debug for PostgresStore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // Not the URL: a password may be in it.
        f.write_str("PostgresStore")
    }
}

pub(crate) const FEATURES: StoreFeatures = {
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

impl MailStore for PostgresStore {
    type Account = PostgresAccount;
    type Stage = PostgresStage;
    type Blob = PostgresBlob;

    fn features(&self) -> StoreFeatures {
        FEATURES
    }

    async fn open(&self, account: &AccountId, actor: &Actor) -> Result<PostgresAccount> {
        if actor.user().is_some_and(|user| user != account) {
            return Err(ErrorKind::NotFound.into());
        }
        let (store, name) = (Arc::clone(&self.0), account.clone());
        let row = self.0.run(async move { store.account_row(&name).await }).await?;
        Ok(PostgresAccount::new(Arc::clone(&self.0), row, actor.clone()))
    }

    async fn stage(&self, hint: SizeHint) -> Result<PostgresStage> {
        PostgresStage::new(&self.0, hint)
    }

    async fn read_blob(&self, blob: &PostgresBlob, range: ByteRange) -> Result<Body> {
        if !blob.is_of(&self.0) {
            return Err(ErrorKind::Invalid.into());
        }
        let keep = Keep::Blob { _blob: blob.clone() };
        Ok(body(bytes::Bytes::new(), blob.content().clone(), blob.size(), range, &self.0, keep))
    }

    async fn deliver(&self, blob: &PostgresBlob, targets: Vec<Target>, mode: Mode) -> Result<Vec<Result<Placed>>> {
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
            })
            .collect();
        self.0.place(arrivals, mode).await
    }

    async fn check(&self, mend: bool) -> Result<Vec<Finding>> {
        let store = Arc::clone(&self.0);
        self.0.run(async move { check::check(&store, mend).await }).await
    }
}
