//! An account of it.

use std::collections::BTreeMap;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll};
use std::thread;
use std::time::Duration;

use futures::{Stream, StreamExt, TryStreamExt, stream};
use mailstore_traits::memory::{MemoryAccount, MemoryBlob, MemoryStage};
use mailstore_traits::*;

use crate::fault::{Fault, Step};
use crate::store::{Broken, Indexed, at_once, let_go};

/// A handle of it.
#[derive(Clone)]
pub(crate) struct BrokenAccount {
    pub(crate) inner: MemoryAccount,
    /// The same account, for the service, which may do everything.
    pub(crate) service: MemoryAccount,
    pub(crate) store: Broken,
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
