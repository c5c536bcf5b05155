//! The feed of changes.

use futures::future::try_join_all;

use super::Factory;
use super::tools::*;
use crate::{Account, ErrorKind, FlagChange, MailStore, MailboxId, ModSeq, Mode, Placement, Target, Uid, UidSet};

pub(super) async fn nothing_happened_nothing_told<F: Factory>(kit: &Kit<F>) -> Check {
    let (account, inbox) = kit.inbox().await?;
    for round in 0..3 {
        let snapshot = account.snapshot(&inbox, false).await?;
        let changes = account.changes_since(&inbox, snapshot.highest_modseq, 100).await?;
        ensure!(changes.changed.is_empty() && changes.vanished.is_empty(), "round {round}: told {changes:?}");
        ensure!(!changes.more, "round {round}: says that there is more of nothing");
        ensure_eq!(changes.up_to, snapshot.highest_modseq, "up_to when nothing has happened");
        let uid = append(&account, &inbox, message(round)).await?.uid;
        store_flags(&account, &inbox, &uid.into(), FlagChange::Add(seen()), None).await?;
        // Reading changes nothing.
        read_message(&account, &inbox, uid).await?;
    }
    Ok(())
}

/// The one that loses mail: a store whose writers take a number first and commit in another order shows UID 5 before
/// UID 4, and a client that has seen 5 never asks for 4.
pub(super) async fn what_is_seen_is_never_preceded_later<F: Factory>(kit: &Kit<F>) -> Check {
    const WRITERS: u32 = 4;
    let store = kit.store().await?;
    let account = open(&store, 0).await?;
    let inbox = inbox(&account).await?;
    let (until, over) = Until::new();

    let reader = {
        let (store, inbox, until) = (store.clone(), inbox.clone(), until.clone());
        kit.spawn(move || async move {
            let account = open(&store, 0).await?;
            let mut view = account.snapshot(&inbox, false).await?;
            let mut heard = view.uids.clone();
            let mut cursor = view.highest_modseq;
            loop {
                // Read before the look, so that the last look comes after the last write.
                let last_round = until.is_over();
                let now = account.snapshot(&inbox, false).await?;
                let new = now.uids.difference(&view.uids);
                if let (Some(first), Some(next)) = (new.first(), view.uid_next) {
                    ensure!(first >= next, "UID {first} became visible when UIDNEXT had been told as {next}");
                }
                ensure!(now.highest_modseq >= view.highest_modseq, "the highest modification sequence fell");
                let changes = all_changes(&account, &inbox, cursor, 7).await?;
                heard.extend_from(&changes.changed.iter().map(|changed| changed.uid).collect::<UidSet>());
                // What one read has shown, a feed that is read later has told.
                let missed = now.uids.difference(&heard);
                ensure!(missed.is_empty(), "the feed up to {} never told of UIDs {missed}", changes.up_to);
                cursor = changes.up_to;
                view = now;
                if last_round {
                    return Ok(heard);
                }
                let_others_run().await;
            }
        })
    };
    let writers = (0..WRITERS).map(|writer| {
        let (store, inbox, messages) = (store.clone(), inbox.clone(), kit.declared().messages_per_writer);
        kit.spawn(move || async move {
            let account = open(&store, 0).await?;
            for number in 0..messages {
                // Sizes that differ widely make the writers overtake each other.
                let octets = vec![b'x'; if (number + writer) % 3 == 0 { 300_000 } else { 10 }];
                if writer % 2 == 0 {
                    append(&account, &inbox, octets).await?;
                } else {
                    let blob = blob(&account, octets).await?;
                    store.deliver(&blob, vec![Target::inbox(account_id(0))], Mode::AllOrNothing).await?;
                }
            }
            Ok(())
        })
    });
    try_join_all(writers).await?;
    drop(over);
    let heard = reader.await?;
    let all = account.snapshot(&inbox, false).await?.uids;
    ensure_eq!(all.len(), u64::from(WRITERS * kit.declared().messages_per_writer), "messages that were written");
    ensure_eq!(heard, all, "UIDs that the feed told of, against those that are there");
    Ok(())
}

/// Messages in commits of five and alone, flags changed for several at once, some expunged; gives who was.
async fn a_history<A: Account>(account: &A, mailbox: &MailboxId) -> Check<UidSet> {
    let many = uids(fill(account, mailbox, 5).await?);
    let mut gone = UidSet::new();
    for number in 0..5 {
        append(account, mailbox, message(number)).await?;
    }
    store_flags(account, mailbox, &many, FlagChange::Add(seen()), None).await?;
    let one = many.first().unwrap_or(Uid::MIN);
    store_flags(account, mailbox, &one.into(), FlagChange::Add(flags("\\Flagged")?), None).await?;
    let all = account.snapshot(mailbox, false).await?.uids;
    for set in [all.iter().step_by(3).collect(), UidSet::from(all.last().unwrap_or(Uid::MIN))] {
        gone.extend_from(&account.expunge(mailbox, &set, false).await?.0);
    }
    Ok(gone)
}

