//! What the kit wants to know of a store.

use std::future::Future;
use std::time::Duration;

use crate::MailStore;

/// The accounts that the kit opens. A store that knows all its accounts has to have these in every
/// [fresh](Factory::fresh) store, and nothing in them but an empty INBOX.
pub const ACCOUNTS: [&str; 3] = ["ada@example.org", "bob@example.org", "cem@example.org"];

/// Makes the stores that the kit tests.
pub trait Factory: Send + Sync + 'static {
    /// The store under test.
    type Store: MailStore;

    /// A new store without mail. Called many times, from several threads; no two may share anything.
    fn fresh(&self) -> impl Future<Output = Self::Store> + Send;

    /// The same store as it is after an end and a new start: closed, opened again from what it has kept. `None` if it
    /// cannot be, and what needs it is skipped. The kit has dropped every handle of it, stream and blob before.
    fn reopen(&self, store: Self::Store) -> impl Future<Output = Option<Self::Store>> + Send {
        async {
            drop(store);
            None
        }
    }

    /// The same store once more, as another process has it open beside this one: a second connection, a second opening of
    /// the file. `None`, and what needs it is skipped, if there is no such thing.
    fn beside(&self, store: &Self::Store) -> impl Future<Output = Option<Self::Store>> + Send {
        let _ = store;
        std::future::ready(None)
    }

    /// Where this store is, in words by which another process can open it ([`open_at`](Self::open_at)): a path, a URL.
    /// `None`, and what needs it is skipped, if there is no such thing.
    fn place(&self, store: &Self::Store) -> Option<String> {
        let _ = store;
        None
    }

    /// The store at that [place](Self::place), opened: by a process that will be killed at any moment, and by this one when
    /// that has happened, again and again. What a start has to mend, it mends here. An owner's lock may be held for a moment
    /// longer, by a process that another test is just starting and that has all open files until then: waits for it. A store
    /// that lends maildrops for a time lends them for less than [`unhindered_within`](Declared::unhindered_within).
    fn open_at(&self, place: &str) -> impl Future<Output = Option<Self::Store>> + Send {
        let _ = place;
        std::future::ready(None)
    }

    /// Looks at what lies at that [place](Self::place) behind the store's back, and panics if it is not sound. After each kill
    /// the store is opened, and closed, before.
    fn inspect(&self, place: &str) -> impl Future<Output = ()> + Send {
        let _ = place;
        std::future::ready(())
    }

    /// Takes the backend away, as a full disk or a database that is down does: from now on what writes fails, until it is
    /// [mended](Self::mend). `false`, and what needs it is skipped, if it cannot be.
    fn break_down(&self, store: &Self::Store) -> impl Future<Output = bool> + Send {
        let _ = store;
        std::future::ready(false)
    }

    /// Gives back what [`break_down`](Self::break_down) took away.
    fn mend(&self, store: &Self::Store) -> impl Future<Output = ()> + Send {
        let _ = store;
        std::future::ready(())
    }

    /// What this store has decided where the contract leaves a choice, and how much is to be tested.
    fn declared(&self) -> Declared {
        Declared::default()
    }

    /// Drives a future to its end. Called from several threads at once, each for itself. A store that needs a runtime
    /// enters it here: `self.runtime.block_on(work)` with tokio, and a runtime that has threads of its own.
    fn block_on<T>(&self, work: impl Future<Output = T>) -> T {
        futures::executor::block_on(work)
    }

    /// Octets of messages that the store keeps, staged or placed, once all has been collected that can be; `None`, and
    /// what needs it is skipped, if that cannot be told.
    fn octets_kept(&self, store: &Self::Store) -> impl Future<Output = Option<u64>> + Send {
        let _ = store;
        std::future::ready(None)
    }

    /// Octets of memory that this process uses at the moment, for the behaviours that set a bound to it; `None`, and
    /// they are skipped, if that cannot be told.
    fn memory_in_use(&self) -> Option<u64> {
        None
    }
}

/// What a store has decided where the contract leaves a choice, and how much the kit tests.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Declared {
    /// Whether two mailboxes may have the same special use.
    pub special_use_twice: bool,
    /// Whether a name can be subscribed that has no mailbox.
    pub subscribe_unknown: bool,
    /// How long a signal may take to come.
    pub signal_within: Duration,
    /// How long a call may take that nothing may hold up: no slow reader, no future that was dropped.
    pub unhindered_within: Duration,
    /// How long one behaviour may take.
    pub deadline: Duration,
    /// Octets of the large message: 50 MiB unless it is said.
    pub large_octets: usize,
    /// Octets of memory that staging and reading a message of [`large_octets`](Self::large_octets) may need: 16 MiB.
    pub stage_memory: u64,
    /// Messages in a mailbox for the test of a change to many: 2,000 unless it is said. The contract speaks of 100,000,
    /// which the environment variable `PILLARBOX_MANY` makes of it for the two behaviours of a large mailbox.
    pub many_messages: u32,
    /// How many messages each writer adds where several write at once.
    pub messages_per_writer: u32,
    /// How often a process is killed in the middle of its work: 12 times unless it is said. The environment variable
    /// `PILLARBOX_KILLS` says otherwise.
    pub kills: u32,
    /// The most octets that an annotation's value may have: 65,536 unless it is said.
    pub annotation_octets: usize,
    /// The most annotations of one kind, the actor's own or the shared ones, of one mailbox: 1,000 unless it is said.
    pub annotations_each: usize,
    /// How many random histories are compared with the memory store's.
    pub histories: u32,
}

impl Default for Declared {
    fn default() -> Self {
        Self {
            special_use_twice: true,
            subscribe_unknown: true,
            signal_within: Duration::from_secs(5),
            unhindered_within: Duration::from_secs(20),
            deadline: Duration::from_secs(120),
            large_octets: 50 * 1024 * 1024,
            stage_memory: 16 * 1024 * 1024,
            many_messages: 2_000,
            messages_per_writer: 60,
            kills: 12,
            annotation_octets: 65_536,
            annotations_each: 1_000,
            histories: 20,
        }
    }
}
