//! Random histories, compared with the memory store's, which is the contract in code.

use std::collections::BTreeMap;

use bytes::Bytes;
use futures::future::try_join_all;

use super::Factory;
use super::tools::*;
use crate::memory::{MemoryAccount, MemoryStore};
use crate::{
    Account, ErrorKind, FlagChange, Flags, MailboxId, MailboxName, MetaFilter, ModSeq, Placement, Timestamp, Uid,
    UidSet,
};

const STEPS: usize = 60;
const NAMES: [&str; 5] = ["a", "a/b", "a/b/c", "d", "e/f"];
const FLAGS: [&str; 6] = ["\\Seen", "\\Deleted", "\\Flagged \\Seen", "$one", "$two \\Answered", ""];

/// One mailbox in both, and a client's view of the store's, kept up by the feed alone.
struct Pair {
    real: MailboxId,
    model: MailboxId,
    /// Each message's UID in the store, by its UID in the model: stores may leave gaps.
    uids: BTreeMap<Uid, Uid>,
    view: BTreeMap<Uid, (ModSeq, Flags)>,
    cursor: ModSeq,
}

struct History<A> {
    real: A,
    model: MemoryAccount,
    pairs: BTreeMap<MailboxName, Pair>,
    dice: Dice,
    /// What has been done, for whoever has to find out why.
    done: Vec<String>,
}

pub(super) async fn random_histories_agree_with_the_model<F: Factory>(kit: &Kit<F>) -> Check {
    for seed in 0..u64::from(kit.declared().histories) {
        let model = open(&MemoryStore::new(), 0).await?;
        let mut history = History {
            real: kit.account().await?,
            model,
            pairs: BTreeMap::new(),
            dice: Dice::new(seed),
            done: Vec::new(),
        };
        let told = history.play().await;
        if let Err(Stop::Failed(why)) = told {
            let steps = history.done.iter().rev().take(12).rev().cloned().collect::<Vec<_>>().join("; ");
            return Err(Stop::Failed(format!("{why}, in history {seed} after: {steps}")));
        }
        told?;
    }
    Ok(())
}

impl<A: Account> History<A> {
    async fn play(&mut self) -> Check {
        self.enter(MailboxName::inbox()).await?;
        for _ in 0..STEPS {
            self.step().await?;
            if self.dice.roll(4) == 0 {
                self.compare().await?;
            }
        }
        self.compare().await
    }

    /// Takes a mailbox that both have into the comparison.
    async fn enter(&mut self, name: MailboxName) -> Check {
        let (real, model) = (self.real.find(&name).await?, self.model.find(&name).await?);
        let cursor = self.real.snapshot(&real, false).await?.highest_modseq;
        self.pairs.insert(name, Pair { real, model, uids: BTreeMap::new(), view: BTreeMap::new(), cursor });
        Ok(())
    }

    async fn step(&mut self) -> Check {
        let names: Vec<MailboxName> = self.pairs.keys().cloned().collect();
        let at = self.dice.pick(&names).cloned().unwrap_or_else(MailboxName::inbox);
        let to = self.dice.pick(&names).cloned().unwrap_or_else(MailboxName::inbox);
        let flags = flags(self.dice.pick(&FLAGS).copied().unwrap_or_default())?;
        match self.dice.roll(16) {
            0..5 => self.append(&at, flags).await,
            5..8 => self.change_flags(&at, flags).await,
            8 => self.transfer(&at, &to, false).await,
            9 | 10 => self.transfer(&at, &to, true).await,
            11 | 12 => self.expunge(&at).await,
            13 => self.create().await,
            14 => self.rename().await,
            _ => self.delete(&at).await,
        }
    }

    /// Some of a mailbox's messages, as the model and as the store numbers them.
    fn some(&mut self, of: &MailboxName) -> (UidSet, UidSet) {
        let Some(pair) = self.pairs.get(of) else { return (UidSet::new(), UidSet::new()) };
        let model = self.dice.some(&pair.uids.keys().copied().collect());
        let real = model.iter().filter_map(|uid| pair.uids.get(&uid).copied()).collect();
        (model, real)
    }

