//! UIDs, and what is put under them.

use bytes::Bytes;
use futures::StreamExt;
use futures::future::try_join_all;

use super::Factory;
use super::tools::*;
use crate::{
    Account, ByteRange, Flags, MailStore, Mode, Placement, SizeHint, Stage, Target, TargetMailbox, Timestamp, Uid,
    UidSet,
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
