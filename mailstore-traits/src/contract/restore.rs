//! Mailboxes that were another store's: what clients have kept of them stays true.

use super::tools::{
    AccountOf, Check, Kit, append, blob, commit_one, ensure, ensure_eq, ensure_kind, fill, flags, inbox, message, meta,
    name, open, read_message, uids,
};
use super::{Factory, Stop};
use crate::{Account, MailStore, MailboxId, MailboxPast, ModSeq, Mode, Placement, Timestamp, Uid, UidValidity};

/// A store that takes mailboxes over, and its first account.
async fn account<F: Factory>(kit: &Kit<F>) -> Check<(F::Store, AccountOf<F>)> {
    let store = kit.store().await?;
    kit.need(store.features().restore, "restore")?;
    let account = open(&store, 0).await?;
    Ok((store, account))
}

fn uid(value: u32) -> Check<Uid> {
    Uid::new(value).ok_or_else(|| Stop::failed("the kit's own UID is none"))
}

fn modseq(value: u64) -> Check<ModSeq> {
    ModSeq::new(value).ok_or_else(|| Stop::failed("the kit's own modification sequence is none"))
}

/// One that has told UIDs below 1,000. Its UIDVALIDITY is larger than any that a store makes by itself.
fn past() -> Check<MailboxPast> {
    let validity = UidValidity::new(4_000_000_000).ok_or_else(|| Stop::failed("the kit's own UIDVALIDITY is none"))?;
    Ok(MailboxPast::new(validity, Some(uid(1000)?), modseq(5000)?))
}

async fn place<A: Account>(account: &A, mailbox: &MailboxId, at: u32) -> Check<Uid> {
    let date = Timestamp::from_unix(1_000_000_000).with_offset_minutes(90);
    let placement = Placement::new(blob(account, message(at)).await?, mailbox.clone())
        .with_flags(flags("\\Seen $Old")?)
        .with_internal_date(date)
        .with_uid(uid(at)?);
    let placed = commit_one(account, placement).await?.uid;
    ensure_eq!(placed, uid(at)?, "the UID of a message that had it before");
    let found = meta(account, mailbox, placed).await?;
    ensure_eq!(found.flags, flags("\\Seen $Old")?, "its flags");
    ensure_eq!(found.internal_date, date, "its date");
    Ok(placed)
}

pub(super) async fn a_restored_mailbox_goes_on_where_the_old_one_ended<F: Factory>(kit: &Kit<F>) -> Check {
    let (store, account) = account(kit).await?;
    let past = past()?;
    let before = account.snapshot(&inbox(&account).await?, false).await?;
    for mailbox in ["INBOX", "Archive/2020"] {
        // As a move does it: first the messages under their UIDs, and then up to which they had been given out.
        let made = account.restore(&name(mailbox)?, None, past.unfinished()).await?;
        ensure_eq!(made.uid_validity, past.uid_validity, "the UIDVALIDITY of {mailbox} that is told");
        ensure_eq!(account.find(&name(mailbox)?).await?, made.id, "the mailbox of the name {mailbox}");
        let mut placed = vec![place(&account, &made.id, 7).await?, place(&account, &made.id, 500).await?];
        // Again, as after an interruption.
        let again = account.restore(&name(mailbox)?, None, past.unfinished()).await?;
        ensure_eq!(again, made, "what is told of {mailbox} when it is restored again");
        placed.push(place(&account, &made.id, 501).await?);
        account.restore(&name(mailbox)?, None, past).await?;
        let snapshot = account.snapshot(&made.id, false).await?;
        ensure_eq!(snapshot.uid_validity, past.uid_validity, "the UIDVALIDITY of {mailbox}");
        ensure_eq!(snapshot.uid_next, past.uid_next, "the UIDNEXT of {mailbox}");
        ensure_eq!(snapshot.uids, uids(placed), "the UIDs of {mailbox}");
        ensure!(
            snapshot.highest_modseq >= past.highest_modseq,
            "HIGHESTMODSEQ is {}, and clients know {}",
            snapshot.highest_modseq,
            past.highest_modseq
        );
        ensure_kind!(
            account.changes_since(&made.id, modseq(4999)?, 100).await,
            ModSeqTooOld,
            "changes since before the move, of which nothing is known here"
        );
        let since = account.changes_since(&made.id, past.highest_modseq, 100).await?;
        ensure!(since.vanished.is_empty(), "messages are told as vanished that never were here");
        ensure!(append(&account, &made.id, message(1)).await?.uid >= uid(1000)?, "a UID was given out again");
        ensure_eq!(read_message(&account, &made.id, uid(7)?).await?, message(7), "a message that was moved");
    }
    // Who uses the name again gets a larger UIDVALIDITY than the mailbox had, wherever it had it.
    let archive = account.find(&name("Archive/2020")?).await?;
    account.delete(&archive).await?;
    let anew = account.create(&name("Archive/2020")?, None).await?;
    ensure!(anew.uid_validity > past.uid_validity, "UIDVALIDITY fell to {}", anew.uid_validity);
    ensure!(before.uid_validity != past.uid_validity, "the kit's UIDVALIDITY is the store's own");
    drop(account);

    let account = open(&kit.reopen(store).await?, 0).await?;
    let snapshot = account.snapshot(&inbox(&account).await?, false).await?;
    ensure_eq!(snapshot.uid_validity, past.uid_validity, "the UIDVALIDITY after a restart");
    ensure!(snapshot.uid_next > past.uid_next, "the UIDNEXT after a restart is {:?}", snapshot.uid_next);
    Ok(())
}

pub(super) async fn only_an_unused_mailbox_is_restored<F: Factory>(kit: &Kit<F>) -> Check {
    let (_store, account) = account(kit).await?;
    let inbox = inbox(&account).await?;
    fill(&account, &inbox, 3).await?;
    let before = account.snapshot(&inbox, false).await?;
    ensure_kind!(
        account.restore(&name("inbox")?, None, past()?).await,
        AlreadyExists,
        "restore a mailbox in the place of one that has been used"
    );
    // All or nothing, for a UID that may have been another message's.
    let staged = |number| blob(&account, message(number));
    let placements = vec![
        Placement::new(staged(1).await?, inbox.clone()).with_uid(uid(50)?),
        Placement::new(staged(2).await?, inbox.clone()).with_uid(uid(50)?),
    ];
    ensure_kind!(account.commit(placements, Mode::AllOrNothing).await, Invalid, "one UID for two messages");
    let placements = vec![Placement::new(staged(3).await?, inbox.clone()).with_uid(uid(2)?)];
    ensure_kind!(account.commit(placements, Mode::AllOrNothing).await, Invalid, "a UID that was given out before");
    let after = account.snapshot(&inbox, false).await?;
    ensure_eq!(after, before, "the mailbox after refusals");
    // A UIDVALIDITY that is the mailbox's own lets UIDNEXT rise, and nothing fall.
    let ahead = MailboxPast::new(before.uid_validity, Some(uid(90)?), before.highest_modseq);
    account.restore(&name("INBOX")?, None, ahead).await?;
    let behind = MailboxPast::new(before.uid_validity, Some(uid(1)?), modseq(1)?);
    account.restore(&name("INBOX")?, None, behind).await?;
    let raised = account.snapshot(&inbox, false).await?;
    ensure_eq!(raised.uid_next, Some(uid(90)?), "UIDNEXT after it was raised");
    ensure!(raised.highest_modseq >= before.highest_modseq, "HIGHESTMODSEQ fell to {}", raised.highest_modseq);
    Ok(())
}