    async fn append(&mut self, at: &MailboxName, flags: Flags) -> Check {
        let size = self.dice.roll(3000);
        let octets = Bytes::from((0..size).map(|_| self.dice.roll(256) as u8).collect::<Vec<u8>>());
        let prefix = Bytes::from(if self.dice.roll(2) == 0 { "Received: by us\r\n" } else { "" });
        let date = Timestamp::from_unix(self.dice.roll(2_000_000_000) as i64);
        let replaces = (self.dice.roll(4) == 0)
            .then(|| self.some(at))
            .and_then(|(model, real)| Some((model.first()?, real.first()?)));
        self.done.push(format!("append to {at} {size} octets, replacing {replaces:?}"));
        let Some(pair) = self.pairs.get_mut(at) else { return Ok(()) };

        let mut ours = Placement::new(blob(&self.real, octets.clone()).await?, pair.real.clone());
        let mut theirs = Placement::new(blob(&self.model, octets).await?, pair.model.clone());
        (ours.replaces, theirs.replaces) = (replaces.map(|(_, real)| real), replaces.map(|(model, _)| model));
        let finish = |flags: &Flags| (flags.clone(), prefix.clone(), date);
        let (with_flags, with_prefix, with_date) = finish(&flags);
        let ours = ours.with_flags(with_flags).with_prefix(with_prefix, None).with_internal_date(with_date);
        let (with_flags, with_prefix, with_date) = finish(&flags);
        let theirs = theirs.with_flags(with_flags).with_prefix(with_prefix, None).with_internal_date(with_date);
        let (real, model) = (commit_one(&self.real, ours).await?, commit_one(&self.model, theirs).await?);
        if let Some((model, _)) = replaces {
            pair.uids.remove(&model);
        }
        pair.uids.insert(model.uid, real.uid);
        Ok(())
    }

    async fn change_flags(&mut self, at: &MailboxName, flags: Flags) -> Check {
        let (model, real) = self.some(at);
        let change = match self.dice.roll(3) {
            0 => FlagChange::Add(flags),
            1 => FlagChange::Remove(flags),
            _ => FlagChange::Replace(flags),
        };
        self.done.push(format!("{change:?} for {real} of {at}"));
        let Some(pair) = self.pairs.get(at) else { return Ok(()) };
        let ours = store_flags(&self.real, &pair.real, &real, change.clone(), None).await?;
        let theirs = store_flags(&self.model, &pair.model, &model, change, None).await?;
        let ours: Vec<Flags> = ours.stored.into_iter().map(|(_, _, flags)| flags).collect();
        let theirs: Vec<Flags> = theirs.stored.into_iter().map(|(_, _, flags)| flags).collect();
        ensure_eq!(ours, theirs, "the flags that a change answers");
        Ok(())
    }

    async fn transfer(&mut self, at: &MailboxName, to: &MailboxName, is_move: bool) -> Check {
        let (model, real) = self.some(at);
        self.done.push(format!("{} {real} of {at} to {to}", if is_move { "move" } else { "copy" }));
        let (Some(source), Some(destination)) = (self.pairs.get(at), self.pairs.get(to)) else { return Ok(()) };
        let (ours, theirs) = if is_move {
            (
                self.real.move_messages(&source.real, &real, &destination.real).await?,
                self.model.move_messages(&source.model, &model, &destination.model).await?,
            )
        } else {
            (
                self.real.copy(&source.real, &real, &destination.real).await?,
                self.model.copy(&source.model, &model, &destination.model).await?,
            )
        };
        ensure_eq!(ours.uids.len(), theirs.uids.len(), "messages that were copied or moved");
        for ((from, uid), (model_from, model_uid)) in ours.uids.into_iter().zip(theirs.uids) {
            let Some(source) = self.pairs.get_mut(at) else { return Ok(()) };
            ensure_eq!(source.uids.get(&model_from), Some(&from), "which message was copied or moved");
            if is_move {
                source.uids.remove(&model_from);
            }
            if let Some(destination) = self.pairs.get_mut(to) {
                destination.uids.insert(model_uid, uid);
            }
        }
        Ok(())
    }

    async fn expunge(&mut self, at: &MailboxName) -> Check {
        let (model, real) = self.some(at);
        let only_deleted = self.dice.roll(2) == 0;
        self.done.push(format!("expunge {real} of {at}, only deleted: {only_deleted}"));
        let Some(pair) = self.pairs.get_mut(at) else { return Ok(()) };
        let (ours, _) = self.real.expunge(&pair.real, &real, only_deleted).await?;
        let (theirs, _) = self.model.expunge(&pair.model, &model, only_deleted).await?;
        let expected: UidSet = theirs.iter().filter_map(|uid| pair.uids.remove(&uid)).collect();
        ensure_eq!(ours, expected, "what was expunged");
        Ok(())
    }

    async fn create(&mut self) -> Check {
        let name = name(self.dice.pick(&NAMES).copied().unwrap_or("a"))?;
        self.done.push(format!("create {name}"));
        // Whether parents are made is the store's choice, so they are always made first.
        let mut missing = vec![name.clone()];
        while let Some(parent) = missing.last().and_then(MailboxName::parent) {
            missing.push(parent);
        }
        for name in missing.into_iter().rev() {
            let (ours, theirs) = (self.real.create(&name, None).await, self.model.create(&name, None).await);
            ensure_eq!(ours.as_ref().err(), theirs.as_ref().err(), "the answer to create {name}");
            if ours.is_ok() {
                self.enter(name).await?;
            }
        }
        Ok(())
    }