pub(super) async fn no_page_ends_inside_a_modification_sequence<F: Factory>(kit: &Kit<F>) -> Check {
    let (account, inbox) = kit.inbox().await?;
    let since = account.snapshot(&inbox, false).await?.highest_modseq;
    a_history(&account, &inbox).await?;
    let whole = account.changes_since(&inbox, since, usize::MAX).await?;
    ensure!(!whole.more, "there is more behind a page without end");
    let highest = account.snapshot(&inbox, false).await?.highest_modseq;
    ensure_eq!(whole.up_to, highest, "up to where a page without end tells");
    for page in [0, 1, 2, 3, 4, 7, 100] {
        // Each page is checked there: what comes behind it lies above its end.
        let joined = all_changes(&account, &inbox, since, page).await?;
        ensure_eq!(joined.changed, whole.changed, "changed messages of pages of {page}, put together");
        ensure_eq!(joined.vanished, whole.vanished, "vanished messages of pages of {page}, put together");
        ensure_eq!(joined.up_to, highest, "up to where pages of {page} tell");
    }
    Ok(())
}

pub(super) async fn vanished_are_those_that_were_there<F: Factory>(kit: &Kit<F>) -> Check {
    let (account, inbox) = kit.inbox().await?;
    let since = account.snapshot(&inbox, false).await?.highest_modseq;
    let gone = a_history(&account, &inbox).await?;
    let living = account.snapshot(&inbox, false).await?.uids;
    let changes = all_changes(&account, &inbox, since, 3).await?;
    ensure!(changes.vanished.intersection(&living).is_empty(), "living messages are told as vanished");
    // All came after `since`, so each may be told as vanished or left out; nothing else may be.
    ensure!(changes.vanished.difference(&gone).is_empty(), "vanished are {}, and gone are {gone}", changes.vanished);
    let now = account.snapshot(&inbox, false).await?.highest_modseq;
    let known = living.clone();
    account.expunge(&inbox, &living, false).await?;
    let changes = all_changes(&account, &inbox, now, 3).await?;
    ensure_eq!(changes.vanished, known, "the vanished, all of which had been seen");
    ensure!(changes.changed.is_empty(), "messages that have gone are told as changed");
    Ok(())
}

pub(super) async fn too_old_is_never_half_an_answer<F: Factory>(kit: &Kit<F>) -> Check {
    let (account, inbox) = kit.inbox().await?;
    let mut views = vec![(account.snapshot(&inbox, false).await?)];
    for _ in 0..6 {
        a_history(&account, &inbox).await?;
        views.push(account.snapshot(&inbox, false).await?);
    }
    let now = account.snapshot(&inbox, false).await?;
    let mut exact = false;
    for view in views {
        match account.changes_since(&inbox, view.highest_modseq, 4).await {
            Err(error) if error.kind() == ErrorKind::ModSeqTooOld => {
                ensure!(!exact, "an older one is known exactly, and {} is too old", view.highest_modseq);
            }
            Err(error) => return Err(error.into()),
            Ok(_) => {
                exact = true;
                let changes = all_changes(&account, &inbox, view.highest_modseq, 4).await?;
                let mut uids = view.uids.difference(&changes.vanished);
                uids.extend_from(&changes.changed.iter().map(|changed| changed.uid).collect());
                ensure_eq!(uids, now.uids, "a view from {} brought up to date", view.highest_modseq);
            }
        }
    }
    ensure!(exact, "not even nothing since now is known exactly");
    // A client may hold one from a life of the mailbox that a restored copy does not know of.
    let future = ModSeq::new(now.highest_modseq.value() + 1000).unwrap_or(now.highest_modseq);
    ensure_kind!(account.changes_since(&inbox, future, 10).await, ModSeqTooOld, "changes since the future");
    Ok(())
}

pub(super) async fn what_came_and_went_is_not_told_as_there<F: Factory>(kit: &Kit<F>) -> Check {
    let (account, inbox) = kit.inbox().await?;
    let stays = append(&account, &inbox, message(1)).await?.uid;
    let since = account.snapshot(&inbox, false).await?.highest_modseq;
    let came = append(&account, &inbox, message(2)).await?.uid;
    store_flags(&account, &inbox, &came.into(), FlagChange::Add(seen()), None).await?;
    account.expunge(&inbox, &came.into(), false).await?;
    let changes = all_changes(&account, &inbox, since, 1).await?;
    ensure!(changes.changed.is_empty(), "told as changed: {:?}", changes.changed);
    ensure!(!changes.vanished.contains(stays), "a living message is told as vanished");
    ensure!(changes.vanished.difference(&came.into()).is_empty(), "told as vanished: {}", changes.vanished);
    Ok(())
}

