//! Delivery, quota, and what POP3 needs.

use std::collections::BTreeSet;

use futures::StreamExt;

use super::Factory;
use super::tools::*;
use super::transfer::set_limit;
use crate::{
    Account, ErrorKind, MailStore, MailboxId, Mode, Placement, QuotaResource, SizeHint, Target, TargetMailbox, UidSet,
};

/// What the first account's quota says is used, in units of 1,024 octets, and the sum of its messages in octets.
async fn usage<S: MailStore>(store: &S) -> Check<(u64, u64)> {
    let account = open(store, 0).await?;
    let inbox = inbox(&account).await?;
    let roots = account.quota_roots(&inbox).await?;
    let storage = roots.iter().flat_map(|root| &root.resources).find(|(what, _, _)| *what == QuotaResource::Storage);
    let mut sum = 0;
    for info in list(&account).await? {
        let Some(id) = info.id else { continue };
        sum += metas(&account, &id, &UidSet::all()).await?.iter().map(|meta| meta.size).sum::<u64>();
    }
    match storage {
        Some((_, used, _)) => Ok((*used, sum)),
        None => Err(Stop::failed("a storage limit was set, and no quota root of INBOX has one")),
    }
}

async fn ensure_counted<S: MailStore>(store: &S, after: &str) -> Check {
    let (used, sum) = usage(store).await?;
    // RFC 9208 §5.1 counts units; whether a begun one counts is the store's choice.
    ensure!((sum / 1024..=sum.div_ceil(1024)).contains(&used), "after {after} {used} units are used, of {sum} octets");
    Ok(())
}

pub(super) async fn quota_counts_what_is_there<F: Factory>(kit: &Kit<F>) -> Check {
    let store = kit.store().await?;
    kit.need(store.features().quota, "quota")?;
    set_limit(&store, 1_000_000).await?;
    let account = open(&store, 0).await?;
    let inbox = inbox(&account).await?;
    let other = make(&account, "Other").await?;
    ensure_counted(&store, "nothing").await?;
    for octets in [0, 1, 1023, 1024, 50_000] {
        append(&account, &inbox, vec![b'x'; octets]).await?;
    }
    ensure_counted(&store, "appends").await?;
    let one = blob(&account, vec![b'y'; 10_000]).await?;
    store
        .deliver(&one, vec![Target::inbox(account_id(0)).with_prefix("X: y\r\n".into(), None); 2], Mode::PerTarget)
        .await?;
    ensure_counted(&store, "deliveries").await?;
    let all = account.snapshot(&inbox, false).await?.uids;
    account.copy(&inbox, &all, &other).await?;
    ensure_counted(&store, "a copy").await?;
    account.move_messages(&inbox, &all.iter().take(3).collect(), &other).await?;
    ensure_counted(&store, "a move").await?;
    account.expunge(&inbox, &all.iter().skip(5).collect(), false).await?;
    ensure_counted(&store, "an expunge").await?;
    let replacement = Placement::new(one, inbox.clone());
    if let Some(uid) = account.snapshot(&inbox, false).await?.uids.first() {
        commit_one(&account, replacement.replacing(uid)).await?;
    }
    ensure_counted(&store, "a replacement").await?;
    account.delete(&other).await?;
    ensure_counted(&store, "a delete").await?;
    drop(account);
    ensure_counted(&kit.reopen(store).await?, "a restart").await
}

