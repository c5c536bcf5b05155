//! Copy, move and expunge.

use futures::future::try_join_all;

use super::Factory;
use super::tools::*;
use crate::{Account, FlagChange, MailStore, Placement, QuotaResource, SystemFlag, Timestamp, Uid, UidSet};

/// Messages are moved one way only. Who then looks at the source first and at the destination second finds each message
/// in one at least, and who looks the other way round in one at most; no read of both at once is needed.
pub(super) async fn a_move_is_one_step<F: Factory>(kit: &Kit<F>) -> Check {
    let store = kit.store().await?;
    let account = open(&store, 0).await?;
    let source = inbox(&account).await?;
    let destination = make(&account, "Destination").await?;
    let messages = kit.declared().messages_per_writer.saturating_mul(2);
    let all = fill(&account, &source, messages).await?;
    let (until, over) = Until::new();

    let observer = {
        let (store, source, destination) = (store.clone(), source.clone(), destination.clone());
        kit.spawn(move || async move {
            let account = open(&store, 0).await?;
            let expected = u64::from(messages);
            while !until.is_over() {
                let left = account.snapshot(&source, false).await?.uids.len();
                let come = account.snapshot(&destination, false).await?.uids.len();
                ensure!(
                    left + come >= expected,
                    "{left} at the source, then {come} at the destination: of {expected} some are nowhere"
                );
                let come = account.snapshot(&destination, false).await?.uids.len();
                let left = account.snapshot(&source, false).await?.uids.len();
                ensure!(
                    left + come <= expected,
                    "{come} at the destination, then {left} at the source: of {expected} some are in both"
                );
                let_others_run().await;
            }
            Ok(())
        })
    };
    for some in all.chunks(3) {
        let some = uids(some.iter().copied());
        let moved = account.move_messages(&source, &some, &destination).await?;
        ensure_eq!(moved.uids.len() as u64, some.len(), "messages that a move says it moved");
    }
    drop(over);
    observer.await?;
    ensure_eq!(account.snapshot(&source, false).await?.uids.len(), 0, "messages left at the source");
    ensure_eq!(account.snapshot(&destination, false).await?.uids.len(), u64::from(messages), "messages that have come");
    Ok(())
}

pub(super) async fn a_copy_is_the_same_message<F: Factory>(kit: &Kit<F>) -> Check {
    let (account, inbox) = kit.inbox().await?;
    let other = make(&account, "Other").await?;
    for (number, written) in (0_u32..).zip(["", "\\Seen", "$a \\Flagged", "\\Draft"]) {
        let date = Timestamp::from_unix(1_000_000_000 - i64::from(number)).with_offset_minutes(60);
        let placement = Placement::new(blob(&account, message(number)).await?, inbox.clone())
            .with_flags(flags(written)?)
            .with_internal_date(date)
            .with_prefix(format!("X-Number: {number}\r\n").into(), None);
        commit_one(&account, placement).await?;
    }
    append(&account, &other, message(9)).await?;
    let source = account.snapshot(&inbox, false).await?;
    let before = metas(&account, &inbox, &source.uids).await?;
    let copied = account.copy(&inbox, &UidSet::all(), &other).await?;
    ensure_eq!(account.snapshot(&inbox, false).await?, source, "the source after a copy");
    ensure_eq!(copied.source_modseq, source.highest_modseq, "the source's modification sequence, as told");
    let there = account.snapshot(&other, false).await?;
    ensure_eq!(copied.uid_validity, there.uid_validity, "the destination's UIDVALIDITY, as told");
    ensure_eq!(copied.uids.iter().map(|(from, _)| *from).collect::<UidSet>(), source.uids, "those that were copied");
    ensure!(copied.uids.is_sorted(), "{:?} does not rise at the source", copied.uids);
    ensure!(copied.uids.is_sorted_by_key(|(_, to)| *to), "{:?} does not rise at the destination", copied.uids);
    for (old, (from, to)) in before.iter().zip(&copied.uids) {
        let new = meta(&account, &other, *to).await?;
        ensure_eq!(
            (&new.flags, new.internal_date, new.size),
            (&old.flags, old.internal_date, old.size),
            "a copy's data"
        );
        ensure_eq!(new.email_id, old.email_id, "a copy's email id");
        ensure!(
            read_message(&account, &other, *to).await? == read_message(&account, &inbox, *from).await?,
            "a copy has other octets"
        );
    }
    let nothing = account.copy(&other, &UidSet::new(), &inbox).await?;
    ensure!(nothing.uids.is_empty(), "a copy of nothing copied something");
    Ok(())
}

