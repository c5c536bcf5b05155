//! Watching, and bodies that are open while others write.

use futures::StreamExt;

use super::Factory;
use super::tools::*;
use crate::{Account, FlagChange, MailStore, Mode, Target};

pub(super) async fn a_write_by_another_handle_is_signalled<F: Factory>(kit: &Kit<F>) -> Check {
    let store = kit.store().await?;
    let account = open(&store, 0).await?;
    let inbox = inbox(&account).await?;
    let other = make(&account, "Other").await?;
    let limit = kit.declared().signal_within;
    let writer = open(&store, 0).await?;

    macro_rules! signalled {
        ($what:literal, $write:expr) => {{
            // A watch of its own for each, for one may hear of an earlier write again.
            let mut heard = Box::pin(account.watch(std::slice::from_ref(&inbox)).await?);
            let before = account.snapshot(&inbox, false).await?.highest_modseq;
            let done = $write;
            let after = account.snapshot(&inbox, false).await?.highest_modseq;
            ensure!(after > before, "{} did not raise the highest modification sequence", $what);
            let id = within(limit, concat!("the signal of ", $what), heard.next()).await?;
            ensure_eq!(id, Some(inbox.clone()), "the mailbox that the signal of {} is of", $what);
            done
        }};
    }

    let uid = signalled!("a commit", append(&writer, &inbox, message(1)).await?).uid;
    signalled!("a change of flags", {
        store_flags(&writer, &inbox, &uid.into(), FlagChange::Add(seen()), None).await?
    });
    signalled!("a copy into it", writer.copy(&inbox, &uid.into(), &inbox).await?);
    signalled!("a move out of it", writer.move_messages(&inbox, &uid.into(), &other).await?);
    let all = other.clone();
    let moved = writer.snapshot(&all, false).await?.uids;
    signalled!("a move into it", writer.move_messages(&all, &moved, &inbox).await?);
    let blob = blob(&writer, message(2)).await?;
    signalled!("a delivery", { store.deliver(&blob, vec![Target::inbox(account_id(0))], Mode::AllOrNothing).await? });
    let present = writer.snapshot(&inbox, false).await?.uids;
    signalled!("an expunge", writer.expunge(&inbox, &present, false).await?);
    Ok(())
}

pub(super) async fn a_write_between_watch_and_snapshot_is_not_lost<F: Factory>(kit: &Kit<F>) -> Check {
    let store = kit.store().await?;
    let account = open(&store, 0).await?;
    let inbox = inbox(&account).await?;
    let limit = kit.declared().signal_within;
    let messages = kit.declared().messages_per_writer;

    let writer = {
        let (store, inbox) = (store.clone(), inbox.clone());
        kit.spawn(move || async move {
            let account = open(&store, 0).await?;
            for number in 0..messages {
                append(&account, &inbox, message(number)).await?;
            }
            Ok(())
        })
    };
    // A view as the engines keep it: watch, read, then pull at each signal, and never without one.
    let mut heard = Box::pin(account.watch(std::slice::from_ref(&inbox)).await?);
    let snapshot = account.snapshot(&inbox, false).await?;
    let (mut known, mut cursor) = (snapshot.uids, snapshot.highest_modseq);
    while known.len() < u64::from(messages) {
        let signal = within(limit, "a signal of messages that are still to come", heard.next()).await?;
        if signal.is_none() {
            heard = Box::pin(account.watch(std::slice::from_ref(&inbox)).await?);
        }
        let changes = all_changes(&account, &inbox, cursor, 10).await?;
        known.extend_from(&changes.changed.iter().map(|changed| changed.uid).collect());
        cursor = changes.up_to;
    }
    writer.await?;
    ensure_eq!(known, account.snapshot(&inbox, false).await?.uids, "what the view has come to");
    Ok(())
}
