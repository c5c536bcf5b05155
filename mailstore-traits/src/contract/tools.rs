//! What the behaviours are written with.

use std::collections::BTreeSet;
use std::fmt;
use std::future::{Future, poll_fn};
use std::panic::Location;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::task::Poll;
use std::thread;
use std::time::Duration;

use bytes::Bytes;
use futures::channel::oneshot;
use futures::future::{BoxFuture, Either, select};
use futures::{StreamExt, TryStreamExt};

use super::{ACCOUNTS, Declared, Factory};
use crate::{
    Account, AccountId, Actor, Body, ByteRange, Changes, ErrorKind, Flag, FlagChange, FlagOutcome, Flags, ListHint,
    MailStore, MailboxId, MailboxInfo, MailboxName, MessageMeta, MetaFields, MetaFilter, ModSeq, Mode, Placed,
    Placement, SizeHint, Stage, StoreError, SystemFlag, Uid, UidSet,
};

/// Why a behaviour was not found to be kept.
#[derive(Debug)]
pub(super) enum Stop {
    Failed(String),
    Skipped(String),
}

impl Stop {
    #[track_caller]
    pub(super) fn failed(why: impl fmt::Display) -> Self {
        let at = Location::caller();
        Self::Failed(format!("{why} ({}:{})", at.file(), at.line()))
    }
}

/// An error of the store where none was to be.
impl From<StoreError> for Stop {
    #[track_caller]
    fn from(error: StoreError) -> Self {
        Self::failed(format_args!("the store answered: {error}"))
    }
}

pub(super) type Check<T = ()> = Result<T, Stop>;
pub(super) type AccountOf<F> = <<F as Factory>::Store as MailStore>::Account;

/// Fails unless it holds.
macro_rules! ensure {
    ($holds:expr, $($words:tt)+) => {
        if !$holds {
            return Err($crate::contract::tools::Stop::failed(format_args!($($words)+)));
        }
    };
}

/// Fails unless both are equal.
macro_rules! ensure_eq {
    ($found:expr, $expected:expr, $($words:tt)+) => {
        match (&$found, &$expected) {
            (found, expected) => {
                if found != expected {
                    let words = format!($($words)+);
                    return Err($crate::contract::tools::Stop::failed(format_args!(
                        "{words}: found {found:?}, expected {expected:?}"
                    )));
                }
            }
        }
    };
}

/// Fails unless it is an error of that kind.
macro_rules! ensure_kind {
    ($result:expr, $kind:ident, $($words:tt)+) => {
        match $result {
            Err(error) if error.kind() == $crate::ErrorKind::$kind => {}
            Err(error) => {
                let words = format!($($words)+);
                return Err($crate::contract::tools::Stop::failed(format_args!(
                    "{words}: the store answered {:?}, expected {:?}", error.kind(), $crate::ErrorKind::$kind
                )));
            }
            Ok(_) => {
                let words = format!($($words)+);
                return Err($crate::contract::tools::Stop::failed(format_args!(
                    "{words}: it was done, expected {:?}", $crate::ErrorKind::$kind
                )));
            }
        }
    };
}

/// Skips the rest.
macro_rules! skip {
    ($($words:tt)+) => {
        return Err($crate::contract::tools::Stop::Skipped(format!($($words)+)))
    };
}

pub(super) use {ensure, ensure_eq, ensure_kind, skip};

/// The store's maker, and what a behaviour asks of it.
pub(super) struct Kit<F: Factory> {
    factory: Arc<F>,
    declared: Declared,
    /// The name of the test that runs, by which it can be started in another process.
    test: Option<String>,
}

impl<F: Factory> Kit<F> {
    pub(super) fn new(factory: Arc<F>, test: Option<String>) -> Self {
        let declared = factory.declared();
        Self { factory, declared, test }
    }

    pub(super) fn declared(&self) -> &Declared {
        &self.declared
    }

    /// Messages in a large mailbox.
    pub(super) fn many_messages(&self) -> u32 {
        let said = std::env::var("PILLARBOX_MANY").ok().and_then(|many| many.parse().ok());
        said.unwrap_or(self.declared.many_messages)
    }

    pub(super) fn block_on<T>(&self, work: impl Future<Output = T>) -> T {
        self.factory.block_on(work)
    }

    pub(super) fn memory_in_use(&self) -> Check<u64> {
        match self.factory.memory_in_use() {
            Some(octets) => Ok(octets),
            None => skip!("the factory does not tell how much memory is in use"),
        }
    }

    /// A new store, if it writes.
    pub(super) async fn store(&self) -> Check<F::Store> {
        let store = self.factory.fresh().await;
        self.need(store.features().writable, "writable")?;
        Ok(store)
    }

