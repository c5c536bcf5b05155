//! Annotations of mailboxes and of the account (RFC 5464).

use bytes::Bytes;

use super::Factory;
use super::tools::*;
use crate::{Account, Annotation, ErrorKind, MailStore, MailboxId};

/// What is there of one entry and below it, by name.
async fn under<A: Account>(account: &A, mailbox: Option<&MailboxId>, entry: &str) -> Check<Vec<(String, Bytes)>> {
    let found = account.annotations(mailbox, &[entry.to_owned()]).await?;
    let mut told = Vec::new();
    for Annotation { entry: name, value } in found {
        match value {
            Some(value) => told.push((name.to_ascii_lowercase(), value)),
            None => return Err(Stop::failed(format_args!("{name} is told of without a value"))),
        }
    }
    told.sort();
    Ok(told)
}

/// An entry with its value as [`under`] tells of it.
fn pair(entry: &str, value: impl Into<Bytes>) -> (String, Bytes) {
    (entry.to_owned(), value.into())
}

fn set(entry: &str, value: impl Into<Bytes>) -> Annotation {
    Annotation::new(entry, Some(value.into()))
}

pub(super) async fn an_annotation_is_ones_own_or_everybodys<F: Factory>(kit: &Kit<F>) -> Check {
    let store = kit.store().await?;
    kit.need(store.features().annotations, "annotations")?;
    let account = open(&store, 0).await?;
    let first = make(&account, "Annotated").await?;
    let other = make(&account, "Another").await?;
    let before = account.snapshot(&first, false).await?;

    for (place, what) in [(Some(&first), "a mailbox"), (None, "the account")] {
        ensure_eq!(under(&account, place, "/private").await?, vec![], "annotations of {what} that is new");
        // RFC 5464 §3.2: an entry's value is NIL or octets, and none at all are octets too.
        let octets: Vec<u8> = (0..=u8::MAX).collect();
        let values = vec![
            set("/private/comment", "mine"),
            set("/shared/comment", octets.clone()),
            set("/private/comments", ""),
            set("/private/comment/below", "deeper"),
        ];
        account.set_annotations(place, values).await?;
        let mine = vec![pair("/private/comment", "mine"), pair("/private/comment/below", "deeper")];
        ensure_eq!(under(&account, place, "/private/comment").await?, mine, "an entry of {what} and those below it");
        ensure_eq!(under(&account, place, "/PRIVATE/Comment").await?, mine, "the same in another case of letters");
        let shared = vec![pair("/shared/comment", octets)];
        ensure_eq!(under(&account, place, "/shared").await?, shared, "the shared ones of {what}");
        let empty = vec![pair("/private/comments", "")];
        ensure_eq!(under(&account, place, "/private/comments").await?, empty, "an empty value is a value");
        let twice = account.annotations(place, &["/shared".into(), "/shared/comment".into()]).await?;
        ensure_eq!(twice.len(), 1, "annotations told of for an entry that was asked for by two names");
        ensure_eq!(account.annotations(place, &[]).await?.len(), 0, "annotations told of when none was asked for");

        account.set_annotations(place, vec![set("/Private/COMMENT", "new")]).await?;
        let changed = vec![pair("/private/comment", "new"), pair("/private/comment/below", "deeper")];
        ensure_eq!(under(&account, place, "/private/comment").await?, changed, "an entry of {what} that was set again");
        let gone = ["/private/comment", "/private/never"].map(|entry| Annotation::new(entry, None)).to_vec();
        account.set_annotations(place, gone).await?;
        let left = vec![pair("/private/comment/below", "deeper"), pair("/private/comments", "")];
        ensure_eq!(under(&account, place, "/private").await?, left, "what is left of {what} when one was removed");
        refused(kit, &account, place, what).await?;
    }
    ensure_eq!(under(&account, Some(&other), "/shared").await?, vec![], "another mailbox's annotations");
    ensure_eq!(account.snapshot(&first, false).await?, before, "the mailbox, which annotations do not change");

    // RFC 5464 §4.1: they follow the mailbox when it is renamed, and a new one of its name does not inherit them.
    let were = under(&account, Some(&first), "/private").await?;
    account.rename(&name("Annotated")?, &name("Renamed")?).await?;
    ensure_eq!(under(&account, Some(&first), "/private").await?, were, "annotations after a rename");
    account.delete(&first).await?;
    ensure_kind!(account.annotations(Some(&first), &["/shared".into()]).await, NotFound, "those of a deleted mailbox");
    let late = account.set_annotations(Some(&first), vec![set("/shared/comment", "late")]).await;
    ensure_kind!(late, NotFound, "setting one of a deleted mailbox");
    let again = make(&account, "Renamed").await?;
    ensure_eq!(under(&account, Some(&again), "/private").await?, vec![], "annotations of a name that is used again");

    let mine = under(&account, None, "/private").await?;
    drop(account);
    let store = kit.reopen(store).await?;
    let account = open(&store, 0).await?;
    ensure_eq!(under(&account, None, "/private").await?, mine, "the account's annotations after a restart");
    Ok(())
}