    async fn rename(&mut self) -> Check {
        let from = name(self.dice.pick(&NAMES).copied().unwrap_or("a"))?;
        let to = name(self.dice.pick(&NAMES).copied().unwrap_or("d"))?;
        // Below a parent that is not there stores may differ, as in create.
        if to.parent().is_some_and(|parent| !self.pairs.contains_key(&parent)) || !self.pairs.contains_key(&from) {
            return Ok(());
        }
        self.done.push(format!("rename {from} to {to}"));
        let (ours, theirs) = (self.real.rename(&from, &to).await, self.model.rename(&from, &to).await);
        let kinds = [&ours, &theirs].map(|answer| answer.as_ref().err().map(|error| error.kind()));
        // A name onto itself, or below itself where that is taken too, is wrong in two ways.
        let refused = |kind: Option<ErrorKind>| matches!(kind, Some(ErrorKind::AlreadyExists | ErrorKind::Invalid));
        ensure!(
            kinds[0] == kinds[1] || (refused(kinds[0]) && refused(kinds[1])),
            "rename {from} to {to} answered {:?}, and the model {:?}",
            kinds[0],
            kinds[1]
        );
        if ours.is_ok() {
            for (old, pair) in std::mem::take(&mut self.pairs) {
                let renamed = if old == from { Some(Ok(to.clone())) } else { old.rebased(&from, &to) };
                self.pairs.insert(renamed.transpose().map_err(Stop::failed)?.unwrap_or(old), pair);
            }
        }
        Ok(())
    }

    async fn delete(&mut self, at: &MailboxName) -> Check {
        // A store that makes parents may keep this one as a mere name; then nothing is to be compared.
        if at.is_inbox() || self.pairs.keys().any(|name| name.is_below(at)) {
            return Ok(());
        }
        self.done.push(format!("delete {at}"));
        if let Some(pair) = self.pairs.remove(at) {
            self.real.delete(&pair.real).await?;
            self.model.delete(&pair.model).await?;
        }
        Ok(())
    }

    /// Everything that can be seen is the same, and a client that only follows the feed knows it all.
    async fn compare(&mut self) -> Check {
        let mut names: Vec<_> =
            list(&self.real).await?.into_iter().filter(|info| info.id.is_some()).map(|info| info.name).collect();
        names.sort_unstable();
        ensure_eq!(names, self.pairs.keys().cloned().collect::<Vec<_>>(), "the names of mailboxes");
        let page = self.dice.roll(6);
        for (name, pair) in &mut self.pairs {
            ensure_eq!(self.real.find(name).await?, pair.real, "the id of {name}");
            let snapshot = self.real.snapshot(&pair.real, false).await?;
            ensure_eq!(snapshot.uids, pair.uids.values().copied().collect::<UidSet>(), "the messages in {name}");
            let ours = metas(&self.real, &pair.real, &UidSet::all()).await?;
            let theirs = metas(&self.model, &pair.model, &UidSet::all()).await?;
            for (our, their) in ours.iter().zip(&theirs) {
                ensure_eq!(pair.uids.get(&their.uid), Some(&our.uid), "the order of messages in {name}");
                ensure_eq!(our.flags, their.flags, "the flags of {} in {name}", our.uid);
                ensure_eq!(our.size, their.size, "the size of {} in {name}", our.uid);
                ensure_eq!(our.internal_date, their.internal_date, "the date of {} in {name}", our.uid);
                let octets = read_message(&self.real, &pair.real, our.uid).await?;
                let expected = read_message(&self.model, &pair.model, their.uid).await?;
                ensure!(octets == expected, "the octets of {} in {name} are others", our.uid);
            }

            let truth: BTreeMap<Uid, (ModSeq, Flags)> =
                ours.iter().map(|meta| (meta.uid, (meta.modseq, meta.flags.clone()))).collect();
            // CHANGEDSINCE in fetch_meta is the same question put otherwise.
            let filter = MetaFilter { changed_since: Some(pair.cursor), ..MetaFilter::default() };
            let changed: Vec<_> = futures::TryStreamExt::try_collect(self.real.fetch_meta(
                &pair.real,
                &UidSet::all(),
                crate::MetaFields::ALL,
                filter,
            ))
            .await?;
            let expected: Vec<_> = ours.iter().filter(|meta| meta.modseq > pair.cursor).cloned().collect();
            ensure_eq!(changed, expected, "what fetch_meta says has changed in {name} since {}", pair.cursor);
            match self.real.changes_since(&pair.real, pair.cursor, page).await {
                Err(error) if error.kind() == ErrorKind::ModSeqTooOld => pair.view = truth.clone(),
                _ => {
                    let changes = all_changes(&self.real, &pair.real, pair.cursor, page).await?;
                    for changed in changes.changed {
                        pair.view.insert(changed.uid, (changed.modseq, changed.flags));
                    }
                    pair.view.retain(|uid, _| !changes.vanished.contains(*uid));
                    ensure_eq!(changes.up_to, snapshot.highest_modseq, "up to where the feed of {name} tells");
                }
            }
            pair.cursor = snapshot.highest_modseq;
            ensure_eq!(pair.view, truth, "what a client knows that follows the feed of {name} in pages of {page}");
        }
        Ok(())
    }
}

