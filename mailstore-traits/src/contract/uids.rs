//! UIDs, and what is put under them.

use bytes::Bytes;
use futures::StreamExt;
use futures::future::try_join_all;

use super::Factory;
use super::tools::*;
use crate::{
    Account, ByteRange, FlagChange, Flags, MailStore, MailboxId, Mode, Placement, SizeHint, Stage, Target,
    TargetMailbox, Timestamp, Uid, UidSet,
};

pub(super) async fn uids_rise<F: Factory>(kit: &Kit<F>) -> Check {
    let store = kit.store().await?;
    let account = open(&store, 0).await?;
    let inbox = inbox(&account).await?;
    let other = make(&account, "Other").await?;
    let [first, second] = fill(&account, &other, 2).await?[..] else {
        return Err(Stop::failed("two placements did not get two UIDs"));
    };
    let mut last = append(&account, &inbox, message(1)).await?.uid;
    let mut rises = |uid: Uid, how: &str| -> Check {
        ensure!(uid > last, "{how} gave UID {uid} after {last}");
        last = uid;
        Ok(())
    };
    let copied = account.copy(&other, &first.into(), &inbox).await?;
    for (_, uid) in copied.uids {
        rises(uid, "copy")?;
    }
    let again = blob(&account, message(2)).await?;
    for placed in store.deliver(&again, vec![Target::inbox(account_id(0)); 2], Mode::PerTarget).await? {
        rises(placed?.uid, "delivery")?;
    }
    for (_, uid) in account.move_messages(&other, &second.into(), &inbox).await?.uids {
        rises(uid, "move")?;
    }
    for placed in account.commit(vec![Placement::new(again, inbox.clone()); 3], Mode::AllOrNothing).await? {
        rises(placed?.uid, "commit of three")?;
    }

    let writers = (0..4).map(|writer| {
        let (store, inbox, messages) = (store.clone(), inbox.clone(), kit.declared().messages_per_writer);
        kit.spawn(move || async move {
            let account = open(&store, 0).await?;
            let mut given = Vec::new();
            for number in 0..messages {
                let uid = if writer % 2 == 0 {
                    append(&account, &inbox, message(number)).await?.uid
                } else {
                    let blob = blob(&account, message(number)).await?;
                    let target = Target::inbox(account_id(0)).with_mailbox(TargetMailbox::Id(inbox.clone()));
                    match store.deliver(&blob, vec![target], Mode::AllOrNothing).await?.pop() {
                        Some(placed) => placed?.uid,
                        None => return Err(Stop::failed("a delivery to one target had no answer")),
                    }
                };
                ensure!(given.last().is_none_or(|last| *last < uid), "one writer was given {uid} after {given:?}");
                given.push(uid);
            }
            Ok(given)
        })
    });
    let given: Vec<Uid> = try_join_all(writers).await?.into_iter().flatten().collect();
    let different: UidSet = given.iter().copied().collect();
    ensure_eq!(different.len(), given.len() as u64, "different UIDs that concurrent writers were given");
    let present = account.snapshot(&inbox, false).await?.uids;
    ensure_eq!(different.difference(&present).len(), 0, "UIDs that were given out and are not there");
    Ok(())
}

pub(super) async fn uid_next_is_larger_than_all_uids_ever_given_out<F: Factory>(kit: &Kit<F>) -> Check {
    let store = kit.store().await?;
    let account = open(&store, 0).await?;
    let inbox = inbox(&account).await?;
    let given = fill(&account, &inbox, 3).await?;
    let highest = given.last().copied().unwrap_or(Uid::MIN);
    account.expunge(&inbox, &uids(given), false).await?;
    let next = account.snapshot(&inbox, false).await?.uid_next;
    ensure!(
        next.is_some_and(|next| next > highest),
        "UIDNEXT is {next:?} after UID {highest} was given out and expunged"
    );
    let again = append(&account, &inbox, message(9)).await?.uid;
    ensure!(Some(again) >= next, "UID {again} was given out when UIDNEXT was {next:?}");
    account.expunge(&inbox, &again.into(), false).await?;
    drop(account);

    let account = open(&kit.reopen(store).await?, 0).await?;
    let next = account.snapshot(&inbox, false).await?.uid_next;
    ensure!(
        next.is_some_and(|next| next > again),
        "UIDNEXT is {next:?} after a restart, and {again} was given out before"
    );
    Ok(())
}

