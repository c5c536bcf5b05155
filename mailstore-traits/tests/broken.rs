//! The contract kit bites: a store that breaks one promise fails the behaviours that are named for it.
#![cfg(feature = "contract")]

use std::collections::{BTreeMap, BTreeSet};
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::thread;
use std::time::Duration;

use futures::future::poll_fn;
use futures::{FutureExt, Stream, StreamExt, TryStreamExt, stream};
use mailstore_traits::contract::{self, Declared, Factory, Outcome};
use mailstore_traits::memory::{MemoryAccount, MemoryBlob, MemoryStage, MemoryStore};
use mailstore_traits::*;

/// What is wrong with a store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fault {
    /// Nothing: it shows that the wrapper is not what fails.
    None,
    /// UIDNEXT is made of the messages that are there.
    UidNextOfThePresent,
    /// A restart begins to count UIDs anew.
    ForgetsUids,
    /// UIDs are given out in one order and become visible in another, as with a database's sequence.
    VisibleLate,
    /// A move is a copy and then an expunge.
    MovesInTwoSteps,
    /// The watch begins when its stream is first read.
    WatchesLate,
    /// Flags are read, changed and written back without a lock.
    WritesFlagsBack,
    /// Flags are changed as the answers are read.
    ChangesFlagsAsRead,
    /// A page of changes ends where it is full.
    CutsPages,
    /// Changes since the future are none.
    GuessesTheFuture,
    /// A body is read from the mailbox chunk by chunk.
    ReadsBodiesLate,
    /// A body that is open holds a lock.
    LocksWhileReading,
    /// `only_deleted` is not looked at.
    ExpungesWhatIsAsked,
    /// All or nothing is each for itself.
    CommitsHalf,
    /// A renamed mailbox is a new one.
    RenamesByCopy,
    /// A watch hears nothing.
    Deaf,
    /// A restored mailbox counts its modification sequences from one.
    RestoresAnew,
    /// A UID that is asked for is given, whoever had it.
    RestoresAnywhere,
    /// What was read of a large mailbox is told until messages come.
    RemembersUids,
    /// Annotations are set one after the other.
    AnnotatesByHalf,
    /// An annotation that is removed is empty instead.
    AnnotatesWithNothing,
    /// An annotation that is too long is cut.
    CutsAnnotations,
    /// An entry's name is looked for as a mere prefix.
    ReadsAnnotationsByPrefix,
    /// A mailbox that is made of the old name has the old annotations.
    KeepsAnnotationsByName,
    /// A private annotation is everybody's.
    SharesPrivateAnnotations,
    /// Whoever has a handle may do everything.
    AsksForNoRight,
    /// Of a mailbox that may not be looked up it says that it may not be read.
    TellsOfTheHidden,
    /// What may not be looked up is listed.
    ListsTheHidden,
    /// Whoever may read may expunge.
    ExpungesByReaders,
    /// A copy has all flags of the message.
    CopiesAllFlags,
    /// An expunge of what is not marked does not ask for the right to mark.
    ExpungesUnmarked,
    /// Without its backend it says that something in it is wrong.
    TakesAnOutageForDamage,
    /// Without its backend it commits half, and then says that it could not.
    CommitsHalfInAnOutage,
    /// Without its backend it says that all is done.
    SaysDoneInAnOutage,
    /// When its backend was away once, it does not come back.
    StaysAway,
    /// Its index is brought up to date after each search.
    IndexesLate,
    /// Its index has the flags of when the message came.
    IndexesFlagsOnce,
    /// Its index does not know of NOT.
    IndexesWithoutNot,
    /// What is one step is several, and a call that is dropped stays between them.
    InSteps(Step),
}

/// What is done in several steps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    /// One message after the other is committed.
    Commit,
    /// The new one comes, and then the old one goes.
    Replace,
    /// One recipient after the other.
    Deliver,
    /// One message after the other is copied.
    Copy,
    /// One message after the other is expunged.
    Expunge,
    /// The mailboxes below first.
    Rename,
    /// It is emptied, and then removed.
    Delete,
    /// The old limits go, and then the new ones come.
    Quota,
    /// A maildrop is written down as lent before anybody has it.
    Lease,
}