pub(super) async fn over_quota_changes_nothing<F: Factory>(kit: &Kit<F>) -> Check {
    let store = kit.store().await?;
    kit.need(store.features().quota, "quota")?;
    set_limit(&store, 20).await?;
    let account = open(&store, 0).await?;
    let inbox = inbox(&account).await?;
    append(&account, &inbox, vec![b'x'; 15_000]).await?;
    let (before, used) = (account.snapshot(&inbox, false).await?, usage(&store).await?);
    let announced = account.stage(SizeHint::Octets(10_000)).await;
    ensure!(
        is_kind(&announced.map(|_| ()), ErrorKind::OverQuota),
        "a message too large for the quota may be announced"
    );
    drop(account.stage(SizeHint::Octets(1_000)).await?);

    // Nothing was announced, and the last check is at the commit, or while it is written.
    let late = async {
        let mut stage = account.stage(SizeHint::Unknown).await?;
        crate::Stage::write(&mut stage, vec![b'x'; 10_000].into()).await?;
        let blob = crate::Stage::finish(stage, None).await?;
        account.commit(vec![Placement::new(blob, inbox.clone())], Mode::AllOrNothing).await
    };
    ensure_kind!(late.await, OverQuota, "commit over quota");
    let small = blob(&account, vec![b'x'; 3_000]).await?;
    let three = vec![Placement::new(small.clone(), inbox.clone()); 3];
    ensure_kind!(account.commit(three.clone(), Mode::AllOrNothing).await, OverQuota, "three that fit singly only");
    ensure_eq!(account.snapshot(&inbox, false).await?, before, "the mailbox after commits over quota");
    ensure_eq!(usage(&store).await?, used, "what is used after commits over quota");
    // The service delivers under the same limit.
    let large = store.stage(SizeHint::Unknown).await?;
    let large = {
        let mut stage = large;
        crate::Stage::write(&mut stage, vec![b'x'; 10_000].into()).await?;
        crate::Stage::finish(stage, None).await?
    };
    ensure_kind!(
        store.deliver(&large, vec![Target::inbox(account_id(0))], Mode::AllOrNothing).await,
        OverQuota,
        "deliver"
    );
    ensure_eq!(account.snapshot(&inbox, false).await?, before, "the mailbox after a delivery over quota");
    let each = account.commit(three, Mode::PerTarget).await?;
    ensure_eq!(each.iter().map(Result::is_ok).collect::<Vec<_>>(), vec![true, false, false], "three, each for itself");
    Ok(())
}

async fn count<S: MailStore>(store: &S, number: usize) -> Check<u64> {
    let account = open(store, number).await?;
    Ok(account.snapshot(&inbox(&account).await?, false).await?.uids.len())
}

pub(super) async fn each_recipient_or_all_of_them<F: Factory>(kit: &Kit<F>) -> Check {
    let store = kit.store().await?;
    let account = open(&store, 0).await?;
    let gone = make(&account, "Gone").await?;
    account.delete(&gone).await?;
    let blob = blob(&account, message(1)).await?;
    let bad = Target::inbox(account_id(0)).with_mailbox(TargetMailbox::Id(gone));
    let good = |number| {
        let prefix = format!("Delivered-To: {}\r\n", account_id(number));
        Target::inbox(account_id(number)).with_prefix(prefix.into(), None)
    };

    let answers = store.deliver(&blob, vec![good(0), bad.clone(), good(1), good(2)], Mode::PerTarget).await?;
    let kinds: Vec<_> = answers.iter().map(|answer| answer.as_ref().err().map(|error| error.kind())).collect();
    ensure_eq!(kinds, vec![None, Some(ErrorKind::NotFound), None, None], "the answers, in the order of the targets");
    for (number, at) in [(0, 0), (1, 2), (2, 3)] {
        let account = open(&store, number).await?;
        let inbox = inbox(&account).await?;
        if let Some(Ok(placed)) = answers.get(at) {
            ensure_eq!(placed.mailbox, inbox, "where the {at}. target's message was put");
            let expected = [format!("Delivered-To: {}\r\n", account_id(number)).as_bytes(), &message(1)].concat();
            ensure_eq!(read_message(&account, &inbox, placed.uid).await?, expected, "the {at}. target's message");
        }
    }
    let counts = [count(&store, 0).await?, count(&store, 1).await?, count(&store, 2).await?];
    ensure_eq!(counts, [1, 1, 1], "messages that each account has");

    // One account, which every store can do in one step.
    let one = store.deliver(&blob, vec![good(0), good(0), bad.clone()], Mode::AllOrNothing).await;
    ensure_kind!(one, NotFound, "all or nothing, of which the last fails");
    ensure_eq!(count(&store, 0).await?, 1, "messages after it");
    let several = store.deliver(&blob, vec![good(1), good(2)], Mode::AllOrNothing).await;
    if store.features().atomic_delivery {
        ensure_eq!(several?.len(), 2, "answers for two accounts");
        for targets in [vec![good(1), good(2), bad.clone()], vec![bad.clone(), good(1), good(2)]] {
            ensure_kind!(
                store.deliver(&blob, targets, Mode::AllOrNothing).await,
                NotFound,
                "three, of which one fails"
            );
        }
        ensure_eq!([count(&store, 1).await?, count(&store, 2).await?], [2, 2], "messages that the others have");
    } else {
        ensure_kind!(several, Unsupported, "all or nothing to several accounts");
        ensure_eq!([count(&store, 1).await?, count(&store, 2).await?], [1, 1], "messages that the others have");
    }

    // A name that is not there is made, once.
    let named = Target::inbox(account_id(0)).with_mailbox(TargetMailbox::Named(name("Lists/Rust")?)).with_flags(seen());
    let placed = store.deliver(&blob, vec![named.clone(), named], Mode::AllOrNothing).await?;
    let lists = account.find(&name("Lists/Rust")?).await?;
    ensure_eq!(placed.len(), 2, "answers");
    ensure_eq!(account.snapshot(&lists, false).await?.uids.len(), 2, "messages in the mailbox that was made");
    for meta in metas(&account, &lists, &UidSet::all()).await? {
        ensure_eq!(meta.flags, seen(), "the flags that a delivery gave");
    }
    Ok(())
}