pub(super) async fn a_body_comes_back_octet_for_octet<F: Factory>(kit: &Kit<F>) -> Check {
    let (account, inbox) = kit.inbox().await?;
    let all_octets: Vec<u8> = (0..=255_u8).filter(|octet| !matches!(octet, b'\r' | b'\n')).collect();
    let large: Vec<u8> = (0..kit.declared().large_octets).map(|at| b'a'.wrapping_add((at % 23) as u8)).collect();
    let mut messages = vec![
        Vec::new(),
        b"x".to_vec(),
        b"Subject: 8-bit\r\n\r\n\xff\xfe\x80\0\x01\r\n".to_vec(),
        all_octets,
        b".\r\n..\r\n".to_vec(),
        b"no header and no line end".to_vec(),
        b"\r\n".repeat(40_000),
    ];
    messages.push(large);
    for octets in messages {
        // Written in pieces of an odd size, for nobody promises whole lines.
        let mut stage = account.stage(SizeHint::Octets(octets.len() as u64)).await?;
        for piece in octets.chunks(60_001) {
            stage.write(Bytes::copy_from_slice(piece)).await?;
        }
        let placement = Placement::new(stage.finish(None).await?, inbox.clone());
        let uid = commit_one(&account, placement).await?.uid;
        let found = read_message(&account, &inbox, uid).await?;
        ensure!(found == octets, "a message of {} octets came back as {} other ones", octets.len(), found.len());
        // A line's end may be anywhere, and a second reading is no different.
        if octets.len() < 100_000 {
            ensure!(read_message(&account, &inbox, uid).await? == octets, "a second reading gave other octets");
        }
    }
    Ok(())
}

pub(super) async fn the_size_is_what_is_served<F: Factory>(kit: &Kit<F>) -> Check {
    let (account, inbox) = kit.inbox().await?;
    let prefix = Bytes::from_static(b"Return-Path: <>\r\nReceived: by here\r\n");
    for length in [0_u32, 1, 2, 100, 65_535, 65_536, 65_537, 200_000] {
        let octets: Vec<u8> = (0..length).map(|at| (at % 251) as u8).collect();
        for prefix in [Bytes::new(), prefix.clone()] {
            let blob = blob(&account, octets.clone()).await?;
            let placement = Placement::new(blob, inbox.clone()).with_prefix(prefix.clone(), None);
            let uid = commit_one(&account, placement).await?.uid;
            let size = meta(&account, &inbox, uid).await?.size;
            let whole = read_message(&account, &inbox, uid).await?;
            ensure_eq!(size, whole.len() as u64, "the size that is told of a message, against what is served");
            ensure!(whole == [&prefix[..], &octets[..]].concat(), "a message is not its prefix and then its blob");
            let front = prefix.len() as u64;
            for (start, len) in [(0, 1), (0, size), (front, 10), (front.saturating_sub(1), 2), (size / 2, 70_000)] {
                let range = ByteRange::new(start, len);
                let body = account.open_body(&inbox, uid, range).await?;
                let within = range.within(size);
                ensure_eq!(body.len(), within.end - within.start, "the length of {range:?} of {size} octets");
                let wanted = whole.get(within.start as usize..within.end as usize);
                ensure!(Some(&read(body).await?[..]) == wanted, "{range:?} of {size} octets has other octets");
            }
        }
    }
    Ok(())
}

pub(super) async fn what_is_said_of_a_message_is_kept<F: Factory>(kit: &Kit<F>) -> Check {
    let (account, inbox) = kit.inbox().await?;
    for date in [
        Timestamp::from_unix(0),
        Timestamp::from_unix(1_700_000_000).with_offset_minutes(330),
        Timestamp::from_unix(951_827_696).with_offset_minutes(-720),
        Timestamp::from_unix(-1).with_offset_minutes(1),
        Timestamp::from_unix(253_402_300_799),
    ] {
        for written in ["", "\\Seen", "\\Answered \\Flagged \\Deleted \\Draft \\Seen", "$Forwarded NonJunk \\Flagged"] {
            let given = flags(written)?;
            let placement = Placement::new(blob(&account, message(1)).await?, inbox.clone())
                .with_flags(given.clone())
                .with_internal_date(date);
            let placed = commit_one(&account, placement).await?;
            let meta = meta(&account, &inbox, placed.uid).await?;
            ensure_eq!(meta.internal_date, date, "the internal date");
            ensure_eq!(meta.flags, given, "the flags");
            let spelt = |flags: &Flags| flags.iter().map(|flag| flag.as_str().to_owned()).collect::<Vec<_>>();
            ensure_eq!(spelt(&meta.flags), spelt(&given), "the spelling of the flags");
            ensure_eq!(meta.modseq, placed.modseq, "the modification sequence, against commit's");
        }
    }
    let before = Timestamp::now().unix_seconds();
    let uid = append(&account, &inbox, message(2)).await?.uid;
    let dated = meta(&account, &inbox, uid).await?.internal_date.unix_seconds();
    // A second's leeway: a store may take the time before or after the kit does.
    let now = before.saturating_sub(1)..=Timestamp::now().unix_seconds().saturating_add(1);
    ensure!(now.contains(&dated), "without a date a message is dated {dated}, and now is {now:?}");
    Ok(())
}