/// What cannot be set changes nothing, and neither does what stands beside it.
async fn refused<F: Factory, A: Account>(kit: &Kit<F>, account: &A, place: Option<&MailboxId>, what: &str) -> Check {
    let before = (under(account, place, "/private").await?, under(account, place, "/shared").await?);
    let limit = kit.declared().annotation_octets;
    let mut cases = vec![(set("/shared/large", vec![b'x'; limit.saturating_add(1)]), ErrorKind::TooBig)];
    // RFC 5464 §3.2
    let bad = ["comment", "/comment", "/shared", "/shared/", "/shared//x", "/shared/x/", "/shared/*", "/shared/%"];
    cases.extend(bad.map(|entry| (set(entry, "x"), ErrorKind::Invalid)));
    cases.extend(["/shared/\u{e9}", "/shared/\r\nx"].map(|entry| (set(entry, "x"), ErrorKind::Invalid)));
    for (case, kind) in cases {
        let label = format!("{:?} of {what}", case.entry);
        let beside = vec![set("/shared/beside", "x"), Annotation::new("/private/comments", None), case];
        let answer = account.set_annotations(place, beside).await;
        ensure!(is_kind(&answer, kind), "{label}: the store answered {answer:?}, expected {kind:?}");
        let after = (under(account, place, "/private").await?, under(account, place, "/shared").await?);
        ensure_eq!(after, before, "annotations after one was refused: {label}");
    }
    account.set_annotations(place, vec![set("/shared/large", vec![b'x'; limit])]).await?;
    account.set_annotations(place, vec![Annotation::new("/shared/large", None)]).await?;

    let there = under(account, place, "/shared").await?.len();
    let room = kit.declared().annotations_each.saturating_sub(there);
    let many: Vec<Annotation> = (0..room).map(|number| set(&format!("/shared/many/{number}"), "x")).collect();
    let mut one_more = many.clone();
    one_more.push(set("/shared/one-more", "x"));
    ensure_kind!(account.set_annotations(place, one_more).await, LimitExceeded, "one annotation too many of {what}");
    let after = (under(account, place, "/private").await?, under(account, place, "/shared").await?);
    ensure_eq!(after, before, "annotations of {what} after one too many");
    account.set_annotations(place, many.clone()).await?;
    ensure_eq!(under(account, place, "/shared/many").await?.len(), room, "as many annotations as {what} may have");
    let gone = many.into_iter().map(|annotation| Annotation::new(annotation.entry, None)).collect();
    account.set_annotations(place, gone).await?;
    let after = (under(account, place, "/private").await?, under(account, place, "/shared").await?);
    ensure_eq!(after, before, "annotations of {what} when many were removed");
    Ok(())
}