    /// The first account of a new store.
    pub(super) async fn account(&self) -> Check<AccountOf<F>> {
        open(&self.store().await?, 0).await
    }

    /// The first account of a new store, and its INBOX.
    pub(super) async fn inbox(&self) -> Check<(AccountOf<F>, MailboxId)> {
        let account = self.account().await?;
        let inbox = inbox(&account).await?;
        Ok((account, inbox))
    }

    pub(super) async fn reopen(&self, store: F::Store) -> Check<F::Store> {
        match self.factory.reopen(store).await {
            Some(store) => Ok(store),
            None => skip!("the factory does not open a store again; what can be seen without passed"),
        }
    }

    pub(super) async fn beside(&self, store: &F::Store) -> Check<F::Store> {
        match self.factory.beside(store).await {
            Some(other) => Ok(other),
            None => skip!("the factory does not open a store beside itself"),
        }
    }

    /// Where a new store is, which is not open any more, and the test's name.
    pub(super) async fn place(&self) -> Check<(String, String)> {
        let Some(test) = self.test.clone() else {
            skip!("it starts its own test in another process, and that wants `contract_tests!`")
        };
        match self.factory.place(&self.store().await?) {
            Some(place) => Ok((place, test)),
            None => skip!("the factory does not say where another process can open the store"),
        }
    }

    pub(super) async fn open_at(&self, place: &str) -> Option<F::Store> {
        self.factory.open_at(place).await
    }

    pub(super) async fn inspect(&self, place: &str) {
        self.factory.inspect(place).await;
    }

    pub(super) async fn break_down(&self, store: &F::Store) -> Check {
        if !self.factory.break_down(store).await {
            skip!("the factory cannot make the backend fail");
        }
        Ok(())
    }

    pub(super) async fn mend(&self, store: &F::Store) {
        self.factory.mend(store).await;
    }

    pub(super) async fn octets_kept(&self, store: &F::Store) -> Check<u64> {
        match self.factory.octets_kept(store).await {
            Some(octets) => Ok(octets),
            None => skip!("the factory does not tell how many octets are kept; what can be seen without passed"),
        }
    }

    pub(super) fn need(&self, feature: bool, name: &str) -> Check {
        if !feature {
            skip!("the store does not have the feature `{name}`");
        }
        Ok(())
    }

    /// Work on a thread of its own; awaiting the answer blocks nobody.
    pub(super) fn spawn<T, Work>(&self, work: impl FnOnce() -> Work + Send + 'static) -> BoxFuture<'static, Check<T>>
    where
        T: Send + 'static,
        Work: Future<Output = Check<T>>,
    {
        let factory = Arc::clone(&self.factory);
        let (done, result) = oneshot::channel();
        thread::spawn(move || {
            let _ = done.send(factory.block_on(work()));
        });
        Box::pin(async { result.await.unwrap_or_else(|_| Err(Stop::failed("a thread panicked"))) })
    }
}

/// Tells threads that loop to come to an end; also when the behaviour ends early.
#[derive(Clone, Default)]
pub(super) struct Until(Arc<AtomicBool>);

pub(super) struct UntilGuard(Until);

impl Until {
    pub(super) fn new() -> (Self, UntilGuard) {
        let until = Self::default();
        (until.clone(), UntilGuard(until))
    }

