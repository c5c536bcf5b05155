//! Watching, and bodies that are open while others write.

use std::time::Duration;

use futures::{StreamExt, TryStreamExt};

use super::Factory;
use super::tools::*;
use crate::{
    Account, ByteRange, Flag, FlagChange, ListHint, MailStore, MessageMeta, MetaFields, MetaFilter, Mode, SearchAnswer,
    SearchKey, SystemFlag, Target, Uid, UidSet,
};

/// What memory may grow by where it should not grow at all: an allocator does not give all back.
const SLACK: u64 = 8 * 1024 * 1024;

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

pub(super) async fn signals_coalesce<F: Factory>(kit: &Kit<F>) -> Check {
    let (account, inbox) = kit.inbox().await?;
    let uid = append(&account, &inbox, message(1)).await?.uid;
    let mut heard = Box::pin(account.watch(std::slice::from_ref(&inbox)).await?);
    let changes = u64::from(kit.declared().many_messages);
    let memory = kit.memory_in_use().ok();
    for number in 0..changes {
        let change = if number % 2 == 0 { FlagChange::Add(seen()) } else { FlagChange::Remove(seen()) };
        store_flags(&account, &inbox, &uid.into(), change, None).await?;
    }
    if let (Some(before), Ok(now)) = (memory, kit.memory_in_use()) {
        ensure!(now <= before + SLACK, "memory grew from {before} to {now} while nobody heard the signals");
    }
    within(kit.declared().signal_within, "the one signal of many changes", heard.next()).await?;
    let mut more = 0_u64;
    while within(Duration::from_millis(200), "a further signal", heard.next()).await.is_ok_and(|heard| heard.is_some())
    {
        more += 1;
        ensure!(more <= changes / 10, "{more} signals and more came of {changes} changes that nobody had heard of");
    }
    Ok(())
}

pub(super) async fn a_write_by_another_process_is_signalled<F: Factory>(kit: &Kit<F>) -> Check {
    let store = kit.store().await?;
    kit.need(store.features().watch_across_processes, "watch_across_processes")?;
    let other = kit.beside(&store).await?;
    let limit = kit.declared().signal_within;
    // Each hears the other.
    for (reader, writer) in [(&store, &other), (&other, &store)] {
        let (reader, writer) = (open(reader, 0).await?, open(writer, 0).await?);
        let inbox = inbox(&reader).await?;
        let mut heard = Box::pin(reader.watch(std::slice::from_ref(&inbox)).await?);
        let before = reader.snapshot(&inbox, false).await?;
        let placed = append(&writer, &inbox, message(1)).await?;
        ensure!(!before.uids.contains(placed.uid), "UID {} was there before it was given out", placed.uid);
        let id = within(limit, "the signal of another process's commit", heard.next()).await?;
        ensure_eq!(id, Some(inbox.clone()), "the mailbox that the signal is of");
        let changes = all_changes(&reader, &inbox, before.highest_modseq, 100).await?;
        let told: Vec<Uid> = changes.changed.iter().map(|changed| changed.uid).collect();
        ensure_eq!(told, vec![placed.uid], "what is told of another process's commit");
        ensure_eq!(read_message(&reader, &inbox, placed.uid).await?, message(1), "another process's message");
    }
    Ok(())
}

pub(super) async fn a_dropped_watcher_is_freed<F: Factory>(kit: &Kit<F>) -> Check {
    let (account, inbox) = kit.inbox().await?;
    let mut stays = Box::pin(account.watch(std::slice::from_ref(&inbox)).await?);
    let memory = kit.memory_in_use().ok();
    for _ in 0..kit.declared().many_messages {
        drop(account.watch(std::slice::from_ref(&inbox)).await?);
    }
    if let (Some(before), Ok(now)) = (memory, kit.memory_in_use()) {
        ensure!(now <= before + SLACK, "memory grew from {before} to {now} by watchers that were dropped");
    }
    append(&account, &inbox, message(1)).await?;
    let signal = within(kit.declared().signal_within, "a signal for the one that stayed", stays.next()).await?;
    ensure_eq!(signal, Some(inbox), "the signal for the one that stayed");
    Ok(())
}

