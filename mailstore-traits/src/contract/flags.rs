//! Flags and conditional stores.

use std::collections::BTreeSet;

use futures::future::try_join_all;

use super::Factory;
use super::tools::*;
use crate::{Account, FlagChange, Flags, ModSeq, SystemFlag, Uid, UidSet};

fn spelt(flags: &Flags) -> Vec<&str> {
    flags.iter().map(|flag| flag.as_str()).collect()
}

pub(super) async fn flags_are_added_removed_and_replaced<F: Factory>(kit: &Kit<F>) -> Check {
    let (account, inbox) = kit.inbox().await?;
    let all = uids(fill(&account, &inbox, 3).await?);
    let untouched = append(&account, &inbox, message(9)).await?.uid;
    for (change, expected) in [
        (FlagChange::Add(flags("\\seen $Forwarded")?), "\\Seen $Forwarded"),
        (FlagChange::Add(flags("\\SEEN $FORWARDED")?), "\\Seen $Forwarded"),
        (FlagChange::Add(flags("\\Flagged")?), "\\Flagged \\Seen $Forwarded"),
        (FlagChange::Remove(flags("\\seen $never")?), "\\Flagged $Forwarded"),
        (FlagChange::Remove(flags("\\seen")?), "\\Flagged $Forwarded"),
        (FlagChange::Replace(flags("\\Deleted \\Draft $forwarded new")?), "\\Deleted \\Draft $Forwarded new"),
        (FlagChange::Replace(Flags::new()), ""),
        (FlagChange::Add(Flags::new()), ""),
    ] {
        let stored = store_flags(&account, &inbox, &all, change.clone(), None).await?;
        ensure!(stored.failed.is_empty(), "{change:?} without a condition failed for {}", stored.failed);
        let told: UidSet = stored.stored.iter().map(|(uid, _, _)| *uid).collect();
        ensure_eq!(told, all, "the messages that the answers to {change:?} are about");
        let expected = flags(expected)?;
        for (uid, modseq, flags) in stored.stored {
            let meta = meta(&account, &inbox, uid).await?;
            ensure_eq!(spelt(&flags), spelt(&expected), "the flags that {change:?} answers");
            ensure_eq!(spelt(&meta.flags), spelt(&expected), "the flags that are read back after {change:?}");
            ensure_eq!(meta.modseq, modseq, "the modification sequence after {change:?}");
        }
    }
    ensure!(meta(&account, &inbox, untouched).await?.flags.is_empty(), "a message that was not named was changed");
    Ok(())
}

pub(super) async fn a_new_keyword_is_in_the_snapshot<F: Factory>(kit: &Kit<F>) -> Check {
    let (account, inbox) = kit.inbox().await?;
    let uid = append(&account, &inbox, message(1)).await?.uid;
    ensure!(account.snapshot(&inbox, false).await?.new_keywords, "the store takes no new keywords");
    store_flags(&account, &inbox, &uid.into(), FlagChange::Add(flags("$Urgent \\Flagged")?), None).await?;
    let keywords = account.snapshot(&inbox, false).await?.keywords;
    ensure!(keywords.iter().any(|keyword| keyword.as_str() == "$Urgent"), "$Urgent is not among {keywords:?}");
    let different: BTreeSet<_> = keywords.iter().collect();
    ensure_eq!(different.len(), keywords.len(), "different keywords in the list");
    Ok(())
}