#[derive(Clone)]
struct Broken {
    inner: MemoryStore,
    fault: Fault,
    /// UIDs that are not to be seen yet.
    hidden: Arc<Mutex<BTreeSet<Uid>>>,
    lock: Arc<futures::lock::Mutex<()>>,
    /// What a snapshot of a large mailbox told.
    remembered: Arc<Mutex<UidSet>>,
    /// The annotations of mailboxes that were deleted.
    left: Arc<Mutex<BTreeMap<MailboxName, Vec<Annotation>>>>,
    /// Whether a call found the backend away.
    was_away: Arc<AtomicBool>,
    /// A maildrop that is lent and that nobody has yet.
    lent: Arc<Mutex<Option<MaildropLease>>>,
    /// The messages that the index has, with what it has of them.
    indexed: Arc<Mutex<BTreeMap<(MailboxId, Uid), Indexed>>>,
}

/// What an index has of a message: its flags, size and octets.
type Indexed = (Flags, u64, String);

#[derive(Clone)]
struct BrokenAccount {
    inner: MemoryAccount,
    /// The same account, for the service, which may do everything.
    service: MemoryAccount,
    store: Broken,
}

impl Factory for Fault {
    type Store = Broken;

    async fn fresh(&self) -> Broken {
        Broken {
            inner: MemoryStore::new(),
            fault: *self,
            hidden: Arc::default(),
            lock: Arc::default(),
            remembered: Arc::default(),
            left: Arc::default(),
            was_away: Arc::default(),
            lent: Arc::default(),
            indexed: Arc::default(),
        }
    }

    async fn reopen(&self, store: Broken) -> Option<Broken> {
        if *self == Self::ForgetsUids { Some(self.fresh().await) } else { Some(store) }
    }

    async fn beside(&self, store: &Broken) -> Option<Broken> {
        // What another process writes to, this one would find there.
        Some(store.clone())
    }

    async fn break_down(&self, store: &Broken) -> bool {
        store.inner.set_available(false);
        true
    }

    async fn mend(&self, store: &Broken) {
        store.inner.set_available(true);
    }

    fn declared(&self) -> Declared {
        let mut declared = Declared::default();
        declared.signal_within = Duration::from_millis(500);
        declared.unhindered_within = Duration::from_secs(2);
        declared.large_octets = 1_000_000;
        declared.many_messages = 200;
        declared
    }
}

/// The memory store never waits.
fn at_once<T>(work: impl Future<Output = T>) -> T {
    work.now_or_never().expect("done at the first poll")
}