pub(super) async fn a_delivery_appears_in_an_open_view<F: Factory>(kit: &Kit<F>) -> Check {
    let store = kit.store().await?;
    let account = open(&store, 0).await?;
    let inbox = inbox(&account).await?;
    append(&account, &inbox, message(1)).await?;
    let mut heard = Box::pin(account.watch(std::slice::from_ref(&inbox)).await?);
    let view = account.snapshot(&inbox, true).await?;
    let blob = blob(&account, message(2)).await?;
    let mut placed = store.deliver(&blob, vec![Target::inbox(account_id(0))], Mode::AllOrNothing).await?;
    within(kit.declared().signal_within, "the signal of a delivery", heard.next()).await?;
    let changes = all_changes(&account, &inbox, view.highest_modseq, 10).await?;
    let placed = placed.pop().ok_or_else(|| Stop::failed("a delivery had no answer"))??;
    ensure_eq!(changes.changed.iter().map(|changed| changed.uid).collect::<Vec<_>>(), vec![placed.uid], "what is new");
    ensure!(view.uid_next.is_some_and(|next| placed.uid >= next), "{} is below the view's UIDNEXT", placed.uid);
    let first_recent = account.snapshot(&inbox, false).await?.first_recent;
    ensure!(first_recent.is_some_and(|from| from <= placed.uid), "what is delivered after a claim is not recent");
    Ok(())
}

pub(super) async fn a_maildrop_is_lent_once<F: Factory>(kit: &Kit<F>) -> Check {
    let store = kit.store().await?;
    kit.need(store.features().maildrop_lease, "maildrop_lease")?;
    let account = open(&store, 0).await?;
    let inbox = inbox(&account).await?;
    let other = open(&store, 0).await?;
    let lease = account.lease_maildrop(&inbox).await?;
    ensure_kind!(other.lease_maildrop(&inbox).await, InUse, "a second lease");
    ensure_kind!(account.lease_maildrop(&inbox).await, InUse, "a second lease by the same handle");
    // Another's maildrop is not touched by it, and neither are delivery and IMAP.
    let neighbour = open(&store, 1).await?;
    let theirs = super::tools::inbox(&neighbour).await?;
    drop(neighbour.lease_maildrop(&theirs).await?);
    let blob = blob(&other, message(1)).await?;
    store.deliver(&blob, vec![Target::inbox(account_id(0))], Mode::AllOrNothing).await?;
    let uid = append(&other, &inbox, message(2)).await?.uid;
    other.expunge(&inbox, &uid.into(), false).await?;
    drop(lease);
    // Giving back may take a moment where it has to be told to somebody.
    let again = within(kit.declared().unhindered_within, "a lease after the first was given back", async {
        loop {
            match other.lease_maildrop(&inbox).await {
                Err(error) if error.kind() == ErrorKind::InUse => let_others_run().await,
                answer => return answer,
            }
        }
    })
    .await??;
    // One that fails must not take away the one that is held.
    ensure_kind!(account.lease_maildrop(&inbox).await, InUse, "a lease while the second is held");
    ensure_kind!(account.lease_maildrop(&inbox).await, InUse, "a lease after one was refused");
    drop(again);
    Ok(())
}

