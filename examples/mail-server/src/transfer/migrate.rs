//! Mail from one store into another, so that mail programs notice nothing: UIDs, UIDVALIDITY, flags, dates, unique-ids and
//! subscriptions stay.
//!
//! It makes the second store as the first is. Run again it takes what has changed since: what came, what went, which flags
//! are others. So it can be interrupted, and most of it can be done while the first store is still being served; the last
//! run, with the server stopped, is short.

use futures::{StreamExt, TryStreamExt};
use indicatif::ProgressBar;
use mail_message::Digester;
use mailstore_traits::{
    Account, AccountId, Actor, ByteRange, ErrorKind, FlagChange, ListHint, MailStore, MailboxId, MailboxInfo,
    MailboxName, MailboxPast, MessageMeta, MetaFields, MetaFilter, Mode, Placement, SizeHint, Snapshot, Stage,
    StoreError, Uid, UidSet,
};

use super::import::{BATCH, BATCH_OCTETS, count};
use super::progress;
use crate::error::{Failure, Outcome};
use crate::out::{note, say};

/// Makes the mail of these accounts in `to` what it is in `from`.
pub(crate) async fn migrate<S: MailStore, D: MailStore>(from: &S, to: &D, names: &[AccountId]) -> Outcome {
    if !to.features().restore {
        return Err(Failure::usage("the store that --to names takes no mailboxes over from another one"));
    }
    let mut total = 0_u64;
    for name in names {
        total = total.saturating_add(messages(from, name).await.map_err(|error| cannot_read(name, &error))?);
    }
    let bar = progress(total, "{wide_bar} {pos}/{len} messages  {msg}  {eta} left");
    let mut sums = Sums::default();
    for name in names {
        bar.set_message(name.as_str().to_owned());
        let open = Actor::Service;
        let from = from.open(name, &open).await.map_err(|error| cannot_read(name, &error))?;
        let to = to.open(name, &open).await.map_err(|error| cannot_write(name, &error))?;
        Move { name, from, to, sums: &mut sums, bar: &bar }.run().await?;
    }
    bar.finish_and_clear();
    let Sums { copied, there, flags, gone, lost } = sums;
    say!("copied {} of {}", count(copied), accounts(names.len()));
    if there > 0 {
        say!("  {} had been copied before; flags of {flags} changed since, {gone} went since", count(there));
    }
    match lost {
        0 => Ok(()),
        lost => Err(Failure::failed(format!("{} could not be copied; they are named above", count(lost)))),
    }
}

fn accounts(number: usize) -> String {
    if number == 1 { String::from("1 account") } else { format!("{number} accounts") }
}

fn cannot_read(name: &AccountId, error: &StoreError) -> Failure {
    Failure::failed(format!("cannot read the mail of {name}: {error}"))
}

fn cannot_write(name: &AccountId, error: &StoreError) -> Failure {
    Failure::failed(format!("cannot write the mail of {name}: {error}; when that is mended, run it again: it goes on"))
}

async fn messages<S: MailStore>(store: &S, name: &AccountId) -> Result<u64, StoreError> {
    let account = store.open(name, &Actor::Service).await?;
    let ids: Vec<_> = account.list(ListHint::default()).try_filter_map(async |info| Ok(info.id)).try_collect().await?;
    Ok(account.status(&ids).await?.iter().map(|status| status.messages).sum())
}

/// What was done.
#[derive(Default)]
struct Sums {
    copied: u64,
    /// Copied by an earlier run.
    there: u64,
    /// Whose flags had changed since.
    flags: u64,
    /// That had been copied and were removed since.
    gone: u64,
    lost: u64,
}

/// One account's.
struct Move<'a, S, D> {
    name: &'a AccountId,
    from: S,
    to: D,
    sums: &'a mut Sums,
    bar: &'a ProgressBar,
}