async fn let_go() {
    let mut waited = false;
    poll_fn(|cx: &mut Context<'_>| {
        if std::mem::replace(&mut waited, true) {
            return Poll::Ready(());
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
    thread::sleep(Duration::from_millis(2));
}

impl MailStore for Broken {
    type Account = BrokenAccount;
    type Stage = MemoryStage;
    type Blob = MemoryBlob;

    fn features(&self) -> StoreFeatures {
        let mut features = self.inner.features();
        features.watch_across_processes = true;
        features.search_index = true;
        features
    }

    async fn open(&self, account: &AccountId, actor: &Actor) -> Result<BrokenAccount> {
        let mut inner = self.inner.open(account, actor).await?;
        let service = self.inner.open(account, &Actor::Service).await?;
        if self.fault == Fault::AsksForNoRight {
            inner = service.clone();
        }
        Ok(BrokenAccount { inner, service, store: self.clone() })
    }

    async fn stage(&self, hint: SizeHint) -> Result<MemoryStage> {
        self.inner.stage(hint).await
    }

    async fn read_blob(&self, blob: &MemoryBlob, range: ByteRange) -> Result<Body> {
        self.inner.read_blob(blob, range).await
    }

    async fn deliver(&self, blob: &MemoryBlob, targets: Vec<Target>, mode: Mode) -> Result<Vec<Result<Placed>>> {
        if self.fault != Fault::InSteps(Step::Deliver) {
            return self.inner.deliver(blob, targets, mode).await;
        }
        let mut placed = Vec::new();
        for target in targets {
            placed.extend(self.inner.deliver(blob, vec![target], mode).await?);
            let_go().await;
        }
        Ok(placed)
    }
}

impl BrokenAccount {
    fn is(&self, fault: Fault) -> bool {
        self.store.fault == fault
    }

    /// What an index would have to have of a mailbox by now.
    async fn indexed(&self, mailbox: &MailboxId) -> Result<BTreeMap<(MailboxId, Uid), Indexed>> {
        let found = self.fetch_meta(mailbox, &UidSet::all(), MetaFields::ALL, MetaFilter::default());
        let metas: Vec<MessageMeta> = found.try_collect().await?;
        let mut all = BTreeMap::new();
        for meta in metas {
            let octets: Vec<bytes::Bytes> =
                self.inner.open_body(mailbox, meta.uid, ByteRange::WHOLE).await?.try_collect().await?;
            let text = String::from_utf8_lossy(&octets.concat()).to_ascii_lowercase();
            all.insert((mailbox.clone(), meta.uid), (meta.flags, meta.size, text));
        }
        Ok(all)
    }

    fn hidden(&self) -> UidSet {
        self.store.hidden.lock().expect("no test panics with it").iter().copied().collect()
    }
}

impl Account for BrokenAccount {
    type Blob = MemoryBlob;
    type Stage = MemoryStage;

    fn features(&self) -> StoreFeatures {
        self.store.features()
    }

    fn list(&self, hint: ListHint) -> impl Stream<Item = Result<MailboxInfo>> + Send + 'static {
        if self.is(Fault::ListsTheHidden) { self.service.list(hint).boxed() } else { self.inner.list(hint).boxed() }
    }

    async fn find(&self, name: &MailboxName) -> Result<MailboxId> {
        self.inner.find(name).await
    }

    async fn status(&self, mailboxes: &[MailboxId]) -> Result<Vec<MailboxStatus>> {
        let mut told = self.inner.status(mailboxes).await?;
        for status in &mut told {
            status.uid_next = self.snapshot(&status.id, false).await?.uid_next;
        }
        Ok(told)
    }

    async fn create(&self, name: &MailboxName, special_use: Option<SpecialUse>) -> Result<CreatedMailbox> {
        let made = self.inner.create(name, special_use).await?;
        let left = self.store.left.lock().expect("no test panics with it").remove(name);
        self.service.set_annotations(Some(&made.id), left.unwrap_or_default()).await?;
        Ok(made)
    }

    async fn delete(&self, mailbox: &MailboxId) -> Result<()> {
        if self.is(Fault::KeepsAnnotationsByName) {
            let all: Vec<MailboxInfo> = self.inner.list(ListHint::default()).try_collect().await?;
            let left = self.inner.annotations(Some(mailbox), &everything()).await?;
            if let Some(info) = all.into_iter().find(|info| info.id.as_ref() == Some(mailbox)) {
                self.store.left.lock().expect("no test panics with it").insert(info.name, left);
            }
        }
        if self.is(Fault::InSteps(Step::Delete)) {
            self.inner.expunge(mailbox, &UidSet::all(), false).await?;
            let_go().await;
        }
        self.inner.delete(mailbox).await
    }

    async fn rename(&self, from: &MailboxName, to: &MailboxName) -> Result<()> {
        if self.is(Fault::InSteps(Step::Rename)) {
            let all: Vec<MailboxInfo> = self.inner.list(ListHint::default()).try_collect().await?;
            for below in
                all.into_iter().filter(|info| info.id.is_some() && info.name.is_below(from)).map(|info| info.name)
            {
                let moved = MailboxName::parse(&below.as_str().replacen(from.as_str(), to.as_str(), 1));
                self.inner.rename(&below, &moved.map_err(|_| ErrorKind::Invalid)?).await?;
                let_go().await;
            }
        }
        let Ok(old) = self.inner.find(from).await else { return self.inner.rename(from, to).await };
        if !self.is(Fault::RenamesByCopy) || from.is_inbox() {
            return self.inner.rename(from, to).await;
        }
        let new = self.inner.create(to, None).await?.id;
        self.inner.move_messages(&old, &UidSet::all(), &new).await?;
        self.inner.delete(&old).await
    }

    async fn set_subscribed(&self, name: &MailboxName, subscribed: bool) -> Result<()> {
        let done = self.inner.set_subscribed(name, subscribed).await;
        if self.store.was_away.load(Ordering::SeqCst) {
            return Err(ErrorKind::Unavailable.into());
        }
        match done {
            Err(error) if error.kind() == ErrorKind::Unavailable => match self.store.fault {
                Fault::TakesAnOutageForDamage => Err(ErrorKind::Internal.into()),
                Fault::SaysDoneInAnOutage => Ok(()),
                Fault::StaysAway => {
                    self.store.was_away.store(true, Ordering::SeqCst);
                    Err(error)
                }
                _ => Err(error),
            },
            done => done,
        }
    }

    async fn snapshot(&self, mailbox: &MailboxId, claim_recent: bool) -> Result<Snapshot> {
        let mut snapshot = {
            let hidden = self.store.hidden.lock().expect("no test panics with it");
            let mut snapshot = match at_once(self.inner.snapshot(mailbox, claim_recent)) {
                Err(_) if self.is(Fault::TellsOfTheHidden) && at_once(self.service.acl(mailbox)).is_ok() => {
                    return Err(ErrorKind::NotPermitted.into());
                }
                snapshot => snapshot?,
            };
            snapshot.uids = snapshot.uids.difference(&hidden.iter().copied().collect());
            snapshot
        };
        if self.is(Fault::UidNextOfThePresent) {
            snapshot.uid_next = snapshot.uids.last().map_or(Some(Uid::MIN), Uid::next);
        }
        if self.is(Fault::RemembersUids) && snapshot.uids.len() > 100 {
            let mut remembered = self.store.remembered.lock().expect("no test panics with it");
            if remembered.last() < snapshot.uids.last() {
                *remembered = snapshot.uids;
            }
            snapshot.uids = remembered.clone();
        }
        Ok(snapshot)
    }

    fn fetch_meta(
        &self,
        mailbox: &MailboxId,
        uids: &UidSet,
        fields: MetaFields,
        filter: MetaFilter,
    ) -> impl Stream<Item = Result<MessageMeta>> + Send + 'static {
        self.inner.fetch_meta(mailbox, &uids.difference(&self.hidden()), fields, filter).boxed()
    }

    async fn open_body(&self, mailbox: &MailboxId, uid: Uid, range: ByteRange) -> Result<Body> {
        let body = self.inner.open_body(mailbox, uid, range).await?;
        if self.is(Fault::LocksWhileReading) {
            let guard = Arc::clone(&self.store.lock).lock_owned().await;
            let len = body.len();
            return Ok(Body::new(len, Holding(body, guard)));
        }
        if !self.is(Fault::ReadsBodiesLate) {
            return Ok(body);
        }
        let (account, mailbox) = (self.inner.clone(), mailbox.clone());
        let pieces = stream::iter((0..body.len()).step_by(100_000)).then(move |at| {
            let (account, mailbox) = (account.clone(), mailbox.clone());
            async move {
                let range = ByteRange::new(range.start + at, (100_000).min(range.len.map_or(u64::MAX, |len| len - at)));
                let piece: Vec<bytes::Bytes> = account.open_body(&mailbox, uid, range).await?.try_collect().await?;
                Ok(piece.concat().into())
            }
        });
        Ok(Body::new(body.len(), pieces))
    }

    async fn changes_since(&self, mailbox: &MailboxId, since: ModSeq, page: usize) -> Result<Changes> {
        let hidden = self.hidden();
        if self.is(Fault::GuessesTheFuture) && since > self.inner.snapshot(mailbox, false).await?.highest_modseq {
            return Ok(Changes::none(since));
        }
        let mut changes = self.inner.changes_since(mailbox, since, page).await?;
        changes.changed.retain(|changed| !hidden.contains(changed.uid));
        if self.is(Fault::CutsPages) && changes.changed.len() > page.max(1) {
            changes.changed.truncate(page.max(1));
            changes.up_to = changes.changed.last().map_or(changes.up_to, |last| last.modseq);
            changes.more = true;
        }
        Ok(changes)
    }

    async fn stage(&self, hint: SizeHint) -> Result<MemoryStage> {
        self.inner.stage(hint).await
    }

    async fn restore(
        &self,
        name: &MailboxName,
        special_use: Option<SpecialUse>,
        mut past: MailboxPast,
    ) -> Result<CreatedMailbox> {
        if self.is(Fault::RestoresAnew) {
            past.highest_modseq = ModSeq::MIN;
        }
        self.inner.restore(name, special_use, past).await
    }

    async fn commit(&self, mut placements: Vec<Placement<MemoryBlob>>, mode: Mode) -> Result<Vec<Result<Placed>>> {
        if self.is(Fault::RestoresAnywhere) {
            for placement in &mut placements {
                let next = self.inner.snapshot(&placement.mailbox, false).await?.uid_next;
                placement.uid = placement.uid.filter(|uid| next.is_some_and(|next| *uid >= next));
            }
        }
        if self.is(Fault::LocksWhileReading) {
            drop(self.store.lock.lock().await);
        }
        if self.is(Fault::CommitsHalf) {
            let placed = self.inner.commit(placements, Mode::PerTarget).await?;
            let failed = placed.iter().find_map(|placed| placed.clone().err());
            return if mode == Mode::PerTarget { Ok(placed) } else { failed.map_or(Ok(placed), Err) };
        }
        if self.is(Fault::CommitsHalfInAnOutage) {
            let half = placements.iter().take(1).cloned().collect();
            let placed = self.inner.commit(placements, mode).await;
            if placed.is_err() {
                self.store.inner.set_available(true);
                self.inner.commit(half, mode).await?;
                self.store.inner.set_available(false);
            }
            return placed;
        }
        if self.is(Fault::InSteps(Step::Commit)) {
            let mut placed = Vec::new();
            for placement in placements {
                placed.extend(self.inner.commit(vec![placement], mode).await?);
                let_go().await;
            }
            return Ok(placed);
        }
        if self.is(Fault::InSteps(Step::Replace)) {
            let old: Vec<_> =
                placements.iter_mut().filter_map(|new| Some((new.mailbox.clone(), new.replaces.take()?))).collect();
            let placed = self.inner.commit(placements, mode).await;
            for (mailbox, old) in old {
                let_go().await;
                self.inner.expunge(&mailbox, &old.into(), false).await?;
            }
            return placed;
        }
        if !self.is(Fault::VisibleLate) {
            return self.inner.commit(placements, mode).await;
        }
        let placed = {
            let mut hidden = self.store.hidden.lock().expect("no test panics with it");
            let placed = at_once(self.inner.commit(placements, mode))?;
            hidden.extend(placed.iter().flatten().map(|placed| placed.uid));
            placed
        };
        // The one that has the number and is slow.
        if placed.iter().flatten().any(|placed| placed.uid.value() % 3 == 0) {
            thread::sleep(Duration::from_millis(3));
        }
        for placed in placed.iter().flatten() {
            self.store.hidden.lock().expect("no test panics with it").remove(&placed.uid);
        }
        Ok(placed)
    }

    fn store_flags(
        &self,
        mailbox: &MailboxId,
        uids: &UidSet,
        change: FlagChange,
        unchanged_since: Option<ModSeq>,
    ) -> impl Stream<Item = Result<FlagOutcome>> + Send + 'static {
        let (account, mailbox, uids) = (self.inner.clone(), mailbox.clone(), uids.clone());
        match self.store.fault {
            Fault::ChangesFlagsAsRead => stream::once(async move {
                account.store_flags(&mailbox, &uids, change, unchanged_since).collect::<Vec<_>>().await
            })
            .flat_map(stream::iter)
            .boxed(),
            Fault::WritesFlagsBack => {
                let found = account.fetch_meta(&mailbox, &uids, MetaFields::ALL, MetaFilter::default());
                let metas: Vec<Result<MessageMeta>> = at_once(found.collect());
                thread::sleep(Duration::from_millis(2));
                let answers = metas.into_iter().flatten().map(move |meta| {
                    let flags = FlagChange::Replace(change.apply(&meta.flags));
                    let unchanged = unchanged_since.is_none_or(|since| meta.modseq <= since);
                    let stored = account.store_flags(&mailbox, &meta.uid.into(), flags, None);
                    if unchanged {
                        stored.boxed()
                    } else {
                        stream::iter([Ok(FlagOutcome::Failed(meta.uid.into()))]).boxed()
                    }
                });
                stream::iter(answers.collect::<Vec<_>>()).flatten().boxed()
            }
            _ => account.store_flags(&mailbox, &uids, change, unchanged_since).boxed(),
        }
    }

    async fn copy(&self, source: &MailboxId, uids: &UidSet, destination: &MailboxId) -> Result<Transferred> {
        if self.is(Fault::CopiesAllFlags) {
            // Of no message, which asks for the rights.
            self.inner.copy(source, &UidSet::new(), destination).await?;
            return self.service.copy(source, uids, destination).await;
        }
        if self.is(Fault::InSteps(Step::Copy)) {
            let mut copied = self.inner.copy(source, &UidSet::new(), destination).await?;
            for uid in self.inner.snapshot(source, false).await?.uids.iter().filter(|uid| uids.contains(*uid)) {
                copied.uids.extend(self.inner.copy(source, &uid.into(), destination).await?.uids);
                let_go().await;
            }
            return Ok(copied);
        }
        self.inner.copy(source, uids, destination).await
    }

    async fn move_messages(&self, source: &MailboxId, uids: &UidSet, destination: &MailboxId) -> Result<Transferred> {
        if !self.is(Fault::MovesInTwoSteps) {
            return self.inner.move_messages(source, uids, destination).await;
        }
        let mut moved = self.inner.copy(source, uids, destination).await?;
        let_go().await;
        moved.source_modseq = self.inner.expunge(source, uids, false).await?.1;
        Ok(moved)
    }

    async fn expunge(&self, mailbox: &MailboxId, uids: &UidSet, only_deleted: bool) -> Result<(UidSet, ModSeq)> {
        if self.is(Fault::InSteps(Step::Expunge)) {
            let (mut gone, mut last) = self.inner.expunge(mailbox, &UidSet::new(), only_deleted).await?;
            for uid in self.inner.snapshot(mailbox, false).await?.uids.iter().filter(|uid| uids.contains(*uid)) {
                let (one, modseq) = self.inner.expunge(mailbox, &uid.into(), only_deleted).await?;
                gone.extend_from(&one);
                last = modseq;
                let_go().await;
            }
            return Ok((gone, last));
        }
        let rights = self.inner.my_rights(mailbox).await?;
        let unmarked = self.is(Fault::ExpungesUnmarked) && rights.contains('e') && rights.contains('r');
        if unmarked || self.is(Fault::ExpungesByReaders) && rights.contains('r') {
            return self.service.expunge(mailbox, uids, only_deleted).await;
        }
        self.inner.expunge(mailbox, uids, only_deleted && !self.is(Fault::ExpungesWhatIsAsked)).await
    }

    async fn watch(&self, mailboxes: &[MailboxId]) -> Result<impl Stream<Item = MailboxId> + Send + 'static> {
        if self.is(Fault::Deaf) {
            return Ok(stream::pending().boxed());
        }
        let (account, mailboxes) = (self.inner.clone(), mailboxes.to_vec());
        if self.is(Fault::WatchesLate) {
            let late = async move {
                account.watch(&mailboxes).await.map_or_else(|_| stream::empty().boxed(), StreamExt::boxed)
            };
            return Ok(stream::once(late).flatten().boxed());
        }
        Ok(self.inner.watch(&mailboxes).await?.boxed())
    }

    async fn lease_maildrop(&self, mailbox: &MailboxId) -> Result<MaildropLease> {
        let lease = self.inner.lease_maildrop(mailbox).await?;
        if !self.is(Fault::InSteps(Step::Lease)) {
            return Ok(lease);
        }
        *self.store.lent.lock().expect("no test panics with it") = Some(lease);
        let_go().await;
        let lease = self.store.lent.lock().expect("no test panics with it").take();
        lease.ok_or_else(|| ErrorKind::InUse.into())
    }

    async fn quota_roots(&self, mailbox: &MailboxId) -> Result<Vec<QuotaRoot>> {
        self.inner.quota_roots(mailbox).await
    }

    async fn set_quota(&self, root: &str, limits: &[(QuotaResource, u64)]) -> Result<QuotaRoot> {
        if self.is(Fault::InSteps(Step::Quota)) {
            self.inner.set_quota(root, &[]).await?;
            let_go().await;
        }
        self.inner.set_quota(root, limits).await
    }

    async fn annotations(&self, mailbox: Option<&MailboxId>, entries: &[String]) -> Result<Vec<Annotation>> {
        if self.is(Fault::SharesPrivateAnnotations) {
            self.inner.annotations(mailbox, entries).await?;
            return self.service.annotations(mailbox, entries).await;
        }
        if !self.is(Fault::ReadsAnnotationsByPrefix) {
            return self.inner.annotations(mailbox, entries).await;
        }
        let mut found = self.inner.annotations(mailbox, &everything()).await?;
        found.retain(|annotation| entries.iter().any(|entry| annotation.entry.starts_with(entry)));
        Ok(found)
    }

    async fn search(&self, mailbox: &MailboxId, key: &SearchKey) -> Result<SearchAnswer> {
        let mut now = self.indexed(mailbox).await?;
        let mut indexed = self.store.indexed.lock().expect("no test panics with it");
        if self.is(Fault::IndexesFlagsOnce) {
            for (place, message) in &mut now {
                message.0 = indexed.get(place).map_or_else(|| message.0.clone(), |known| known.0.clone());
            }
        }
        if !self.is(Fault::IndexesLate) {
            *indexed = now.clone();
        }
        let found = indexed.iter().filter(|((place, uid), message)| place == mailbox && self.holds(key, *uid, message));
        let answer = SearchAnswer::Exact(found.map(|((_, uid), _)| *uid).collect());
        indexed.extend(now);
        Ok(answer)
    }

    async fn acl(&self, mailbox: &MailboxId) -> Result<Vec<AclEntry>> {
        self.inner.acl(mailbox).await
    }

    async fn set_acl(&self, mailbox: &MailboxId, entry: AclEntry) -> Result<()> {
        self.inner.set_acl(mailbox, entry).await
    }

    async fn my_rights(&self, mailbox: &MailboxId) -> Result<Rights> {
        self.inner.my_rights(mailbox).await
    }

    async fn set_annotations(&self, mailbox: Option<&MailboxId>, mut annotations: Vec<Annotation>) -> Result<()> {
        if self.is(Fault::SharesPrivateAnnotations) {
            self.inner.set_annotations(mailbox, Vec::new()).await?;
            return self.service.set_annotations(mailbox, annotations).await;
        }
        for annotation in &mut annotations {
            match &mut annotation.value {
                Some(value) if self.is(Fault::CutsAnnotations) => value.truncate(65_536),
                value if self.is(Fault::AnnotatesWithNothing) => _ = value.get_or_insert_default(),
                _ => {}
            }
        }
        if !self.is(Fault::AnnotatesByHalf) {
            return self.inner.set_annotations(mailbox, annotations).await;
        }
        for annotation in annotations {
            self.inner.set_annotations(mailbox, vec![annotation]).await?;
        }
        Ok(())
    }
}