pub(super) async fn an_open_body_outlives_its_message<F: Factory>(kit: &Kit<F>) -> Check {
    let store = kit.store().await?;
    let account = open(&store, 0).await?;
    let inbox = inbox(&account).await?;
    let octets: Vec<u8> = (0..3_000_000_u32).map(|at| (at % 253) as u8).collect();
    for whole_mailbox in [false, true] {
        let mailbox = if whole_mailbox { make(&account, "Short-lived").await? } else { inbox.clone() };
        let uid = append(&account, &mailbox, octets.clone()).await?.uid;
        let mut body = account.open_body(&mailbox, uid, ByteRange::WHOLE).await?;
        let unread = account.open_body(&mailbox, uid, ByteRange::WHOLE).await?;
        let mut found = body.next().await.transpose()?.unwrap_or_default().to_vec();
        let other = open(&store, 0).await?;
        if whole_mailbox {
            other.delete(&mailbox).await?;
        } else {
            other.expunge(&mailbox, &uid.into(), false).await?;
            ensure_kind!(
                account.open_body(&mailbox, uid, ByteRange::WHOLE).await,
                Expunged,
                "open a message that has gone"
            );
        }
        // Others write meanwhile, which is when a store might collect.
        append(&other, &inbox, octets.clone()).await?;
        while let Some(chunk) = body.next().await {
            found.extend_from_slice(&chunk?);
        }
        ensure!(found == octets, "a body that was open when its message went came as {} other octets", found.len());
        ensure!(read(unread).await? == octets, "a body that was open and not yet read came as other octets");
    }
    Ok(())
}

pub(super) async fn octets_of_expunged_messages_are_collected<F: Factory>(kit: &Kit<F>) -> Check {
    let store = kit.store().await?;
    let account = open(&store, 0).await?;
    let inbox = inbox(&account).await?;
    let empty = kit.octets_kept(&store).await?;
    let octets = vec![b'x'; 1_000_000];
    let uid = append(&account, &inbox, octets.clone()).await?.uid;
    let copied = account.copy(&inbox, &uid.into(), &inbox).await?.uids;
    ensure!(kit.octets_kept(&store).await? >= 1_000_000, "the octets that are kept do not count a message");
    let open = account.open_body(&inbox, uid, ByteRange::WHOLE).await?;
    account.expunge(&inbox, &uid.into(), false).await?;
    ensure!(kit.octets_kept(&store).await? >= 1_000_000, "octets were collected that a copy has");
    account.expunge(&inbox, &copied.iter().map(|(_, to)| *to).collect(), false).await?;
    kit.octets_kept(&store).await?;
    ensure!(read(open).await? == octets, "octets were collected while they were read");
    ensure_eq!(kit.octets_kept(&store).await?, empty, "octets that are kept when all messages have gone");
    Ok(())
}

pub(super) async fn ranges_end_where_the_message_ends<F: Factory>(kit: &Kit<F>) -> Check {
    let (account, inbox) = kit.inbox().await?;
    let octets: Vec<u8> = (0..150_000_u32).map(|at| (at % 251) as u8).collect();
    let size = octets.len() as u64;
    for octets in [octets, Vec::new()] {
        let uid = append(&account, &inbox, octets.clone()).await?.uid;
        for start in
            [0, 1, 65_535, 65_536, 65_537, size / 2, size - 1, size, size + 1, 1 << 32, (1 << 32) + 1, u64::MAX]
        {
            for len in [Some(0), Some(1), Some(65_536), Some(size), Some(1 << 32), Some(u64::MAX), None] {
                let range = len.map_or(ByteRange::from_start(start), |len| ByteRange::new(start, len));
                let within = range.within(octets.len() as u64);
                let expected = octets.get(within.start as usize..within.end as usize).unwrap_or_default();
                let body = account.open_body(&inbox, uid, range).await?;
                ensure!(read(body).await? == expected, "{range:?} of {} octets has other octets", octets.len());
            }
        }
    }
    Ok(())
}

