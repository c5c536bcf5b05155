//! Mailboxes, their names and their UIDVALIDITY.

use super::Factory;
use super::tools::*;
use crate::{Account, MailboxName, Uid};

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
