//! Mailboxes, their names and their UIDVALIDITY.

use super::Factory;
use super::tools::*;
use crate::{Account, ByteRange, ErrorKind, MailboxName, SpecialUse, SystemFlag, Uid, UidSet};

pub(super) async fn inbox_is_always_there<F: Factory>(kit: &Kit<F>) -> Check {
    let account = kit.account().await?;
    let inbox = inbox(&account).await?;
    for spelling in ["inbox", "INBOX", "InBoX"] {
        ensure_eq!(account.find(&name(spelling)?).await?, inbox, "the mailbox that {spelling:?} finds");
    }
    let listed = list(&account).await?;
    let inboxes: Vec<_> = listed.iter().filter(|info| info.name.is_inbox()).collect();
    ensure_eq!(inboxes.len(), 1, "how often INBOX is listed");
    ensure!(inboxes.iter().all(|info| info.id.as_ref() == Some(&inbox)), "INBOX is listed with another id");
    ensure_eq!(account.snapshot(&inbox, false).await?.uids.len(), 0, "messages in a new INBOX");
    ensure_kind!(account.create(&MailboxName::inbox(), None).await, AlreadyExists, "create INBOX");
    ensure_kind!(account.delete(&inbox).await, NotPermitted, "delete INBOX");
    Ok(())
}

pub(super) async fn creating_twice_is_refused<F: Factory>(kit: &Kit<F>) -> Check {
    let account = kit.account().await?;
    let made = account.create(&name("Work")?, None).await?;
    ensure_eq!(account.find(&name("Work")?).await?, made.id, "the mailbox that was made");
    let snapshot = account.snapshot(&made.id, false).await?;
    ensure_eq!(snapshot.uid_validity, made.uid_validity, "the snapshot's UIDVALIDITY, against create's");
    ensure_eq!(snapshot.uid_next, Some(Uid::MIN), "UIDNEXT of a new mailbox");
    ensure_kind!(account.create(&name("Work")?, None).await, AlreadyExists, "create a second time");
    ensure_eq!(account.find(&name("Work")?).await?, made.id, "the mailbox after a second create");
    ensure_kind!(account.find(&name("work")?).await, NotFound, "a name in another case is another name");
    Ok(())
}

pub(super) async fn a_name_used_again_has_a_larger_uid_validity<F: Factory>(kit: &Kit<F>) -> Check {
    let account = kit.account().await?;
    let mut before = account.create(&name("Work")?, None).await?;
    for _ in 0..3 {
        append(&account, &before.id, message(1)).await?;
        account.delete(&before.id).await?;
        ensure_kind!(account.find(&name("Work")?).await, NotFound, "find a deleted mailbox");
        ensure_kind!(account.snapshot(&before.id, false).await, NotFound, "snapshot of a deleted mailbox");
        ensure_kind!(account.delete(&before.id).await, NotFound, "delete a deleted mailbox");
        let again = account.create(&name("Work")?, None).await?;
        ensure!(
            again.uid_validity > before.uid_validity,
            "a name used again has UIDVALIDITY {}, after {}",
            again.uid_validity,
            before.uid_validity
        );
        ensure!(again.id != before.id, "a mailbox id was given out again");
        ensure_eq!(account.snapshot(&again.id, false).await?.uids.len(), 0, "messages in a mailbox made anew");
        before = again;
    }
    Ok(())
}

pub(super) async fn missing_parents_are_made_or_left_out<F: Factory>(kit: &Kit<F>) -> Check {
    let account = kit.account().await?;
    let mut policies = Vec::new();
    for root in ["A", "B"] {
        let (parent, leaf) = (name(&format!("{root}/x"))?, name(&format!("{root}/x/y"))?);
        match account.create(&leaf, None).await {
            Ok(made) => {
                ensure_eq!(account.find(&leaf).await?, made.id, "the mailbox that was made below nothing");
                let real = [account.find(&name(root)?).await.is_ok(), account.find(&parent).await.is_ok()];
                ensure_eq!(real[0], real[1], "whether the one parent is made, against the other");
                policies.push(Some(real[0]));
            }
            Err(error) if error.kind() == ErrorKind::NonExistentParent => {
                account.create(&name(root)?, None).await?;
                account.create(&parent, None).await?;
                account.create(&leaf, None).await?;
                policies.push(None);
            }
            Err(error) => return Err(error.into()),
        }
        let names = list(&account).await?;
        let with_id = |wanted: &MailboxName| names.iter().any(|info| info.name == *wanted && info.id.is_some());
        ensure!(with_id(&leaf), "{leaf} is not listed");
        ensure_eq!(with_id(&parent), account.find(&parent).await.is_ok(), "whether {parent} is listed, against found");
    }
    ensure_eq!(policies[0], policies[1], "what becomes of parents, the second time");
    Ok(())
}