impl BrokenAccount {
    /// Whether a message of the index is one that is looked for; the octets are not taken apart.
    fn holds(&self, key: &SearchKey, uid: Uid, message: &Indexed) -> bool {
        let (flags, size, text) = message;
        match key {
            SearchKey::All => true,
            SearchKey::And(keys) => keys.iter().all(|key| self.holds(key, uid, message)),
            SearchKey::Or(keys) => keys.iter().any(|key| self.holds(key, uid, message)),
            SearchKey::Not(key) => self.holds(key, uid, message) == self.is(Fault::IndexesWithoutNot),
            SearchKey::Uids(uids) => uids.contains(uid),
            SearchKey::Flag(flag) => flags.contains(flag),
            SearchKey::Larger(than) => size > than,
            SearchKey::Smaller(than) => size < than,
            SearchKey::Header(_, words) | SearchKey::Body(words) | SearchKey::Text(words) => {
                text.contains(&words.to_ascii_lowercase())
            }
            other => panic!("the kit does not look for {other:?}"),
        }
    }
}

/// Both parts of the entries that an annotation can have.
fn everything() -> Vec<String> {
    ["/private", "/shared"].map(String::from).to_vec()
}

/// A body with a lock that it holds to its end.
struct Holding(Body, #[allow(dead_code, reason = "held")] futures::lock::OwnedMutexGuard<()>);

impl Stream for Holding {
    type Item = Result<bytes::Bytes>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.0.poll_next_unpin(cx)
    }
}

