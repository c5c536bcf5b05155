//! An index, asked in the same moment in which something changes.

use std::collections::BTreeMap;

use super::Factory;
use super::tools::*;
use crate::{
    Account, Flag, FlagChange, MailStore, MailboxId, Mode, SearchAnswer, SearchKey, SystemFlag, Target, TargetMailbox,
    Uid, UidSet,
};

/// Messages that one delivers while another searches.
const RACED: u32 = 100;

/// What a mailbox holds: the number of each [`message`], and whether it is seen.
type Truth = BTreeMap<Uid, (u32, bool)>;

/// Keys of each kind that an index is for, and the messages that they are for.
fn keys(number: u32, truth: &Truth) -> Vec<(SearchKey, UidSet)> {
    // A message's number is at the end of its subject, before a full stop in its body.
    let of = |wanted: &dyn Fn(u32, bool) -> bool| {
        truth.iter().filter(|(_, (number, seen))| wanted(*number, *seen)).map(|(uid, _)| *uid).collect::<UidSet>()
    };
    let begins = |found: u32| found.to_string().starts_with(&number.to_string());
    let is_seen = SearchKey::Flag(Flag::System(SystemFlag::Seen));
    vec![
        (SearchKey::All, of(&|_, _| true)),
        (SearchKey::Larger(1), of(&|_, _| true)),
        (SearchKey::Header("Subject".into(), format!("message {number}")), of(&|found, _| begins(found))),
        (SearchKey::Body(format!("body of {number}.")), of(&|found, _| found == number)),
        (SearchKey::Text(format!("of {number}.")), of(&|found, _| found == number)),
        (is_seen.clone(), of(&|_, seen| seen)),
        (SearchKey::Not(Box::new(is_seen)), of(&|_, seen| !seen)),
    ]
}

/// Whatever is there is found, at once, or the index says that it does not know.
async fn ensure_found<A: Account>(account: &A, mailbox: &MailboxId, number: u32, truth: &Truth, after: &str) -> Check {
    for (key, expected) in keys(number, truth) {
        match account.search(mailbox, &key).await? {
            SearchAnswer::Exact(found) => ensure_eq!(found, expected, "what is exactly {key:?} right after {after}"),
            SearchAnswer::Candidates(found) => {
                let lost = expected.difference(&found);
                ensure!(lost.is_empty(), "right after {after} the index leaves out {lost} for {key:?}");
            }
            SearchAnswer::Unsupported => {}
        }
    }
    Ok(())
}

pub(super) async fn an_index_is_not_behind_what_is_told<F: Factory>(kit: &Kit<F>) -> Check {
    let store = kit.store().await?;
    kit.need(store.features().search_index, "search_index")?;
    let account = open(&store, 0).await?;
    let (inbox, other) = (inbox(&account).await?, make(&account, "Other").await?);
    let (mut here, mut there) = (Truth::new(), Truth::new());
    for number in 0..30 {
        let blob = blob(&account, message(number)).await?;
        let target = Target::inbox(account_id(0)).with_mailbox(TargetMailbox::Id(inbox.clone()));
        let mut placed = store.deliver(&blob, vec![target], Mode::AllOrNothing).await?;
        let Some(placed) = placed.pop() else { return Err(Stop::failed("a delivery without an answer")) };
        let uid = placed?.uid;
        here.insert(uid, (number, false));
        ensure_found(&account, &inbox, number, &here, "a delivery").await?;

        store_flags(&account, &inbox, &uid.into(), FlagChange::Add(seen()), None).await?;
        here.insert(uid, (number, true));
        ensure_found(&account, &inbox, number, &here, "a change of flags").await?;
        if number % 3 == 0 {
            store_flags(&account, &inbox, &uid.into(), FlagChange::Remove(seen()), None).await?;
            here.insert(uid, (number, false));
            ensure_found(&account, &inbox, number, &here, "a change of flags back").await?;
        }
        let copied = account.copy(&inbox, &uid.into(), &other).await?;
        there.extend(copied.uids.iter().map(|(from, to)| (*to, here[from])));
        ensure_found(&account, &other, number, &there, "a copy").await?;
        if number % 4 == 0 {
            let moved = account.move_messages(&inbox, &uid.into(), &other).await?;
            there.extend(moved.uids.iter().filter_map(|(from, to)| Some((*to, here.remove(from)?))));
            ensure_found(&account, &other, number, &there, "a move, in its destination").await?;
            ensure_found(&account, &inbox, number, &here, "a move, in its source").await?;
        } else if number % 5 == 0 {
            account.expunge(&inbox, &uid.into(), false).await?;
            here.remove(&uid);
            ensure_found(&account, &inbox, number, &here, "an expunge").await?;
        }
    }

    // What was there before the question was asked is in the answer, however fast more comes.
    let raced = make(&account, "Raced").await?;
    let writer = kit.spawn({
        let (account, raced) = (account.clone(), raced.clone());
        move || async move {
            for number in 0..RACED {
                append(&account, &raced, message(number)).await?;
            }
            Ok(())
        }
    });
    let mut seen_last = 0;
    while seen_last < u64::from(RACED) {
        let before = account.snapshot(&raced, false).await?.uids;
        for key in [
            SearchKey::All,
            SearchKey::Text("The body of".into()),
            SearchKey::Header("Subject".into(), "message".into()),
        ] {
            let (SearchAnswer::Exact(found) | SearchAnswer::Candidates(found)) = account.search(&raced, &key).await?
            else {
                continue;
            };
            let lost = before.difference(&found);
            ensure!(lost.is_empty(), "{lost} could be seen, and the index leaves it out for {key:?}");
        }
        seen_last = before.len();
        let_others_run().await;
    }
    writer.await
}