pub(super) async fn children_outlive_their_parent<F: Factory>(kit: &Kit<F>) -> Check {
    let account = kit.account().await?;
    let parent = make(&account, "P").await?;
    let child = make(&account, "P/C").await?;
    let uid = append(&account, &child, message(1)).await?.uid;
    account.delete(&parent).await?;
    ensure_eq!(account.find(&name("P/C")?).await?, child, "the child, after its parent was deleted");
    ensure_eq!(read_message(&account, &child, uid).await?, message(1), "the child's message");
    ensure_kind!(account.find(&name("P")?).await, NotFound, "find the deleted parent");
    let listed = list(&account).await?;
    ensure!(!listed.iter().any(|info| info.id.as_ref() == Some(&parent)), "the deleted parent is listed");
    Ok(())
}

pub(super) async fn a_rename_keeps_all_but_the_name<F: Factory>(kit: &Kit<F>) -> Check {
    let account = kit.account().await?;
    let id = make(&account, "Old").await?;
    account.set_subscribed(&name("Old")?, true).await?;
    let uids: UidSet = fill(&account, &id, 3).await?.into_iter().collect();
    store_flags(&account, &id, &uids, crate::FlagChange::Add(flags("\\Flagged $x")?), None).await?;
    let (before, known) = (account.snapshot(&id, false).await?, metas(&account, &id, &uids).await?);
    account.rename(&name("Old")?, &name("New")?).await?;
    ensure_eq!(account.find(&name("New")?).await?, id, "the id under the new name");
    ensure_kind!(account.find(&name("Old")?).await, NotFound, "find the old name");
    ensure_eq!(account.snapshot(&id, false).await?, before, "the snapshot after a rename");
    ensure_eq!(metas(&account, &id, &uids).await?, known, "the messages after a rename");
    let listed = list(&account).await?;
    let subscribed = |wanted: &str| listed.iter().any(|info| info.name.as_str() == wanted && info.subscribed);
    ensure!(!subscribed("New"), "the subscription went with the mailbox");
    if kit.declared().subscribe_unknown {
        ensure!(subscribed("Old"), "the subscription did not stay with the name");
    }
    Ok(())
}

pub(super) async fn a_rename_takes_the_children_along<F: Factory>(kit: &Kit<F>) -> Check {
    let account = kit.account().await?;
    let mut ids = Vec::new();
    for written in ["a", "a/b", "a/b/c", "ab", "taken", "x/b"] {
        ids.push((name(written)?, make(&account, written).await?));
    }
    let names = list(&account).await?;
    for (from, to, kind) in [
        ("a", "taken", ErrorKind::AlreadyExists),
        ("a", "INBOX", ErrorKind::AlreadyExists),
        // The name itself is free, a child's is not.
        ("a", "x", ErrorKind::AlreadyExists),
        ("a", "a/b/d", ErrorKind::Invalid),
        ("nothing", "else", ErrorKind::NotFound),
    ] {
        let renamed = account.rename(&name(from)?, &name(to)?).await;
        // A store that makes parents has an `x`, and so the same error by another way.
        ensure!(is_kind(&renamed, kind), "rename {from} to {to} answered {renamed:?}, expected {kind:?}");
        ensure_eq!(list(&account).await?.len(), names.len(), "names after a rename that was refused");
        for (known, id) in &ids {
            ensure_eq!(account.find(known).await?, *id, "{known} after a rename that was refused");
        }
    }
    account.rename(&name("a")?, &name("z")?).await?;
    for (known, id) in &ids {
        let now = known.rebased(&name("a")?, &name("z")?).transpose().map_err(Stop::failed)?;
        let now = if known.as_str() == "a" { name("z")? } else { now.unwrap_or_else(|| known.clone()) };
        ensure_eq!(account.find(&now).await?, *id, "{known} after its root was renamed");
    }
    ensure_kind!(account.find(&name("a/b")?).await, NotFound, "find a child's old name");
    // A mere parent, which may have no mailbox, is renamed like one.
    account.rename(&name("x")?, &name("y")?).await?;
    ensure_eq!(account.find(&name("y/b")?).await?, ids[5].1, "the child of a renamed parent");
    Ok(())
}