#[allow(clippy::print_stdout, reason = "what the kit says of a fault is worth reading")]
#[track_caller]
fn fails(fault: Fault, behaviours: &[&str]) {
    for behaviour in behaviours {
        let report = contract::run_one(fault, behaviour);
        match report.outcome(behaviour) {
            Some(Outcome::Failed(why)) => println!("{fault:?}, {behaviour}: {why}"),
            outcome => panic!("{fault:?} was not found out by {behaviour}: {outcome:?}"),
        }
    }
}

#[test]
fn the_wrapper_alone_keeps_the_contract() {
    contract::run(Fault::None).assert_passed();
}

#[test]
fn uids_that_are_used_again_are_found() {
    fails(Fault::UidNextOfThePresent, &["uid_next_is_larger_than_all_uids_ever_given_out"]);
    fails(Fault::ForgetsUids, &["a_uid_is_never_used_again", "modification_sequences_survive_a_restart"]);
}

#[test]
fn uids_that_become_visible_late_are_found() {
    fails(Fault::VisibleLate, &["what_is_seen_is_never_preceded_later"]);
}

#[test]
fn a_move_in_two_steps_is_found() {
    fails(Fault::MovesInTwoSteps, &["a_move_is_one_step", "a_dropped_future_leaves_all_or_nothing"]);
    fails(Fault::MovesInTwoSteps, &["of_two_moves_one_wins", "a_copy_over_quota_copies_nothing"]);
}