pub(super) async fn a_slow_reader_blocks_no_writer<F: Factory>(kit: &Kit<F>) -> Check {
    let store = kit.store().await?;
    let account = open(&store, 0).await?;
    let inbox = inbox(&account).await?;
    let large = append(&account, &inbox, vec![b'x'; 3_000_000]).await?.uid;
    fill(&account, &inbox, 300).await?;
    make(&account, "Other").await?;
    // Every kind of stream, begun and not read on.
    let mut body = account.open_body(&inbox, large, ByteRange::WHOLE).await?;
    let mut metas = Box::pin(account.fetch_meta(&inbox, &UidSet::all(), MetaFields::ALL, MetaFilter::default()));
    let mut names = Box::pin(account.list(ListHint::default()));
    let mut outcomes = Box::pin(account.store_flags(&inbox, &UidSet::all(), FlagChange::Add(seen()), None));
    body.next().await.transpose()?;
    metas.next().await.transpose()?;
    names.next().await.transpose()?;
    outcomes.next().await.transpose()?;

    let writer = {
        let (store, inbox) = (store.clone(), inbox.clone());
        kit.spawn(move || async move {
            let account = open(&store, 0).await?;
            let uid = append(&account, &inbox, message(1)).await?.uid;
            store_flags(&account, &inbox, &uid.into(), FlagChange::Add(flags("x")?), None).await?;
            let other = make(&account, "Third").await?;
            account.move_messages(&inbox, &uid.into(), &other).await?;
            account.delete(&other).await?;
            account.expunge(&inbox, &large.into(), false).await?;
            Ok(())
        })
    };
    within(kit.declared().unhindered_within, "writing while another reads slowly", writer).await??;
    // And they go on from where they were.
    let rest: u64 = body.map_ok(|chunk| chunk.len() as u64).try_fold(0, async |sum, next| Ok(sum + next)).await?;
    ensure!(rest > 0, "the body that was read slowly has ended");
    let rest: Vec<MessageMeta> = metas.try_collect().await?;
    ensure!(rest.len() >= 299, "a slow reader was told of {} messages of 300", rest.len());
    names.try_collect::<Vec<_>>().await?;
    outcomes.try_collect::<Vec<_>>().await?;
    Ok(())
}

/// Whether a message matches, by its metadata alone.
fn matches(key: &SearchKey, meta: &MessageMeta) -> bool {
    // As deep as the queries below, which are made here.
    match key {
        SearchKey::And(keys) => keys.iter().all(|key| matches(key, meta)),
        SearchKey::Or(keys) => keys.iter().any(|key| matches(key, meta)),
        SearchKey::Not(key) => !matches(key, meta),
        SearchKey::Uids(uids) => uids.contains(meta.uid),
        SearchKey::Flag(flag) => meta.flags.contains(flag),
        SearchKey::Larger(octets) => meta.size > *octets,
        SearchKey::Smaller(octets) => meta.size < *octets,
        SearchKey::ModSeq(modseq) => meta.modseq >= *modseq,
        _ => true,
    }
}

fn random_key(dice: &mut Dice, metas: &[MessageMeta], depth: usize) -> SearchKey {
    let some = |dice: &mut Dice| (0..dice.roll(3)).map(|_| random_key(dice, metas, depth + 1)).collect();
    let meta = dice.pick(metas).cloned();
    match dice.roll(if depth < 3 { 8 } else { 5 }) {
        0 => SearchKey::All,
        1 => SearchKey::Flag(Flag::System(SystemFlag::Seen)),
        2 => SearchKey::Uids(metas.iter().filter(|_| dice.roll(2) == 0).map(|meta| meta.uid).collect()),
        3 => SearchKey::Larger(meta.map_or(0, |meta| meta.size)),
        4 => SearchKey::Smaller(meta.map_or(0, |meta| meta.size)),
        5 => SearchKey::Not(Box::new(random_key(dice, metas, depth + 1))),
        6 => SearchKey::And(some(dice)),
        _ => SearchKey::Or(some(dice)),
    }
}

/// The keys that metadata decides; what the engines read from a message's octets is tested with the engines.
pub(super) async fn an_index_loses_no_message<F: Factory>(kit: &Kit<F>) -> Check {
    let (account, inbox) = kit.inbox().await?;
    kit.need(account.features().search_index, "search_index")?;
    let mut dice = Dice::new(60);
    for round in 0..30 {
        let uid = append(&account, &inbox, vec![b'x'; dice.roll(5000)]).await?.uid;
        if round % 3 == 0 {
            store_flags(&account, &inbox, &uid.into(), FlagChange::Add(seen()), None).await?;
        }
        let metas = metas(&account, &inbox, &UidSet::from_range(Uid::MIN, Uid::MAX)).await?;
        for _ in 0..20 {
            let key = random_key(&mut dice, &metas, 0);
            let scan: UidSet = metas.iter().filter(|meta| matches(&key, meta)).map(|meta| meta.uid).collect();
            match account.search(&inbox, &key).await? {
                SearchAnswer::Exact(found) => ensure_eq!(found, scan, "what the index says is exactly {key:?}"),
                SearchAnswer::Candidates(found) => {
                    let lost = scan.difference(&found);
                    ensure!(lost.is_empty(), "the index leaves out {lost} for {key:?}");
                }
                SearchAnswer::Unsupported => {}
            }
        }
    }
    Ok(())
}
