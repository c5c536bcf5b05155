//! The feed of changes.

use futures::future::try_join_all;

use super::Factory;
use super::tools::*;
use crate::{Account, FlagChange, MailStore, Mode, Target, UidSet};

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
                let_others_run();
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