#[test]
fn a_lost_signal_is_found() {
    fails(Fault::WatchesLate, &["a_write_by_another_handle_is_signalled"]);
    fails(Fault::Deaf, &["a_write_by_another_process_is_signalled"]);
}

#[test]
fn flags_that_are_not_changed_in_one_step_are_found() {
    fails(Fault::WritesFlagsBack, &["concurrent_adds_are_all_kept", "of_two_conditional_stores_one_wins"]);
    fails(Fault::WritesFlagsBack, &["two_threads_are_one_history"]);
    fails(Fault::ChangesFlagsAsRead, &["a_dropped_future_leaves_all_or_nothing"]);
}

#[test]
fn a_feed_that_is_not_exact_is_found() {
    fails(Fault::CutsPages, &["no_page_ends_inside_a_modification_sequence", "random_histories_agree_with_the_model"]);
    fails(Fault::GuessesTheFuture, &["too_old_is_never_half_an_answer"]);
    fails(Fault::RemembersUids, &["a_large_mailbox_is_told_as_it_is"]);
}

#[test]
fn bodies_that_depend_on_others_are_found() {
    fails(Fault::ReadsBodiesLate, &["an_open_body_outlives_its_message"]);
    fails(Fault::LocksWhileReading, &["a_slow_reader_blocks_no_writer"]);
}