pub(super) async fn a_copy_into_the_same_mailbox_works<F: Factory>(kit: &Kit<F>) -> Check {
    let (account, inbox) = kit.inbox().await?;
    let all = uids(fill(&account, &inbox, 3).await?);
    let since = account.snapshot(&inbox, false).await?.highest_modseq;
    let copied = account.copy(&inbox, &all, &inbox).await?;
    ensure_eq!(copied.uids.len(), 3, "copies");
    let now = account.snapshot(&inbox, false).await?.uids;
    ensure_eq!(now.len(), 6, "messages after a copy into the same mailbox");
    for (from, to) in &copied.uids {
        ensure!(all.contains(*from) && !all.contains(*to), "{from} was copied to {to}");
        ensure_eq!(
            read_message(&account, &inbox, *to).await?,
            read_message(&account, &inbox, *from).await?,
            "a copy's octets"
        );
    }
    let changes = all_changes(&account, &inbox, since, 2).await?;
    ensure_eq!(
        changes.changed.iter().map(|changed| changed.uid).collect::<UidSet>(),
        now.difference(&all),
        "the new ones"
    );
    Ok(())
}

pub(super) async fn a_move_takes_those_that_are_there<F: Factory>(kit: &Kit<F>) -> Check {
    let (account, inbox) = kit.inbox().await?;
    let other = make(&account, "Other").await?;
    let all = fill(&account, &inbox, 5).await?;
    let gone = uids([all[1], all[4]]);
    account.expunge(&inbox, &gone, false).await?;
    let since = account.snapshot(&inbox, false).await?.highest_modseq;
    let stays = uids([all[0]]);
    let asked = uids(all.iter().copied()).difference(&stays);
    let moved = account.move_messages(&inbox, &asked, &other).await?;
    ensure_eq!(moved.uids.iter().map(|(from, _)| *from).collect::<Vec<_>>(), vec![all[2], all[3]], "what was moved");
    let source = account.snapshot(&inbox, false).await?;
    ensure_eq!(source.uids, stays, "what is left");
    ensure!(moved.source_modseq > since, "a move did not raise the source's modification sequence");
    ensure_eq!(moved.source_modseq, source.highest_modseq, "the source's modification sequence, as told");
    let there = account.snapshot(&other, false).await?.uids;
    ensure_eq!(moved.uids.iter().map(|(_, to)| *to).collect::<UidSet>(), there, "what has come");
    let changes = all_changes(&account, &inbox, since, 1).await?;
    ensure_eq!(changes.vanished, uids([all[2], all[3]]), "what the source's feed tells as vanished");
    let nothing = account.move_messages(&inbox, &gone, &other).await?;
    ensure!(nothing.uids.is_empty(), "a move of what has gone moved something");
    Ok(())
}

pub(super) async fn of_two_moves_one_wins<F: Factory>(kit: &Kit<F>) -> Check {
    let store = kit.store().await?;
    let account = open(&store, 0).await?;
    let source = inbox(&account).await?;
    let messages = kit.declared().messages_per_writer;
    let all = fill(&account, &source, messages).await?;
    let mut racers = Vec::new();
    let mut destinations = Vec::new();
    for racer in 0..3 {
        let destination = make(&account, &format!("D{racer}")).await?;
        destinations.push(destination.clone());
        let (store, source, all) = (store.clone(), source.clone(), all.clone());
        racers.push(kit.spawn(move || async move {
            let account = open(&store, 0).await?;
            let mut won = Vec::new();
            // In pairs that overlap, so that a move finds one of its two gone.
            for pair in all.windows(2) {
                let moved = account.move_messages(&source, &uids(pair.iter().copied()), &destination).await?;
                won.extend(moved.uids);
            }
            Ok(won)
        }));
    }
    let won = try_join_all(racers).await?;
    let mut taken: Vec<Uid> = won.iter().flatten().map(|(from, _)| *from).collect();
    taken.sort_unstable();
    ensure_eq!(taken, all, "the messages that all the moves took, each once");
    ensure_eq!(account.snapshot(&source, false).await?.uids.len(), 0, "messages left at the source");
    for (won, destination) in won.iter().zip(&destinations) {
        let there = account.snapshot(destination, false).await?.uids;
        ensure_eq!(there, won.iter().map(|(_, to)| *to).collect::<UidSet>(), "what has come to one of the places");
    }
    Ok(())
}