    pub(super) fn is_over(&self) -> bool {
        self.0.load(Ordering::SeqCst)
    }
}

impl Drop for UntilGuard {
    fn drop(&mut self) {
        self.0.0.store(true, Ordering::SeqCst);
    }
}

/// Fails what takes longer than that.
pub(super) async fn within<T>(limit: Duration, what: &str, work: impl Future<Output = T>) -> Check<T> {
    let (ring, alarm) = oneshot::channel::<()>();
    // Dropped when the work is done, which ends the thread.
    let (_end, ended) = mpsc::channel::<()>();
    thread::spawn(move || {
        if ended.recv_timeout(limit) == Err(RecvTimeoutError::Timeout) {
            let _ = ring.send(());
        }
    });
    match select(pin!(work), alarm).await {
        Either::Left((done, _)) => Ok(done),
        Either::Right(_) => Err(Stop::failed(format_args!("{what} took longer than {limit:?}"))),
    }
}

/// Polls a future so often at the most and drops it at the await where it then stands.
pub(super) async fn drop_after<T>(polls: usize, work: impl Future<Output = T>) -> Option<T> {
    let mut work = Box::pin(work);
    let mut left = polls;
    poll_fn(move |cx| {
        if left == 0 {
            return Poll::Ready(None);
        }
        left = left.saturating_sub(1);
        match work.as_mut().poll(cx) {
            Poll::Ready(done) => Poll::Ready(Some(done)),
            Poll::Pending if left == 0 => Poll::Ready(None),
            Poll::Pending => Poll::Pending,
        }
    })
    .await
}

pub(super) fn account_id(number: usize) -> AccountId {
    AccountId::from(ACCOUNTS.get(number).copied().unwrap_or("nobody"))
}

/// One of [`ACCOUNTS`], in the service's name: it sets quotas.
pub(super) async fn open_as_service<S: MailStore>(store: &S, number: usize) -> Check<S::Account> {
    Ok(store.open(&account_id(number), &Actor::Service).await?)
}

/// One of [`ACCOUNTS`], in its owner's name.
pub(super) async fn open<S: MailStore>(store: &S, number: usize) -> Check<S::Account> {
    let id = account_id(number);
    Ok(store.open(&id, &Actor::User(id.clone())).await?)
}

pub(super) fn name(name: &str) -> Check<MailboxName> {
    MailboxName::parse(name).map_err(Stop::failed)
}

pub(super) async fn inbox<A: Account>(account: &A) -> Check<MailboxId> {
    Ok(account.find(&MailboxName::inbox()).await?)
}

pub(super) async fn make<A: Account>(account: &A, mailbox: &str) -> Check<MailboxId> {
    Ok(account.create(&name(mailbox)?, None).await?.id)
}

pub(super) async fn list<A: Account>(account: &A) -> Check<Vec<MailboxInfo>> {
    Ok(account.list(ListHint::default()).try_collect().await?)
}

/// A small message, different for each number.
pub(super) fn message(number: u32) -> Bytes {
    format!("Subject: message {number}\r\n\r\nThe body of {number}.\r\n").into()
}

pub(super) async fn blob<A: Account>(account: &A, octets: impl Into<Bytes>) -> Check<A::Blob> {
    let mut stage = account.stage(SizeHint::Unknown).await?;
    stage.write(octets.into()).await?;
    Ok(stage.finish(None).await?)
}

pub(super) async fn commit_one<A: Account>(account: &A, placement: Placement<A::Blob>) -> Check<Placed> {
    let mut placed = account.commit(vec![placement], Mode::AllOrNothing).await?;
    match placed.pop() {
        Some(placed_one) if placed.is_empty() => Ok(placed_one?),
        _ => Err(Stop::failed("commit of one placement did not give one answer")),
    }
}

pub(super) async fn append<A: Account>(account: &A, mailbox: &MailboxId, octets: impl Into<Bytes>) -> Check<Placed> {
    let blob = blob(account, octets).await?;
    commit_one(account, Placement::new(blob, mailbox.clone())).await
}

/// Adds so many small messages in one commit, and gives their UIDs.
pub(super) async fn fill<A: Account>(account: &A, mailbox: &MailboxId, messages: u32) -> Check<Vec<Uid>> {
    let mut placements = Vec::new();
    for number in 0..messages {
        placements.push(Placement::new(blob(account, message(number)).await?, mailbox.clone()));
    }
    let placed = account.commit(placements, Mode::AllOrNothing).await?;
    Ok(placed.into_iter().map(|placed| placed.map(|placed| placed.uid)).collect::<Result<_, _>>()?)
}

pub(super) async fn read(body: Body) -> Check<Vec<u8>> {
    let announced = body.len();
    let octets: Vec<u8> = body.map_ok(|chunk| chunk.to_vec()).try_concat().await?;
    ensure_eq!(octets.len() as u64, announced, "octets that came of a body, against its length");
    Ok(octets)
}

pub(super) async fn read_message<A: Account>(account: &A, mailbox: &MailboxId, uid: Uid) -> Check<Vec<u8>> {
    read(account.open_body(mailbox, uid, ByteRange::WHOLE).await?).await
}

/// All that is known of these messages.
pub(super) async fn metas<A: Account>(account: &A, mailbox: &MailboxId, uids: &UidSet) -> Check<Vec<MessageMeta>> {
    let metas: Vec<MessageMeta> =
        account.fetch_meta(mailbox, uids, MetaFields::ALL, MetaFilter::default()).try_collect().await?;
    let mut before = None;
    for meta in &metas {
        ensure!(uids.contains(meta.uid), "fetch_meta told of UID {}, which was not asked for", meta.uid);
        ensure!(before.is_none_or(|before| before < meta.uid), "fetch_meta is not by rising UID at {}", meta.uid);
        before = Some(meta.uid);
    }
    Ok(metas)
}

pub(super) async fn meta<A: Account>(account: &A, mailbox: &MailboxId, uid: Uid) -> Check<MessageMeta> {
    match metas(account, mailbox, &uid.into()).await?.pop() {
        Some(meta) => Ok(meta),
        None => Err(Stop::failed(format_args!("fetch_meta leaves out UID {uid}, which is there"))),
    }
}

pub(super) fn flags(written: &str) -> Check<Flags> {
    written.split_whitespace().map(|flag| Flag::parse(flag).map_err(Stop::failed)).collect()
}

pub(super) fn seen() -> Flags {
    [SystemFlag::Seen].into_iter().collect()
}

/// What [`store_flags`] came to.
pub(super) struct Stored {
    pub(super) stored: Vec<(Uid, ModSeq, Flags)>,
    pub(super) failed: UidSet,
}

pub(super) async fn store_flags<A: Account>(
    account: &A,
    mailbox: &MailboxId,
    uids: &UidSet,
    change: FlagChange,
    unchanged_since: Option<ModSeq>,
) -> Check<Stored> {
    let mut outcomes = Box::pin(account.store_flags(mailbox, uids, change, unchanged_since));
    let mut answer = Stored { stored: Vec::new(), failed: UidSet::new() };
    let mut ended = false;
    while let Some(outcome) = outcomes.next().await {
        ensure!(!ended, "something came after FlagOutcome::Failed, which is told last");
        match outcome? {
            FlagOutcome::Stored { uid, modseq, flags } => answer.stored.push((uid, modseq, flags)),
            FlagOutcome::Failed(failed) => {
                ended = true;
                answer.failed = failed;
            }
        }
    }
    Ok(answer)
}

/// All pages of what happened since, put together, with the rules for pages checked.
pub(super) async fn all_changes<A: Account>(
    account: &A,
    mailbox: &MailboxId,
    since: ModSeq,
    page: usize,
) -> Check<Changes> {
    let mut whole = Changes::none(since);
    loop {
        let changes = account.changes_since(mailbox, whole.up_to, page).await?;
        let mut before = whole.up_to;
        for changed in &changes.changed {
            ensure!(changed.modseq > whole.up_to, "UID {} came with an old modification sequence", changed.uid);
            ensure!(changed.modseq >= before, "changes are not by rising modification sequence at UID {}", changed.uid);
            ensure!(changed.modseq <= changes.up_to, "UID {} lies behind the page's end", changed.uid);
            before = changed.modseq;
        }
        ensure!(changes.up_to >= whole.up_to, "up_to fell from {} to {}", whole.up_to, changes.up_to);
        ensure!(
            !changes.more || changes.up_to > whole.up_to,
            "a page that says there is more does not go on from {}",
            whole.up_to
        );
        // A message that changed on a later page again stands under its last: the earlier word is outdated.
        let again: BTreeSet<Uid> = changes.changed.iter().map(|changed| changed.uid).collect();
        whole.changed.retain(|changed| !again.contains(&changed.uid) && !changes.vanished.contains(changed.uid));
        whole.changed.extend(changes.changed);
        whole.vanished.extend_from(&changes.vanished);
        whole.up_to = changes.up_to;
        if !changes.more {
            return Ok(whole);
        }
    }
}

/// For a loop that waits for others: lets other threads run, and gives whoever polls it a moment to stop it.
pub(super) async fn let_others_run() {
    let mut waited = false;
    poll_fn(|cx| {
        if std::mem::replace(&mut waited, true) {
            return Poll::Ready(());
        }
        thread::yield_now();
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

pub(super) fn uids(numbers: impl IntoIterator<Item = Uid>) -> UidSet {
    numbers.into_iter().collect()
}

/// Whether it is an error of that kind.
pub(super) fn is_kind<T>(result: &Result<T, StoreError>, kind: ErrorKind) -> bool {
    result.as_ref().is_err_and(|error| error.kind() == kind)
}

/// Numbers that look random and are the same in each run (splitmix64).
pub(super) struct Dice(u64);

impl Dice {
    pub(super) fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// Below `sides`, which is not 0.
    pub(super) fn roll(&mut self, sides: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^= mixed >> 31;
        usize::try_from(mixed >> 33).unwrap_or(0).checked_rem(sides).unwrap_or(0)
    }

    pub(super) fn pick<'a, T>(&mut self, from: &'a [T]) -> Option<&'a T> {
        from.get(self.roll(from.len()))
    }

    /// About every second one.
    pub(super) fn some(&mut self, of: &UidSet) -> UidSet {
        of.iter().filter(|_| self.roll(2) == 0).collect()
    }
}