/// What one thread did to one message: the modification sequence afterwards, the change, and the flags afterwards.
type Event = (Uid, ModSeq, FlagChange, Flags);

/// The answers of both threads, put in the order of their modification sequences, are one history: each change was made
/// to what the one before it had left.
pub(super) async fn two_threads_are_one_history<F: Factory>(kit: &Kit<F>) -> Check {
    let store = kit.store().await?;
    let account = open(&store, 0).await?;
    let inbox = inbox(&account).await?;
    fill(&account, &inbox, 6).await?;
    let steps = kit.declared().messages_per_writer;
    let threads = (0..2_u64).map(|thread| {
        let (store, inbox) = (store.clone(), inbox.clone());
        kit.spawn(move || async move {
            let account = open(&store, 0).await?;
            let mut dice = Dice::new(75 + thread);
            let (mut events, mut gone): (Vec<Event>, Vec<Uid>) = (Vec::new(), Vec::new());
            for number in 0..steps {
                let present = account.snapshot(&inbox, false).await?.uids;
                let some = dice.some(&present);
                let chosen = flags(dice.pick(&FLAGS).copied().unwrap_or_default())?;
                match dice.roll(6) {
                    0 => {
                        let placement = Placement::new(blob(&account, message(number)).await?, inbox.clone());
                        let placed = commit_one(&account, placement.with_flags(chosen.clone())).await?;
                        events.push((placed.uid, placed.modseq, FlagChange::Replace(chosen.clone()), chosen));
                    }
                    1 => {
                        let few: UidSet = some.iter().take(1).collect();
                        gone.extend(account.expunge(&inbox, &few, false).await?.0.iter());
                    }
                    kind => {
                        let change = if kind % 2 == 0 { FlagChange::Add(chosen) } else { FlagChange::Remove(chosen) };
                        let stored = store_flags(&account, &inbox, &some, change.clone(), None).await?;
                        for (uid, modseq, flags) in stored.stored {
                            events.push((uid, modseq, change.clone(), flags));
                        }
                    }
                }
            }
            Ok((events, gone))
        })
    });
    let told = try_join_all(threads).await?;
    let gone: Vec<Uid> = told.iter().flat_map(|(_, gone)| gone.iter().copied()).collect();
    ensure_eq!(
        gone.iter().copied().collect::<UidSet>().len(),
        gone.len() as u64,
        "different messages that were expunged"
    );

    let mut messages: BTreeMap<Uid, BTreeMap<ModSeq, Vec<(FlagChange, Flags)>>> = BTreeMap::new();
    for (uid, modseq, change, flags) in told.into_iter().flat_map(|(events, _)| events) {
        messages.entry(uid).or_default().entry(modseq).or_default().push((change, flags));
    }
    for (uid, history) in &messages {
        let mut state: Option<Flags> = None;
        for (modseq, events) in history {
            // Under one modification sequence there is one state, and one change at the most that led to it.
            let Some((_, after)) = events.first() else { continue };
            for (change, flags) in events {
                ensure_eq!(flags, after, "the flags of {uid} under {modseq}, told twice");
                ensure_eq!(change.apply(flags), *flags, "{change:?} once more for {uid} under {modseq}");
            }
            let before = state.clone().unwrap_or_default();
            let made = events.iter().any(|(change, _)| change.apply(&before) == *after);
            ensure!(made, "{uid} has {after:?} under {modseq} and had {before:?}, which no change of {events:?} makes");
            state = Some(after.clone());
        }
        if !gone.contains(uid) {
            let now = meta(&account, &inbox, *uid).await?;
            ensure_eq!(Some(now.flags), state, "the flags of {uid} in the end");
        }
    }
    let present = account.snapshot(&inbox, false).await?.uids;
    ensure!(gone.iter().all(|uid| !present.contains(*uid)), "messages that were expunged are there");
    Ok(())
}