pub(super) async fn a_change_raises_the_modification_sequence<F: Factory>(kit: &Kit<F>) -> Check {
    let (account, inbox) = kit.inbox().await?;
    let all = uids(fill(&account, &inbox, 3).await?);
    let one = all.first().unwrap_or(Uid::MIN);
    let mut highest = account.snapshot(&inbox, false).await?.highest_modseq;
    for change in [FlagChange::Add(seen()), FlagChange::Remove(seen()), FlagChange::Replace(flags("a b")?)] {
        for set in [UidSet::from(one), all.clone()] {
            let before = metas(&account, &inbox, &all).await?;
            let stored = store_flags(&account, &inbox, &set, change.clone(), None).await?;
            for (uid, modseq, flags) in &stored.stored {
                let old = before.iter().find(|meta| meta.uid == *uid);
                if old.is_some_and(|old| old.flags != *flags) {
                    ensure!(*modseq > highest, "{change:?} changed {uid} under {modseq}, not above {highest}");
                }
                ensure_eq!(
                    meta(&account, &inbox, *uid).await?.modseq,
                    *modseq,
                    "what is read back, against the answer"
                );
            }
            let now = account.snapshot(&inbox, false).await?.highest_modseq;
            let largest = stored.stored.iter().map(|(_, modseq, _)| *modseq).max();
            ensure!(largest <= Some(now), "the highest is {now} after an answer of {largest:?}");
            ensure!(now >= highest, "the highest fell from {highest} to {now}");
            highest = now;
        }
    }
    let after = append(&account, &inbox, message(9)).await?;
    ensure!(after.modseq > highest, "a new message has {}, not above {highest}", after.modseq);
    Ok(())
}

pub(super) async fn unchanged_since_fails_for_the_changed_only<F: Factory>(kit: &Kit<F>) -> Check {
    let (account, inbox) = kit.inbox().await?;
    let all = uids(fill(&account, &inbox, 6).await?);
    let known = account.snapshot(&inbox, false).await?.highest_modseq;
    let changed: UidSet = all.iter().step_by(2).collect();
    store_flags(&account, &inbox, &changed, FlagChange::Add(flags("\\Flagged")?), None).await?;
    let stored = store_flags(&account, &inbox, &all, FlagChange::Add(seen()), Some(known)).await?;
    ensure_eq!(stored.failed, changed, "those that were changed since");
    let done: UidSet = stored.stored.iter().map(|(uid, _, _)| *uid).collect();
    ensure_eq!(done, all.difference(&changed), "those that were not");
    for meta in metas(&account, &inbox, &all).await? {
        ensure_eq!(meta.flags.has(SystemFlag::Seen), done.contains(meta.uid), "whether {} was changed", meta.uid);
    }
    // The smallest there is fails for all: a client that says UNCHANGEDSINCE 0 wants to be told of every one.
    let stored = store_flags(&account, &inbox, &all, FlagChange::Remove(seen()), Some(ModSeq::MIN)).await?;
    ensure_eq!(stored.failed, all, "those that were changed since the beginning");
    ensure!(stored.stored.is_empty(), "something was changed although all were since the beginning");
    // The message's own sequence is not greater than itself.
    let own = meta(&account, &inbox, all.first().unwrap_or(Uid::MIN)).await?;
    let stored = store_flags(&account, &inbox, &own.uid.into(), FlagChange::Add(flags("x")?), Some(own.modseq)).await?;
    ensure!(stored.failed.is_empty(), "a message is taken to have changed since its own modification sequence");
    Ok(())
}

pub(super) async fn of_two_conditional_stores_one_wins<F: Factory>(kit: &Kit<F>) -> Check {
    let store = kit.store().await?;
    let account = open(&store, 0).await?;
    let inbox = inbox(&account).await?;
    let all = uids(fill(&account, &inbox, kit.declared().messages_per_writer).await?);
    let known = account.snapshot(&inbox, false).await?.highest_modseq;
    let racers = ["one", "two", "three"].map(|keyword| {
        let (store, inbox, all) = (store.clone(), inbox.clone(), all.clone());
        kit.spawn(move || async move {
            let account = open(&store, 0).await?;
            let change = FlagChange::Add(flags(keyword)?);
            let mut won = Vec::new();
            for uid in all.iter() {
                let stored = store_flags(&account, &inbox, &uid.into(), change.clone(), Some(known)).await?;
                ensure_eq!(stored.stored.len() as u64 + stored.failed.len(), 1, "answers about {uid}");
                won.extend(stored.stored.iter().map(|(uid, _, _)| *uid));
            }
            Ok(won)
        })
    });
    let won = try_join_all(racers).await?;
    for meta in metas(&account, &inbox, &all).await? {
        let winners = won.iter().flatten().filter(|uid| **uid == meta.uid).count();
        ensure_eq!(winners, 1, "who won {}", meta.uid);
        ensure_eq!(meta.flags.len(), 1, "keywords that {} has, of which one won", meta.uid);
    }
    Ok(())
}