#[test]
fn what_is_done_by_half_or_too_much_is_found() {
    fails(Fault::ExpungesWhatIsAsked, &["only_deleted_messages_are_expunged"]);
    fails(Fault::ExpungesWhatIsAsked, &["random_histories_agree_with_the_model"]);
    fails(Fault::CommitsHalf, &["a_commit_of_many_is_in_order_and_whole", "over_quota_changes_nothing"]);
    fails(Fault::RenamesByCopy, &["a_rename_keeps_all_but_the_name", "a_rename_takes_the_children_along"]);
}

#[test]
fn what_a_dropped_call_leaves_between_two_steps_is_found() {
    use Step::*;
    for step in [Commit, Replace, Deliver, Copy, Expunge, Rename, Delete, Quota, Lease] {
        fails(Fault::InSteps(step), &["a_dropped_future_leaves_all_or_nothing"]);
    }
}

#[test]
fn a_move_between_stores_keeps_what_was_told() {
    fails(Fault::RestoresAnew, &["a_restored_mailbox_goes_on_where_the_old_one_ended"]);
    fails(Fault::RestoresAnywhere, &["only_an_unused_mailbox_is_restored"]);
}

#[test]
fn annotations_that_are_not_what_was_set_are_found() {
    let behaviour = "an_annotation_is_ones_own_or_everybodys";
    for fault in [Fault::AnnotatesByHalf, Fault::AnnotatesWithNothing, Fault::CutsAnnotations] {
        fails(fault, &[behaviour]);
    }
    fails(Fault::ReadsAnnotationsByPrefix, &[behaviour]);
    fails(Fault::KeepsAnnotationsByName, &[behaviour]);
}