pub(super) async fn a_large_stage_needs_little_memory<F: Factory>(kit: &Kit<F>) -> Check {
    let before = kit.memory_in_use()?;
    let (account, inbox) = kit.inbox().await?;
    let bound = kit.declared().stage_memory;
    let small = |doing: &str| -> Check {
        let more = kit.memory_in_use()?.saturating_sub(before);
        ensure!(more <= bound, "{doing} needed {more} octets of memory, more than {bound}");
        Ok(())
    };
    let mut stage = account.stage(SizeHint::Unknown).await?;
    for _ in 0..kit.declared().large_octets.div_ceil(65_536) {
        stage.write(vec![b'x'; 65_536].into()).await?;
        small("staging")?;
    }
    let uid = commit_one(&account, Placement::new(stage.finish(None).await?, inbox.clone())).await?.uid;
    small("a commit")?;
    let mut body = account.open_body(&inbox, uid, ByteRange::WHOLE).await?;
    while let Some(chunk) = body.next().await {
        drop(chunk?);
        small("reading")?;
    }
    Ok(())
}

pub(super) async fn a_uid_is_never_used_again<F: Factory>(kit: &Kit<F>) -> Check {
    let mut store = kit.store().await?;
    let mut ever = UidSet::new();
    for round in 0..4 {
        let account = open(&store, 0).await?;
        let inbox = inbox(&account).await?;
        let given = uids(fill(&account, &inbox, 3).await?);
        ensure_eq!(given.len(), 3, "different UIDs of three messages");
        let again = given.intersection(&ever);
        ensure!(again.is_empty(), "UIDs {again} were given out again in round {round}");
        ever.extend_from(&given);
        // All, the newest only, or none: an empty mailbox is where a store forgets how far it was.
        let gone = match round % 3 {
            0 => given,
            1 => given.last().into_iter().collect(),
            _ => UidSet::new(),
        };
        account.expunge(&inbox, &gone, false).await?;
        drop(account);
        store = kit.reopen(store).await?;
    }
    Ok(())
}

pub(super) async fn a_dropped_stage_leaves_nothing<F: Factory>(kit: &Kit<F>) -> Check {
    let store = kit.store().await?;
    let account = open(&store, 0).await?;
    let inbox = inbox(&account).await?;
    let before = account.snapshot(&inbox, false).await?;
    for finished in [false, true] {
        for _ in 0..3 {
            let mut stage = account.stage(SizeHint::Octets(1 << 20)).await?;
            for _ in 0..16 {
                stage.write(vec![b'x'; 65_536].into()).await?;
            }
            if finished {
                // A blob that is never placed is forgotten too, and can be read until then.
                let blob = stage.finish(None).await?;
                ensure_eq!(store.read_blob(&blob, ByteRange::WHOLE).await?.len(), 1 << 20, "octets of a blob");
            }
        }
    }
    ensure_eq!(account.snapshot(&inbox, false).await?, before, "the mailbox after stages were dropped");
    let kept = kit.octets_kept(&store).await?;
    ensure_eq!(kept, 0, "octets that are kept of stages that were dropped");
    Ok(())
}