pub(super) async fn inbox_is_not_renamed<F: Factory>(kit: &Kit<F>) -> Check {
    let (account, inbox) = kit.inbox().await?;
    let child = make(&account, "INBOX/child").await?;
    let all: UidSet = fill(&account, &inbox, 2).await?.into_iter().collect();
    ensure_kind!(account.rename(&MailboxName::inbox(), &name("Old mail")?).await, Invalid, "rename INBOX");
    // What the engines make of it (RFC 9051 §6.3.6).
    let new = make(&account, "Old mail").await?;
    account.move_messages(&inbox, &all, &new).await?;
    ensure_eq!(account.find(&MailboxName::inbox()).await?, inbox, "INBOX after its messages were moved");
    ensure_eq!(account.snapshot(&inbox, false).await?.uids.len(), 0, "messages left in INBOX");
    ensure_eq!(account.snapshot(&new, false).await?.uids.len(), 2, "messages that were moved out of INBOX");
    ensure_eq!(account.find(&name("inbox/child")?).await?, child, "INBOX's child");
    Ok(())
}

pub(super) async fn a_subscription_outlives_its_mailbox<F: Factory>(kit: &Kit<F>) -> Check {
    let account = kit.account().await?;
    let id = make(&account, "Work").await?;
    account.set_subscribed(&name("Work")?, true).await?;
    account.set_subscribed(&name("Work")?, true).await?;
    let entry = |listed: Vec<crate::MailboxInfo>, wanted: &str| {
        let found: Vec<_> = listed.into_iter().filter(|info| info.name.as_str() == wanted).collect();
        (found.len(), found.into_iter().next())
    };
    let (count, found) = entry(list(&account).await?, "Work");
    ensure!(count == 1 && found.is_some_and(|info| info.subscribed), "a subscribed mailbox is not listed so, and once");
    account.delete(&id).await?;
    let (count, found) = entry(list(&account).await?, "Work");
    ensure!(
        count == 1 && found.is_some_and(|info| info.subscribed && info.id.is_none()),
        "a subscription did not outlive its mailbox"
    );
    account.set_subscribed(&name("Work")?, false).await?;
    ensure_eq!(
        entry(list(&account).await?, "Work").0,
        0,
        "how often a name without mailbox and subscription is listed"
    );
    let unknown = account.set_subscribed(&name("Never was")?, true).await;
    if kit.declared().subscribe_unknown {
        unknown?;
        let (_, found) = entry(list(&account).await?, "Never was");
        ensure!(found.is_some_and(|info| info.subscribed), "a subscribed name without mailbox is not listed");
    } else {
        ensure_kind!(unknown, NotFound, "subscribe an unknown name");
    }
    Ok(())
}

pub(super) async fn a_special_use_is_kept<F: Factory>(kit: &Kit<F>) -> Check {
    let account = kit.account().await?;
    let made = match account.create(&name("Gone")?, Some(SpecialUse::Trash)).await {
        Ok(made) => made,
        Err(error) if error.kind() == ErrorKind::Unsupported => skip!("the store keeps no special use"),
        Err(error) => return Err(error.into()),
    };
    let uses = |listed: Vec<crate::MailboxInfo>| listed.into_iter().find(|info| info.id.as_ref() == Some(&made.id));
    let found = uses(list(&account).await?).and_then(|info| info.special_use);
    ensure_eq!(found, Some(SpecialUse::Trash), "the special use that is listed");
    let second = account.create(&name("Also gone")?, Some(SpecialUse::Trash)).await;
    ensure_eq!(second.is_ok(), kit.declared().special_use_twice, "whether a second mailbox of that use is made");
    ensure_eq!(account.find(&name("Also gone")?).await.is_ok(), second.is_ok(), "whether the second one is there");
    account.rename(&name("Gone")?, &name("Moved")?).await?;
    let found = uses(list(&account).await?).and_then(|info| info.special_use);
    ensure_eq!(found, Some(SpecialUse::Trash), "the special use after a rename");
    Ok(())
}