pub(super) async fn a_copy_over_quota_copies_nothing<F: Factory>(kit: &Kit<F>) -> Check {
    let store = kit.store().await?;
    kit.need(store.features().quota, "quota")?;
    let account = open(&store, 0).await?;
    let inbox = inbox(&account).await?;
    let other = make(&account, "Other").await?;
    for _ in 0..4 {
        append(&account, &inbox, vec![b'x'; 10_000]).await?;
    }
    let all = account.snapshot(&inbox, false).await?.uids;
    // Room for one of the four, so that a copy message by message would go on for a while.
    set_limit(&store, 55).await?;
    ensure_kind!(account.copy(&inbox, &all, &other).await, OverQuota, "copy over quota");
    ensure_eq!(account.snapshot(&other, false).await?.uids.len(), 0, "messages that were copied over quota");
    set_limit(&store, 1).await?;
    let moved = account.move_messages(&inbox, &all, &other).await?;
    ensure_eq!(moved.uids.len(), 4, "messages that were moved within a full root");
    Ok(())
}

/// Limits the first account's storage, in units of 1,024 octets.
pub(super) async fn set_limit<S: MailStore>(store: &S, units: u64) -> Check {
    let service = open_as_service(store, 0).await?;
    let inbox = inbox(&service).await?;
    let root = service.quota_roots(&inbox).await?.pop().map(|root| root.name).unwrap_or_default();
    service.set_quota(&root, &[(QuotaResource::Storage, units)]).await?;
    Ok(())
}

pub(super) async fn only_deleted_messages_are_expunged<F: Factory>(kit: &Kit<F>) -> Check {
    let (account, inbox) = kit.inbox().await?;
    let all = fill(&account, &inbox, 4).await?;
    let deleted: crate::Flags = [SystemFlag::Deleted].into_iter().collect();
    let marked = uids([all[0], all[1], all[2]]);
    store_flags(&account, &inbox, &marked, FlagChange::Add(deleted.clone()), None).await?;
    // Another session thinks better of it.
    store_flags(&account, &inbox, &all[1].into(), FlagChange::Remove(deleted), None).await?;
    let (gone, modseq) = account.expunge(&inbox, &uids([all[0], all[1], all[3]]), true).await?;
    ensure_eq!(gone, UidSet::from(all[0]), "what was expunged");
    let snapshot = account.snapshot(&inbox, false).await?;
    ensure_eq!(snapshot.uids, uids([all[1], all[2], all[3]]), "what is left");
    ensure_eq!(modseq, snapshot.highest_modseq, "the modification sequence, as told");
    let (gone, _) = account.expunge(&inbox, &UidSet::all(), true).await?;
    ensure_eq!(gone, UidSet::from(all[2]), "what a second expunge of all deleted messages removed");
    Ok(())
}

pub(super) async fn an_expunge_tells_exactly_what_went<F: Factory>(kit: &Kit<F>) -> Check {
    let (account, inbox) = kit.inbox().await?;
    let all = fill(&account, &inbox, 6).await?;
    let before = metas(&account, &inbox, &UidSet::all()).await?;
    let since = account.snapshot(&inbox, false).await?.highest_modseq;
    let asked = uids([all[1], all[3], all[4]]);
    let (gone, modseq) = account.expunge(&inbox, &asked, false).await?;
    ensure_eq!(gone, asked, "what was expunged");
    ensure!(modseq > since, "an expunge did not raise the modification sequence");
    let left: Vec<_> = before.into_iter().filter(|meta| !asked.contains(meta.uid)).collect();
    ensure_eq!(metas(&account, &inbox, &UidSet::all()).await?, left, "what is left");
    let (gone, _) = account.expunge(&inbox, &uids([all[0], all[1]]), false).await?;
    ensure_eq!(gone, UidSet::from(all[0]), "what an expunge of one that is there and one that is not removed");
    let (gone, same) = account.expunge(&inbox, &asked, false).await?;
    ensure!(gone.is_empty(), "{gone} were expunged twice");
    ensure_eq!(same, account.snapshot(&inbox, false).await?.highest_modseq, "the modification sequence of no expunge");
    Ok(())
}