pub(super) async fn a_size_hint_may_lie<F: Factory>(kit: &Kit<F>) -> Check {
    let (account, inbox) = kit.inbox().await?;
    let octets = vec![b'x'; 100_000];
    for hint in [0, 1, 99_999, 100_000, 100_001, 10_000_000] {
        let mut stage = account.stage(SizeHint::Octets(hint)).await?;
        let written = async {
            for piece in octets.chunks(30_000) {
                stage.write(Bytes::copy_from_slice(piece)).await?;
            }
            stage.finish(None).await
        };
        let present = account.snapshot(&inbox, false).await?.uids;
        match written.await {
            Ok(blob) => {
                let uid = commit_one(&account, Placement::new(blob, inbox.clone())).await?.uid;
                ensure!(
                    read_message(&account, &inbox, uid).await? == octets,
                    "announced as {hint}, other octets are kept"
                );
            }
            Err(_) => ensure_eq!(account.snapshot(&inbox, false).await?.uids, present, "what is there after a refusal"),
        }
    }
    Ok(())
}

/// Placements of small messages, the numbers from `from` on.
async fn placements<A: Account>(
    account: &A,
    mailbox: &MailboxId,
    from: u32,
    many: u32,
) -> Check<Vec<Placement<A::Blob>>> {
    let mut placements = Vec::new();
    for number in from..from + many {
        placements.push(Placement::new(blob(account, message(number)).await?, mailbox.clone()));
    }
    Ok(placements)
}

async fn deleted_mailbox<A: Account>(account: &A) -> Check<MailboxId> {
    let id = make(account, "To be deleted").await?;
    account.delete(&id).await?;
    Ok(id)
}

pub(super) async fn a_commit_of_many_is_in_order_and_whole<F: Factory>(kit: &Kit<F>) -> Check {
    let (account, inbox) = kit.inbox().await?;
    let placed = account.commit(placements(&account, &inbox, 0, 20).await?, Mode::AllOrNothing).await?;
    ensure_eq!(placed.len(), 20, "answers to twenty placements");
    let mut before = None;
    for (number, placed) in (0_u32..).zip(placed) {
        let placed = placed?;
        ensure!(before < Some(placed.uid), "UIDs are not in the order of the placements");
        before = Some(placed.uid);
        ensure_eq!(placed.mailbox, inbox, "the mailbox of a placement");
        ensure_eq!(read_message(&account, &inbox, placed.uid).await?, message(number), "message {number}");
        ensure_eq!(meta(&account, &inbox, placed.uid).await?.modseq, placed.modseq, "its modification sequence");
    }
    let gone = deleted_mailbox(&account).await?;
    let present = account.snapshot(&inbox, false).await?;
    for failing in [0_usize, 2, 4] {
        let mut some = placements(&account, &inbox, 50, 5).await?;
        some[failing].mailbox = gone.clone();
        ensure_kind!(
            account.commit(some.clone(), Mode::AllOrNothing).await,
            NotFound,
            "a commit whose {failing}. fails"
        );
        ensure_eq!(account.snapshot(&inbox, false).await?.uids, present.uids, "messages after a commit that failed");
    }
    let mut some = placements(&account, &inbox, 60, 3).await?;
    some[1].mailbox = gone;
    let placed = account.commit(some, Mode::PerTarget).await?;
    let kinds: Vec<_> = placed.iter().map(|placed| placed.as_ref().err().map(|error| error.kind())).collect();
    ensure_eq!(kinds, vec![None, Some(crate::ErrorKind::NotFound), None], "the answers of a commit, each for itself");
    ensure_eq!(account.snapshot(&inbox, false).await?.uids.len(), present.uids.len() + 2, "messages after it");
    ensure!(account.commit(Vec::new(), Mode::AllOrNothing).await?.is_empty(), "a commit of nothing has answers");
    Ok(())
}

pub(super) async fn one_blob_in_many_mailboxes<F: Factory>(kit: &Kit<F>) -> Check {
    let store = kit.store().await?;
    let account = open(&store, 0).await?;
    let inbox = inbox(&account).await?;
    let other = make(&account, "Other").await?;
    let third = make(&account, "Third").await?;
    let blob = blob(&account, message(1)).await?;
    let mut places = Vec::new();
    for (mailbox, written) in [(&inbox, "\\Seen"), (&other, "$Work"), (&third, ""), (&inbox, "\\Flagged")] {
        let placement = Placement::new(blob.clone(), mailbox.clone()).with_flags(flags(written)?);
        places.push((mailbox.clone(), commit_one(&account, placement).await?.uid, flags(written)?));
    }
    drop(blob);
    let mut content = None;
    for (mailbox, uid, flags) in &places {
        let meta = meta(&account, mailbox, *uid).await?;
        ensure_eq!(meta.flags, *flags, "the flags of one place among several");
        let email_id = content.get_or_insert_with(|| meta.email_id.clone());
        ensure_eq!(meta.email_id, *email_id, "the email id of the same content in another mailbox");
    }
    store_flags(&account, &other, &places[1].1.into(), FlagChange::Replace(seen()), None).await?;
    ensure_eq!(meta(&account, &inbox, places[0].1).await?.flags, places[0].2, "flags that nobody changed");
    account.expunge(&inbox, &places[0].1.into(), false).await?;
    account.delete(&third).await?;
    for (mailbox, uid, _) in [&places[1], &places[3]] {
        ensure_eq!(read_message(&account, mailbox, *uid).await?, message(1), "the message where it was not deleted");
    }
    Ok(())
}