#[test]
fn rights_that_are_not_asked_for_are_found() {
    let behaviour = "each_right_is_asked_for";
    for fault in [Fault::AsksForNoRight, Fault::TellsOfTheHidden, Fault::ListsTheHidden, Fault::ExpungesByReaders] {
        fails(fault, &[behaviour]);
    }
    fails(Fault::CopiesAllFlags, &[behaviour]);
    fails(Fault::ExpungesUnmarked, &[behaviour]);
    fails(Fault::SharesPrivateAnnotations, &[behaviour]);
}

#[test]
fn an_outage_that_is_not_told_as_it_is_is_found() {
    let behaviour = "what_fails_is_unavailable_and_works_later";
    for fault in [Fault::TakesAnOutageForDamage, Fault::CommitsHalfInAnOutage, Fault::SaysDoneInAnOutage] {
        fails(fault, &[behaviour]);
    }
    fails(Fault::StaysAway, &[behaviour]);
}

#[test]
fn an_index_that_is_not_as_it_should_be_is_found() {
    fails(Fault::IndexesLate, &["an_index_is_not_behind_what_is_told", "an_index_loses_no_message"]);
    fails(Fault::IndexesFlagsOnce, &["an_index_is_not_behind_what_is_told"]);
    fails(Fault::IndexesWithoutNot, &["an_index_loses_no_message"]);
}

#[test]
fn a_behaviour_that_does_not_exist_fails() {
    let report = contract::run_one(Fault::None, "no such thing");
    assert_eq!(report.failed().count(), 1);
}