pub(super) async fn modification_sequences_survive_a_restart<F: Factory>(kit: &Kit<F>) -> Check {
    let store = kit.store().await?;
    let account = open(&store, 0).await?;
    let inbox = inbox(&account).await?;
    a_history(&account, &inbox).await?;
    let view = account.snapshot(&inbox, false).await?;
    let known = metas(&account, &inbox, &view.uids).await?;
    // The last thing to happen leaves nothing behind that carries its modification sequence.
    let last = append(&account, &inbox, message(7)).await?.uid;
    account.expunge(&inbox, &last.into(), false).await?;
    let before = account.snapshot(&inbox, false).await?;
    drop(account);

    let account = open(&kit.reopen(store).await?, 0).await?;
    ensure_eq!(account.find(&crate::MailboxName::inbox()).await?, inbox, "the id of INBOX");
    let after = account.snapshot(&inbox, false).await?;
    ensure_eq!(after.highest_modseq, before.highest_modseq, "the highest modification sequence after a restart");
    ensure_eq!(after.uid_validity, before.uid_validity, "UIDVALIDITY after a restart");
    ensure_eq!(after.uids, before.uids, "the messages after a restart");
    ensure_eq!(metas(&account, &inbox, &view.uids).await?, known, "what is known of them after a restart");
    let changes = all_changes(&account, &inbox, view.highest_modseq, 10).await?;
    ensure!(changes.changed.is_empty(), "after a restart messages are told as changed");
    ensure!(changes.vanished.difference(&last.into()).is_empty(), "after a restart {} vanished", changes.vanished);
    let next = append(&account, &inbox, message(8)).await?;
    ensure!(next.modseq > before.highest_modseq, "{} was given out after {}", next.modseq, before.highest_modseq);
    Ok(())
}

pub(super) async fn no_message_is_above_the_highest<F: Factory>(kit: &Kit<F>) -> Check {
    let (account, inbox) = kit.inbox().await?;
    let other = make(&account, "Other").await?;
    a_history(&account, &inbox).await?;
    let all = account.snapshot(&inbox, false).await?.uids;
    account.copy(&inbox, &all, &other).await?;
    account.move_messages(&inbox, &all.first().into_iter().collect(), &other).await?;
    for mailbox in [&inbox, &other] {
        let snapshot = account.snapshot(mailbox, false).await?;
        for meta in metas(&account, mailbox, &snapshot.uids).await? {
            ensure!(meta.modseq <= snapshot.highest_modseq, "{} has {}, above the highest", meta.uid, meta.modseq);
        }
        // An empty mailbox's highest lies below its first message's, or the feed would never tell of that one.
        let changes = account.changes_since(mailbox, ModSeq::MIN, 1000).await;
        if let Ok(changes) = changes {
            ensure!(changes.up_to <= snapshot.highest_modseq, "the feed tells up to {}", changes.up_to);
        }
    }
    Ok(())
}

/// A store may remember what it has read of a large mailbox, which is then read in part, and must not be read from memory
/// where it has changed.
pub(super) async fn a_large_mailbox_is_told_as_it_is<F: Factory>(kit: &Kit<F>) -> Check {
    let store = kit.store().await?;
    let (account, other) = (open(&store, 0).await?, open(&store, 0).await?);
    let inbox = inbox(&account).await?;
    let elsewhere = make(&account, "Elsewhere").await?;
    let one = blob(&account, message(1)).await?;
    let mut dice = Dice::new(79);
    let mut there = UidSet::new();
    for round in 0..12u32 {
        // Messages come and go, only go, only come, and stay.
        let (come, go) = (round % 4 == 0 || round % 4 == 2, round % 4 <= 1);
        let many = if round == 0 { kit.many_messages() } else { 5 };
        for at in (0..many).step_by(500).filter(|_| come) {
            let count = many.saturating_sub(at).min(500) as usize;
            let placements = vec![Placement::new(one.clone(), inbox.clone()); count];
            let placed = other.commit(placements, Mode::AllOrNothing).await?;
            placed.into_iter().flatten().for_each(|placed| there.insert(placed.uid));
        }
        if go {
            let gone = there.iter().filter(|_| dice.roll(if round == 0 { 3 } else { 40 }) == 0).collect();
            match round % 8 {
                0 | 5 => drop(account.expunge(&inbox, &gone, false).await?),
                _ => drop(other.move_messages(&inbox, &gone, &elsewhere).await?),
            }
            there = there.difference(&gone);
            store_flags(&account, &inbox, &dice.some(&there), FlagChange::Add(seen()), None).await?;
        }
        for account in [&account, &other] {
            let snapshot = account.snapshot(&inbox, false).await?;
            ensure_eq!(snapshot.uids, there, "round {round}: UIDs of the snapshot");
            let status = account.status(std::slice::from_ref(&inbox)).await?;
            ensure_eq!(status.first().map(|status| status.messages), Some(there.len()), "round {round}: messages");
        }
    }
    ensure_eq!(
        uids(metas(&account, &inbox, &UidSet::all()).await?.iter().map(|meta| meta.uid)),
        there,
        "what can be read"
    );
    Ok(())
}