pub(super) async fn a_replacement_is_one_change<F: Factory>(kit: &Kit<F>) -> Check {
    let (account, inbox) = kit.inbox().await?;
    let other = make(&account, "Other").await?;
    let old = append(&account, &inbox, message(1)).await?.uid;
    let before = account.snapshot(&inbox, false).await?;
    let placement = Placement::new(blob(&account, message(2)).await?, inbox.clone()).replacing(old);
    let new = commit_one(&account, placement).await?;
    let snapshot = account.snapshot(&inbox, false).await?;
    ensure_eq!(snapshot.uids, UidSet::from(new.uid), "what is there after a replacement");
    // The smallest page has both, or a client would for a moment have none or two.
    let changes = account.changes_since(&inbox, before.highest_modseq, 1).await?;
    ensure_eq!(changes.vanished, UidSet::from(old), "what has vanished");
    ensure_eq!(changes.changed.iter().map(|changed| changed.uid).collect::<Vec<_>>(), vec![new.uid], "what is new");
    ensure_kind!(account.open_body(&inbox, old, ByteRange::WHOLE).await, Expunged, "open what was replaced");

    let again = Placement::new(blob(&account, message(3)).await?, inbox.clone()).replacing(old);
    ensure_kind!(account.commit(vec![again.clone()], Mode::AllOrNothing).await, Expunged, "replace what has gone");
    let mut answers = account.commit(vec![again], Mode::PerTarget).await?;
    ensure_eq!(answers.len(), 1, "answers");
    if let Some(answer) = answers.pop() {
        ensure_kind!(answer, Expunged, "replace what has gone, each for itself");
    }
    // It is the mailbox's own message that is replaced, not another's of the same UID.
    let elsewhere = Placement::new(blob(&account, message(3)).await?, other.clone()).replacing(new.uid);
    ensure_kind!(account.commit(vec![elsewhere], Mode::AllOrNothing).await, Expunged, "replace another mailbox's");
    ensure_eq!(account.snapshot(&inbox, false).await?, snapshot, "the mailbox after replacements that failed");
    Ok(())
}

pub(super) async fn nothing_is_written_to_a_deleted_mailbox<F: Factory>(kit: &Kit<F>) -> Check {
    let store = kit.store().await?;
    let account = open(&store, 0).await?;
    let inbox = inbox(&account).await?;
    let uid = append(&account, &inbox, message(1)).await?.uid;
    let before = account.snapshot(&inbox, false).await?;
    let id = make(&account, "Drafts").await?;
    let staged = blob(&account, message(2)).await?;
    account.delete(&id).await?;

    let placement = Placement::new(staged.clone(), id.clone());
    ensure_kind!(account.commit(vec![placement], Mode::AllOrNothing).await, NotFound, "commit");
    let target = Target::inbox(account_id(0)).with_mailbox(TargetMailbox::Id(id.clone()));
    ensure_kind!(store.deliver(&staged, vec![target], Mode::AllOrNothing).await, NotFound, "deliver");
    ensure_kind!(account.copy(&inbox, &uid.into(), &id).await, NotFound, "copy");
    ensure_kind!(account.move_messages(&inbox, &uid.into(), &id).await, NotFound, "move");
    ensure_kind!(account.expunge(&id, &uid.into(), false).await, NotFound, "expunge");
    ensure_kind!(account.open_body(&id, uid, ByteRange::WHOLE).await, NotFound, "open a body");
    ensure_kind!(account.changes_since(&id, before.highest_modseq, 1).await, NotFound, "the feed");
    ensure_eq!(account.snapshot(&inbox, false).await?, before, "the mailbox that was not deleted");
    ensure_kind!(account.find(&name("Drafts")?).await, NotFound, "find it");
    Ok(())
}