impl<S: Account, D: Account> Move<'_, S, D> {
    fn reading(&self, error: &StoreError) -> Failure {
        cannot_read(self.name, error)
    }

    fn writing(&self, error: &StoreError) -> Failure {
        cannot_write(self.name, error)
    }

    fn another(&self, mailbox: &MailboxName) -> Failure {
        Failure::failed(format!(
            "{} has another `{}` where --to names, with mail of its own; name a store that is empty",
            self.name,
            mailbox.as_str()
        ))
    }

    async fn run(&mut self) -> Outcome {
        let listed: Vec<MailboxInfo> =
            self.from.list(ListHint::default()).try_collect().await.map_err(|error| self.reading(&error))?;
        for info in &listed {
            if let Some(id) = &info.id {
                self.mailbox(info, id).await?;
            }
        }
        let there: Vec<MailboxInfo> =
            self.to.list(ListHint::default()).try_collect().await.map_err(|error| self.writing(&error))?;
        let is_subscribed =
            |infos: &[MailboxInfo], name: &MailboxName| infos.iter().any(|info| info.name == *name && info.subscribed);
        for MailboxInfo { name, id, .. } in listed.iter().chain(&there) {
            let wanted = is_subscribed(&listed, name);
            if wanted != is_subscribed(&there, name) {
                self.to.set_subscribed(name, wanted).await.map_err(|error| self.writing(&error))?;
            }
            if id.is_some() && !listed.iter().any(|info| info.id.is_some() && info.name == *name) {
                let name = Failure::failed(name.as_str());
                self.bar.suspend(|| note!("note: {}'s `{name}` is only where --to names; it is left there", self.name));
            }
        }
        Ok(())
    }

    async fn mailbox(&mut self, info: &MailboxInfo, source: &MailboxId) -> Outcome {
        let then = self.from.snapshot(source, false).await.map_err(|error| self.reading(&error))?;
        let past = MailboxPast::from(&then);
        let restored = self.to.restore(&info.name, info.special_use, past.unfinished()).await;
        let target = restored.map_err(|error| match error.kind() {
            ErrorKind::AlreadyExists => self.another(&info.name),
            _ => self.writing(&error),
        })?;
        let target = target.id;
        let now = self.to.snapshot(&target, false).await.map_err(|error| self.writing(&error))?;
        self.catch_up(&info.name, (source, &then), (&target, &now)).await?;
        let missing = self.reachable(&info.name, then.uids.difference(&now.uids), now.uid_next);
        self.copy(&info.name, source, &target, &missing).await?;
        // From here on no UID is given out that was told before, not even that of a message that had gone.
        self.to.restore(&info.name, info.special_use, past).await.map_err(|error| self.writing(&error))?;
        Ok(())
    }

    /// What an earlier run copied becomes what it is now.
    async fn catch_up(
        &mut self,
        name: &MailboxName,
        (source, then): (&MailboxId, &Snapshot),
        (target, now): (&MailboxId, &Snapshot),
    ) -> Outcome {
        let both = now.uids.intersection(&then.uids);
        self.catch_up_with_flags(name, source, target, &both).await?;
        let gone = now.uids.difference(&then.uids);
        if !gone.is_empty() {
            let (gone, _) = self.to.expunge(target, &gone, false).await.map_err(|error| self.writing(&error))?;
            self.sums.gone = self.sums.gone.saturating_add(gone.len());
        }
        self.sums.there = self.sums.there.saturating_add(both.len());
        Ok(())
    }

    async fn catch_up_with_flags(
        &mut self,
        name: &MailboxName,
        source: &MailboxId,
        target: &MailboxId,
        both: &UidSet,
    ) -> Outcome {
        if both.is_empty() {
            return Ok(());
        }
        self.bar.inc(both.len());
        let fields = MetaFields::FIXED.with_flags();
        let mut wanted = std::pin::pin!(self.from.fetch_meta(source, both, fields, MetaFilter::default()));
        let mut found = std::pin::pin!(self.to.fetch_meta(target, both, fields, MetaFilter::default()));
        let mut there = found.try_next().await.map_err(|error| cannot_write(self.name, &error))?;
        while let Some(here) = wanted.try_next().await.map_err(|error| cannot_read(self.name, &error))? {
            while there.as_ref().is_some_and(|there| there.uid < here.uid) {
                there = found.try_next().await.map_err(|error| cannot_write(self.name, &error))?;
            }
            let Some(there) = there.as_ref().filter(|there| there.uid == here.uid) else { continue };
            if (there.size, there.internal_date) != (here.size, here.internal_date) {
                // Two stores that were made in the same second give out the same UIDVALIDITY.
                return Err(self.another(name));
            }
            if there.flags == here.flags {
                continue;
            }
            let change = FlagChange::Replace(here.flags.clone());
            let changes = self.to.store_flags(target, &here.uid.into(), change, None);
            changes.try_for_each(async |_| Ok(())).await.map_err(|error| cannot_write(self.name, &error))?;
            self.sums.flags = self.sums.flags.saturating_add(1);
        }
        Ok(())
    }

    /// Those whose UIDs can still be given: they only rise. What is behind was lost by an earlier run, and told then.
    fn reachable(&mut self, name: &MailboxName, missing: UidSet, next: Option<Uid>) -> UidSet {
        let Some(next) = next else { return UidSet::new() };
        let reachable = missing.intersection(&UidSet::from_range(next, Uid::MAX));
        for uid in missing.difference(&reachable).iter() {
            self.lose(name, uid, &"messages behind it have been copied already; begin anew with an empty store");
        }
        reachable
    }

    async fn copy(&mut self, name: &MailboxName, source: &MailboxId, target: &MailboxId, uids: &UidSet) -> Outcome {
        if uids.is_empty() {
            return Ok(());
        }
        let fields = MetaFields::FIXED.with_flags().with_uidl();
        let mut metas = std::pin::pin!(self.from.fetch_meta(source, uids, fields, MetaFilter::default()));
        let (mut batch, mut octets) = (Vec::new(), 0_u64);
        while let Some(meta) = metas.next().await {
            let meta = meta.map_err(|error| self.reading(&error))?;
            self.bar.inc(1);
            match self.stage(source, &meta).await {
                Ok(blob) => {
                    let mut placement = Placement::new(blob, target.clone())
                        .with_flags(meta.flags)
                        .with_internal_date(meta.internal_date)
                        .with_uid(meta.uid);
                    placement.uidl = meta.uidl;
                    batch.push(placement);
                    octets = octets.saturating_add(meta.size);
                }
                // Somebody has just removed it.
                Err(Trouble::Reading(error)) if error.kind() == ErrorKind::Expunged => continue,
                Err(Trouble::Reading(error)) => self.lose(name, meta.uid, &error),
                Err(Trouble::Writing(error)) => return Err(self.writing(&error)),
            }
            if batch.len() >= BATCH || octets >= BATCH_OCTETS {
                self.commit(std::mem::take(&mut batch)).await?;
                octets = 0;
            }
        }
        self.commit(batch).await
    }

    async fn stage(&self, source: &MailboxId, meta: &MessageMeta) -> Result<D::Blob, Trouble> {
        let mut body = self.from.open_body(source, meta.uid, ByteRange::WHOLE).await.map_err(Trouble::Reading)?;
        let mut stage = self.to.stage(SizeHint::Octets(body.len())).await.map_err(Trouble::Writing)?;
        // The other store's digest counts from the end of a prefix that is none here.
        let mut digester = Digester::new(&mail_message::Limits::default());
        while let Some(octets) = body.try_next().await.map_err(Trouble::Reading)? {
            digester.feed(&octets);
            stage.write(octets).await.map_err(Trouble::Writing)?;
        }
        stage.finish(Some(digester.finish().to_octets())).await.map_err(Trouble::Writing)
    }

    async fn commit(&mut self, batch: Vec<Placement<D::Blob>>) -> Outcome {
        if batch.is_empty() {
            return Ok(());
        }
        let copied = batch.len();
        self.to.commit(batch, Mode::AllOrNothing).await.map_err(|error| self.writing(&error))?;
        self.sums.copied = self.sums.copied.saturating_add(u64::try_from(copied).unwrap_or(u64::MAX));
        Ok(())
    }

    fn lose(&mut self, mailbox: &MailboxName, uid: Uid, why: &dyn std::fmt::Display) {
        self.sums.lost = self.sums.lost.saturating_add(1);
        let failure = Failure::failed(format!("{}'s {}, UID {uid}: {why}", self.name, mailbox.as_str()));
        self.bar.suspend(|| note!("not copied: {failure}"));
    }
}

/// Which of the two stores failed.
enum Trouble {
    Reading(StoreError),
    Writing(StoreError),
}