pub(super) async fn concurrent_adds_are_all_kept<F: Factory>(kit: &Kit<F>) -> Check {
    let store = kit.store().await?;
    let account = open(&store, 0).await?;
    let inbox = inbox(&account).await?;
    let all = uids(fill(&account, &inbox, 3).await?);
    let (threads, each) = (4_u32, kit.declared().messages_per_writer.div_ceil(4));
    let writers = (0..threads).map(|thread| {
        let (store, inbox, all) = (store.clone(), inbox.clone(), all.clone());
        kit.spawn(move || async move {
            let account = open(&store, 0).await?;
            for number in 0..each {
                let change = FlagChange::Add(flags(&format!("k{thread}-{number}"))?);
                store_flags(&account, &inbox, &all, change, None).await?;
            }
            Ok(())
        })
    });
    try_join_all(writers).await?;
    for meta in metas(&account, &inbox, &all).await? {
        ensure_eq!(meta.flags.len(), (threads * each) as usize, "keywords that {} has", meta.uid);
    }
    Ok(())
}

pub(super) async fn a_missing_uid_is_passed_over<F: Factory>(kit: &Kit<F>) -> Check {
    let (account, inbox) = kit.inbox().await?;
    let all = fill(&account, &inbox, 3).await?;
    account.expunge(&inbox, &all[1].into(), false).await?;
    let left = uids([all[0], all[2]]);
    for conditional in [false, true] {
        let since = account.snapshot(&inbox, false).await?.highest_modseq;
        let (all, change) = (UidSet::all(), FlagChange::Add(flags("a")?));
        let stored = store_flags(&account, &inbox, &all, change, conditional.then_some(since)).await?;
        ensure_eq!(stored.stored.iter().map(|(uid, _, _)| *uid).collect::<UidSet>(), left, "those that were changed");
        ensure!(stored.failed.is_empty(), "UIDs that do not exist failed: {}", stored.failed);
    }
    let stored = store_flags(&account, &inbox, &all[1].into(), FlagChange::Add(flags("b")?), None).await?;
    ensure!(stored.stored.is_empty() && stored.failed.is_empty(), "a message that has gone was changed");
    ensure_eq!(metas(&account, &inbox, &UidSet::all()).await?.len(), 2, "messages that are told of `1:*`");
    Ok(())
}

pub(super) async fn a_change_of_many_is_atomic_for_each<F: Factory>(kit: &Kit<F>) -> Check {
    let store = kit.store().await?;
    let account = open(&store, 0).await?;
    let inbox = inbox(&account).await?;
    let many = kit.many_messages();
    let one = blob(&account, message(1)).await?;
    for batch in 0..many.div_ceil(500) {
        let count = many.saturating_sub(batch * 500).min(500) as usize;
        let placements = vec![crate::Placement::new(one.clone(), inbox.clone()); count];
        account.commit(placements, crate::Mode::AllOrNothing).await?;
    }
    let all = account.snapshot(&inbox, false).await?.uids;
    ensure_eq!(all.len(), u64::from(many), "messages in the mailbox");
    let (until, over) = Until::new();
    let observer = {
        let (store, inbox, all) = (store.clone(), inbox.clone(), all.clone());
        kit.spawn(move || async move {
            let account = open(&store, 0).await?;
            while !until.is_over() {
                for meta in metas(&account, &inbox, &all).await? {
                    ensure!(meta.flags.len() != 1, "{} has one of two flags that were set at once", meta.uid);
                }
            }
            Ok(())
        })
    };
    for change in [FlagChange::Add(flags("\\Seen $Two")?), FlagChange::Remove(flags("\\Seen $Two")?)] {
        let stored = store_flags(&account, &inbox, &all, change, None).await?;
        ensure_eq!(stored.stored.iter().map(|(uid, _, _)| *uid).collect::<UidSet>(), all, "messages that were changed");
    }
    drop(over);
    observer.await?;
    let changes = all_changes(&account, &inbox, ModSeq::MIN, 100).await;
    if let Ok(changes) = changes {
        ensure_eq!(changes.changed.len() as u64, all.len(), "messages that the feed tells of");
    }
    Ok(())
}