pub(super) async fn names_are_kept_to_the_octet<F: Factory>(kit: &Kit<F>) -> Check {
    let account = kit.account().await?;
    let long = |segment: &str, octets: usize| {
        let count = octets / segment.len();
        let rest = octets - count * segment.len();
        [segment.repeat(count), "r".repeat(rest)].concat()
    };
    let deep = vec!["d"; MailboxName::MAX_DEPTH].join("/");
    let names = [
        "Entw\u{fc}rfe",
        "Entwu\u{308}rfe",
        "\u{65e5}\u{672c}\u{8a9e}/\u{1f4ec}",
        "a&b",
        "&AOQ-",
        "*",
        "%",
        "quo\"te",
        "back\\slash",
        "..",
        ".",
        "../etc",
        "a.b",
        "~",
        " leading and trailing ",
        "CON",
        "work",
        "Work",
        "x/inbox",
        &long("n", 200),
        &long("n", 255),
        &long("n", 256),
        &long("\u{e4}", 1000),
        &long("\u{1f4ec}", 1000),
        &long("n", 1000),
        &deep,
    ];
    let mut made = Vec::new();
    for written in names {
        let name = name(written)?;
        match account.create(&name, None).await {
            Ok(created) => made.push((name, created.id)),
            // A store that folds names may hold two of ours for one; but then it says so.
            Err(error) => ensure!(
                matches!(error.kind(), ErrorKind::Invalid | ErrorKind::NonExistentParent),
                "create {written:?} answered {:?}",
                error.kind()
            ),
        }
    }
    let listed = list(&account).await?;
    for (name, id) in &made {
        ensure_eq!(account.find(name).await?, *id, "the mailbox of the name {name:?}");
        let found: Vec<_> = listed.iter().filter(|info| info.id.as_ref() == Some(id)).collect();
        ensure!(found.len() == 1 && found[0].name == *name, "{name:?} is listed as {found:?}");
    }
    // They hold mail like any other, and do not share it.
    for (at, (_, id)) in (0_u32..).zip(&made) {
        append(&account, id, message(at)).await?;
    }
    for (at, (name, id)) in (0_u32..).zip(&made) {
        let body = account.open_body(id, Uid::MIN, ByteRange::WHOLE).await;
        let uids = account.snapshot(id, false).await?.uids;
        ensure_eq!(uids.len(), 1, "messages in {name:?}");
        drop(body);
        ensure_eq!(
            read_message(&account, id, uids.first().unwrap_or(Uid::MIN)).await?,
            message(at),
            "mail in {name:?}"
        );
    }
    Ok(())
}

pub(super) async fn status_says_what_the_snapshot_says<F: Factory>(kit: &Kit<F>) -> Check {
    let (account, inbox) = kit.inbox().await?;
    let mut ids = vec![inbox.clone()];
    for number in 0..5_u32 {
        let id = make(&account, &format!("M{number}")).await?;
        let uids = fill(&account, &id, number * 2).await?;
        let seen_ones: UidSet = uids.iter().copied().step_by(2).collect();
        store_flags(&account, &id, &seen_ones, crate::FlagChange::Add(seen()), None).await?;
        let deleted = crate::FlagChange::Add([SystemFlag::Deleted].into_iter().collect());
        store_flags(&account, &id, &uids.iter().copied().take(1).collect(), deleted, None).await?;
        account.snapshot(&id, number % 2 == 0).await?;
        fill(&account, &id, 1).await?;
        ids.push(id);
    }
    let gone = make(&account, "Gone").await?;
    account.delete(&gone).await?;
    let mut asked = ids.clone();
    asked.reverse();
    asked.insert(2, gone);
    let told = account.status(&asked).await?;
    ids.reverse();
    ensure_eq!(
        told.iter().map(|status| &status.id).collect::<Vec<_>>(),
        ids.iter().collect::<Vec<_>>(),
        "whose status is told"
    );
    for status in told {
        let snapshot = account.snapshot(&status.id, false).await?;
        let metas = metas(&account, &status.id, &snapshot.uids).await?;
        let with = |flag| metas.iter().filter(|meta| meta.flags.has(flag)).count() as u64;
        ensure_eq!(status.messages, snapshot.uids.len(), "MESSAGES");
        ensure_eq!(status.unseen, status.messages - with(SystemFlag::Seen), "UNSEEN");
        ensure_eq!(status.deleted, with(SystemFlag::Deleted), "DELETED");
        ensure_eq!(status.size, metas.iter().map(|meta| meta.size).sum::<u64>(), "SIZE");
        ensure_eq!(status.uid_next, snapshot.uid_next, "UIDNEXT");
        ensure_eq!(status.uid_validity, snapshot.uid_validity, "UIDVALIDITY");
        ensure_eq!(status.highest_modseq, snapshot.highest_modseq, "HIGHESTMODSEQ");
        let recent = metas.iter().filter(|meta| snapshot.first_recent.is_some_and(|from| from <= meta.uid)).count();
        ensure_eq!(status.recent, recent as u64, "RECENT");
        let first_unseen = metas.iter().find(|meta| !meta.flags.has(SystemFlag::Seen)).map(|meta| meta.uid);
        ensure_eq!(snapshot.first_unseen, first_unseen, "the first unseen message");
        // Claimed once: who reads next finds nothing recent.
        account.snapshot(&status.id, true).await?;
        ensure_eq!(account.snapshot(&status.id, false).await?.first_recent, None, "recent messages after a claim");
    }
    Ok(())
}