pub(super) async fn unique_ids_are_stable_and_printable<F: Factory>(kit: &Kit<F>) -> Check {
    let store = kit.store().await?;
    let account = open(&store, 0).await?;
    let inbox = inbox(&account).await?;
    fill(&account, &inbox, 3).await?;
    let old = ["whqtswO00WBw418f9t5JxYwZ", "~", "!".repeat(70).as_str()].map(str::to_owned);
    for uidl in &old {
        let placement = Placement::new(blob(&account, message(4)).await?, inbox.clone()).with_uidl(uidl.clone());
        commit_one(&account, placement).await?;
    }
    let ids = |metas: Vec<crate::MessageMeta>| metas.into_iter().map(|meta| (meta.uid, meta.uidl)).collect::<Vec<_>>();
    let first = ids(metas(&account, &inbox, &UidSet::all()).await?);
    let told: Vec<&String> = first.iter().filter_map(|(_, uidl)| uidl.as_ref()).collect();
    for uidl in &told {
        let printable = uidl.bytes().all(|octet| (b'!'..=b'~').contains(&octet));
        ensure!((1..=70).contains(&uidl.len()) && printable, "{uidl:?} is no unique-id");
    }
    ensure_eq!(told.iter().collect::<BTreeSet<_>>().len(), told.len(), "different unique-ids");
    if store.features().uidl_override {
        ensure_eq!(told, old.iter().collect::<Vec<_>>(), "the unique-ids that were brought along");
    }
    // A copy is another message to POP3.
    if let Some((last, _)) = first.last() {
        let copied = account.copy(&inbox, &(*last).into(), &inbox).await?;
        let copy = copied.uids.first().map(|(_, to)| *to).ok_or_else(|| Stop::failed("nothing was copied"))?;
        let uidl = meta(&account, &inbox, copy).await?.uidl;
        ensure!(uidl.is_none() || !told.contains(&&uidl.unwrap_or_default()), "a copy has its original's unique-id");
        account.expunge(&inbox, &copy.into(), false).await?;
    }
    drop(account);
    let account = open(&kit.reopen(store).await?, 0).await?;
    ensure_eq!(ids(metas(&account, &inbox, &UidSet::all()).await?), first, "the unique-ids in a later session");
    Ok(())
}

pub(super) async fn only_marked_messages_are_removed<F: Factory>(kit: &Kit<F>) -> Check {
    let store = kit.store().await?;
    kit.need(store.features().maildrop_lease, "maildrop_lease")?;
    let account = open(&store, 0).await?;
    let inbox: MailboxId = inbox(&account).await?;
    let all = fill(&account, &inbox, 4).await?;
    // A session that marks and is lost: the marks were the engine's, and the store knows nothing of them.
    drop(account.lease_maildrop(&inbox).await?);
    ensure_eq!(account.snapshot(&inbox, false).await?.uids.len(), 4, "messages after a session was lost");

    let lease = account.lease_maildrop(&inbox).await?;
    let late = append(&open(&store, 0).await?, &inbox, message(9)).await?.uid;
    let marked = uids([all[0], all[2]]);
    let (gone, _) = account.expunge(&inbox, &marked, false).await?;
    drop(lease);
    ensure_eq!(gone, marked, "what QUIT removed");
    ensure_eq!(account.snapshot(&inbox, false).await?.uids, uids([all[1], all[3], late]), "what is left after QUIT");
    Ok(())
}
